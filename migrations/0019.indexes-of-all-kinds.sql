-- depends: 0018.member-index
-- transactional: false

-- The indexes of expenses, now of all kinds; the next migration has the lists use them, and drops the others.
drop index concurrently if exists expenses_all_spent_on_idx;
create index concurrently expenses_all_spent_on_idx on expenses (team_id, spent_on desc, expense_id desc)
where deleted_at is null;
drop index concurrently if exists expenses_all_created_at_idx;
create index concurrently expenses_all_created_at_idx on expenses (team_id, created_at desc, expense_id desc)
where deleted_at is null;
drop index concurrently if exists expenses_all_search_idx;
create index concurrently expenses_all_search_idx on expenses using gin (search_vector(team_id, description))
where deleted_at is null;
drop index concurrently if exists expenses_all_category_idx;
create index concurrently expenses_all_category_idx on expenses (team_id, category, spent_on desc, expense_id desc)
where deleted_at is null and category is not null;

-- Finds the kinds that are rare.
drop index concurrently if exists expenses_kind_idx;
create index concurrently expenses_kind_idx on expenses (team_id, kind, spent_on desc, expense_id desc)
where deleted_at is null and kind <> 'expense';

-- A client's id is that of one expense of the team, deleted ones included.
drop index concurrently if exists expenses_external_id_key;
create unique index concurrently expenses_external_id_key on expenses (team_id, external_id)
where external_id is not null;
drop index concurrently if exists expenses_metadata_idx;
create index concurrently expenses_metadata_idx on expenses using gin (metadata_terms(team_id, metadata))
where deleted_at is null and metadata <> '{}';
