-- name: revoked(within_seconds)
-- Sessions that ended lately, whose access tokens may not have expired yet.
select session_id
from sessions
where revoked_at > now() - :within_seconds * interval '1 second';
