-- name: current(team_id, user_id, expense_id)^
-- A live expense as it is, with what a change of it needs to know: who acts, and who can be named. Asked while
-- the team is locked, so none of it changes before the write.
select
    actors.member_id as actor_id,
    actors.role as actor_role,
    expenses.expense_id,
    expenses.description,
    expenses.category,
    expenses.amount,
    expenses.currency,
    expenses.spent_on,
    expenses.notes,
    expenses.split,
    expenses.payers::text as payers,
    expenses.participants::text as participants,
    expenses.created_by,
    expenses.version,
    expenses.created_at,
    expenses.updated_at,
    array(
        select parties.member_id
        from parties
        where parties.team_id = :team_id
    ) as member_ids
from actors
inner join expenses on actors.team_id = expenses.team_id
where
    actors.team_id = :team_id
    and actors.user_id = :user_id
    and expenses.expense_id = :expense_id
    and expenses.kind = 'expense'
    and expenses.deleted_at is null;
