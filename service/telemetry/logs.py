"""Logs: one JSON object a line on standard error, each with the request it belongs to."""

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
# The request's id and its trace's.
current_request: ContextVar[tuple[str | None, str | None]] = ContextVar("current_request", default=(None, None))


class Formatter(OrjsonFormatter):
    """`time` (RFC 3339, UTC), `level`, `logger`, `message`, `request_id`, `trace_id`, and what a line adds."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
        """Return the time of a line with milliseconds."""
        at = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _with_request_id(record: logging.LogRecord) -> bool:
    if not hasattr(record, "request_id"):
        record.request_id, record.trace_id = current_request.get()
    return True


def _is_ours(record: logging.LogRecord) -> bool:
    """Leave out what clients do wrong below HTTP: aiohttp answers 400, and logs it as an error of the server."""
    return not (record.exc_info and isinstance(record.exc_info[1], BadHttpMessage))


def log_request(**fields: str | float | None) -> None:
    """Write a request's line, in the format of all others, when the level of `service.access` is INFO or below.

    Around logging and its formatter: those take longer than all else that is done for a small request.
    """
    if access_log.isEnabledFor(logging.INFO):
        at = datetime.datetime.now(datetime.UTC)
        line = {"time": at, "level": "INFO", "logger": access_log.name, "message": "request", **fields}
        # A log that cannot be written must not fail the request.
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
