-- name: migrated(migration_id)$
-- Whether a migration is applied.
select exists(
    select 1
    from _yoyo_migration
    where migration_id = :migration_id
);
