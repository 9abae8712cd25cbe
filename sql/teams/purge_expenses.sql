-- name: purge_expenses(team_id, rows_max)$
-- Delete the first of a team's expenses with their entries, and return how many expenses: those of the first `rows_max`
-- entries or, if there are no entries, the first `rows_max`. It is one statement, because at its end neither may be there
-- without the other. Runs while the team is locked. Of an array the planner knows that it is short.
with
chosen as materialized (
    select
        array(
            select with_entries.expense_id
            from (
                select expense_id
                from entries
                where team_id = :team_id
                order by expense_id
                limit :rows_max
            ) as with_entries
            union
            select without_entries.expense_id
            from (
                select expense_id
                from expenses
                where
                    team_id = :team_id
                    and not exists (
                        select 1
                        from entries
                        where entries.team_id = :team_id
                    )
                order by expense_id
                limit :rows_max
            ) as without_entries
        ) as expense_ids
),

purged_entries as (
    delete from entries
    where
        team_id = :team_id
        and expense_id = any((select chosen.expense_ids from chosen)::uuid[])
),

purged as (
    delete from expenses
    where
        team_id = :team_id
        and expense_id = any((select chosen.expense_ids from chosen)::uuid[])
    returning expense_id
)

select count(*)
from purged;
