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
)

select
    team.revision,
    team.currency,
    team.member_id,
    team.role as actor_role,
    case
        when not team.can_record then 'recorders-only'
        when team.is_archived then 'team-archived'
    end as refusal,
    uuidv7() as expense_id,
    (now() at time zone team.time_zone)::date as today,
    array(
        select members.member_id
        from members
        where
            members.team_id = :team_id
            and members.left_at is null
    ) as active_ids,
    array(
        select members.member_id
        from members
        where
            members.team_id = :team_id
            and members.left_at is null
            and members.role <> 'viewer'
        order by members.member_id
    ) as everybody
from team;
