-- name: confirm_session(session_id, user_id, checked_hash)$
-- End a session that was just begun where the password was changed in between; nothing where it is still the one that was
-- checked. A change of the password ends the other sessions after its commit, too, so that one of the two sees the other.
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
