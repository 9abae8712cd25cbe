"""Ended sessions: every process refuses their access tokens within a second, without a query per request."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

from service.actor import Actor
from service.auth.attempts import places_kept_seconds, window_seconds
from service.errors import Unauthenticated, Unavailable
from service.postgres.pool import Database, Record
from service.postgres.queries import queries
from service.process.tasks import background

poll_seconds = 0.5
# The most ended sessions that one statement reads; so few that PostgreSQL takes the index even where it knows nothing
# of how the rows are distributed.
page_rows_max = 250
purge_seconds = 600.0
purge_rows_max = 10_000
ended_sessions_kept_seconds = 7 * 86_400.0
# An access token is valid for a day at most, so nobody asks for earlier ends.
ends_kept_seconds = 2 * 86_400.0
# A snapshot that shows nothing, from before the first transaction.
nothing = "1:1:"
log = logging.getLogger(__name__)


class Revocations:
    """The sessions that ended within the lifetime of an access token.

    A read asks for what the snapshot of the last read did not show. A snapshot says exactly which transactions had been
    committed, so nothing is read twice, and nothing is skipped that is committed late.
    """

    def __init__(self, db: Database, access_token_seconds: int) -> None:
        self.db = db
        self.within_seconds = float(access_token_seconds + 60)
        # The ids of the sessions, and when no access token of them is valid any more.
        self.ended: dict[str, float] = {}
        self.seen = nothing
        self.server_started_at: Any = None
        # One read at a time: each begins where the one before ended.
        self.reading = asyncio.Lock()

    def admit(self, actor: Actor) -> Actor:
        """Return the actor. Raises Unauthenticated if its session has ended."""
        if actor.session_id in self.ended:
            raise Unauthenticated("This session has ended. Log in again.")
        return actor

    async def refresh(self) -> int:
        """Read which sessions have ended since the last read, and return how many rows that took.

        While the database does not answer, those known stay known.
        """
        async with self.reading:
            rows = 0
            with suppress(Unavailable):
                rows = await self._read()
            self._forget()
        return rows

    async def _read(self) -> int:
        first, rows = await self._pages()
        if self.seen != nothing and first["server_started_at"] != self.server_started_at:
            # Another server, such as one that has taken over, counts its transactions by itself.
            self.seen = nothing
            first, rows = await self._pages()
        self.seen, self.server_started_at = first["snapshot"], first["server_started_at"]
        return rows

    async def _pages(self) -> tuple[Record, int]:
        """Read all pages; return the first row, whose snapshot comes before what later pages show, and how many."""
        first: Record | None = None
        rows = 0
        after_transaction, after_session_id = self.seen.partition(":")[0], str(UUID(int=0))
        while True:
            page = [
                row
                async for row in queries.auth.revoked(
                    self.db,
                    seen=self.seen,
                    after_transaction=after_transaction,
                    after_session_id=after_session_id,
                    within_seconds=self.within_seconds,
                    rows_max=page_rows_max,
                )
            ]
            first = first or page[0]
            found = [row for row in page if row["session_id"]]
            rows += len(found)
            now = time.monotonic()
            self.ended.update((row["session_id"], now + row["left_seconds"]) for row in found)
            if len(found) < page_rows_max:
                return first, rows
            after_transaction, after_session_id = found[-1]["ended_in"], found[-1]["session_id"]

    def _forget(self) -> None:
        """Forget the sessions whose access tokens have all expired; those that ended first are in front."""
        now = time.monotonic()
        while self.ended and self.ended[oldest := next(iter(self.ended))] < now:
            del self.ended[oldest]

    async def purge(self) -> None:
        """Delete rows that are no longer needed, so that the tables do not grow for ever."""
        sessions, is_more = 0, True
        with suppress(Unavailable):
            while is_more:
                purged: Record = await queries.auth.purge(
                    self.db,
                    window_seconds=window_seconds,
                    places_kept_seconds=places_kept_seconds,
                    ends_kept_seconds=ends_kept_seconds,
                    sessions_kept_seconds=ended_sessions_kept_seconds,
                    rows_max=purge_rows_max,
                )
                sessions += purged["sessions"]
                is_more = purged["is_more"]
            log.info("purged", extra={"sessions": sessions})


async def _every(seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    """Do something again and again, until cancelled."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("watching the sessions failed")
        await asyncio.sleep(seconds)


@asynccontextmanager
async def watch(db: Database, *, access_token_seconds: int) -> AsyncIterator[Revocations]:
    """Yield revocations that are kept up to date during the block."""
    revocations = Revocations(db, access_token_seconds)
    await revocations.refresh()

    async def poll() -> None:
        await _every(poll_seconds, revocations.refresh)

    async def purge() -> None:
        await _every(purge_seconds, revocations.purge)

    # Each by itself: a log-out does not wait for a purge.
    async with background(poll), background(purge):
        yield revocations
