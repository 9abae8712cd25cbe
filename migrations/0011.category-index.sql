-- depends: 0010.search-index
-- transactional: false

-- Finds the expenses of a category.
drop index concurrently if exists expenses_category_idx;
create index concurrently expenses_category_idx on expenses (team_id, category, spent_on desc, expense_id desc)
where deleted_at is null and kind = 'expense';
