"""The one way in which the service opens connections to PostgreSQL, so that all have the same settings.

Only migrations open their own (`migrate.py`), since they need a session to themselves, and time.
"""

import math
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import orjson

from service.postgres.connections import unavailable
from service.process.exits import ConfigError, DatabaseNotReady, DatabaseUnreachable

connect_seconds = 3
# A process that stops in the middle of a write must not hold up its team much longer than a statement may.
idle_seconds = 1.0


class Server:
    """The address of a PostgreSQL server, or of a pooler in front of it, and the settings of sessions there."""

    def __init__(self, url: str, *, statement_seconds: float = 5.0, statement_cache_size: int = 200) -> None:
        self.url = url
        self.statement_seconds = statement_seconds
        self.statement_cache_size = statement_cache_size
        # PgBouncer lends its sessions from one client to the next, so it refuses a client that wants its own settings.
        # There, they are those of the role: `preflight` sees to it that it has them.
        self.takes_settings = True

    async def open(
        self,
        _: None = None,
        *,
        application_name: str = "expenses",
        statement_seconds: float = 0.0,
        **options: Any,
    ) -> "asyncpg.Connection[asyncpg.Record]":
        """Return a new connection; `options` are asyncpg's. Raises what asyncpg raises."""
        settings = {"application_name": application_name}
        options = {
            "timeout": connect_seconds,
            "command_timeout": statement_seconds or self.statement_seconds,
            "statement_cache_size": self.statement_cache_size,
            "max_cached_statement_lifetime": 0,
            **options,
        }
        if self.takes_settings:
            try:
                return await _open(self.url, settings | self.limits(), options)
            except asyncpg.ProtocolViolationError as error:
                if "startup parameter" not in str(error):
                    raise
                self.takes_settings = False
        return await _open(self.url, settings, options)

    def limits(self) -> dict[str, str]:
        """Return the settings of a session that PostgreSQL is to hold us to."""
        return {
            "statement_timeout": _milliseconds(self.statement_seconds),
            "idle_in_transaction_session_timeout": _milliseconds(self.statement_seconds + idle_seconds),
            # Compiling a query takes longer than running any of ours.
            "jit": "off",
        }


@contextmanager
def explained() -> Iterator[None]:
    """Turn the failure of a start's connection into an error of one line, without a secret.

    That is a DatabaseNotReady if the database may be there in a moment.
    """
    try:
        yield
    except ssl.SSLError as error:
        # A certificate that cannot be verified is a ValueError as well.
        raise _unreachable(error) from error
    except (ValueError, OverflowError):
        # asyncpg's own message would show the password of a URL that it parses wrongly.
        raise ConfigError("DATABASE_URL is not of the form postgresql://user:password@host:port/name.") from None
    except (asyncpg.PostgresError, *unavailable) as error:
        raise _unreachable(error) from error


def _unreachable(error: Exception) -> DatabaseUnreachable:
    """Return what a failure to connect means for the start."""
    answer = " ".join(str(error).split()) or "it did not answer in time"
    said = "cannot be reached" if isinstance(error, OSError) else "refuses the connection"
    kind = DatabaseNotReady if _is_on_its_way(error) else DatabaseUnreachable
    return kind(f"The database {said}: {answer}")


def _is_on_its_way(error: Exception) -> bool:
    """Return whether a server that failed so may answer in a moment: it starts, stops, is full, or is not there yet."""
    if isinstance(error, OSError):
        # Another try does not help against a certificate that is not trusted, or a server without TLS.
        is_refused = isinstance(error, (ssl.SSLError, PermissionError)) or "rejected SSL upgrade" in str(error)
        return not is_refused
    if isinstance(error, asyncpg.ProtocolViolationError):
        # PgBouncer gives this code to whatever it says itself, but this is about what we sent.
        return "startup parameter" not in str(error)
    return isinstance(
        error,
        (asyncpg.PostgresConnectionError, asyncpg.InsufficientResourcesError, asyncpg.OperatorInterventionError),
    )


async def _open(url: str, settings: dict[str, str], options: dict[str, Any]) -> "asyncpg.Connection[asyncpg.Record]":
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(url, server_settings=settings, **options)
    # Ids are read as text, and JSON is passed through as PostgreSQL rendered it.
    await connection.set_type_codec("uuid", schema="pg_catalog", encoder=str, decoder=str, format="text")
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name,
            schema="pg_catalog",
            encoder=lambda value: orjson.dumps(value).decode(),
            decoder=orjson.Fragment,
            format="text",
        )
    return connection


def _milliseconds(seconds: float) -> str:
    # Rounded up: 0 would mean no limit at all.
    return str(math.ceil(seconds * 1000))
