-- name: failures(key_hashes, window_seconds)
-- The number of failed log-ins under each key in its window, and how long the window still lasts.
select
    key_hash,
    failures,
    ceil(extract(epoch from window_started_at + :window_seconds * interval '1 second' - now()))::int as left_seconds
from login_failures
where
    key_hash = any(:key_hashes::bytea[])
    and window_started_at > now() - :window_seconds * interval '1 second';
