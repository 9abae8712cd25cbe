"""Metrics for Prometheus. Labels are route names, methods and status codes, never anything that a client sent."""

from collections import Counter as TallyCounter
from typing import Any

from aiohttp import web
from aioprometheus import Counter, Gauge, Histogram, Registry

from service import __version__
from service.db import Database
from service.lifecycle import Lifecycle

latency_seconds_buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0]


class Metrics:
    """The collectors of one app, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.requests = Counter(
            "http_requests_total", "Requests answered, by route name, method and status.", registry=self.registry
        )
        self.latency = Histogram(
            "http_request_duration_seconds",
            "Time from a request's headers to its response, by route name.",
            buckets=latency_seconds_buckets,
            registry=self.registry,
        )
        self.in_flight = Gauge("http_requests_in_flight", "Requests being answered.", registry=self.registry)
        self.refusals = Counter("refusals_total", "Requests refused, by problem type.", registry=self.registry)
        self.pool = Gauge("database_pool_connections", "Connections of the pool, by state.", registry=self.registry)
        self.pool_max = Gauge(
            "database_pool_connections_max", "Connections that the pool may have.", registry=self.registry
        )
        self.build = Gauge("build_info", "The version that runs.", registry=self.registry)
        self.build.set({"version": __version__}, 1)
        # Counted here and set at a scrape: finding a collector's value by its labels costs more than counting.
        self.answers: TallyCounter[tuple[str, str, int]] = TallyCounter()
        self.latencies: dict[str, Any] = {}

    def answered(self, route: str, method: str, status: int, duration_seconds: float) -> None:
        """Count and time a request."""
        self.answers[route, method, status] += 1
        if route in self.latencies:
            self.latencies[route].observe(duration_seconds)
        else:
            self.latency.observe({"route": route}, duration_seconds)
            self.latencies[route] = self.latency.get_value({"route": route})

    def observe(self, lifecycle: Lifecycle, db: Database) -> None:
        """Set what is not set as it happens, for a scrape."""
        for (route, method, status), count in self.answers.items():
            self.requests.set({"route": route, "method": method, "status": str(status)}, count)
        self.in_flight.set({}, lifecycle.in_flight)
        size, idle = db.pool.get_size(), db.pool.get_idle_size()
        self.pool.set({"state": "idle"}, idle)
        self.pool.set({"state": "in_use"}, size - idle)
        self.pool_max.set({}, db.pool.get_max_size())


METRICS: web.AppKey[Metrics] = web.AppKey("metrics", Metrics)
