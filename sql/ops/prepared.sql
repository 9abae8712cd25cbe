-- name: prepared()$
-- The names that PostgreSQL has for the prepared statements of this session.
select coalesce(array_agg(name), '{}')
from pg_prepared_statements;
