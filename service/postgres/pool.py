"""PostgreSQL: the pool, transactions, and the refusals that PostgreSQL's errors become."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Any
from weakref import WeakValueDictionary

import asyncpg
import orjson

from service.errors import Refusal, Unavailable
from service.postgres.connections import Connection, Connections, idle_seconds_max, unavailable
from service.postgres.queries import Method, Record
from service.process.tasks import background
from service.telemetry.metrics import Metrics, Timings

log = logging.getLogger(__name__)

# How many writes to one team may hold a connection at the same time: one works, one is ready.
turns_max = 2


class Transaction:
    """A connection inside a transaction, on which queries can be run."""

    def __init__(
        self, connection: "Connection | asyncpg.Connection[Record]", query_seconds: Timings | None = None
    ) -> None:
        self.connection = connection
        self.query_seconds = query_seconds or _query_seconds(Metrics())

    async def ask(self, method: Method, name: str, sql: str, arguments: Sequence[Any]) -> Any:
        """Run a query within this transaction."""
        started = time.perf_counter()
        try:
            return await getattr(self.connection, method)(sql, *arguments)
        finally:
            self.query_seconds.record(time.perf_counter() - started, name)

    @asynccontextmanager
    async def transaction(self, _: str = "") -> AsyncIterator["Transaction"]:
        """Yield this transaction with a savepoint: the block's changes are undone if it raises."""
        async with self.connection.transaction():
            yield self


class Database:
    """The pool. A query that is passed the pool runs on its own; `transaction` groups several.

    Every method raises Unavailable (503) if the database does not answer or no connection is free in time.
    """

    def __init__(self, connections: Connections, metrics: Metrics) -> None:
        self.connections = connections
        self.query_seconds = _query_seconds(metrics)
        self.transaction_seconds = metrics.timings(
            "database_transaction_seconds", "Time of a transaction, including its commit."
        )
        self.turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def ask(self, method: Method, name: str, sql: str, arguments: Sequence[Any]) -> Any:
        """Run a query on its own."""
        connections = self.connections
        try:
            # As `connections.use()` does, which costs two more coroutines.
            held = connections.take() or await connections.wait()
            started = time.perf_counter()
            try:
                answer = await getattr(held.connection, method)(sql, *arguments)
            except BaseException as error:
                await connections.give_back_after(held, error)
                raise
            finally:
                self.query_seconds.record(time.perf_counter() - started, name)
            connections.give_back(held)
        except unavailable as error:
            raise await self._refusal(error) from error
        return answer

    @asynccontextmanager
    async def transaction(self, team_id: str = "") -> AsyncIterator[Transaction]:
        """Yield a transaction that is committed at the end of the block, and rolled back if the block raises.

        Writes to one team have to wait for each other anyway. They wait before they take a connection, so that a busy
        team does not take all connections.
        """
        turn = self._turn(team_id) if team_id else nullcontext()
        try:
            async with turn, self.connections.use() as connection:
                started = time.perf_counter()
                async with connection.transaction():
                    try:
                        yield Transaction(connection, self.query_seconds)
                    except TimeoutError:
                        # A rollback would wait for the same silent server; closing the connection rolls back as well.
                        connection.terminate()
                        raise
                self.transaction_seconds.record(time.perf_counter() - started)
        except Refusal:
            raise
        except unavailable as error:
            raise await self._refusal(error) from error

    @asynccontextmanager
    async def _turn(self, team_id: str) -> AsyncIterator[None]:
        turns = self.turns.setdefault(team_id, asyncio.Semaphore(turns_max))
        try:
            # Timers cost time, and most teams are not busy, so a timer is only set for one that is.
            async with asyncio.timeout(self.connections.wait_seconds) if turns.locked() else nullcontext():
                await turns.acquire()
        except TimeoutError:
            raise Unavailable("Too many writes to this team at once. Send the request again.") from None
        try:
            yield
        finally:
            turns.release()

    async def _refusal(self, error: Exception) -> Unavailable:
        if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
            # A failover made this server a standby: reconnect to find the new primary.
            await self.connections.expire()
        log.warning(
            "database unavailable",
            extra={"error": f"{type(error).__name__}: {error}"},
            # An InterfaceError may also be a mistake in our code.
            exc_info=isinstance(error, asyncpg.InterfaceError),
        )
        return Unavailable("The database does not answer right now. Send the request again.")


# The `db` of service functions: usually the pool, or a transaction that the caller has begun.
Connectable = Database | Transaction


def pool_of(url: str, *, size: int, statement_seconds: float, statement_cache_size: int) -> "asyncpg.pool.Pool[Record]":
    """Return asyncpg's pool with our settings; it is not open yet."""
    return asyncpg.create_pool(
        url,
        min_size=0,
        # Connect once at the start, so that an unreachable database is noticed immediately.
        init_size=1,
        max_size=size,
        max_inactive_connection_lifetime=idle_seconds_max,
        command_timeout=statement_seconds,
        timeout=3,
        statement_cache_size=statement_cache_size,
        max_cached_statement_lifetime=0,
        init=_prepare,
        reset=_reset,
        server_settings={
            "application_name": "expenses",
            "statement_timeout": str(int(statement_seconds * 1000)),
            # A process that stops in the middle of a write must not hold up its team much longer than a statement may.
            "idle_in_transaction_session_timeout": str(int(statement_seconds * 1000) + 1000),
            # Compiling a query takes longer than running any of ours.
            "jit": "off",
        },
    )


@asynccontextmanager
async def connect(
    url: str,
    *,
    size: int = 10,
    wait_seconds: float = 1.0,
    statement_seconds: float = 5.0,
    statement_cache_size: int = 200,
    metrics: Metrics | None = None,
) -> AsyncIterator[Database]:
    """Yield the connected database during the block."""
    metrics = metrics or Metrics()
    pool = pool_of(url, size=size, statement_seconds=statement_seconds, statement_cache_size=statement_cache_size)
    async with pool:
        connections = Connections(pool, wait_seconds, metrics)
        async with background(connections.close_idle()):
            try:
                yield Database(connections, metrics)
            finally:
                await connections.close()


@contextmanager
def on_violation(constraint: str, *, raises: Refusal) -> Iterator[None]:
    """Turn the violation of a named constraint into a refusal."""
    try:
        yield
    except asyncpg.IntegrityConstraintViolationError as error:
        if not _names(error, constraint):
            raise
        raise raises from error


def _names(error: asyncpg.IntegrityConstraintViolationError, constraint: str) -> bool:
    """Return whether this constraint is the violated one.

    Citus passes on only the message of a shard, whose constraint names end with the shard's number.
    """
    if error.constraint_name:
        return bool(error.constraint_name == constraint)
    return re.search(rf"(?<!\w){re.escape(constraint)}(_[0-9]+)?(?!\w)", str(error)) is not None


def _query_seconds(metrics: Metrics) -> Timings:
    return metrics.timings("database_query_seconds", "Time of a query, by name.", "query")


async def _prepare(connection: "asyncpg.Connection[Record]") -> None:
    """Read ids as text, and pass JSON through as PostgreSQL rendered it."""
    await connection.set_type_codec("uuid", schema="pg_catalog", encoder=str, decoder=str, format="text")
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name,
            schema="pg_catalog",
            encoder=lambda value: orjson.dumps(value).decode(),
            decoder=orjson.Fragment,
            format="text",
        )


async def _reset(connection: "asyncpg.Connection[Record]") -> None:
    """Skip the round trip that resets a released connection: our queries leave no state in a session."""
