-- name: hold(team_id)$
-- Wait for the team's lock and keep it, without taking a revision: the statements that follow in the transaction see
-- who may act now, and it stays true until the commit.
select team_id
from teams
where team_id = :team_id
for no key update;
