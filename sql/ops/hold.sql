-- name: hold(team_id)$
-- Lock a team as every write of it does, without a revision.
select team_id
from teams
where team_id = :team_id
for no key update;
