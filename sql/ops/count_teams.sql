-- name: count_teams()$
-- How many teams there are, deleted ones included.
select count(*)
from teams;
