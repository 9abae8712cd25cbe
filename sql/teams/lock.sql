-- name: lock(team_id, user_id)$
-- Begin a write: lock the team and return its next revision, or nothing if the actor is not in the team. While this
-- waited for the lock the memberships may have changed: the statement that follows decides who may write.
update teams
set revision = teams.revision + 1
from actors
where
    teams.team_id = :team_id
    and actors.team_id = :team_id
    and actors.user_id = :user_id
returning teams.revision;
