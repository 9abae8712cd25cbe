-- depends: 0009.search
-- transactional: false

-- Finds text in descriptions.
drop index concurrently if exists expenses_search_idx;
create index concurrently expenses_search_idx on expenses using gin (search_vector(team_id, description))
where deleted_at is null and kind = 'expense';
