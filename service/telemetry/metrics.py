"""Metrics for Prometheus; docs/metrics.md says what each means.

Labels are names of ours, methods, status codes and ISO 4217 currencies, never anything that a client sent.
"""

import resource
import time
from bisect import bisect_left
from collections import Counter as TallyCounter
from itertools import accumulate
from typing import TYPE_CHECKING

import psutil
from aioprometheus import Counter, Gauge, Histogram, Registry, histogram, render

from service import __version__

if TYPE_CHECKING:
    from service.auth.security import Security
    from service.postgres.pool import Database
    from service.process.lifecycle import Lifecycle

status_classes = ["", "1xx", "2xx", "3xx", "4xx", "5xx"]
seconds_buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0]


class Timings:
    """A histogram of seconds, counted here and handed over at a scrape: its own counting goes through every bucket."""

    def __init__(self, histogram: Histogram, *labels: str) -> None:
        self.histogram = histogram
        self.labels = labels
        self.series: dict[tuple[str, ...], Counts] = {}

    def observe(self, seconds: float, *values: str) -> None:
        """Count a duration, for values of the labels."""
        counts = self.series.get(values)
        if counts is None:
            counts = self.series[values] = Counts()
        counts.by_bucket[bisect_left(seconds_buckets, seconds)] += 1
        counts.seconds += seconds

    def timed(self, *values: str) -> "Timed":
        """Return a context manager that counts how long its block takes, also where it raises."""
        return Timed(self, values)

    def publish(self) -> None:
        """Hand over what was counted."""
        for values, counts in self.series.items():
            series = histogram.Histogram(*seconds_buckets)
            series.buckets = dict(zip(series.buckets, accumulate(counts.by_bucket), strict=True))
            series.observations = sum(counts.by_bucket)
            series.sum = counts.seconds
            self.histogram.set_value(dict(zip(self.labels, values, strict=True)), series)


class Timed:
    """Counts how long its block takes."""

    __slots__ = ("started", "timings", "values")

    def __init__(self, timings: Timings, values: tuple[str, ...]) -> None:
        self.timings = timings
        self.values = values

    def __enter__(self) -> None:
        self.started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.timings.observe(time.perf_counter() - self.started, *self.values)


class Counts:
    """How many durations fell in each bucket, the last for what is beyond them all, and what they come to."""

    __slots__ = ("by_bucket", "seconds")

    def __init__(self) -> None:
        self.by_bucket = [0] * (len(seconds_buckets) + 1)
        self.seconds = 0.0


class Metrics:
    """The collectors of one process, in a registry of its own; `worker` tells it from others of the same group."""

    def __init__(self, worker: str = "") -> None:
        self.registry = Registry()
        self.labels = {"worker": worker} if worker else {}
        self.requests = self._counter("http_requests_total", "Requests answered, by route name, method and status.")
        self.timings: list[Timings] = []
        self.latency = self._timings(
            "http_request_duration_seconds",
            "Time from a request's headers to its response, by route name and class of status.",
            "route",
            "status_class",
        )
        self.in_flight = self._gauge("http_requests_in_flight", "Requests being answered.")
        self.refusals = self._counter("refusals_total", "Requests refused, by problem type.")
        self.logins = self._counter("logins_total", "Log-ins, by outcome.")
        self.acquire = self._timings("database_pool_acquire_seconds", "Time waited for a connection.")
        self.query_seconds = self._timings("database_query_seconds", "Time of a query, by its name.", "query")
        self.transactions = self._timings("database_transaction_seconds", "Time of a transaction, its commit included.")
        self.lag = self._timings("event_loop_lag_seconds", "How much later than asked the event loop came back.")
        self.hashes = self._timings("password_hash_seconds", "Time from asking for a password hash to having it.")
        self.gauges: dict[str, Gauge] = {}
        self.process = psutil.Process()
        self.cpu = self._counter("process_cpu_seconds_total", "Processor time used, in user and system mode.")
        self.answers: TallyCounter[tuple[str, str, int]] = TallyCounter()
        self.set("build_info", "The version that runs.", 1, {"version": __version__})

    def expect(self, route: str, method: str) -> None:
        """Let failures of a route be counted from 0: an increase needs something to increase from."""
        for status in (500, 503):
            self.answers[route, method, status] = 0

    def answered(self, route: str, method: str, status: int, duration_seconds: float) -> None:
        """Count and time a request."""
        self.answers[route, method, status] += 1
        self.latency.observe(duration_seconds, route, status_classes[status // 100])

    def set(self, name: str, about: str, value: float, labels: dict[str, str] | None = None) -> None:
        """Set a gauge, which is made when it is set first: until then nothing is known, and nothing is said."""
        if name not in self.gauges:
            self.gauges[name] = self._gauge(name, about)
        self.gauges[name].set(labels or {}, value)

    def text(self, lifecycle: "Lifecycle", db: "Database", security: "Security") -> str:
        """Return all in Prometheus' text format, after setting what is not set as it happens."""
        for (route, method, status), count in self.answers.items():
            self.requests.set({"route": route, "method": method, "status": str(status)}, count)
        for outcome, count in security.logins.items():
            self.logins.set({"outcome": outcome}, count)
        self.in_flight.set({}, lifecycle.in_flight)
        self.set("password_hashes_pending", "Passwords being hashed, or waiting.", security.passwords.pending)
        self._observe_pool(db)
        self._observe_process()
        for timings in self.timings:
            timings.publish()
        content, _ = render(self.registry, [])
        return str(content.decode())

    def _observe_pool(self, db: "Database") -> None:
        connections = db.connections
        about = "Connections of the pool, by state."
        self.set("database_pool_connections", about, connections.idle(), {"state": "idle"})
        self.set("database_pool_connections", about, connections.in_use(), {"state": "in_use"})
        self.set(
            "database_pool_connections_max", "Connections that the pool may have.", connections.pool.get_max_size()
        )
        self.set("database_pool_waiting", "Statements and transactions waiting for a connection.", connections.waiting)

    def _observe_process(self) -> None:
        with self.process.oneshot():
            spent = self.process.cpu_times()
            self.cpu.set({}, spent.user + spent.system)
            self.set("process_resident_memory_bytes", "Resident memory.", self.process.memory_info().rss)
            self.set("process_open_fds", "Open file descriptors.", self.process.num_fds())
            self.set("process_start_time_seconds", "When the process started.", self.process.create_time())
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.set("process_max_fds", "File descriptors that may be open.", most)

    def _counter(self, name: str, about: str) -> Counter:
        return Counter(name, about, const_labels=self.labels, registry=self.registry)

    def _gauge(self, name: str, about: str) -> Gauge:
        return Gauge(name, about, const_labels=self.labels, registry=self.registry)

    def _timings(self, name: str, about: str, *labels: str) -> Timings:
        collector = Histogram(name, about, const_labels=self.labels, registry=self.registry, buckets=seconds_buckets)
        self.timings.append(Timings(collector, *labels))
        return self.timings[-1]
