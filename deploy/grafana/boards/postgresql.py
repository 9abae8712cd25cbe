"""Is it the database? Use, waiting and errors: first of the service's pool and queries, then of PostgreSQL."""

from panels import Row, chart, dashboard, or_zero, quantile, stat

yes_or_no = {"0": "no", "1": "yes"}
query_rate = "sum by (query) (rate(database_query_seconds_count{$selected}[$__rate_interval]))"
query_time = "sum by (query) (rate(database_query_seconds_sum{$selected}[$__rate_interval]))"
clients = '$selected, backend_type="client backend"'
client_connections = f"pg_stat_activity_count{{{clients}}}"
# The connections that the service's roles may use: PostgreSQL keeps the last few for superusers.
usable_connections = (
    "max(pg_settings_max_connections{$selected} - pg_settings_superuser_reserved_connections{$selected}"
    " - pg_settings_reserved_connections{$selected})"
)
statement_time = "sum by (datname, queryid) (rate(pg_stat_statements_seconds_total{$selected}[$__rate_interval]))"
statement_rate = "sum by (datname, queryid) (rate(pg_stat_statements_calls_total{$selected}[$__rate_interval]))"


def total(metric: str) -> str:
    """Return the query of a counter of postgres_exporter per second, over all databases."""
    return f"sum(rate({metric}{{$selected}}[$__rate_interval]))"


glance = Row(
    "At a glance",
    [
        stat(
            "PostgreSQL is up",
            "Whether postgres_exporter reaches PostgreSQL.",
            "none",
            "min(pg_up{$selected})",
            thresholds=[("red", None), ("green", 1)],
            words=yes_or_no,
            alerts=["DatabaseDown", "PostgresExporterDown"],
        ),
        stat(
            "It answers the service",
            "Whether the database answered every process of the service within the last 15 s.",
            "none",
            "min(database_up{$selected})",
            thresholds=[("red", None), ("green", 1)],
            words=yes_or_no,
            alerts=["DatabaseDown", "ReplicaDown"],
        ),
        stat(
            "Migrations pending",
            "Migrations that the database does not have. Processes that need them are not ready.",
            "none",
            "max(database_migrations_pending{$selected})",
            thresholds=[("green", None), ("red", 1)],
            alerts=["MigrationsPending"],
        ),
        stat(
            "Waiting for a connection",
            "Statements and transactions of the service that wait for a connection of the pool.",
            "none",
            "sum(database_pool_waiting{$selected})",
            thresholds=[("green", None), ("orange", 1), ("red", 10)],
            alerts=["PoolSaturated"],
        ),
        stat(
            "Connections in use",
            "Share of the connections that PostgreSQL may have, without those kept for superusers.",
            "percentunit",
            f"sum({client_connections}) / {usable_connections}",
            thresholds=[("green", None), ("orange", 0.8), ("red", 0.95)],
            alerts=["PostgresConnectionsHigh"],
        ),
        stat(
            "Read from memory",
            "Share of blocks found in shared buffers. Below 95 %, the data in use has outgrown them.",
            "percentunit",
            f"{total('pg_stat_database_blks_hit')}"
            f" / ({total('pg_stat_database_blks_hit')} + {total('pg_stat_database_blks_read')})",
            thresholds=[("red", None), ("orange", 0.9), ("green", 0.95)],
        ),
    ],
)

pool = Row(
    "The service's pool: does a request wait for a connection?",
    [
        chart(
            "Connections of the pool",
            "Of all processes together: connections in use and idle, what waits for one, and how many there may be.",
            "none",
            {
                "in use": 'sum(database_pool_connections{$selected, state="in_use"})',
                "idle": 'sum(database_pool_connections{$selected, state="idle"})',
                "waiting": "sum(database_pool_waiting{$selected})",
                "max": "sum(database_pool_connections_max{$selected})",
            },
            limits=["max"],
        ),
        chart(
            "Wait and transaction",
            "Time waited for a connection, which should be close to 0, and time of transactions with their commit.",
            "s",
            {
                "wait p50": quantile(0.5, "database_pool_acquire_seconds"),
                "wait p99": quantile(0.99, "database_pool_acquire_seconds"),
                "transaction p50": quantile(0.5, "database_transaction_seconds"),
                "transaction p99": quantile(0.99, "database_transaction_seconds"),
            },
        ),
    ],
)

queries = Row(
    "The service's queries: which one takes the time? Each is a file: expenses.get is sql/expenses/get.sql",
    [
        chart(
            "Time by query, top 10",
            "Time spent in a query, over all calls: 100 % keeps one connection busy. Improve the highest one first.",
            "percentunit",
            {"{{query}}": f"topk(10, {query_time})"},
        ),
        chart(
            "Duration by query, p99, top 10",
            "99 of 100 calls of a query took at most this long.",
            "s",
            {"{{query}}": f"topk(10, {quantile(0.99, 'database_query_seconds', 'query')})"},
        ),
        chart("Calls by query, top 10", "How often a query is run.", "ops", {"{{query}}": f"topk(10, {query_rate})"}),
    ],
)

statements = Row(
    "PostgreSQL's statements: which one takes the time? The runbook of LatencyBurnsFast has the text of a queryid",
    [
        chart(
            "Time by statement, top 10",
            "Time spent in a statement, over all calls, by queryid of pg_stat_statements. 100 % is a busy connection.",
            "percentunit",
            {"{{datname}} {{queryid}}": f"topk(10, {statement_time})"},
            alerts=["LatencyBurnsFast"],
        ),
        chart(
            "Mean duration by statement, top 10",
            "The slowest statements on average, of those that were run.",
            "s",
            {"{{datname}} {{queryid}}": f"topk(10, {statement_time} / ({statement_rate} > 0))"},
        ),
        chart(
            "Waiting for locks",
            "Connections of clients that wait for a lock, by what is locked. The log has waits of more than a second.",
            "none",
            {
                "{{wait_event}}": or_zero(
                    f'sum by (wait_event) (pg_stat_activity_count{{{clients}, wait_event_type="Lock"}})', "wait_event"
                )
            },
            alerts=["PostgresLongTransaction", "PostgresDeadlocks"],
        ),
    ],
)

work = Row(
    "PostgreSQL: what it does",
    [
        chart(
            "Connections by state",
            "Connections of clients. Those idle in transaction hold locks and do nothing.",
            "none",
            {"{{state}}": f"sum by (state) ({client_connections})", "max": usable_connections},
            limits=["max"],
        ),
        chart(
            "Transactions",
            "Transactions of all databases. A rollback is a refusal or a mistake; a deadlock is always a mistake.",
            "ops",
            {
                "committed": total("pg_stat_database_xact_commit"),
                "rolled back": total("pg_stat_database_xact_rollback"),
                "deadlocks": total("pg_stat_database_deadlocks"),
            },
        ),
        chart(
            "Rows",
            "Rows read by scans and written. If many more are scanned than fetched by an index, one is missing.",
            "ops",
            {
                "scanned": total("pg_stat_database_tup_returned"),
                "fetched by an index": total("pg_stat_database_tup_fetched"),
                "inserted": total("pg_stat_database_tup_inserted"),
                "updated": total("pg_stat_database_tup_updated"),
                "deleted": total("pg_stat_database_tup_deleted"),
            },
        ),
    ],
)

trouble = Row(
    "PostgreSQL: what holds it up, and what grows",
    [
        chart(
            "Locks by mode",
            "Locks held or waited for. An access exclusive lock stops everybody else: it is a migration or a mistake.",
            "none",
            {"{{mode}}": or_zero("sum by (mode) (pg_locks_count{$selected}) > 0", "mode")},
        ),
        chart(
            "Longest transaction",
            "Age of a client's oldest open transaction. It holds its locks and stops vacuum.",
            "s",
            {"{{state}}": f"max by (state) (pg_stat_activity_max_tx_duration{{{clients}}})"},
            alerts=["PostgresLongTransaction"],
        ),
        chart(
            "Size",
            "Databases, and the write-ahead log, which grows without end when archiving or a replica stops.",
            "bytes",
            {
                "{{datname}}": 'max by (datname) (pg_database_size_bytes{$selected, datname!~"template.*"})',
                "write-ahead log": "max(pg_wal_size_bytes{$selected})",
            },
            alerts=["DiskFillingUp", "PostgresArchiverFailing", "PostgresReplicationSlotInactive"],
        ),
        chart(
            "Checkpoints in the last hour",
            "Scheduled ones are normal. Many requested ones mean that max_wal_size is too small for what is written.",
            "none",
            {
                "scheduled": "round(sum(increase(pg_stat_checkpointer_num_timed_total{$selected}[1h])))",
                "requested": "round(sum(increase(pg_stat_checkpointer_num_requested_total{$selected}[1h])))",
            },
        ),
    ],
)

postgresql = dashboard(
    uid="expenses-postgresql",
    title="PostgreSQL and pool",
    description=__doc__,
    period="1h",
    rows=[glance, pool, queries, statements, work, trouble],
)
