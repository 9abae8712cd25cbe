-- name: update(team_id, user_id, revision, name, currency, archived)^
-- Change a team, or return the refusal; null leaves a field unchanged. An archived team must be restored before any
-- other change. Runs while the team is locked.
with
actor as (
    select actors.*
    from actors
    where
        team_id = :team_id
        and user_id = :user_id
),

verdict as (
    select
        member_id,
        role,
        case
            when not can_manage then 'managers-only'
            when is_archived and :archived::boolean is not false and coalesce(:name, :currency) is not null
                then 'team-archived'
        end as refusal
    from actor
),

before as (
    select to_jsonb(teams) || jsonb_build_object('revision', teams.revision - 1) as record
    from teams
    where teams.team_id = :team_id
),

team as (
    update teams
    set
        name = coalesce(:name, teams.name),
        currency = coalesce(:currency, teams.currency),
        archived_at = case
            when :archived::boolean is null then teams.archived_at
            when :archived::boolean then coalesce(teams.archived_at, (select now()))
        end
    from verdict
    cross join before
    where
        teams.team_id = :team_id
        and verdict.refusal is null
    returning
        teams.team_id,
        teams.name,
        teams.currency,
        teams.revision,
        teams.archived_at,
        teams.created_at,
        before.record
),

history as (
    insert into revisions (team_id, revision, actor_id, action, subject_id, before, after)
    select
        :team_id,
        :revision,
        verdict.member_id,
        'teams.update',
        team.team_id,
        team.record,
        to_jsonb(team) - 'record'
    from team
    cross join verdict
)

select
    team.*,
    verdict.member_id,
    verdict.role,
    verdict.refusal,
    verdict.role as actor_role
from verdict
left join team on true;
