-- name: purge(window_seconds, kept_seconds)$
-- Delete counts of failures whose window has ended, and sessions that ended long ago; return how many sessions.
with
failures as (
    delete from login_failures
    where window_started_at < now() - :window_seconds * interval '1 second'
),

ended as (
    delete from sessions
    where least(revoked_at, expires_at) < now() - :kept_seconds * interval '1 second'
    returning session_id
)

select count(*)
from ended;
