-- name: confirm_session(session_id, user_id, checked_hash)$
-- End a session that was just opened if the password was changed meanwhile; return nothing if the checked password is
-- still the current one. A password change ends the other sessions after its commit, so one of the two sees the other.
update sessions
set revoked_at = now()
where
    session_id = :session_id
    and not exists (
        select 1
        from users
        where
            users.user_id = :user_id
            and users.password_hash = :checked_hash
            and users.deleted_at is null
    )
returning session_id;
