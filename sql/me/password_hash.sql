-- name: password_hash(user_id)$
-- The hash that the actor's password is checked against.
select password_hash
from users
where
    user_id = :user_id
    and deleted_at is null;
