-- name: hold_due(team_id, kept_seconds)$
-- Lock a team for its purge, or return nothing: it is another's turn, somebody restores it, or it is gone.
select team_id
from teams
where
    team_id = :team_id
    and deleted_at <= now() - :kept_seconds * interval '1 second'
for update skip locked;
