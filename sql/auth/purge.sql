-- name: purge(window_seconds, places_kept_seconds, ends_kept_seconds, sessions_kept_seconds, rows_max)^
-- Delete some of what is no longer needed: counts of failures whose window has ended, places not seen for long, and
-- sessions that ended long ago; return how many sessions, and whether there may be more of any of these.
-- What another statement holds is left for the next time, so that the two cannot deadlock.
with
failures as (
    delete from login_failures
    where
        key_hash in (
            select old.key_hash
            from login_failures as old
            where old.window_started_at < now() - :window_seconds * interval '1 second'
            order by old.window_started_at
            limit :rows_max
            for update skip locked
        )
    returning key_hash
),

places as (
    delete from login_places
    where
        (user_id, place_hash) in (
            select
                old.user_id,
                old.place_hash
            from login_places as old
            where old.seen_at < now() - :places_kept_seconds * interval '1 second'
            order by old.seen_at
            limit :rows_max
            for update skip locked
        )
    returning place_hash
),

ends as (
    delete from ended_sessions
    where
        (ended_in, session_id) in (
            select
                old.ended_in,
                old.session_id
            from ended_sessions as old
            where old.ended_at < now() - :ends_kept_seconds * interval '1 second'
            order by old.ended_at
            limit :rows_max
            for update skip locked
        )
    returning session_id
),

ended as (
    delete from sessions
    where
        session_id in (
            select old.session_id
            from sessions as old
            where least(old.revoked_at, old.expires_at) < now() - :sessions_kept_seconds * interval '1 second'
            order by least(old.revoked_at, old.expires_at)
            limit :rows_max
            for update skip locked
        )
    returning session_id
),

counted as (
    select
        (select count(*) from failures) as failures,
        (select count(*) from places) as places,
        (select count(*) from ends) as ends,
        (select count(*) from ended) as sessions
)

select
    sessions,
    greatest(failures, places, ends, sessions) >= :rows_max as is_more
from counted;
