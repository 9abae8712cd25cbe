"""Background tasks."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress

from service.process.backoff import backoff_seconds

# A task that ran for this long before it failed starts again after the shortest wait.
steady_seconds = 60.0
wait_seconds_max = 30.0

log = logging.getLogger(__name__)


@asynccontextmanager
async def background(work: Callable[[], Coroutine[None, None, None]]) -> AsyncIterator[None]:
    """Run a coroutine function during the block; when it fails, log why and run it again after a while."""
    task = asyncio.create_task(_kept_running(work))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _kept_running(work: Callable[[], Coroutine[None, None, None]]) -> None:
    loop = asyncio.get_running_loop()
    failures = 0
    while True:
        started = loop.time()
        try:
            await work()
        except Exception:
            failures = 1 if loop.time() - started >= steady_seconds else failures + 1
            wait_seconds = backoff_seconds(failures, wait_seconds_max)
            log.exception("a background task failed", extra={"task": work.__qualname__, "wait_seconds": wait_seconds})
            await asyncio.sleep(wait_seconds)
        else:
            return
