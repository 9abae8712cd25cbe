"""PostgreSQL: the pool, the queries of `sql/`, and what its errors mean to a caller."""

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
from service.postgres.queries import Method, Record, queries  # noqa: F401 -- this is where services have it from.
from service.process.tasks import background
from service.telemetry.metrics import Metrics, Timings

log = logging.getLogger(__name__)

# Writes of one team that have a connection at the same time: one works, one is ready.
turns_max = 2


class Transaction:
    """One connection inside a transaction, with the ways in which queries are asked."""

    def __init__(
        self, connection: "Connection | asyncpg.Connection[Record]", query_seconds: Timings | None = None
    ) -> None:
        self.connection = connection
        self.query_seconds = query_seconds or _query_seconds(Metrics())

    async def ask(self, method: Method, name: str, sql: str, arguments: Sequence[Any]) -> Any:
        """Ask a query within this transaction."""
        started = time.perf_counter()
        try:
            return await getattr(self.connection, method)(sql, *arguments)
        finally:
            self.query_seconds.record(time.perf_counter() - started, name)

    @asynccontextmanager
    async def transaction(self, _: str = "") -> AsyncIterator["Transaction"]:
        """Yield this transaction with a savepoint: what the block did is undone where it raises."""
        async with self.connection.transaction():
            yield self


class Database:
    """The pool. A query that is passed it runs on its own; `transaction` holds several together.

    Every way in raises Unavailable (503) when the database does not answer, or no connection is free in time.
    """

    def __init__(self, connections: Connections, metrics: Metrics) -> None:
        self.connections = connections
        self.query_seconds = _query_seconds(metrics)
        self.transaction_seconds = metrics.timings(
            "database_transaction_seconds", "Time of a transaction, its commit included."
        )
        self.turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def ask(self, method: Method, name: str, sql: str, arguments: Sequence[Any]) -> Any:
        """Ask a query on its own."""
        try:
            async with self.connections.use() as connection:
                started = time.perf_counter()
                try:
                    return await getattr(connection, method)(sql, *arguments)
                finally:
                    self.query_seconds.record(time.perf_counter() - started, name)
        except unavailable as error:
            raise await self._refusal(error) from error

    @asynccontextmanager
    async def transaction(self, team_id: str = "") -> AsyncIterator[Transaction]:
        """Yield a transaction: committed at the end of the block, rolled back where it raises.

        Writes of one team wait for each other anyway. They do so before they take a connection, so that a busy team
        does not take them all.
        """
        turn = self._turn(team_id) if team_id else nullcontext()
        try:
            async with turn, self.connections.use() as connection:
                started = time.perf_counter()
                async with connection.transaction():
                    try:
                        yield Transaction(connection, self.query_seconds)
                    except TimeoutError:
                        # A rollback would wait for the same silence again; losing its connection rolls back as well.
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
            # A timer costs something; most teams are not busy.
            async with asyncio.timeout(self.connections.wait_seconds) if turns.locked() else nullcontext():
                await turns.acquire()
        except TimeoutError:
            raise Unavailable("Too many writes of this team at once. Send the request again.") from None
        try:
            yield
        finally:
            turns.release()

    async def _refusal(self, error: Exception) -> Unavailable:
        if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
            # A failover made this server a standby: look for the primary anew.
            await self.connections.expire()
        log.warning(
            "database unavailable",
            extra={"error": f"{type(error).__name__}: {error}"},
            # This kind may also be a mistake of ours.
            exc_info=isinstance(error, asyncpg.InterfaceError),
        )
        return Unavailable("The database does not answer just now. Send the request again.")


# What a service function is given: most run on the pool, and any can be a part of somebody's transaction.
Connectable = Database | Transaction


def pool_of(url: str, *, size: int, statement_seconds: float, statement_cache_size: int) -> "asyncpg.pool.Pool[Record]":
    """Return asyncpg's pool with our settings, not opened yet."""
    return asyncpg.create_pool(
        url,
        min_size=0,
        # One, so that a database that cannot be reached is noticed at once.
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
            "idle_in_transaction_session_timeout": "60000",
            # Compiling takes longer than any of our queries.
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
    """Connect to the database for as long as the block lasts."""
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
    """Return whether it is this constraint that is violated.

    Citus passes on only the message of a shard, whose constraints have its number behind their names.
    """
    if error.constraint_name:
        return bool(error.constraint_name == constraint)
    return re.search(rf"(?<!\w){re.escape(constraint)}(_[0-9]+)?(?!\w)", str(error)) is not None


def _query_seconds(metrics: Metrics) -> Timings:
    return metrics.timings("database_query_seconds", "Time of a query, by its name.", "query")


async def _prepare(connection: "asyncpg.Connection[Record]") -> None:
    """Let ids be text, and let JSON pass through as PostgreSQL rendered it."""
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
    """Give a connection back without the round trip of a reset: nothing here leaves state in a session."""
