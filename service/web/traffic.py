"""Metrics of requests."""

from typing import get_args

from service.errors import Reason
from service.telemetry.metrics import Metrics

status_classes = ["", "1xx", "2xx", "3xx", "4xx", "5xx"]


class Traffic:
    """Counts requests and refusals, and times requests."""

    def __init__(self, metrics: Metrics) -> None:
        self.requests = metrics.counter(
            "http_requests_total", "Requests answered, by route name, method and status.", "route", "method", "status"
        )
        self.latency = metrics.timings(
            "http_request_duration_seconds",
            "Time from a request's headers to its response, by route name and class of status.",
            "route",
            "status_class",
        )
        self.refusals = metrics.counter("refusals_total", "Requests refused, by problem type.", "type")
        self.unavailable = metrics.counter("unavailable_total", "Requests answered 503, by reason.", "reason")
        for reason in get_args(Reason):
            self.unavailable.expect(reason)

    def expect(self, route: str, method: str) -> None:
        """Start the failures of a route at 0, so that the first shows as an increase."""
        for status in ("500", "503"):
            self.requests.expect(route, method, status)

    def answered(self, route: str, method: str, status: int, duration_seconds: float) -> None:
        """Count and time a request."""
        self.requests.count(route, method, str(status))
        self.latency.record(duration_seconds, route, status_classes[status // 100])
