-- name: restore(team_id, user_id, revision)$
-- Take back the deletion of a team, or return nothing if the actor cannot any more. Runs while the team is locked.
with
before as (
    select to_jsonb(teams) || jsonb_build_object('revision', teams.revision - 1) as record
    from teams
    where teams.team_id = :team_id
),

restorer as (
    select
        restorers.member_id,
        before.record
    from restorers
    cross join before
    where
        restorers.team_id = :team_id
        and restorers.user_id = :user_id
),

team as (
    update teams
    set
        version = teams.version + 1,
        deleted_at = null
    from restorer
    where teams.team_id = :team_id
    returning
        teams.team_id,
        teams.name,
        teams.currency,
        teams.time_zone,
        teams.revision,
        teams.archived_at,
        teams.closed_until,
        teams.version,
        teams.created_at,
        restorer.member_id,
        restorer.record
),

history as (
    insert into revisions (team_id, revision, actor_id, action, subject_id, before, after)
    select
        :team_id,
        :revision,
        team.member_id,
        'teams.restore',
        team.team_id,
        team.record,
        to_jsonb(team) - 'record' - 'member_id'
    from team
)

select team_id
from team;
