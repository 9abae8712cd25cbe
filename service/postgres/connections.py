"""The connections: each is kept at hand from one statement to the next.

asyncpg's pool takes a task and a shield for every release and a timer for every acquisition, which together cost more
than a small statement. So a connection is acquired from it once, and goes back when there is a doubt about it.
"""

import asyncio
import time
from collections import deque
from contextlib import suppress
from types import TracebackType
from typing import TypeAlias

import asyncpg

from service.errors import Refusal
from service.telemetry.metrics import Metrics

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"

# What asyncpg raises when the database is down, restarting, overloaded, too slow or a standby. They share no base.
unavailable = (
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.LockNotAvailableError,
    asyncpg.InternalClientError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)

# A connection that was not needed for so long is closed, so that a busy minute does not hold them for the whole night.
idle_seconds_max = 300.0
# A connection this old is closed: its memory on the server only grows, and the address may have moved to another one.
age_seconds_max = 3600.0
look_every_seconds = 15.0


class Held:
    """A connection that is ours until it goes back to asyncpg, with when it was made and when it was last used."""

    __slots__ = ("connection", "made_at", "used_at")

    def __init__(self, connection: Connection, made_at: float) -> None:
        self.connection = connection
        self.made_at = self.used_at = made_at


class Connections:
    """At most as many connections as the pool may have, for one user each at a time.

    `slots` counts those that may still be made: a slot is taken before connecting, and free again once the connection
    is closed or back with asyncpg. Whoever finds neither a connection at hand nor a slot waits in line; a connection or
    a slot that becomes free goes to the first in line, so nobody who comes later can take it.
    """

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", wait_seconds: float, metrics: Metrics) -> None:
        self.pool = pool
        self.wait_seconds = wait_seconds
        self.slots = pool.get_max_size()
        # The last one that was used is the first to be used again: its server process has everything in its caches.
        self.at_hand: list[Held] = []
        self.line: deque[asyncio.Future[Held | None]] = deque()
        self.waiting = 0
        # What was made before is closed when it is given back.
        self.expired_at = 0.0
        self.acquire_seconds = metrics.timings("database_pool_acquire_seconds", "Time waited for a connection.")
        metrics.gauge_of("database_pool_connections", "Connections of the pool, by state.", self.by_state, "state")
        metrics.gauge_of("database_pool_connections_max", "Connections that the pool may have.", pool.get_max_size)
        metrics.gauge_of(
            "database_pool_waiting", "Statements and transactions waiting for a connection.", lambda: self.waiting
        )

    def use(self) -> "Use":
        """Return a context manager that yields a connection.

        It raises TimeoutError when none is free in time, and what asyncpg raises where one cannot be made.
        """
        return Use(self)

    def idle(self) -> int:
        """Return how many connections are open and not in use."""
        return len([held for held in self.at_hand if not _is_closed(held.connection)]) + self.pool.get_idle_size()

    def in_use(self) -> int:
        """Return how many connections are open and in use."""
        return self.pool.get_size() - self.idle()

    def by_state(self) -> dict[str, float]:
        """Return how many connections are in which state."""
        return {"idle": self.idle(), "in_use": self.in_use()}

    def take(self) -> Held | None:
        """Return the connection at hand that was used last, or None where there is none."""
        while self.at_hand:
            held = self.at_hand.pop()
            if not _is_closed(held.connection):
                self.acquire_seconds.record(0.0)
                return held
            self.discard(held)
        return None

    async def wait(self) -> Held:
        """Return a connection: a new one where there may be one more, else one that is given back."""
        started = time.perf_counter()
        self.waiting += 1
        try:
            async with asyncio.timeout(self.wait_seconds):
                if self.slots:
                    self.slots -= 1
                elif held := await self._turn():
                    return held
                return await self._connect()
        finally:
            self.waiting -= 1
            self.acquire_seconds.record(time.perf_counter() - started)

    def give_back(self, held: Held) -> None:
        """Pass a connection that is free and in order to the first in line, or keep it at hand."""
        held.used_at = time.monotonic()
        is_old = held.made_at <= self.expired_at or held.used_at - held.made_at > age_seconds_max
        if is_old or not _is_in_order(held.connection):
            self.discard(held)
        elif not self._pass_on(held):
            self.at_hand.append(held)

    async def return_to_pool(self, held: Held) -> None:
        """Let asyncpg have a connection: it waits for what is being cancelled, and closes what is broken."""
        try:
            # What went wrong on the connection is known already, and asyncpg closes it when it cannot mend it.
            with suppress(asyncpg.PostgresError, *unavailable):
                await self.pool.release(held.connection, timeout=self.wait_seconds)
        finally:
            self._free_slot()

    def discard(self, held: Held) -> None:
        """Close a connection, also where a transaction is open in it."""
        # One that broke is not ours any more.
        with suppress(asyncpg.InterfaceError):
            held.connection.terminate()
        self._free_slot()

    async def expire(self) -> None:
        """Close all connections: those at hand now, those in use when they are given back."""
        self.expired_at = time.monotonic()
        while self.at_hand:
            self.discard(self.at_hand.pop())
        await self.pool.expire_connections()

    async def close(self) -> None:
        """Let asyncpg have all connections: those at hand now, those in use when they are given back."""
        self.expired_at = float("inf")
        while self.at_hand:
            await self.return_to_pool(self.at_hand.pop())

    async def close_idle(self) -> None:
        """Again and again close what has not been needed for long, until cancelled."""
        while True:
            await asyncio.sleep(look_every_seconds)
            idle_since = time.monotonic() - idle_seconds_max
            for held in self.at_hand.copy():
                if held.used_at < idle_since or _is_closed(held.connection):
                    self.at_hand.remove(held)
                    self.discard(held)

    async def _turn(self) -> Held | None:
        """Wait in line. Return a connection, or None for a slot."""
        turn: asyncio.Future[Held | None] = asyncio.get_running_loop().create_future()
        self.line.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                # It was this one's turn at the very moment when it gave up.
                held = turn.result()
                if held:
                    self.give_back(held)
                else:
                    self._free_slot()
            raise

    async def _connect(self) -> Held:
        made_at = time.monotonic()
        try:
            return Held(await self.pool.acquire(), made_at)
        except BaseException:
            self._free_slot()
            raise

    def _free_slot(self) -> None:
        if not self._pass_on(None):
            self.slots += 1

    def _pass_on(self, held: Held | None) -> bool:
        """Give a connection, or a slot, to the first in line. Return whether there was anybody."""
        while self.line:
            turn = self.line.popleft()
            # Those who gave up still stand in line.
            if not turn.done():
                turn.set_result(held)
                return True
        return False


class Use:
    """A connection for as long as the block lasts.

    Afterwards it is kept at hand only where PostgreSQL answered, with rows or with a plain error, and no transaction is
    open. After anything else (cancellation, a time-out, a lost connection, a server that is read-only) it is left to
    asyncpg, or closed.
    """

    __slots__ = ("connections", "held")

    def __init__(self, connections: Connections) -> None:
        self.connections = connections

    async def __aenter__(self) -> Connection:
        self.held = self.connections.take() or await self.connections.wait()
        return self.held.connection

    async def __aexit__(self, _: object, error: BaseException | None, __: TracebackType | None) -> None:
        if error is None or _is_plain(error):
            self.connections.give_back(self.held)
        elif isinstance(error, (asyncpg.InterfaceError, asyncpg.InternalClientError)):
            # What asyncpg itself did not expect may have left a statement running that nobody cancels.
            self.connections.discard(self.held)
        else:
            await self.connections.return_to_pool(self.held)


def _is_plain(error: BaseException) -> bool:
    """Return whether an error says nothing against its connection: PostgreSQL's plain errors, and our own refusals."""
    return isinstance(error, (Refusal, asyncpg.PostgresError)) and not isinstance(error, unavailable)


def _is_closed(connection: Connection) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        # It was lost, and asyncpg has it back.
        return True


def _is_in_order(connection: Connection) -> bool:
    return not _is_closed(connection) and not connection.is_in_transaction()
