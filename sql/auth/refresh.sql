-- name: refresh(session_id, token_hash, next_hashes, lifetime_seconds, grace_seconds)^
-- Rotate a session's refresh token; return its account and the token's hash; no row if the token is not the session's.
-- The previous token stays valid for a moment, for a client that never got the answer. It leads to the same next token,
-- also in a process that would have chosen another of the hashes: the first to rotate decides.
update sessions
set
    refresh_hash = case
        when sessions.refresh_hash = :token_hash then (:next_hashes::bytea[])[1]
        else sessions.refresh_hash
    end,
    previous_hash = :token_hash,
    refreshed_at = case when sessions.refresh_hash = :token_hash then (select now()) else sessions.refreshed_at end,
    expires_at = now() + :lifetime_seconds * interval '1 second'
from users
where
    sessions.session_id = :session_id
    and sessions.revoked_at is null
    and sessions.expires_at > now()
    and (
        sessions.refresh_hash = :token_hash
        or (
            sessions.previous_hash = :token_hash
            and sessions.refresh_hash = any(:next_hashes::bytea[])
            and sessions.refreshed_at > now() - :grace_seconds * interval '1 second'
        )
    )
    and sessions.user_id = users.user_id
    and users.deleted_at is null
returning
    users.user_id,
    users.email,
    users.name,
    users.version,
    users.created_at,
    sessions.refresh_hash;
