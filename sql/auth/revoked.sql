-- name: revoked(seen, after_transaction, after_session_id, within_seconds, rows_max)
-- Sessions that ended lately, but for those whose end the snapshot `seen` shows; a page in the order of transactions.
-- Every row, and there is one at least, has the snapshot of this statement, to be the next `seen`: a transaction that is
-- not committed yet is not in it, however early it began, so its sessions are read once it is.
with
ended as (
    select
        session_id,
        ended_in,
        extract(epoch from ended_at + :within_seconds * interval '1 second' - now())::double precision as left_seconds
    from ended_sessions
    where
        (ended_in, session_id) > (:after_transaction::text::xid8, :after_session_id::uuid)
        and not pg_visible_in_snapshot(ended_in, :seen::text::pg_snapshot)
        and ended_at > now() - :within_seconds * interval '1 second'
    order by ended_in, session_id
    limit :rows_max
)

select
    ended.session_id,
    ended.left_seconds,
    ended.ended_in::text as ended_in,
    taken::text as snapshot,
    pg_postmaster_start_time() as server_started_at
from pg_current_snapshot() as taken
left join ended on true
order by ended.ended_in, ended.session_id;
