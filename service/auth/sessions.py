"""Ended sessions: every process refuses their access tokens within a second, without a query per request."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from service.actor import Actor
from service.auth.attempts import window_seconds as attempts_window_seconds
from service.errors import Unauthenticated, Unavailable
from service.postgres.pool import Database
from service.postgres.queries import queries
from service.process.tasks import background

poll_seconds = 0.5
purge_every_polls = 1200
ended_sessions_kept_seconds = 7 * 86_400.0
log = logging.getLogger(__name__)


class Revocations:
    """The ids of sessions that ended within the lifetime of an access token."""

    def __init__(self, db: Database, access_token_seconds: int) -> None:
        self.db = db
        self.within_seconds = float(access_token_seconds + 60)
        self.session_ids: frozenset[str] = frozenset()
        # One read at a time: an earlier one must not overwrite a later one.
        self.reading = asyncio.Lock()

    def admit(self, actor: Actor) -> Actor:
        """Return the actor. Raises Unauthenticated if its session has ended."""
        if actor.session_id in self.session_ids:
            raise Unauthenticated("This session has ended. Log in again.")
        return actor

    async def refresh(self) -> None:
        """Read the ids again; while the database does not answer, keep the ones known."""
        async with self.reading:
            with suppress(Unavailable):
                rows = queries.auth.revoked(self.db, within_seconds=self.within_seconds)
                self.session_ids = frozenset([row["session_id"] async for row in rows])

    async def purge(self) -> None:
        """Delete rows that are no longer needed, so that the tables do not grow for ever."""
        with suppress(Unavailable):
            sessions = await queries.auth.purge(
                self.db, window_seconds=attempts_window_seconds, kept_seconds=ended_sessions_kept_seconds
            )
            log.info("purged", extra={"sessions": sessions})

    async def poll(self) -> None:
        """Refresh periodically, and purge less often, until cancelled."""
        polls = 0
        while True:
            polls += 1
            try:
                await self.refresh()
                if polls % purge_every_polls == 1:
                    await self.purge()
            except Exception:
                log.exception("watching the sessions failed")
            await asyncio.sleep(poll_seconds)


@asynccontextmanager
async def watch(db: Database, *, access_token_seconds: int) -> AsyncIterator[Revocations]:
    """Yield revocations that are kept up to date during the block."""
    revocations = Revocations(db, access_token_seconds)
    await revocations.refresh()
    async with background(revocations.poll()):
        yield revocations
