"""Logs: one JSON object per line on standard error, each with the id of its request."""

import asyncio
import datetime
import logging
import logging.config
import os
import select
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


class Lines:
    """Request lines that the loop writes in its next turn: one system call for all requests answered in this one."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.loop: asyncio.AbstractEventLoop | None = None

    def add(self, line: bytes) -> None:
        """Let a line be written in the next turn of the running loop."""
        loop = asyncio.get_running_loop()
        if self.loop is not loop:
            self.loop = loop
            loop.call_soon(self.write)
        self.lines.append(line)

    def write(self) -> None:
        """Write all lines, in parts small enough for a pipe not to mix them with those of other workers."""
        lines, self.lines, self.loop = self.lines, [], None
        part = b""
        for line in lines:
            if part and len(part) + len(line) > select.PIPE_BUF:
                _write(part)
                part = b""
            part += line
        _write(part)


request_lines = Lines()


def log_request(**fields: str | float | None) -> None:
    """Write a request's line, in the format of all others, if the level of `service.access` is INFO or below.

    This bypasses logging and its formatter, which take longer than everything else in a small request.
    """
    if access_log.isEnabledFor(logging.INFO):
        at = datetime.datetime.now(datetime.UTC)
        line = {"time": at, "level": "INFO", "logger": access_log.name, "message": "request", **fields}
        request_lines.add(orjson.dumps(line, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE))


def _write(part: bytes) -> None:
    # A failure to write the log must not fail anything else.
    with suppress(OSError):
        os.write(STDERR, part)


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
