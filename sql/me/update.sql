-- name: update(user_id, versions, checked_hash, email, name, password_hash)^
-- Change the actor's account; null leaves a field unchanged. No row if its version is not in `versions` (null accepts
-- any), if the checked password is no longer the account's, or if without one (null) the address is another.
update users
set
    email = coalesce(:email, users.email),
    name = coalesce(:name, users.name),
    password_hash = coalesce(:password_hash, users.password_hash),
    version = users.version + 1
where
    user_id = :user_id
    and deleted_at is null
    and (:versions::integer[] is null or version = any(:versions))
    and case
        when :checked_hash::text is null then email = coalesce(:email, email)
        else password_hash = :checked_hash
    end
returning
    user_id,
    email,
    name,
    version,
    created_at;
