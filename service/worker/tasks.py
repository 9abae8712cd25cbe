"""The tasks."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from service.postgres.pool import Database
from service.teams import purging

# What came of it: it is done; the process is stopping; or somebody else does it, or it is not due any more.
Outcome = Literal["done", "stopped", "skipped"]


@dataclass(frozen=True)
class Task:
    """A kind of thing that becomes due.

    `due` returns the ids of some things that are due, those first that have been so for longest, and for how many
    seconds each has been. `work` does one of them, in transactions that begin by locking it, so that others skip it
    and a process that dies loses nothing; if it has several, it asks before each whether the process is stopping.
    """

    name: str
    due: Callable[[Database], Awaitable[dict[str, float]]]
    work: Callable[[Database, str, Callable[[], bool]], Awaitable[Outcome]]


def all_tasks(*, deleted_teams_kept_seconds: float) -> list[Task]:
    """Return all tasks. Deleted teams are purged when they have been kept for so many seconds."""
    return [
        Task(
            "teams.purge",
            partial(purging.due, kept_seconds=deleted_teams_kept_seconds),
            partial(purging.purge, kept_seconds=deleted_teams_kept_seconds),
        )
    ]
