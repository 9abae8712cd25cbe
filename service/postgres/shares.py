"""How many connections an account, a team, and the writes to a team may hold at once, so that others get some."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

from service.errors import Reason, Unavailable
from service.telemetry.spent import current_spent

# Whose request this is: an account and, where the path has one, a team.
askers: ContextVar[tuple[str, ...]] = ContextVar("askers", default=())

# The parts of the pool for one account and for one team: with smaller ones, others are answered no sooner, and a client
# with many requests waits more. That of a team is larger, because a stranger's requests for a team, which are refused,
# count for it as well.
shares = (0.8, 0.9)


def most_of(pool_size: int) -> tuple[int, ...]:
    """Return how many of a pool's connections one account, and one team, may hold."""
    return tuple(max(1, int(pool_size * share)) for share in shares)


class Limit:
    """Counts what is held of each key, and lets nobody exceed it.

    `most` has the number for the first of a caller's keys, for the second, and so on.

    A caller takes all of its keys or none. Who has to wait stands in line for a key of which everything is held. What
    is given back goes to the first in line, so that later callers cannot take it.
    """

    def __init__(self, most: tuple[int, ...], wait_seconds: float, *, reason: Reason, too_many: str) -> None:
        self.most = most
        self.wait_seconds = wait_seconds
        self.reason: Reason = reason
        self.too_many = too_many
        self.held: dict[str, int] = {}
        self.lines: dict[str, deque[tuple[asyncio.Future[None], tuple[str, ...]]]] = {}

    def take(self, keys: tuple[str, ...]) -> bool:
        """Take the keys. Return False, and take none, if one of them cannot be had now."""
        if self._missing(keys):
            return False
        for each in keys:
            self.held[each] = self.held.get(each, 0) + 1
        return True

    async def wait(self, keys: tuple[str, ...]) -> None:
        """Wait for keys that cannot be had now. Raises Unavailable after `wait_seconds`."""
        started = time.perf_counter()
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self.lines.setdefault(self._missing(keys), deque()).append((turn, keys))
        timer = loop.call_later(self.wait_seconds, _expire, turn)
        try:
            await turn
        except TimeoutError:
            waited = f"this one waited {self.wait_seconds:g} s"
            raise Unavailable(f"{self.too_many}: {waited}. Send the request again.", reason=self.reason) from None
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.exception() is None:
                # The waiting ended at the same moment as it was this caller's turn: pass that on.
                self.give_back(keys)
            raise
        finally:
            timer.cancel()
            if spent := current_spent.get():
                spent.turn_seconds += time.perf_counter() - started

    def give_back(self, keys: tuple[str, ...]) -> None:
        """Give the keys back, to those in line for them."""
        for each in keys:
            self.held[each] -= 1
            if not self.held[each]:
                del self.held[each]
        if self.lines:
            for each in keys:
                self._pass_on(each)

    @asynccontextmanager
    async def hold(self, keys: tuple[str, ...]) -> AsyncIterator[None]:
        """Hold the keys during the block. Raises Unavailable if they cannot be had in time."""
        if not self.take(keys):
            await self.wait(keys)
        try:
            yield
        finally:
            self.give_back(keys)

    def _missing(self, keys: tuple[str, ...]) -> str:
        """Return the first of the keys of which everything is held, or an empty text."""
        for each, most in zip(keys, self.most, strict=False):
            if self.held.get(each, 0) >= most:
                return each
        return ""

    def _pass_on(self, key: str) -> None:
        """Let those in line for a key have theirs, as long as there is some of it."""
        line = self.lines.get(key, deque())
        while line:
            turn, keys = line[0]
            # Those who gave up are still in the line.
            if not turn.done():
                missing = self._missing(keys)
                if missing == key:
                    return
                if missing:
                    self.lines.setdefault(missing, deque()).append((turn, keys))
                else:
                    self.take(keys)
                    turn.set_result(None)
            line.popleft()
        self.lines.pop(key, None)


def _expire(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_exception(TimeoutError())
