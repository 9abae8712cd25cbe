-- name: rehash(user_id, old_hash, new_hash)$
-- Store a password's hash with stronger parameters, unless the password was changed meanwhile.
update users
set password_hash = :new_hash
where
    user_id = :user_id
    and password_hash = :old_hash
returning user_id;
