-- name: open_session(session_id, user_id, checked_hash, refresh_hash, lifetime_seconds, client)$
-- Open a session; return nothing if the checked password is no longer the account's. auth.confirm_session follows.
insert into sessions (session_id, user_id, refresh_hash, expires_at, client)
select
    :session_id,
    users.user_id,
    :refresh_hash,
    now() + :lifetime_seconds * interval '1 second',
    :client
from users
where
    users.user_id = :user_id
    and users.password_hash = :checked_hash
    and users.deleted_at is null
returning session_id;
