"""Logs: one JSON object per line on standard error, each with the id of its request."""

import datetime
import logging
import logging.config
import os
import select
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar

import orjson
from aiohttp.http_exceptions import BadHttpMessage
from pythonjsonlogger.orjson import OrjsonFormatter

STDERR = 2
# Some thousand lines.
waiting_bytes_max = 1024 * 1024
gather_seconds = 0.01
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


class Writer:
    """Writes lines to standard error from a thread of its own, so that nothing waits for whoever reads them.

    Lines wait in a buffer of `waiting_bytes_max`. While it is full, because nobody reads, further lines are dropped and
    counted in `dropped`.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._begin()
        # A forked process has no threads, and its lock may have been held by one.
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self.changed = threading.Condition(threading.Lock())
        self.lines: list[bytes] = []
        self.waiting_bytes = 0
        self.is_idle = False
        self.thread: threading.Thread | None = None

    def add(self, line: bytes) -> None:
        """Let a line be written soon."""
        with self.changed:
            if self.waiting_bytes + len(line) > waiting_bytes_max:
                self.dropped += 1
                return
            self.lines.append(line)
            self.waiting_bytes += len(line)
            if self.thread is None:
                self.thread = threading.Thread(target=self._work, name="log", daemon=True)
                self.thread.start()
            elif self.is_idle:
                self.is_idle = False
                self.changed.notify_all()

    def flush(self, timeout_seconds: float = 1.0) -> None:
        """Wait until all lines are written, but not longer than `timeout_seconds`."""
        with self.changed:
            self.changed.wait_for(lambda: not self.waiting_bytes, timeout_seconds)

    def _work(self) -> None:
        while True:
            with self.changed:
                if not self.lines:
                    self.is_idle = True
                    self.changed.wait_for(lambda: self.lines)
                lines, self.lines = self.lines, []
            for part in _parts(lines):
                is_written = _write(part)
                with self.changed:
                    self.waiting_bytes -= len(part)
                    self.dropped += 0 if is_written else part.count(b"\n")
                    if not self.waiting_bytes:
                        self.changed.notify_all()
            # Let some lines gather: one system call, and one change of threads, for all of them.
            time.sleep(gather_seconds)


writer = Writer()


class Handler(logging.Handler):
    """Passes the lines of logging to the writer."""

    def emit(self, record: logging.LogRecord) -> None:
        """Let a line be written."""
        try:
            writer.add(self.format(record).encode(errors="backslashreplace") + b"\n")
        except Exception:  # noqa: BLE001 -- as every handler of logging does.
            self.handleError(record)

    def flush(self) -> None:
        """Wait until all lines are written, but not for long."""
        writer.flush()


def log_request(**fields: str | float | None) -> None:
    """Write a request's line, in the format of all others, if the level of `service.access` is INFO or below.

    This bypasses logging and its formatter, which take longer than everything else in a small request.
    """
    if access_log.isEnabledFor(logging.INFO):
        at = datetime.datetime.now(datetime.UTC)
        line = {"time": at, "level": "INFO", "logger": access_log.name, "message": "request", **fields}
        writer.add(orjson.dumps(line, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE))


def _parts(lines: list[bytes]) -> Iterator[bytes]:
    """Yield the lines in parts small enough for a pipe not to mix them with those of other workers."""
    part = b""
    for line in lines:
        if part and len(part) + len(line) > select.PIPE_BUF:
            yield part
            part = b""
        part += line
    yield part


def _write(part: bytes) -> bool:
    """Write to standard error, for as long as that takes. Return whether it could be written."""
    while part:
        try:
            part = part[os.write(STDERR, part) :]
        except BlockingIOError:
            # Whoever shares this pipe has made it non-blocking.
            select.select([], [STDERR], [])
        except OSError:
            # A failure to write the log must not fail anything else.
            return False
    return True


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
            "handlers": {"stderr": {"()": Handler, "formatter": "json", "filters": ["request", "ours"]}},
            "root": {"level": level.upper(), "handlers": ["stderr"]},
        }
    )
