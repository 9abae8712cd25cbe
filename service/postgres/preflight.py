"""Checks whether a PostgreSQL server is fit to keep the ledger."""

import asyncpg

from service.postgres.migrate import connection_arguments
from service.postgres.pool import Transaction, unavailable
from service.postgres.queries import queries
from service.process.exits import (
    ConfigError,
    DatabaseForbidden,
    DatabaseNotDurable,
    DatabaseTooOld,
    DatabaseUnreachable,
)

oldest_major = 17
connect_seconds = 10


async def check_server(url: str, *, is_unsafe_allowed: bool) -> None:
    """Check the server, and what the role may do with the service's tables, where these are there.

    Raises ConfigError, DatabaseUnreachable, DatabaseTooOld, DatabaseNotDurable or DatabaseForbidden.
    """
    connection_arguments(url)
    try:
        connection = await asyncpg.connect(url, timeout=connect_seconds)
        try:
            server = await queries.ops.server(Transaction(connection))
            forbidden = await queries.ops.forbidden(Transaction(connection))
        finally:
            await connection.close(timeout=connect_seconds)
    except (ValueError, OverflowError):
        # asyncpg's own message would show the password of a URL that it parses wrongly.
        raise ConfigError("DATABASE_URL is not of the form postgresql://user:password@host:port/name.") from None
    except (asyncpg.PostgresError, *unavailable) as error:
        answer = " ".join(str(error).split()) or f"no answer within {connect_seconds} s"
        said = "cannot be reached" if isinstance(error, OSError) else "refuses the connection"
        raise DatabaseUnreachable(f"The database {said}: {answer}") from error
    if server["major"] < oldest_major:
        raise DatabaseTooOld(f"The database is PostgreSQL {server['version']}; {oldest_major} or newer is required.")
    if server["unsafe_settings"] and not is_unsafe_allowed:
        raise DatabaseNotDurable(
            f"PostgreSQL has {' and '.join(server['unsafe_settings'])} off, so committed data can be lost."
            " Turn that on; for tests, you can set EXPENSES_ALLOW_UNSAFE_DATABASE=true instead."
        )
    # A role to which tables are closed would be told later that they are missing.
    for verb in "read", "write to":
        if tables := forbidden["unreadable" if verb == "read" else "unwritable"]:
            raise DatabaseForbidden(
                f'The role "{forbidden["role_name"]}" may not {verb} {_some(tables)}, which belong to'
                f' "{forbidden["owner_name"]}": connect as that role, or grant what is missing.'
            )


def _some(tables: list[str], most: int = 3) -> str:
    """Return the tables' names, the first few of many."""
    more = len(tables) - most
    return f"{', '.join(tables[:most])} and {more} more" if more > 0 else " and ".join(tables)
