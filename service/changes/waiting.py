"""Requests that wait until something is written to a team, without a connection to the database.

A write of this process wakes them when it is committed. What others write is seen by one statement every tenth of a
second over all teams that somebody waits for; while nobody waits, nothing is asked.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple

from service.errors import TooManyWaiting, Unavailable
from service.postgres.pool import Database
from service.postgres.queries import queries
from service.process.tasks import background
from service.telemetry.metrics import Metrics
from service.telemetry.spent import current_spent

look_seconds = 0.1
unavailable_seconds = 1.0
# How many requests may wait in this process, and of one account.
waiting_max = 5000
waiting_of_account_max = 20
# Whoever is woken asks the database again: so many at a time, for a write to wake a thousand and leave room for others.
woken_at_once = 4
ends = ("changed", "time", "stopping")


class Answer(NamedTuple):
    """What there is now. If that is nothing new, `seen` has the revisions beyond which there is something, by team.

    `memberships` has the state of the account's memberships, where a new one is something as well.
    """

    record: Any
    seen: dict[str, int] | None
    memberships: str | None = None


class Waiter:
    """A request that waits."""

    __slots__ = ("account", "memberships", "seen", "woken")

    def __init__(self, account: str) -> None:
        self.account = account
        self.seen: dict[str, int] = {}
        self.memberships: str | None = None
        self.woken = asyncio.Event()


class Waiting:
    """All requests of this process that wait."""

    def __init__(self, db: Database, metrics: Metrics) -> None:
        self.db = db
        self.by_team: dict[str, set[Waiter]] = {}
        self.waiters: set[Waiter] = set()
        self.of_account: Counter[str] = Counter()
        self.somebody = asyncio.Event()
        self.turns = asyncio.Semaphore(woken_at_once)
        self.stopping = False
        metrics.gauge_of("changes_waiting", "Requests that wait for a change.", lambda: len(self.waiters))
        self.ended = metrics.counter("changes_waits_total", "Requests that have waited, by what ended it.", "end")
        for end in ends:
            self.ended.expect(end)

    async def hold(self, account: str, seconds: int, ask: Callable[[], Awaitable[Answer]]) -> Any:
        """Return the record of the first answer that has something new, or of the last one after some seconds.

        `ask` is asked at first, and whenever there may be something; so it has to find out each time whether the
        account may still read it. Raises TooManyWaiting if the account has too many requests that wait, Unavailable if
        this process has, and what `ask` raises.
        """
        answer = await ask()
        if not seconds or answer.seen is None or self.stopping:
            return answer.record
        deadline = asyncio.get_running_loop().time() + seconds
        with self._place(account) as waiter:
            end = ""
            while not end:
                self._expect(waiter, answer)
                end = await self._end(waiter, deadline)
                async with self.turns:
                    waiter.woken.clear()
                    answer = await ask()
                if answer.seen is None:
                    end = "changed"
            self.ended.count(end)
        return answer.record

    async def _end(self, waiter: Waiter, deadline: float) -> str:
        """Wait until something wakes a waiter. Return what ends its waiting, or nothing if there may be something."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout_at(deadline):
                await waiter.woken.wait()
        except TimeoutError:
            return "time"
        finally:
            if spent := current_spent.get():
                spent.held_seconds += loop.time() - started
        return "stopping" if self.stopping else ""

    def wake(self, team_id: str) -> None:
        """Wake whoever waits for a team: something was committed."""
        for waiter in self.by_team.get(team_id, ()):
            waiter.woken.set()

    def stop(self) -> None:
        """Let all requests be answered at once, because the process is about to end."""
        self.stopping = True
        for waiter in self.waiters:
            waiter.woken.set()

    @contextmanager
    def _place(self, account: str) -> Iterator[Waiter]:
        if self.of_account[account] >= waiting_of_account_max:
            raise TooManyWaiting(waiting_of_account_max)
        if len(self.waiters) >= waiting_max:
            raise Unavailable("Too many requests wait for changes. Ask without `wait`.", reason="waiting")
        waiter = Waiter(account)
        self.waiters.add(waiter)
        self.of_account[account] += 1
        self.somebody.set()
        try:
            yield waiter
        finally:
            self._forget(waiter, waiter.seen)
            self.waiters.discard(waiter)
            self.of_account[account] -= 1
            if not self.of_account[account]:
                del self.of_account[account]
            if not self.waiters:
                self.somebody.clear()

    def _expect(self, waiter: Waiter, answer: Answer) -> None:
        """Let a waiter be woken by more than what is in an answer.

        What was committed between the answer and now wakes nobody at once; the next look finds it.
        """
        seen = answer.seen or {}
        self._forget(waiter, waiter.seen.keys() - seen.keys())
        for team_id in seen.keys() - waiter.seen.keys():
            self.by_team.setdefault(team_id, set()).add(waiter)
        waiter.seen, waiter.memberships = seen, answer.memberships

    def _forget(self, waiter: Waiter, team_ids: Iterable[str]) -> None:
        for team_id in team_ids:
            self.by_team[team_id].discard(waiter)
            if not self.by_team[team_id]:
                del self.by_team[team_id]

    async def look(self) -> None:
        """Wake those for whom something was written, by whatever process."""
        accounts = {waiter.account for waiter in self.waiters if waiter.memberships is not None}
        rows = queries.changes.look(self.db, team_ids=list(self.by_team), user_ids=list(accounts))
        found = {row["id"]: row["state"] async for row in rows}
        for waiter in self.waiters:
            if any(int(found.get(team_id, 0)) > revision for team_id, revision in waiter.seen.items()) or (
                waiter.memberships is not None and found.get(waiter.account, waiter.memberships) != waiter.memberships
            ):
                waiter.woken.set()

    async def look_again_and_again(self) -> None:
        """Look every tenth of a second while somebody waits, until cancelled."""
        while True:
            await self.somebody.wait()
            try:
                await self.look()
            except Unavailable:
                # The log has said why, once a second is enough.
                await asyncio.sleep(unavailable_seconds)
            await asyncio.sleep(look_seconds)


@asynccontextmanager
async def waiting(db: Database, metrics: Metrics) -> AsyncIterator[Waiting]:
    """Yield the waiting requests of a process, which are woken during the block."""
    found = Waiting(db, metrics)
    db.on_commit.append(found.wake)
    async with background(found.look_again_and_again):
        yield found
