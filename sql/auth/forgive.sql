-- name: forgive(key_hash)$
-- Delete the failed tries of a key.
delete from login_failures
where key_hash = :key_hash
returning key_hash;
