"""Sessions that ended: their access tokens are refused within a second, by every process, without a query a request."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from service.config import Config
from service.db import Database, queries
from service.errors import Unavailable

poll_seconds = 0.5
log = logging.getLogger(__name__)


class Revocations:
    """The ids of the sessions that ended within the lifetime of an access token."""

    def __init__(self, db: Database, config: Config) -> None:
        self.db = db
        self.within_seconds = float(config.access_token_seconds + 60)
        self.session_ids: frozenset[str] = frozenset()

    def __contains__(self, session_id: str) -> bool:
        """Return whether a session has ended."""
        return session_id in self.session_ids

    async def refresh(self) -> None:
        """Read them anew; while the database does not answer, what was known stays."""
        with suppress(Unavailable):
            rows = queries.auth.revoked(self.db, within_seconds=self.within_seconds)
            self.session_ids = frozenset([row["session_id"] async for row in rows])

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(poll_seconds)
            try:
                await self.refresh()
            except Exception:
                log.exception("reading the revoked sessions failed")


@asynccontextmanager
async def watch(db: Database, config: Config) -> AsyncIterator[Revocations]:
    """Keep the revocations current for as long as the block lasts."""
    revocations = Revocations(db, config)
    await revocations.refresh()
    poll = asyncio.create_task(revocations._poll())  # noqa: SLF001 -- the other half of this module.
    try:
        yield revocations
    finally:
        poll.cancel()
        with suppress(asyncio.CancelledError):
            await poll
