"""Checks whether a PostgreSQL server is fit to keep the ledger."""

import asyncpg

from service.postgres.migrate import connection_arguments
from service.postgres.pool import Transaction, unavailable
from service.postgres.queries import queries
from service.process.exits import ConfigError, DatabaseNotDurable, DatabaseTooOld, DatabaseUnreachable

oldest_major = 17
connect_seconds = 10


async def check_server(url: str, *, is_unsafe_allowed: bool) -> None:
    """Check the server. Raises ConfigError, DatabaseUnreachable, DatabaseTooOld or DatabaseNotDurable."""
    connection_arguments(url)
    try:
        connection = await asyncpg.connect(url, timeout=connect_seconds)
        try:
            server = await queries.ops.server(Transaction(connection))
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
