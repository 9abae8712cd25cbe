-- name: get(team_id, user_id)^
-- One of the actor's teams.
select
    teams.team_id,
    teams.name,
    teams.currency,
    actors.member_id,
    actors.role,
    teams.revision,
    teams.archived_at,
    teams.version,
    teams.created_at
from actors
inner join teams on actors.team_id = teams.team_id
where
    actors.team_id = :team_id
    and actors.user_id = :user_id;
