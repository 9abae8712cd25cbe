"""Several processes behind one address: they share its sockets, and each can return the metrics of all."""

import asyncio
import logging
import multiprocessing
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from pathlib import Path

from service.process.exits import StartError

# A worker that ends sooner than this would do so again, so it is not replaced: the service stops.
seconds_to_prove = 5
answer_seconds_max = 2
# The most connections that wait to be accepted.
backlog = 1024
watch_seconds = 0.25
# How long workers may take to end after the time for finishing their requests.
grace_seconds = 5

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Worker:
    """One of several processes. Each serves its metrics to the others on a socket in a shared directory."""

    index: int
    directory: Path

    @property
    def name(self) -> str:
        """Return the value of the metrics' label `worker`."""
        return str(self.index)

    def check(self) -> None:
        """Raise StartError if the process that watches the workers is gone."""
        parent = multiprocessing.parent_process()
        if parent is None or not parent.is_alive():
            raise StartError("The process that watches the workers is gone.")

    async def metrics_of_others(self) -> list[str]:
        """Return the other workers' metrics; a worker that does not answer within two seconds is left out."""
        others = [path for path in sorted(self.directory.iterdir()) if path != self._socket()]
        answers = await asyncio.gather(*map(_read, others), return_exceptions=True)
        return [answer for answer in answers if isinstance(answer, str)]

    @asynccontextmanager
    async def answering(self, text: Callable[[], str]) -> AsyncIterator[None]:
        """Serve this worker's metrics to the others during the block."""

        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                writer.write(text().encode())
                await writer.drain()
            writer.close()

        server = await asyncio.start_unix_server(answer, self._socket())
        try:
            yield
        finally:
            server.close()

    def _socket(self) -> Path:
        return self.directory / self.name


async def _read(path: Path) -> str:
    async with asyncio.timeout(answer_seconds_max):
        reader, writer = await asyncio.open_unix_connection(path)
        try:
            return (await reader.read()).decode()
        finally:
            writer.close()


def merged(texts: list[str]) -> str:
    """Return the metrics as one text in which each metric's lines are adjacent, as the format requires."""
    families: dict[str, list[str]] = {}
    for text in texts:
        for line in text.splitlines():
            if line.startswith("# HELP "):
                heading = families.setdefault(line, [])
            elif line not in heading[:1]:
                heading.append(line)
    return "".join(f"{line}\n" for heading, lines in families.items() for line in (heading, *lines))


def supervise(count: int, work: Callable[[Worker], None], *, finish_seconds: float, check: Callable[[], None]) -> None:
    """Run workers until SIGTERM or Ctrl-C; replace a worker that ends on its own.

    `work` is called in each worker process. `check` is called here periodically; if it raises, all workers are stopped.
    Raises StartError if a worker ends within its first seconds.
    """
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory(prefix="expenses-") as directory, _signalled() as stopping:
        running: dict[int, tuple[ForkProcess, float]] = {}

        def start(index: int) -> None:
            worker = Worker(index, Path(directory))
            process = context.Process(target=_run, args=(work, worker), name=f"worker {index}")
            process.start()
            running[index] = process, time.monotonic()

        try:
            for index in range(count):
                start(index)
            while not stopping():
                wait([process.sentinel for process, _ in running.values()], watch_seconds)
                check()
                for index, (process, started) in list(running.items()):
                    if stopping() or process.is_alive():
                        continue
                    if time.monotonic() - started < seconds_to_prove:
                        raise StartError(f"Worker {index} ended at once, with status {process.exitcode}.")
                    log.error("a worker ended", extra={"worker": index, "status": process.exitcode})
                    start(index)
        finally:
            _stop([process for process, _ in running.values()], finish_seconds + grace_seconds)


def _run(work: Callable[[Worker], None], worker: Worker) -> None:
    # Until the event loop handles signals, there are no requests to finish.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        work(worker)
    except StartError as error:
        sys.exit(f"expenses: {error}")
    finally:
        # A forked process ends without the functions that others run at their exit.
        logging.shutdown()


def listen(host: str, port: int) -> list[socket.socket]:
    """Return sockets that listen on all addresses of a host. Raises OSError."""
    sockets: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in found:
            # The first address decides about a port that is left to the system.
            chosen = (address[0], sockets[0].getsockname()[1] if sockets else port, *address[2:])
            sockets.append(socket.create_server(chosen, family=family, backlog=backlog))
    except OSError:
        for each in sockets:
            each.close()
        raise
    return sockets


def _stop(processes: list[ForkProcess], timeout_seconds: float) -> None:
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + timeout_seconds
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
        if process.is_alive():
            log.error("a worker did not stop", extra={"worker": process.name})
            process.kill()
            process.join()


@contextmanager
def _signalled() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether SIGTERM or SIGINT has arrived since the block began."""
    came: list[int] = []
    before = {
        each: signal.signal(each, lambda number, _: came.append(number)) for each in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield lambda: bool(came)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
