"""Logs: one JSON object per line on standard error, each with the id of its request."""

import datetime
import logging
import logging.config
import os
from contextlib import suppress
from contextvars import ContextVar

import orjson
from aiohttp.http_exceptions import BadHttpMessage
from pythonjsonlogger.orjson import OrjsonFormatter

STDERR = 2
access_log = logging.getLogger("service.access")
# The ids of the request and of its trace.
current_request: ContextVar[tuple[str | None, str | None]] = ContextVar("current_request", default=(None, None))


class Formatter(OrjsonFormatter):
    """`time` (RFC 3339, UTC), `level`, `logger`, `message`, `request_id`, `trace_id`, and the line's extra fields."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
        """Return the line's time with milliseconds."""
        at = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _with_request_id(record: logging.LogRecord) -> bool:
    if not hasattr(record, "request_id"):
        record.request_id, record.trace_id = current_request.get()
    return True


def _is_ours(record: logging.LogRecord) -> bool:
    """Leave out malformed HTTP of clients: aiohttp answers 400, but logs it as an error of the server."""
    return not (record.exc_info and isinstance(record.exc_info[1], BadHttpMessage))


def log_request(**fields: str | float | None) -> None:
    """Write a request's line, in the format of all others, if the level of `service.access` is INFO or below.

    This bypasses logging and its formatter, which take longer than everything else in a small request.
    """
    if access_log.isEnabledFor(logging.INFO):
        at = datetime.datetime.now(datetime.UTC)
        line = {"time": at, "level": "INFO", "logger": access_log.name, "message": "request", **fields}
        # A failure to write the log must not fail the request.
        with suppress(OSError):
            os.write(STDERR, orjson.dumps(line, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE))


def configure(level: str) -> None:
    """Send all logs of a level and above to standard error as JSON."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"request": {"()": lambda: _with_request_id}, "ours": {"()": lambda: _is_ours}},
            "formatters": {
                "json": {
                    "()": Formatter,
                    "fmt": "%(asctime)s %(levelname)s %(name)s %(message)s",
                    "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
                }
            },
            "handlers": {
                "stderr": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["request", "ours"]}
            },
            "root": {"level": level.upper(), "handlers": ["stderr"]},
        }
    )
