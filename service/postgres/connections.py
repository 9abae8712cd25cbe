"""Keeps the pool's connections at hand between statements.

asyncpg's pool uses a task and a shield for every release and a timer for every acquisition, which together cost more
than a small statement. So each connection is acquired from the pool once, and goes back only if it may be broken.
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
from service.telemetry.spent import current_spent

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"

# What asyncpg raises when the database is down, restarting, overloaded, too slow or a standby. There is no common base.
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

# A connection idle for this long is closed, so that a busy minute does not keep connections open all night.
idle_seconds_max = 300.0
# A connection this old is closed: its memory on the server only grows, and a load balancer may choose a better server.
age_seconds_max = 3600.0
look_every_seconds = 15.0


class NoneFree(TimeoutError):  # noqa: N818 -- the name states the problem.
    """All connections were in use for as long as a caller may wait."""


class TooSlow(TimeoutError):  # noqa: N818 -- as above.
    """A statement took too long and was cancelled, so the server is there."""


class Held:
    """A connection that we hold until it goes back to asyncpg, with the times when it was made and last used."""

    __slots__ = ("connection", "made_at", "used_at")

    def __init__(self, connection: Connection, made_at: float) -> None:
        self.connection = connection
        self.made_at = self.used_at = made_at


class Connections:
    """Up to as many connections as the pool may have, each for one user at a time.

    `slots` counts the connections that may still be made: a slot is taken before connecting, and freed when the
    connection is closed or back with asyncpg. A caller that finds neither a connection nor a slot waits in line. What
    becomes free goes to the first in line, so that later callers cannot take it.
    """

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", wait_seconds: float, metrics: Metrics) -> None:
        self.pool = pool
        self.wait_seconds = wait_seconds
        self.slots = pool.get_max_size()
        # A stack: the connection used last is used first, because its server process has warm caches.
        self.at_hand: list[Held] = []
        self.line: deque[asyncio.Future[Held | None]] = deque()
        self.waiting = 0
        # Connections made before this time are closed when they are given back.
        self.expired_at = 0.0
        self.acquire_seconds = metrics.timings("database_pool_acquire_seconds", "Time waited for a connection.")
        metrics.gauge_of("database_pool_connections", "Connections of the pool, by state.", self.by_state, "state")
        metrics.gauge_of(
            "database_pool_connections_max", "Maximum number of connections of the pool.", pool.get_max_size
        )
        metrics.gauge_of(
            "database_pool_waiting", "Statements and transactions waiting for a connection.", lambda: self.waiting
        )

    def use(self) -> "Use":
        """Return a context manager that yields a connection.

        It raises NoneFree if none is free in time, and one of `unavailable` if none can be made.
        """
        return Use(self)

    def idle(self) -> int:
        """Return how many connections are open and not in use."""
        return len([held for held in self.at_hand if not _is_closed(held.connection)]) + self.pool.get_idle_size()

    def in_use(self) -> int:
        """Return how many connections are open and in use."""
        return self.pool.get_size() - self.idle()

    def by_state(self) -> dict[str, float]:
        """Return the number of connections in each state."""
        return {"idle": self.idle(), "in_use": self.in_use()}

    def take(self) -> Held | None:
        """Return the connection at hand that was used last, or None if there is none."""
        while self.at_hand:
            held = self.at_hand.pop()
            if not _is_closed(held.connection):
                self.acquire_seconds.record(0.0)
                return held
            self.discard(held)
        return None

    async def wait(self) -> Held:
        """Return a new connection if a slot is free, otherwise wait for one that is given back. Raises as `use`."""
        started = time.perf_counter()
        self.waiting += 1
        is_connecting = False
        try:
            async with asyncio.timeout(self.wait_seconds):
                if self.slots:
                    self.slots -= 1
                elif held := await self._turn():
                    return held
                is_connecting = True
                return await self._connect()
        except TimeoutError:
            if is_connecting:
                raise
            raise NoneFree from None
        finally:
            self.waiting -= 1
            seconds = time.perf_counter() - started
            self.acquire_seconds.record(seconds)
            if spent := current_spent.get():
                spent.connection_seconds += seconds

    def give_back(self, held: Held) -> None:
        """Pass a connection to the first in line or keep it at hand; close it if it is old or not in order."""
        held.used_at = time.monotonic()
        is_old = held.made_at <= self.expired_at or held.used_at - held.made_at > age_seconds_max
        if is_old or not _is_in_order(held.connection):
            self.discard(held)
        elif not self._pass_on(held):
            self.at_hand.append(held)

    async def give_back_after(self, held: Held, error: BaseException) -> bool:
        """Give back a connection whose user failed: it is kept only if PostgreSQL answered with a plain error.

        Return whether it was a statement that took too long, on a server that has answered again since.
        """
        if _is_plain(error):
            self.give_back(held)
        elif isinstance(error, (asyncpg.InterfaceError, asyncpg.InternalClientError)):
            # asyncpg did not expect this itself: a statement may still be running that nobody cancels.
            self.discard(held)
        elif isinstance(error, TimeoutError):
            return await self._return_if_it_answers(held)
        else:
            await self.return_to_pool(held)
        return False

    async def return_to_pool(self, held: Held) -> None:
        """Release a connection to asyncpg, which waits for cancelled statements and closes broken connections."""
        try:
            # The error is known already, and asyncpg closes a connection that it cannot repair.
            with suppress(asyncpg.PostgresError, *unavailable):
                await self.pool.release(held.connection, timeout=self.wait_seconds)
        finally:
            self._free_slot()

    def discard(self, held: Held) -> None:
        """Close a connection, even if a transaction is open in it."""
        # asyncpg has taken back a connection that broke.
        with suppress(asyncpg.InterfaceError):
            held.connection.terminate()
        self._free_slot()

    async def expire(self) -> None:
        """Close all connections: those at hand now, and those in use when they are given back."""
        self.expired_at = time.monotonic()
        while self.at_hand:
            self.discard(self.at_hand.pop())
        await self.pool.expire_connections()

    async def close(self) -> None:
        """Release all connections to asyncpg: those at hand now, and those in use when they are given back."""
        self.expired_at = float("inf")
        while self.at_hand:
            await self.return_to_pool(self.at_hand.pop())

    async def close_idle(self) -> None:
        """Periodically close connections that have been idle for long, until cancelled."""
        while True:
            await asyncio.sleep(look_every_seconds)
            idle_since = time.monotonic() - idle_seconds_max
            for held in self.at_hand.copy():
                if held.used_at < idle_since or _is_closed(held.connection):
                    self.at_hand.remove(held)
                    self.discard(held)

    async def _turn(self) -> Held | None:
        """Wait in line. Return a connection, or None if it was given a slot."""
        turn: asyncio.Future[Held | None] = asyncio.get_running_loop().create_future()
        self.line.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                # The waiting ended at the same moment as it was given a connection or a slot: pass that on.
                held = turn.result()
                if held:
                    self.give_back(held)
                else:
                    self._free_slot()
            raise

    async def _return_if_it_answers(self, held: Held) -> bool:
        """Return to the pool a connection whose server answers, once it has ended what took too long; close others."""
        answers = False
        try:
            async with asyncio.timeout(self.wait_seconds):
                await held.connection.execute("select")
            answers = True
        except (asyncpg.PostgresError, *unavailable):
            pass
        finally:
            if answers:
                await self.return_to_pool(held)
            else:
                self.discard(held)
        return answers

    async def _connect(self) -> Held:
        made_at = time.monotonic()
        try:
            return Held(await self.pool.acquire(), made_at)
        except BaseException as error:
            self._free_slot()
            if isinstance(error, asyncpg.PostgresError) and not isinstance(error, unavailable):
                # Such as a password that was changed: no request can mend it, and it may pass.
                raise ConnectionRefusedError(str(error)) from error
            raise

    def _free_slot(self) -> None:
        if not self._pass_on(None):
            self.slots += 1

    def _pass_on(self, held: Held | None) -> bool:
        """Give a connection, or a slot if None, to the first in line. Return whether anybody was waiting."""
        while self.line:
            turn = self.line.popleft()
            # Those who gave up are still in the line.
            if not turn.done():
                turn.set_result(held)
                return True
        return False


class Use:
    """A context manager that yields a connection.

    Afterwards the connection is kept at hand only if PostgreSQL answered, with rows or with a plain error, and no
    transaction is open. After anything else (cancellation, a time-out, a lost connection, a read-only server) it is
    released to asyncpg, or closed.
    """

    __slots__ = ("connections", "held")

    def __init__(self, connections: Connections) -> None:
        self.connections = connections

    async def __aenter__(self) -> Connection:
        self.held = self.connections.take() or await self.connections.wait()
        return self.held.connection

    async def __aexit__(self, _: object, error: BaseException | None, __: TracebackType | None) -> None:
        if error is None:
            self.connections.give_back(self.held)
        else:
            await self.connections.give_back_after(self.held, error)


def _is_plain(error: BaseException) -> bool:
    """Return whether the connection is fine after an error: a plain one of PostgreSQL, or a refusal of ours."""
    return isinstance(error, (Refusal, asyncpg.PostgresError)) and not isinstance(error, unavailable)


def _is_closed(connection: Connection) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        # asyncpg has taken back a connection that was lost.
        return True


def _is_in_order(connection: Connection) -> bool:
    return not _is_closed(connection) and not connection.is_in_transaction()
