-- name: prepare(team_id, user_id)^
-- Begin recording an expense: lock the team as teams.lock does, and say all that a split needs to know. What this saw
-- may be older than the lock it waited for; expenses.create checks it again.
with
team as (
    update teams
    set revision = teams.revision + 1
    from actors
    where
        teams.team_id = :team_id
        and teams.archived_at is null
        and actors.team_id = :team_id
        and actors.user_id = :user_id
        and actors.role in ('owner', 'admin', 'member')
    returning
        teams.revision,
        teams.currency,
        actors.member_id
)

select
    team.revision,
    team.currency,
    team.member_id,
    uuidv7() as expense_id,
    array(
        select parties.member_id
        from parties
        where
            parties.team_id = :team_id
            and parties.is_active
        order by parties.member_id
    ) as member_ids,
    array(
        select parties.member_id
        from parties
        where
            parties.team_id = :team_id
            and not parties.is_active
    ) as former_ids
from team;
