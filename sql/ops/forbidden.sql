-- name: forbidden()^
-- What the role may not do with the service's tables. The catalogs show a table to everybody, also to whom it is closed.
with
-- Where the service's tables are: of several places, that which the role looks in.
place as (
    select
        relnamespace,
        relowner
    from pg_catalog.pg_class
    where relname = 'live_expenses' and relkind = 'v'
    order by pg_table_is_visible(oid) desc
    limit 1
),

relations as (
    select
        pg_class.relname,
        has_schema_privilege(pg_class.relnamespace, 'usage')
        and has_table_privilege(pg_class.oid, 'select') as is_readable,
        -- What only the migration writes to need not be writable.
        pg_class.relkind = 'v'
        or pg_class.relname = '_yoyo_migration'
        or has_table_privilege(pg_class.oid, 'insert, update') as is_writable
    from place
    inner join pg_catalog.pg_class
        on place.relnamespace = pg_class.relnamespace and place.relowner = pg_class.relowner
    where
        pg_class.relkind in ('r', 'p', 'v')
        and (pg_class.relname not like '%yoyo%' or pg_class.relname = '_yoyo_migration')
        -- What an extension made is not the service's.
        and not exists (
            select 1
            from pg_catalog.pg_depend
            where pg_depend.objid = pg_class.oid and pg_depend.deptype = 'e'
        )
)

select
    current_user::text as role_name,
    (
        select pg_get_userbyid(relowner)::text
        from place
    ) as owner_name,
    coalesce(array_agg(relname::text order by relname) filter (where not is_readable), '{}') as unreadable,
    coalesce(array_agg(relname::text order by relname) filter (where not is_writable), '{}') as unwritable
from relations;
