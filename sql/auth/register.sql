-- name: register(email, name, password_hash)^
-- Add an account. The constraint users_email_key refuses an address that is taken.
insert into users (email, name, password_hash)
values (:email, :name, :password_hash)
returning
    user_id,
    email,
    name,
    version,
    created_at;
