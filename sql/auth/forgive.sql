-- name: forgive(key_hashes)$
-- Delete the failed log-ins of each key, in the order in which auth.fail takes them, so that the two cannot deadlock.
delete from login_failures
where
    key_hash in (
        select counted.key_hash
        from login_failures as counted
        where counted.key_hash = any(:key_hashes::bytea[])
        order by counted.key_hash
        for update
    )
returning key_hash;
