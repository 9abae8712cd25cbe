-- name: account(email, place_hash, places_kept_seconds)^
-- The account with an e-mail address, for a log-in, and whether it knows the place; no row if there is no account.
select
    user_id,
    email,
    name,
    version,
    created_at,
    password_hash,
    exists(
        select 1
        from login_places
        where
            login_places.user_id = users.user_id
            and login_places.place_hash = :place_hash
            and login_places.seen_at > now() - :places_kept_seconds * interval '1 second'
    ) as is_known_place
from users
where
    email = :email
    and deleted_at is null;
