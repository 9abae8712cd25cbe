"""The service as an operator runs it: commands in processes of their own."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests import pgbouncer

ROOT = Path(__file__).parent.parent
SECRET = "a secret for the tests, 32 bytes at least"
READY_SECONDS_MAX = 30
# What is reached only by a failure: a slow machine is none.
ANSWER_SECONDS_MAX = 30
# The setting of the port on which a command answers.
port_of = {"serve": "PORT", "worker": "WORKER_PORT"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def on(database: str) -> dict[str, str]:
    """Return the environment for a database of the tests, whose server would lose what it has confirmed."""
    size = {"EXPENSES_STATEMENT_CACHE_SIZE": str(pgbouncer.statement_cache_size())} if pgbouncer.asked_for() else {}
    return {
        "DATABASE_URL": database,
        "EXPENSES_JWT_SECRET": SECRET,
        "EXPENSES_ALLOW_UNSAFE_DATABASE": "true",
        # A database of the tests is there, or is not meant to be.
        "EXPENSES_DATABASE_WAIT_SECONDS": "0",
        **size,
    }


class Process:
    """`python -m service serve`, or `worker`, with a data directory, and more arguments where they are given."""

    def __init__(
        self,
        data_dir: Path,
        *,
        wait: bool = True,
        command: str = "serve",
        arguments: tuple[str, ...] = (),
        standard_error: int | None = None,
        descriptors: int = 0,
        reached_at: str = "127.0.0.1",
        **environment: str,
    ) -> None:
        self.port = free_port()
        self.url = f"http://{reached_at}:{self.port}"
        self.log = Path(f"{data_dir}-{self.port}.log").open("w+b")  # noqa: SIM115 -- closed with the process.
        self.process = subprocess.Popen(
            [*_limited(descriptors), sys.executable, "-m", "service", command, *arguments],
            cwd=ROOT,
            env=clean()
            | {"EXPENSES_DATA_DIR": str(data_dir), f"EXPENSES_{port_of[command]}": str(self.port)}
            | environment,
            stdout=self.log,
            stderr=self.log if standard_error is None else standard_error,
        )
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError), urllib.request.urlopen(self.url + "/readyz", timeout=1):
                return
            time.sleep(0.05)
        raise AssertionError(f"not ready: {self.output()}")

    def output(self) -> str:
        self.log.flush()
        self.log.seek(0)
        return self.log.read().decode()

    async def wait_until_said(self, message: str, times: int = 1) -> None:
        """Return once a message is in the log so many times."""
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            while self.output().count(f'"{message}"') < times:  # noqa: ASYNC110 -- it is another process.
                await asyncio.sleep(0.02)

    def call(self, path: str, body: object = None, token: str = "") -> dict:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(
            urllib.request.Request(self.url + path, data, headers), timeout=ANSWER_SECONDS_MAX
        ) as response:
            return json.loads(response.read())

    async def begin_to_register(self, email: str) -> "HalfSent":
        """Send half of a request, and return when it is in its handler, which waits for the rest."""
        body = json.dumps({"email": email, "password": "correct horse battery", "name": "Ann"}).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(
            b"POST /v1/auth/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:10]
        )
        # The server says that it continues where it calls the handler.
        said = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), ANSWER_SECONDS_MAX)
        assert said == b"HTTP/1.1 100 Continue\r\n\r\n"
        return HalfSent(reader, writer, body[10:])

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(by)
        return self.process.wait(ANSWER_SECONDS_MAX)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.end()
        self.log.close()


@dataclass
class HalfSent:
    """A request whose body is on its way."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    rest: bytes

    async def finish(self) -> bytes:
        """Send the rest, and return the first line of the answer."""
        self.writer.write(self.rest)
        line = await asyncio.wait_for(self.reader.readline(), ANSWER_SECONDS_MAX)
        self.writer.close()
        return line


def _limited(descriptors: int) -> list[str]:
    """Return the beginning of a command that may open so many files at most, if not 0."""
    return ["bash", "-c", f'ulimit -n {descriptors} && exec "$@"', "bash"] if descriptors else []


def clean() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("EXPENSES_") and name not in {"DATABASE_URL", "PYTHONWARNINGS"}
    }


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "service", *arguments]
    return subprocess.run(command, cwd=ROOT, env=clean() | environment, capture_output=True, text=True, timeout=60)
