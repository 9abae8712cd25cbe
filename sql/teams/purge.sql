-- name: purge(team_id)$
-- Delete a team of which nothing else is left, and return how many that was. Runs while it is locked.
with
purged as (
    delete from teams
    where team_id = :team_id
    returning team_id
)

select count(*)
from purged;
