"""Checks whether a PostgreSQL server, and a pooler in front of it, are fit to keep the ledger.

The checks use connections that are opened as all others are, so that what passes here works in `serve`.
"""

import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from secrets import token_hex
from typing import TypeAlias

import asyncpg
from psycopg.conninfo import conninfo_to_dict

from service.postgres.migrate import connection_arguments, known
from service.postgres.pool import Transaction
from service.postgres.queries import Record, queries
from service.postgres.server import Server, connect_seconds, explained
from service.process.exits import (
    ConfigError,
    DatabaseForbidden,
    DatabaseNotDurable,
    DatabaseTooOld,
    MigrationError,
)

oldest_major = 17
# How often we look whether a pooler lends its connections: others who use it can hide that once, but not every time.
looks = 5

Session: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def check_to_serve(server: Server, *, is_unsafe_allowed: bool) -> None:
    """Check all that `serve` needs. Raises the StartError that says what is missing."""
    with explained():
        async with _connected(server) as connection:
            found = await _checked(connection, is_unsafe_allowed=is_unsafe_allowed)
            _require_limits(server, found)
            if server.statement_cache_size and await _is_lent(server, connection):
                await _require_prepared_statements(connection)
            if missing := await pending(connection, known()):
                raise MigrationError(f"The database is missing {', '.join(missing)}; run `expenses migrate` first.")


async def check_to_migrate(server: Server, *, is_unsafe_allowed: bool) -> None:
    """Check all that `migrate` needs. Raises the StartError that says what is missing."""
    with explained():
        async with _connected(server) as connection:
            await _checked(connection, is_unsafe_allowed=is_unsafe_allowed)
            if await _is_lent(server, connection):
                raise ConfigError(
                    "DATABASE_URL leads to a pooler in transaction mode, through which nothing can be migrated:"
                    " for `migrate`, set it to the address of PostgreSQL itself."
                )


async def pending(connection: Session, migration_ids: list[str]) -> list[str]:
    """Return which of these migrations are not applied, in order."""
    try:
        missing: list[str] = await queries.ops.pending(Transaction(connection), migration_ids=migration_ids)
    except asyncpg.UndefinedTableError:
        return migration_ids
    return missing


@asynccontextmanager
async def _connected(server: Server) -> AsyncIterator[Session]:
    connection_arguments(server.url)
    _check_authority(conninfo_to_dict(server.url))
    # Whether a pooler keeps prepared statements is one of the questions, so the questions do without.
    connection = await server.open(statement_cache_size=0)
    try:
        yield connection
    finally:
        await connection.close(timeout=connect_seconds)


async def _checked(connection: Session, *, is_unsafe_allowed: bool) -> Record:
    """Return what the server says of itself, and check what the role may do with the service's tables, if it has them.

    Raises DatabaseTooOld, DatabaseNotDurable or DatabaseForbidden.
    """
    found: Record = await queries.ops.server(Transaction(connection))
    forbidden = await queries.ops.forbidden(Transaction(connection))
    if found["major"] < oldest_major:
        raise DatabaseTooOld(f"The database is PostgreSQL {found['version']}; {oldest_major} or newer is required.")
    if found["unsafe_settings"] and not is_unsafe_allowed:
        raise DatabaseNotDurable(
            f"PostgreSQL has {' and '.join(found['unsafe_settings'])} off, so committed data can be lost."
            " Turn that on; for tests, you can set EXPENSES_ALLOW_UNSAFE_DATABASE=true instead."
        )
    # A role to which tables are closed would be told later that they are missing.
    for verb in "read", "write to":
        if tables := forbidden["unreadable" if verb == "read" else "unwritable"]:
            raise DatabaseForbidden(
                f'The role "{forbidden["role_name"]}" may not {verb} {_some(tables)}, which belong to'
                f' "{forbidden["owner_name"]}": connect as that role, or grant what is missing.'
            )
    return found


def _require_limits(server: Server, found: Record) -> None:
    """Raise ConfigError if the session has no limits of time: a pooler did not pass ours on, and the role has none."""
    if found["unlimited"]:
        statements = [f"alter role {found['role']} set {name} = '{value}'" for name, value in server.limits().items()]
        raise ConfigError(
            f"DATABASE_URL leads to a pooler that does not pass on {' and '.join(found['unlimited'])}. Give them to the"
            f" role, then let the pooler reconnect: {'; '.join(statements)}"
        )


async def _is_lent(server: Server, connection: Session) -> bool:
    """Return whether a pooler lends its connections to PostgreSQL to one client after the other (transaction mode)."""
    pid = await _pid(connection)
    if pid == connection.get_server_pid():
        # There is no pooler: this is the process that answered when we connected.
        return False
    async with _connected(server) as other:
        for _ in range(looks):
            async with other.transaction():
                if await _pid(other) == pid or await _pid(connection) != pid:
                    return True
    return False


async def _require_prepared_statements(connection: Session) -> None:
    """Raise ConfigError if a pooler does not keep each client's prepared statements apart.

    One that does gives them names of its own at PostgreSQL.
    """
    async with connection.transaction():
        # asyncpg keeps a statement for as long as it is referred to.
        statement = await connection.prepare("select", name=f"expenses_{token_hex(8)}")
        if statement.get_name() in await queries.ops.prepared(Transaction(connection)):
            raise ConfigError(
                "DATABASE_URL leads to a pooler that keeps no prepared statements: set EXPENSES_STATEMENT_CACHE_SIZE=0,"
                " or set max_prepared_statements in PgBouncer 1.21 or newer."
            )


async def _pid(connection: Session) -> int:
    pid: int = await queries.ops.pid(Transaction(connection))
    return pid


def _some(tables: list[str], most: int = 3) -> str:
    """Return the tables' names, the first few of many."""
    more = len(tables) - most
    return f"{', '.join(tables[:most])} and {more} more" if more > 0 else " and ".join(tables)


def _check_authority(arguments: Mapping[str, object]) -> None:
    """Raise ConfigError if the certificates to trust cannot be read: asyncpg's own message does not name the file."""
    if "sslrootcert" in arguments or arguments.get("sslmode") in {"verify-ca", "verify-full"}:
        named = arguments.get("sslrootcert") or os.environ.get("PGSSLROOTCERT")
        path = Path(str(named)) if named else Path("~/.postgresql/root.crt").expanduser()
        try:
            ssl.create_default_context(cafile=path)
        except OSError as error:
            raise ConfigError(
                f"DATABASE_URL asks for TLS, but its sslrootcert, {path}, cannot be read: {error.strerror or error}."
            ) from None
