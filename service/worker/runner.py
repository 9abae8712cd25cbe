"""Runs the tasks: looks for what is due, does it, and measures how far behind that is."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from service.errors import Unavailable
from service.postgres.pool import Database
from service.process.backoff import backoff_seconds
from service.process.tasks import background
from service.telemetry.metrics import Metrics
from service.worker.tasks import Task

look_every_seconds = 5.0
# The longest wait after failures.
wait_seconds_max = 30.0

log = logging.getLogger(__name__)


class Backlog:
    """What of a task is known to be due, and since when, by the monotonic clock.

    The next look at what is due becomes due as well: a process that cannot look does not know that it is not behind.
    """

    def __init__(self) -> None:
        self.due_since: dict[str, float] = {}
        self.look_due_at = time.monotonic()

    def found(self, overdue_seconds: dict[str, float]) -> None:
        """Take note of a look that has just found what is due."""
        now = time.monotonic()
        self.due_since = {each: now - seconds for each, seconds in overdue_seconds.items()}
        self.look_due_at = now + look_every_seconds

    def lag_seconds(self) -> float:
        """Return for how long the oldest due thing, or the next look, has been due."""
        return max(0.0, time.monotonic() - min([self.look_due_at, *self.due_since.values()]))


class TaskRunner:
    """Does what is due, one thing after the other."""

    def __init__(self, db: Database, tasks: Sequence[Task], metrics: Metrics) -> None:
        self.db = db
        self.backlogs = {task: Backlog() for task in tasks}
        self.stopping = asyncio.Event()
        self.ended = asyncio.Event()
        self.ended.set()
        self.done = metrics.counter("worker_done_total", "Things done that were due, by task.", "task")
        self.failures = metrics.counter("worker_failures_total", "Failed tries to do what is due, by task.", "task")
        for task in tasks:
            self.done.expect(task.name)
            self.failures.expect(task.name)
        metrics.gauge_of(
            "worker_lag_seconds", "For how long the oldest thing that is due has been so, by task.", self.lags, "task"
        )

    def lags(self) -> dict[str, float]:
        """Return how far behind each task is, in seconds."""
        return {task.name: backlog.lag_seconds() for task, backlog in self.backlogs.items()}

    async def run(self) -> None:
        """Look for what is due and do it, again and again, until stopped. After failures it waits for longer."""
        self.ended.clear()
        failures = 0
        try:
            while not self.stopping.is_set():
                rounds = [await self.round(task) for task in self.backlogs]
                failures = 0 if all(rounds) else failures + 1
                wait_seconds = backoff_seconds(failures, wait_seconds_max) if failures else look_every_seconds
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.stopping.wait(), wait_seconds)
        finally:
            self.ended.set()

    async def stop(self, finish_seconds: float) -> None:
        """Stop after the transaction in hand, and wait for that, but not for longer than `finish_seconds`."""
        self.stopping.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.ended.wait(), finish_seconds)

    async def round(self, task: Task) -> bool:
        """Do what of a task is due, until nothing is. Return whether all went well.

        What fails is left for the next time, and does not keep the rest from being done.
        """
        backlog = self.backlogs[task]
        failed: set[str] = set()
        try:
            while not self.stopping.is_set():
                backlog.found(await task.due(self.db))
                tried = [each for each in backlog.due_since if each not in failed]
                done = [each for each in tried if await self._do(task, each, failed)]
                if not done:
                    break
        except Unavailable:
            # The pool has logged why.
            self.failures.count(task.name)
            return False
        except Exception:
            self.failures.count(task.name)
            log.exception("a task failed", extra={"task": task.name})
            return False
        return not failed

    async def _do(self, task: Task, subject_id: str, failed: set[str]) -> bool:
        """Do a thing that is due. Return whether this process has brought it to its end."""
        if self.stopping.is_set():
            return False
        try:
            outcome = await task.work(self.db, subject_id, self.stopping.is_set)
        except Unavailable:
            raise
        except Exception:
            self.failures.count(task.name)
            failed.add(subject_id)
            log.exception("a task failed", extra={"task": task.name, "subject": subject_id})
            return False
        if outcome == "done":
            self.done.count(task.name)
            del self.backlogs[task].due_since[subject_id]
        return outcome == "done"


@asynccontextmanager
async def working(
    db: Database, tasks: Sequence[Task], metrics: Metrics, *, finish_seconds: float
) -> AsyncIterator[TaskRunner]:
    """Do what is due during the block; at its end, finish the transaction in hand."""
    runner = TaskRunner(db, tasks, metrics)
    async with background(runner.run):
        try:
            yield runner
        finally:
            await runner.stop(finish_seconds)
