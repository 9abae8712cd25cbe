-- name: fail(key_hashes, window_seconds)$
-- Count a failed log-in under each key; start a new window if the last one has ended.
insert into login_failures (key_hash, window_started_at, failures)
select
    tried.key_hash,
    now(),
    1
from unnest(:key_hashes::bytea[]) as tried (key_hash)
order by tried.key_hash
on conflict (key_hash) do update
    set
        failures = case
            when
                login_failures.window_started_at
                < excluded.window_started_at - :window_seconds * interval '1 second' then 1
            else login_failures.failures + 1
        end,
        window_started_at = case
            when
                login_failures.window_started_at
                < excluded.window_started_at - :window_seconds * interval '1 second' then excluded.window_started_at
            else login_failures.window_started_at
        end
returning key_hash;
