-- name: revoke(session_id)$
-- End a session; return nothing if it has ended already.
update sessions
set revoked_at = now()
where
    session_id = :session_id
    and revoked_at is null
returning session_id;
