-- PostgreSQL's image runs this once, when its volume is empty. The extension counts all databases' statements. It is not in
-- that of the service, because its dumps would have it, and only a superuser can restore it.
\connect postgres
create extension pg_stat_statements;
