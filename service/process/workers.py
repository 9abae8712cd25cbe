"""Several processes behind one address: they share its sockets, and each can return the metrics of all."""

import asyncio
import errno
import logging
import mmap
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

from service.process.addresses import is_both
from service.process.backoff import backoff_seconds
from service.process.exits import StartError

# A worker that ends sooner than this may do so again: the next waits, longer each time. Others are replaced at once.
seconds_to_prove = 5
wait_seconds_max = 30.0
answer_seconds_max = 2
# The most connections that wait to be accepted.
backlog = 1024
watch_seconds = 0.25
# How long workers may take to end after the time for finishing their requests.
grace_seconds = 5

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Worker:
    """One of several processes. Each serves its metrics to the others on a socket in a shared directory.

    `served` has a byte for each worker, which is in memory that they share with the process that watches them.
    """

    index: int
    directory: Path
    served: mmap.mmap

    @property
    def name(self) -> str:
        """Return the value of the metrics' label `worker`."""
        return str(self.index)

    def serves(self) -> None:
        """Tell the process that watches the workers that this one has started."""
        self.served[self.index] = 1

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


@dataclass
class Place:
    """The place of a worker: the process that fills it, and how often in a row that has ended early."""

    process: ForkProcess | None = None
    started_at: float = 0.0
    due_at: float = 0.0
    failures: int = 0

    def vacate(self) -> float:
        """Give up the process, which has ended, and return the seconds to wait before the next."""
        lasted = time.monotonic() - self.started_at
        self.process = None
        self.failures = 0 if lasted >= seconds_to_prove else self.failures + 1
        wait_seconds = backoff_seconds(self.failures, wait_seconds_max) if self.failures else 0.0
        self.due_at = time.monotonic() + wait_seconds
        return wait_seconds


def supervise(count: int, work: Callable[[Worker], None], *, finish_seconds: float, check: Callable[[], None]) -> None:
    """Run workers until SIGTERM or Ctrl-C; replace a worker that ends on its own.

    `work` is called in each worker process. `check` is called here periodically; if it raises, all workers are stopped.
    One that ends soon after it began is replaced after a while, and after a longer one when that happens again. Raises
    StartError if a worker ends and none in its place has ever served: the next would not either.
    """
    context = multiprocessing.get_context("fork")
    # Without a lock, which a worker that is killed could keep; each writes into its own byte.
    served = mmap.mmap(-1, count)
    with tempfile.TemporaryDirectory(prefix="expenses-") as directory, _signalled() as stopping:
        places = [Place() for _ in range(count)]

        def start(index: int) -> None:
            worker = Worker(index, Path(directory), served)
            process = context.Process(target=_run, args=(work, worker), name=f"worker {index}")
            process.start()
            places[index].process, places[index].started_at = process, time.monotonic()

        try:
            while not stopping():
                for index, place in enumerate(places):
                    if not place.process and time.monotonic() >= place.due_at:
                        start(index)
                wait([place.process.sentinel for place in places if place.process], watch_seconds)
                check()
                for index, place in enumerate(places):
                    if stopping() or not place.process or place.process.is_alive():
                        continue
                    status = place.process.exitcode
                    if not served[index]:
                        raise StartError(f"Worker {index} ended before it had started, with status {status}.")
                    wait_seconds = place.vacate()
                    log.error("a worker ended", extra={"worker": index, "status": status, "wait_seconds": wait_seconds})
        finally:
            _stop([place.process for place in places if place.process], finish_seconds + grace_seconds)


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
    """Return sockets that listen on all addresses of a host, but for those that this machine does not have.

    `::` stands for all of IPv4 as well. They are sockets of their own, so that a client has the same address however it
    came in. Raises OSError if there is no address to listen on, or one that is taken.
    """
    sockets: list[socket.socket] = []
    absent: list[OSError] = []
    try:
        name = None if is_both(host) else host
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in found:
            # The first address decides about a port that is left to the system.
            chosen = (address[0], sockets[0].getsockname()[1] if sockets else port, *address[2:])
            try:
                sockets.append(socket.create_server(chosen, family=family, backlog=backlog))
            except OSError as error:
                if error.errno not in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}:
                    raise
                absent.append(error)
    except OSError:
        for each in sockets:
            each.close()
        raise
    if not sockets:
        raise absent[0]
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
