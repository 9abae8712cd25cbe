-- name: lock_deleted(team_id, user_id, kept_seconds)$
-- Begin to restore a team: lock it and return its next revision, or nothing if the actor cannot restore it. While this
-- waited for the lock that may have changed: the statement that follows decides.
update teams
set revision = teams.revision + 1
from restorers
where
    teams.team_id = :team_id
    and restorers.team_id = :team_id
    and restorers.user_id = :user_id
    and restorers.deleted_at > now() - :kept_seconds * interval '1 second'
returning teams.revision;
