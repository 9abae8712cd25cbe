"""Could we lose an instance, or the cluster? Instances, standbys, the archive and backups, as CloudNativePG sees them.

The operator's default queries and its Barman Cloud plugin have these metrics; the compose stack has none of them.
"""

from panels import Row, by_pod, chart, dashboard, stat

backup = "barman_cloud_cloudnative_pg_io"
archived = "cnpg_pg_stat_archiver"


def age(metric: str) -> str:
    """Return the query of how long ago a point in time is. The primary knows it; a standby may say 0."""
    return f"time() - max({metric}{{$selected}})"


def by_instance(metric: str, matchers: str = "") -> dict[str, str]:
    """Return the query of a metric of each instance, by its pod's name."""
    selector = f"{metric}{{$selected{matchers}}}"
    return {"{{instance}}": f"max by (instance) ({by_pod(selector)})"}


glance = Row(
    "At a glance",
    [
        stat(
            "Instances up",
            "Instances of PostgreSQL that answer their exporter.",
            "none",
            "sum(cnpg_collector_up{$selected})",
            thresholds=[("red", None), ("orange", 2), ("green", 3)],
        ),
        stat(
            "Standbys that follow",
            "Standbys that stream from the primary. With none, a write that has to be confirmed by a standby waits.",
            "none",
            "max(cnpg_pg_replication_streaming_replicas{$selected})",
            thresholds=[("red", None), ("orange", 1), ("green", 2)],
        ),
        stat(
            "Furthest behind",
            "How far the slowest standby is behind its primary. A failover to it takes as much longer.",
            "s",
            "max(cnpg_pg_replication_lag{$selected})",
            thresholds=[("green", None), ("orange", 10), ("red", 30)],
        ),
        stat(
            "Last backup",
            "How long ago the last base backup was finished. One is made every night.",
            "s",
            age(f"{backup}_last_available_backup_timestamp"),
            thresholds=[("green", None), ("orange", 26 * 3600), ("red", 50 * 3600)],
        ),
        stat(
            "Last archived",
            "How long ago a file of the write-ahead log was archived. What is younger is on the instances only.",
            "s",
            f"max({archived}_seconds_since_last_archival{{$selected}})",
            thresholds=[("green", None), ("orange", 600), ("red", 1800)],
        ),
        stat(
            "Switch-over needed",
            "Whether the operator waits for a person to switch over by hand.",
            "none",
            "max(cnpg_collector_manual_switchover_required{$selected})",
            thresholds=[("green", None), ("orange", 1)],
            words={"0": "no", "1": "yes"},
        ),
    ],
)

standbys = Row(
    "Standbys: could another take over?",
    [
        chart(
            "Behind the primary",
            "How far each instance is behind its primary, which is 0 itself.",
            "s",
            by_instance("cnpg_pg_replication_lag"),
        ),
        chart(
            "Until a standby has replayed",
            "How long the slowest standby takes to write, flush and replay a write. Commits wait for a flush.",
            "s",
            {
                step: f"max(cnpg_pg_stat_replication_{step}_lag_seconds{{$selected}})"
                for step in ("write", "flush", "replay")
            },
        ),
        chart(
            "Who follows",
            "1 for each instance that is a standby; the primary is 0. A change is a switch-over or a failover.",
            "none",
            by_instance("cnpg_pg_replication_in_recovery"),
        ),
    ],
)

archive = Row(
    "Archive and backups: could everything be restored?",
    [
        chart(
            "Files of the write-ahead log that wait",
            "Files that are to be archived. If they become more and more, the archive cannot be written to.",
            "none",
            by_instance("cnpg_collector_pg_wal_archive_status", ', value="ready"'),
        ),
        chart(
            "Archived in the last hour",
            "Files of the write-ahead log that were archived, and attempts that failed.",
            "none",
            {
                "archived": f"round(max(increase({archived}_archived_count{{$selected}}[1h])))",
                "failed": f"round(max(increase({archived}_failed_count{{$selected}}[1h])))",
            },
        ),
        chart(
            "Age of backups",
            "Of the last base backup, of the last one that failed, and of the earliest time that can be restored.",
            "s",
            {
                "last": age(f"{backup}_last_available_backup_timestamp"),
                "last that failed": age(f"{backup}_last_failed_backup_timestamp"),
                "earliest to restore": age(f"{backup}_first_recoverability_point"),
            },
        ),
    ],
)

space = Row(
    "Space and age",
    [
        chart(
            "Write-ahead log",
            "Size of each instance's write-ahead log, which has a volume of its own.",
            "bytes",
            by_instance("cnpg_collector_pg_wal", ', value="size"'),
            alerts=["DiskAlmostFull", "DiskFillingUp"],
        ),
        chart(
            "Databases",
            "Size of the databases on each instance.",
            "bytes",
            {
                "{{datname}}": 'max by (datname) (cnpg_pg_database_size_bytes{$selected, datname!~"template.*"})',
            },
            alerts=["DiskAlmostFull", "DiskFillingUp"],
        ),
        chart(
            "Since the start",
            "How long each instance's PostgreSQL has been running.",
            "s",
            {
                "{{instance}}": "time() - max by (instance) ("
                + by_pod("cnpg_pg_postmaster_start_time{$selected}")
                + ")",
            },
        ),
    ],
)

cloudnativepg = dashboard(
    uid="expenses-cloudnativepg",
    title="CloudNativePG",
    description=__doc__,
    period="6h",
    rows=[glance, standbys, archive, space],
)
