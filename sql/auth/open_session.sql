-- name: open_session(session_id, user_id, refresh_hash, lifetime_seconds, client)$
-- Begin a session.
insert into sessions (session_id, user_id, refresh_hash, expires_at, client)
values (:session_id, :user_id, :refresh_hash, now() + :lifetime_seconds * interval '1 second', :client)
returning session_id;
