-- name: revoke_others(user_id, session_id)$
-- End the account's other sessions.
update sessions
set revoked_at = now()
where
    user_id = :user_id
    and session_id <> :session_id
    and revoked_at is null
returning session_id;
