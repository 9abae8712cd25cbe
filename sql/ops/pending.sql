-- name: pending(migration_ids)$
-- Which of these migrations are not applied, in order.
select coalesce(array_agg(wanted.migration_id order by wanted.position), '{}')
from unnest(:migration_ids::text[]) with ordinality as wanted (migration_id, position)
where not exists (
    select 1
    from _yoyo_migration
    where _yoyo_migration.migration_id = wanted.migration_id
);
