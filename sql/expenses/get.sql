-- name: get(team_id, user_id, expense_id)^
-- A live expense of one of the actor's teams.
select live_expenses.*
from live_expenses
where
    live_expenses.team_id = :team_id
    and live_expenses.expense_id = :expense_id
    and exists (
        select 1
        from actors
        where
            actors.team_id = :team_id
            and actors.user_id = :user_id
    );
