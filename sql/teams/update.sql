-- name: update(team_id, user_id, name, currency, archived)^
-- Change a team; null leaves a field as it is. Nothing unless the actor is an owner or an admin, and the team is not
-- archived: then it takes no other change before it is taken back. Asked after teams.hold.
with
before as (
    select
        teams.team_id,
        actors.member_id,
        actors.role,
        to_jsonb(teams) as record
    from actors
    inner join teams on actors.team_id = teams.team_id
    where
        actors.team_id = :team_id
        and actors.user_id = :user_id
        and actors.role in ('owner', 'admin')
),

team as (
    update teams
    set
        revision = teams.revision + 1,
        name = coalesce(:name, teams.name),
        currency = coalesce(:currency, teams.currency),
        archived_at = case
            when :archived::boolean is null then teams.archived_at
            when :archived::boolean then coalesce(teams.archived_at, now())
        end
    from before
    where
        teams.team_id = :team_id
        and before.team_id = teams.team_id
        and (teams.archived_at is null or :archived::boolean is false or coalesce(:name, :currency) is null)
    returning
        teams.team_id,
        teams.name,
        teams.currency,
        teams.revision,
        teams.archived_at,
        teams.created_at
),

history as (
    insert into revisions (team_id, revision, actor_id, action, subject_id, before, after)
    select
        team.team_id,
        team.revision,
        before.member_id,
        'teams.update',
        team.team_id,
        before.record,
        to_jsonb(team)
    from team
    cross join before
)

select
    team.team_id,
    team.name,
    team.currency,
    before.member_id,
    before.role,
    team.revision,
    team.archived_at,
    team.created_at
from team
cross join before;
