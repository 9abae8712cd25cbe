-- name: update(user_id, checked_hash, email, name, password_hash)^
-- Change the actor's account; null leaves a field unchanged. No row if the checked password is no longer the account's.
update users
set
    email = coalesce(:email, users.email),
    name = coalesce(:name, users.name),
    password_hash = coalesce(:password_hash, users.password_hash)
where
    user_id = :user_id
    and deleted_at is null
    and (:checked_hash::text is null or password_hash = :checked_hash)
returning
    user_id,
    email,
    name,
    created_at;
