-- name: revoked(within_seconds)
-- Recently ended sessions, whose access tokens may not have expired yet.
select session_id
from sessions
where revoked_at > now() - :within_seconds * interval '1 second';
