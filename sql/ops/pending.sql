-- name: pending(migration_ids)$
-- How many of these migrations are not applied.
select cardinality(:migration_ids::text[]) - count(*)
from _yoyo_migration
where migration_id = any(:migration_ids::text[]);
