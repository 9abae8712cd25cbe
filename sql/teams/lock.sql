-- name: lock(team_id, user_id, roles)^
-- Begin a write: lock the team, take its next revision, and say who acts. Nothing when the actor has none of the
-- roles or the team is archived. A statement that waited for this lock may have seen an older membership than
-- the one that holds now: the write that follows checks the actor again.
update teams
set revision = teams.revision + 1
from actors
where
    teams.team_id = :team_id
    and teams.archived_at is null
    and actors.team_id = :team_id
    and actors.user_id = :user_id
    and actors.role = any(:roles::text[])
returning
    teams.revision,
    actors.member_id,
    actors.role;
