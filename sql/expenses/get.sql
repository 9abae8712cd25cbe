-- name: get(team_id, user_id, expense_id)^
-- A live expense of one of the actor's teams.
select
    expense_id,
    description,
    category,
    amount,
    currency,
    spent_on,
    notes,
    split,
    payers,
    participants,
    created_by,
    version,
    created_at,
    updated_at
from expenses
where
    team_id = :team_id
    and expense_id = :expense_id
    and kind = 'expense'
    and deleted_at is null
    and exists (
        select 1
        from actors
        where
            actors.team_id = :team_id
            and actors.user_id = :user_id
    );
