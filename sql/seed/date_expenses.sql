-- name: date_expenses(team_id)$
-- Date a team's expenses by the team's revisions.
update expenses
set
    created_at = revisions.at,
    updated_at = revisions.at
from revisions
where
    expenses.team_id = :team_id
    and revisions.team_id = :team_id
    and revisions.action in ('expenses.create', 'settlements.create')
    and revisions.subject_id = expenses.expense_id
returning expenses.expense_id;
