-- name: next_teams(after_id, size)
-- The ids of the next teams after one, in order, deleted ones included.
select team_id
from teams
where team_id > :after_id
order by team_id
limit :size;
