-- name: get(user_id)^
-- The actor's account; no row if it was deleted.
select
    user_id,
    email,
    name,
    version,
    created_at
from users
where
    user_id = :user_id
    and deleted_at is null;
