"""Stopping without losing a request."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from service.telemetry.metrics import Metrics

Call = Callable[[], None]


class Lifecycle:
    """How many requests are being answered, and whether the process is stopping.

    aiohttp drops what arrives on a connection once its own shutdown begins, so a request whose body is still arriving
    would be lost. `drain` waits for such requests first.
    """

    def __init__(self, metrics: Metrics) -> None:
        self.in_flight = 0
        self.stopping = False
        self.idle = asyncio.Event()
        self.idle.set()
        # Called when the process is about to stop, before the requests in flight are waited for.
        self.on_stop: list[Call] = []
        metrics.gauge_of("http_requests_in_flight", "Requests being answered.", lambda: self.in_flight)

    def begin(self) -> None:
        """Count a request that begins."""
        self.in_flight += 1
        self.idle.clear()

    def end(self) -> None:
        """Count a request that ends."""
        self.in_flight -= 1
        if not self.in_flight:
            self.idle.set()

    async def drain(self, timeout_seconds: float) -> None:
        """Wait until all requests are answered, but not longer than `timeout_seconds`."""
        self.stopping = True
        for each in self.on_stop:
            each()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self.idle.wait()
