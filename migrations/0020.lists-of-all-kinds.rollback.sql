drop view live_settlements;
drop view live_expenses;
create view live_expenses as
select
    team_id,
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
    kind = 'expense'
    and deleted_at is null;
alter index expenses_spent_on_idx rename to expenses_all_spent_on_idx;
alter index expenses_created_at_idx rename to expenses_all_created_at_idx;
alter index expenses_search_idx rename to expenses_all_search_idx;
alter index expenses_category_idx rename to expenses_all_category_idx;
create index expenses_spent_on_idx on expenses (team_id, spent_on desc, expense_id desc)
where deleted_at is null and kind = 'expense';
create index expenses_created_at_idx on expenses (team_id, created_at desc, expense_id desc)
where deleted_at is null and kind = 'expense';
create index expenses_search_idx on expenses using gin (search_vector(team_id, description))
where deleted_at is null and kind = 'expense';
create index expenses_category_idx on expenses (team_id, category, spent_on desc, expense_id desc)
where deleted_at is null and kind = 'expense';
