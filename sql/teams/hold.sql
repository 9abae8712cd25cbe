-- name: hold(team_id, user_id)$
-- Wait for the team's lock and keep it, without taking a revision: the statements that follow in the transaction see
-- who may act now, and it stays true until the commit.
select team_id
from teams
where
    team_id = :team_id
    and exists (
        select 1
        from actors
        where
            actors.team_id = :team_id
            and actors.user_id = :user_id
    )
for no key update;
