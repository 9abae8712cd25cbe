-- name: account(email)^
-- The account with an e-mail address, for a log-in; no row if there is none.
select
    user_id,
    email,
    name,
    created_at,
    password_hash
from users
where
    email = :email
    and deleted_at is null;
