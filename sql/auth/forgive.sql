-- name: forgive(key_hashes)
-- Forget the failed log-ins under each key.
delete from login_failures
where key_hash = any(:key_hashes::bytea[])
returning key_hash;
