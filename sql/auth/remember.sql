-- name: remember(user_id, place_hash, places_max, noted_seconds)$
-- Note that an account was seen at a place, unless that was noted lately; of its places, those seen last are kept.
with
noted as (
    insert into login_places (user_id, place_hash, seen_at)
    values (:user_id, :place_hash, now())
    on conflict (user_id, place_hash) do update
        set seen_at = excluded.seen_at
        where login_places.seen_at < excluded.seen_at - :noted_seconds * interval '1 second'
    returning user_id
)

delete from login_places
where
    user_id in (
        select noted.user_id
        from noted
    )
    and place_hash in (
        select other.place_hash
        from login_places as other
        where
            other.user_id = :user_id
            and other.place_hash <> :place_hash
        order by other.seen_at desc
        offset :places_max - 1
        for update skip locked
    )
returning place_hash;
