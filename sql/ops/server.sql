-- name: server()^
-- The server's version, and the settings that would let it lose committed data when its machine fails.
select
    current_setting('server_version') as version,
    current_setting('server_version_num')::int / 10000 as major,
    array_remove(
        array[
            case when current_setting('fsync') = 'off' then 'fsync' end,
            case when current_setting('full_page_writes') = 'off' then 'full_page_writes' end,
            case when current_setting('synchronous_commit') = 'off' then 'synchronous_commit' end
        ],
        null
    ) as unsafe_settings;
