-- name: revoke(session_id)$
-- End a session; nothing when it has ended before.
update sessions
set revoked_at = now()
where
    session_id = :session_id
    and revoked_at is null
returning session_id;
