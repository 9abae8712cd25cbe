"""Metrics for Prometheus. Labels are route names, methods and status codes, never anything that a client sent."""

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

    def observe(self, lifecycle: Lifecycle, db: Database) -> None:
        """Read what is not counted as it happens, for a scrape."""
        self.in_flight.set({}, lifecycle.in_flight)
        size, idle = db.pool.get_size(), db.pool.get_idle_size()
        self.pool.set({"state": "idle"}, idle)
        self.pool.set({"state": "in_use"}, size - idle)
        self.pool_max.set({}, db.pool.get_max_size())


METRICS: web.AppKey[Metrics] = web.AppKey("metrics", Metrics)
