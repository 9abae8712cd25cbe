"""PostgreSQL: the pool, transactions, and the refusals that PostgreSQL's errors become."""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg

from service.errors import Refusal, SumTooLarge, Unavailable
from service.postgres.connections import Connection, Connections, NoneFree, TooSlow, idle_seconds_max, unavailable
from service.postgres.queries import Method, Record, queries
from service.postgres.server import Server, explained
from service.postgres.shares import Limit, askers, most_of
from service.postgres.violations import names
from service.process.tasks import background
from service.telemetry.metrics import Metrics, Timings
from service.telemetry.spent import current_spent

log = logging.getLogger(__name__)

# How many writes to one team may hold a connection at the same time: one works, one is ready.
turns_max = 2
close_seconds = 3


class Clock:
    """Counts the time of queries, adds it to what their request has spent, and logs those that are slow."""

    def __init__(self, query_seconds: Timings, slow_query_seconds: float = math.inf) -> None:
        self.query_seconds = query_seconds
        self.slow_query_seconds = slow_query_seconds

    def asked(self, name: str, started: float) -> None:
        """Count a query that began at a time of `perf_counter`, and has ended or failed now."""
        seconds = time.perf_counter() - started
        self.query_seconds.record(seconds, name)
        self.spend(name, seconds)

    def spend(self, name: str, seconds: float) -> None:
        """Take note of a query, or of the end of a transaction, which is none."""
        if spent := current_spent.get():
            spent.add(name, seconds)
        if seconds >= self.slow_query_seconds:
            log.warning("slow query", extra={"query": name, "duration_ms": round(seconds * 1000, 3)})


class Transaction:
    """A connection inside a transaction, on which queries can be run."""

    def __init__(self, connection: "Connection | asyncpg.Connection[Record]", clock: Clock | None = None) -> None:
        self.connection = connection
        self.clock = clock or Clock(_query_seconds(Metrics()))

    async def ask(self, method: Method, name: str, sql: str, arguments: Sequence[Any]) -> Any:
        """Run a query within this transaction."""
        started = time.perf_counter()
        try:
            return await getattr(self.connection, method)(sql, *arguments)
        except asyncpg.CheckViolationError as error:
            # Whatever writes the ledger can come to this.
            if names(error, "totals_size_check"):
                raise SumTooLarge from error
            raise
        finally:
            self.clock.asked(name, started)

    async def allow(self, seconds: float) -> None:
        """Let each statement of this transaction take so long, instead of as long as that of a request."""
        # For this transaction only: behind a pooler, the session is the next client's.
        await queries.ops.allow(self, milliseconds=str(int(seconds * 1000)))

    @asynccontextmanager
    async def transaction(self, _: str = "", *, dry_run: bool = False) -> AsyncIterator["Transaction"]:
        """Yield this transaction with a savepoint: the block's changes are undone if it raises, or in a dry run."""
        async with _begun(self.connection, self.clock, close_seconds, dry_run=dry_run):
            yield self


class Database:
    """The pool. A query that is passed the pool runs on its own; `transaction` groups several.

    Every method raises Unavailable (503), with its reason, if the database does not answer or no connection is free.
    """

    def __init__(self, connections: Connections, server: Server, metrics: Metrics, slow_query_seconds: float) -> None:
        self.connections = connections
        self.server = server
        self.clock = Clock(_query_seconds(metrics), slow_query_seconds)
        self.transaction_seconds = metrics.timings(
            "database_transaction_seconds", "Time of a transaction, including its commit."
        )
        # Called with the team of each transaction that was committed.
        self.on_commit: list[Callable[[str], None]] = []
        self.shares = Limit(
            most_of(connections.pool.get_max_size()),
            connections.wait_seconds,
            reason="share",
            too_many="Too many requests of this account, or for this team, at once",
        )
        self.turns = Limit(
            (turns_max,), connections.wait_seconds, reason="turn", too_many="Too many writes to this team at once"
        )

    async def ask(self, method: Method, name: str, sql: str, arguments: Sequence[Any]) -> Any:
        """Run a query on its own."""
        connections = self.connections
        mine = askers.get()
        if not self.shares.take(mine):
            await self.shares.wait(mine)
        try:
            # As `connections.use()` does, which costs two more coroutines.
            held = connections.take() or await connections.wait()
            started = time.perf_counter()
            try:
                answer = await getattr(held.connection, method)(sql, *arguments)
            except BaseException as error:
                if await connections.give_back_after(held, error):
                    raise TooSlow from error
                raise
            finally:
                self.clock.asked(name, started)
            connections.give_back(held)
        except unavailable as error:
            raise await self._refusal(error) from error
        finally:
            self.shares.give_back(mine)
        return answer

    @asynccontextmanager
    async def transaction(self, team_id: str = "", *, dry_run: bool = False) -> AsyncIterator[Transaction]:
        """Yield a transaction that is committed at the end of the block, and rolled back if the block raises.

        A dry run is rolled back in any case. Writes to one team have to wait for each other anyway. They wait before
        they take a connection, so that a busy team does not take all connections.
        """
        turn = (team_id,) if team_id else ()
        try:
            async with self.turns.hold(turn), self.shares.hold(askers.get()), self.connections.use() as connection:
                started = time.perf_counter()
                async with _begun(
                    connection, self.clock, self.connections.wait_seconds, dry_run=dry_run
                ) as transaction:
                    yield transaction
                self.transaction_seconds.record(time.perf_counter() - started)
            if team_id and not dry_run:
                for committed in self.on_commit:
                    committed(team_id)
        except Refusal:
            raise
        except unavailable as error:
            raise await self._refusal(error) from error

    @asynccontextmanager
    async def apart(self, seconds: float, application_name: str) -> AsyncIterator[Transaction]:
        """Yield a transaction on a connection of its own whose statements may take so long. Raises as asyncpg does."""
        connection = await self.server.open(application_name=application_name, statement_seconds=seconds)
        # What may take longer is not slow.
        clock = Clock(self.clock.query_seconds)
        try:
            async with _begun(connection, clock, close_seconds) as transaction:
                await transaction.allow(seconds)
                yield transaction
        finally:
            # A database that does not answer must not put its TimeoutError in the place of our cancellation.
            with suppress(*unavailable):
                await connection.close(timeout=close_seconds)

    async def _refusal(self, error: Exception) -> Unavailable:
        if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
            # A failover made this server a standby: reconnect to find the new primary.
            await self.connections.expire()
        refusal = self._reason(error)
        log.warning(
            "database unavailable",
            extra={"reason": refusal.reason, "error": f"{type(error).__name__}: {error}"},
            # An InterfaceError may also be a mistake in our code.
            exc_info=isinstance(error, asyncpg.InterfaceError),
        )
        return refusal

    def _reason(self, error: Exception) -> Unavailable:
        """Return the refusal that says which of its reasons it was."""
        again = "Send the request again."
        if isinstance(error, NoneFree):
            waited = f"{self.connections.wait_seconds:g} s"
            return Unavailable(f"No connection to the database became free within {waited}. {again}", reason="pool")
        if isinstance(error, (TooSlow, asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError)):
            limit = f"{self.server.statement_seconds:g} s"
            return Unavailable(f"A statement took longer than {limit} and was given up. {again}", reason="statement")
        if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
            return Unavailable(f"The database takes no writes right now. {again}", reason="read-only")
        if isinstance(error, asyncpg.CannotConnectNowError):
            return Unavailable(f"The database is starting or stopping. {again}", reason="starting")
        if isinstance(error, asyncpg.InsufficientResourcesError):
            return Unavailable(f"The database is out of connections, memory or disk. {again}", reason="resources")
        return Unavailable(f"The database does not answer right now. {again}", reason="unreachable")


# The `db` of service functions: usually the pool, or a transaction that the caller has begun.
Connectable = Database | Transaction


def pool_of(server: Server, *, size: int) -> "asyncpg.pool.Pool[Record]":
    """Return asyncpg's pool of connections to a server; it is not open yet."""
    # asyncpg declares the callback with all options of its own.
    connect: Any = server.open
    pool: asyncpg.pool.Pool[Record] = asyncpg.create_pool(
        connect=connect,
        min_size=0,
        # Connect once at the start, so that an unreachable database is noticed immediately.
        init_size=1,
        max_size=size,
        max_inactive_connection_lifetime=idle_seconds_max,
        reset=_reset,
    )
    return pool


@asynccontextmanager
async def connect(
    url: str,
    *,
    size: int = 10,
    wait_seconds: float = 1.0,
    statement_seconds: float = 5.0,
    statement_cache_size: int = 200,
    slow_query_seconds: float = math.inf,
    metrics: Metrics | None = None,
) -> AsyncIterator[Database]:
    """Yield the connected database during the block. Raises DatabaseUnreachable if it does not answer at the start."""
    metrics = metrics or Metrics()
    server = Server(url, statement_seconds=statement_seconds, statement_cache_size=statement_cache_size)
    pool = pool_of(server, size=size)
    with explained():
        await pool
    async with pool:
        connections = Connections(pool, wait_seconds, metrics)
        async with background(connections.close_idle):
            try:
                yield Database(connections, server, metrics, slow_query_seconds)
            finally:
                await connections.close()


@asynccontextmanager
async def _begun(
    connection: "Connection | asyncpg.Connection[Record]",
    clock: Clock,
    rollback_seconds: float,
    *,
    dry_run: bool = False,
) -> AsyncIterator[Transaction]:
    """Begin a transaction, and end it after the block. What the block raises is what is raised, however that ends.

    Of a statement that took too long, it raises TooSlow if the server is there, for it to be rolled back.
    """
    transaction = connection.transaction()
    started = time.perf_counter()
    await transaction.start()
    clock.spend("begin", time.perf_counter() - started)
    try:
        yield Transaction(connection, clock)
    except BaseException as error:
        try:
            # A silent server must not be waited for as long again; closing the connection rolls back as well.
            async with asyncio.timeout(rollback_seconds):
                await transaction.rollback()
        except (asyncpg.PostgresError, *unavailable):
            connection.terminate()
            raise error from None
        if isinstance(error, TimeoutError):
            raise TooSlow from error
        raise
    started = time.perf_counter()
    await (transaction.rollback() if dry_run else transaction.commit())
    clock.spend("commit", time.perf_counter() - started)


def _query_seconds(metrics: Metrics) -> Timings:
    return metrics.timings("database_query_seconds", "Time of a query, by name.", "query")


async def _reset(connection: "asyncpg.Connection[Record]") -> None:
    """Skip the round trip that resets a released connection: our queries leave no state in a session."""
