-- name: due(kept_seconds, size)
-- Deleted teams that nobody can restore any more, those first that have been so for longest, and for how long.
select
    team_id,
    extract(epoch from now() - deleted_at)::double precision - :kept_seconds as overdue_seconds
from teams
where deleted_at <= now() - :kept_seconds * interval '1 second'
order by deleted_at
limit :size;
