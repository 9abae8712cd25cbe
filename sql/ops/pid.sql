-- name: pid()$
-- The process of the server that answers.
select pg_backend_pid();
