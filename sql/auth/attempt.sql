-- name: attempt(key_hash, window_seconds)^
-- Count a log-in attempt under a key, and how long its window still lasts.
insert into login_failures (key_hash, window_started_at, failures)
values (:key_hash, now(), 1)
on conflict (key_hash) do update
    set
        failures = case
            when login_failures.window_started_at < now() - :window_seconds * interval '1 second' then 1
            else login_failures.failures + 1
        end,
        window_started_at = case
            when login_failures.window_started_at < now() - :window_seconds * interval '1 second' then now()
            else login_failures.window_started_at
        end
returning
    failures,
    ceil(extract(epoch from window_started_at + :window_seconds * interval '1 second' - now()))::int as left_seconds;
