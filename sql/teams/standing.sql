-- name: standing(team_id, user_id)^
-- How the actor stands in a team, to tell why something was refused; nothing for a stranger.
select
    actors.member_id,
    actors.role,
    teams.archived_at is not null as archived
from actors
inner join teams on actors.team_id = teams.team_id
where
    actors.team_id = :team_id
    and actors.user_id = :user_id;
