-- name: prepare(team_id, user_id)^
-- Begin to record an expense: lock the team as teams.lock does, and return what the split needs to know, or the
-- refusal. What this reads may be older than the lock it waited for; expenses.create decides.
with
team as (
    update teams
    set revision = teams.revision + 1
    from actors
    where
        teams.team_id = :team_id
        and actors.team_id = :team_id
        and actors.user_id = :user_id
    returning
        teams.revision,
        teams.currency,
        teams.time_zone,
        actors.member_id,
        actors.role,
        actors.can_record,
        actors.is_archived
),

present as (
    select
        array_agg(member_id) as active_ids,
        coalesce(array_agg(member_id order by member_id) filter (where role <> 'viewer'), '{}') as everybody
    from members
    where
        team_id = :team_id
        and left_at is null
)

select
    team.revision,
    team.currency,
    team.member_id,
    team.role as actor_role,
    present.active_ids,
    present.everybody,
    case
        when not team.can_record then 'recorders-only'
        when team.is_archived then 'team-archived'
    end as refusal,
    uuidv7() as expense_id,
    (now() at time zone team.time_zone)::date as today
from team
cross join present;
