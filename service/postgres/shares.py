"""Shares of the pool: no account and no team holds so many connections that others get none."""

import asyncio
from collections import Counter, deque
from contextvars import ContextVar

# Whose request this is: an account and, where the path has one, a team.
askers: ContextVar[tuple[str, ...]] = ContextVar("askers", default=())

# The parts of the pool for one account and for one team. That of a team is larger, because a stranger's requests for a
# team, which are refused, count for it as well.
shares = (0.5, 0.7)


class Shares:
    """Counts the connections that each asker holds: up to its share of the pool.

    Who needs one more waits in line, before waiting for a connection. When somebody of the same account or team gives
    one back, the first in line tries again.
    """

    def __init__(self, pool_size: int, wait_seconds: float) -> None:
        self.most = tuple(max(1, int(pool_size * share)) for share in shares)
        self.wait_seconds = wait_seconds
        self.held: Counter[str] = Counter()
        self.lines: dict[str, deque[asyncio.Future[None]]] = {}

    def take(self, askers: tuple[str, ...]) -> bool:
        """Count a connection of these askers. Return False, and count nothing, if one of them has its share already."""
        if self._full(askers):
            return False
        for each in askers:
            self.held[each] += 1
        return True

    async def wait(self, askers: tuple[str, ...]) -> None:
        """Count a connection of these askers as soon as none of them has its share. Raises TimeoutError."""
        waited_for = ""
        async with asyncio.timeout(self.wait_seconds):
            while not self.take(askers):
                full = self._full(askers)
                if waited_for and waited_for != full:
                    # This caller cannot use the turn that it was given; the next in that line may.
                    self._wake(waited_for)
                waited_for = full
                await self._turn(full)

    def give_back(self, askers: tuple[str, ...]) -> None:
        """Count a connection that these askers gave back."""
        held = self.held
        for each in askers:
            held[each] -= 1
            if not held[each]:
                del held[each]
            if each in self.lines:
                self._wake(each)

    def _full(self, askers: tuple[str, ...]) -> str:
        """Return the first of the askers that has its share, or an empty text."""
        for each, most in zip(askers, self.most, strict=False):
            if self.held[each] >= most:
                return each
        return ""

    async def _turn(self, asker: str) -> None:
        """Wait in an asker's line."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lines.setdefault(asker, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                # The waiting ended at the same moment as it was this caller's turn: pass that on.
                self._wake(asker)
            raise

    def _wake(self, asker: str) -> None:
        line = self.lines.get(asker, deque())
        while line:
            turn = line.popleft()
            if not turn.done():
                turn.set_result(None)
                break
        if not line:
            self.lines.pop(asker, None)
