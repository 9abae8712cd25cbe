-- name: server()^
-- The server's version, the settings that would let it lose committed data when its machine fails, and those that would
-- let us hold it up for ever.
select
    current_setting('server_version') as version,
    current_setting('server_version_num')::int / 10000 as major,
    quote_ident(current_user) as role,
    array_remove(
        array[
            case when current_setting('fsync') = 'off' then 'fsync' end,
            case when current_setting('full_page_writes') = 'off' then 'full_page_writes' end,
            case when current_setting('synchronous_commit') = 'off' then 'synchronous_commit' end
        ],
        null
    ) as unsafe_settings,
    array_remove(
        array[
            case when current_setting('statement_timeout') = '0' then 'statement_timeout' end,
            case
                when current_setting('idle_in_transaction_session_timeout') = '0'
                    then 'idle_in_transaction_session_timeout'
            end
        ],
        null
    ) as unlimited;
