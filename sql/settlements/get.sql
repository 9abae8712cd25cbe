-- name: get(team_id, user_id, settlement_id)^
-- A live settlement of one of the actor's teams.
select live_settlements.*
from live_settlements
where
    live_settlements.team_id = :team_id
    and live_settlements.settlement_id = :settlement_id
    and exists (
        select 1
        from actors
        where
            actors.team_id = :team_id
            and actors.user_id = :user_id
    );
