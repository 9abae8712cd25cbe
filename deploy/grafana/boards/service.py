"""Is the service all right? Rate, errors and duration of its requests, and what holds them up."""

from panels import Row, by_pod, chart, dashboard, or_zero, quantile, stat, table

# Without probes, scrapes and unknown paths: they would make the numbers look better. The objectives leave them out too.
people = r'route!~"ops\\..*|unmatched"'
api = f"$selected, {people}"
errors = f'{api}, status=~"5.."'
requests = f"sum(rate(http_requests_total{{{api}}}[$__rate_interval]))"
duration = "http_request_duration_seconds"


def ours(metric: str) -> str:
    """Return the query of a metric that other jobs have as well: only of processes of the service."""
    return f"({metric} and on (job, instance) build_info{{$selected}})"


def of_replicas(metric: str) -> str:
    """Return the query of a metric that the worker has as well: only of processes that clients connect to."""
    return f"({metric} and on (job, instance) http_connections_max{{$selected}})"


pool_in_use = (
    'database_pool_connections{$selected, state="in_use"} / ignoring(state) database_pool_connections_max{$selected}'
)
glance = Row(
    "At a glance",
    [
        stat(
            "Replicas",
            "Replicas of the service that Prometheus reaches.",
            "none",
            f"sum({of_replicas(ours('up{$selected}'))}) or vector(0)",
            thresholds=[("red", None), ("green", 1)],
            alerts=["ServiceDown", "ReplicaDown"],
        ),
        stat("Requests", "Requests answered, without probes, scrapes and unknown paths.", "reqps", requests),
        stat(
            "Errors",
            "Share of requests answered with 5xx. The objective allows 0.1 %.",
            "percentunit",
            f"(sum(rate(http_requests_total{{{errors}}}[$__rate_interval])) / {requests}) or vector(0)",
            thresholds=[("green", None), ("orange", 0.001), ("red", 0.01)],
            alerts=["AvailabilityBurnsFast", "AvailabilityBurnsSlowly"],
        ),
        stat(
            "99 of 100 answers within",
            "The 99th percentile of request durations. The objective is 250 ms.",
            "s",
            quantile(0.99, duration, matchers=people),
            thresholds=[("green", None), ("orange", 0.25), ("red", 1)],
            alerts=["LatencyBurnsFast", "LatencyBurnsSlowly"],
        ),
        stat(
            "Pool in use",
            "Share of the database connections in use, in the process where it is highest. At 100 % requests wait.",
            "percentunit",
            f"max({of_replicas(pool_in_use)})",
            thresholds=[("green", None), ("orange", 0.8), ("red", 0.95)],
            alerts=["PoolSaturated"],
        ),
        stat(
            "Since the last start",
            "How long the youngest process has been running.",
            "s",
            f"time() - max({ours('process_start_time_seconds{$selected}')})",
            alerts=["ServiceRestarting"],
        ),
    ],
)

traffic = Row(
    "Traffic: what is asked, what fails, what is refused",
    [
        chart(
            "Requests by route",
            "Requests answered, by route, without probes, scrapes and unknown paths.",
            "reqps",
            {"{{route}}": f"sum by (route) (rate(http_requests_total{{{api}}}[$__rate_interval]))"},
        ),
        chart(
            "Errors by route and status",
            "Requests answered with 5xx: the service's own fault. The log has them under the same route.",
            "reqps",
            {
                "{{route}} {{status}}": or_zero(
                    # Failures are counted from 0, and most stay there.
                    f"sum by (route, status) (rate(http_requests_total{{{errors}}}[$__rate_interval])) > 0",
                    "route",
                )
            },
        ),
        chart(
            "Refusals by type",
            "Requests refused, by the last part of the problem's type. Most are a client's mistake: look for a change.",
            "reqps",
            {"{{type}}": or_zero("sum by (type) (rate(refusals_total{$selected}[$__rate_interval]))", "type")},
        ),
    ],
)

latency = Row(
    "Latency: how long requests take",
    [
        chart(
            "Duration of all requests",
            "From a request's headers to its response, without probes, scrapes and unknown paths.",
            "s",
            {f"p{of * 100:.0f}": quantile(of, duration, matchers=people) for of in (0.5, 0.95, 0.99)},
        ),
        chart(
            "Duration by route, p99",
            "99 of 100 requests of a route took at most this long.",
            "s",
            {"{{route}}": quantile(0.99, duration, "route", people)},
        ),
        table(
            "Duration by route, now",
            "Percentiles of each route at the end of the time range, the slowest first.",
            "s",
            {f"p{of * 100:.0f}": quantile(of, duration, "route", people) for of in (0.5, 0.95, 0.99)},
        ),
    ],
)

saturation = Row(
    "Saturation: what requests wait for",
    [
        chart(
            "In flight and waiting",
            "Requests being answered; of these, statements waiting for a connection and passwords waiting for hashing.",
            "none",
            {
                "requests": "sum(http_requests_in_flight{$selected})",
                "for a connection": "sum(database_pool_waiting{$selected})",
                "passwords": "sum(password_hashes_pending{$selected})",
            },
        ),
        chart(
            "Followers that wait",
            "Requests that are held until something changes, and how many of them end, by what ended them.",
            "none",
            {
                "waiting": "sum(changes_waiting{$selected})",
                "{{end}} a second": "sum by (end) (rate(changes_waits_total{$selected}[$__rate_interval]))",
            },
        ),
        chart(
            "Event-loop lag, p99",
            "How late the event loop comes back. Above 100 ms something computes where it should wait.",
            "s",
            {"{{instance}}": quantile(0.99, "event_loop_lag_seconds", "instance")},
            alerts=["EventLoopBlocked"],
        ),
        chart(
            "Password hashing",
            "From asking for a hash to having it. When it rises above 100 ms, hashes wait for each other.",
            "s",
            {f"p{of * 100:.0f}": quantile(of, "password_hash_seconds") for of in (0.5, 0.99)},
            alerts=["PasswordHashQueue"],
        ),
        chart(
            "Log-ins by outcome",
            "Many failed or limited: somebody guesses passwords. Unavailable means too many at once, or no database.",
            "reqps",
            {"{{outcome}}": or_zero("sum by (outcome) (rate(logins_total{$selected}[$__rate_interval]))", "outcome")},
            alerts=["LoginFailuresHigh"],
        ),
    ],
)

processor = by_pod(ours("rate(process_cpu_seconds_total{$selected}[$__rate_interval])"))
files = by_pod(ours("process_open_fds{$selected} / process_max_fds{$selected}"))
memory = by_pod(ours("process_resident_memory_bytes{$selected}"))
process = Row(
    "Process: what it uses",
    [
        chart(
            "Processor and open files",
            "Processor time as a share of one core, and open files as a share of those that may be open.",
            "percentunit",
            {
                "{{instance}} processor": f"sum by (instance) ({processor})",
                "{{instance}} files": f"max by (instance) ({files})",
            },
        ),
        chart(
            "Memory",
            "Resident memory. Password hashing takes 19 MiB for each hash at a time.",
            "bytes",
            {"{{instance}}": f"sum by (instance) ({memory})"},
        ),
        chart(
            "Versions and restarts",
            "Replicas and workers by the version that they run, and processes that started again.",
            "none",
            {
                "version {{version}}": "count by (version) (build_info{$selected})",
                "restarts": f"sum({ours('changes(process_start_time_seconds{$selected}[$__rate_interval])')})",
            },
        ),
    ],
)

worker = Row(
    "Worker: what is due",
    [
        stat(
            "Workers",
            "Processes that do what is due, such as purging deleted teams. Without any, nothing of it is done.",
            "none",
            "count(count by (job, instance) (worker_lag_seconds{$selected})) or vector(0)",
            thresholds=[("red", None), ("green", 1)],
            alerts=["WorkerDown"],
        ),
        chart(
            "How far behind",
            "For how long the oldest thing that is due has been so, by task. It should be close to 0.",
            "s",
            {"{{task}}": or_zero("min by (task) (worker_lag_seconds{$selected})", "task")},
            alerts=["WorkerBehind"],
        ),
        chart(
            "Done and failed in the last hour",
            "Things done that were due, such as teams purged, and failed tries, in the hour before each point.",
            "none",
            {
                "{{task}} done": or_zero("sum by (task) (increase(worker_done_total{$selected}[1h]))", "task"),
                "{{task}} failed": or_zero("sum by (task) (increase(worker_failures_total{$selected}[1h]))", "task"),
            },
            alerts=["WorkerBehind"],
        ),
    ],
    [4, 10, 10],
)

service = dashboard(
    uid="expenses-service",
    title="Service",
    description=__doc__,
    period="1h",
    rows=[glance, traffic, latency, saturation, process, worker],
)
