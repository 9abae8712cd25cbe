-- name: allow(milliseconds)$
-- Let each statement take so long, until the transaction ends.
select set_config('statement_timeout', :milliseconds, true);
