"""A PgBouncer in transaction mode before the tests' PostgreSQL, otherwise with its defaults.

TEST_PGBOUNCER says how it is started: the name of a program, or that of an image, which has a colon.
"""

import functools
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from service.postgres.server import Server

# The release that keeps prepared statements by default; `.ci/run` passes it on as TEST_PGBOUNCER where there is Docker.
IMAGE = "edoburu/pgbouncer:v1.24.1-p1"
# It does not run as root.
USER = "postgres"
START_SECONDS_MAX = 10


@dataclass(frozen=True)
class Pooler:
    """A running PgBouncer."""

    description: str
    port: int
    stop: Callable[[], None]

    def dsn(self, database: str) -> str:
        """Return the way through it to a database, as a user whom it does not ask for a password."""
        return f"postgresql://test@127.0.0.1:{self.port}/{database}"


def asked_for() -> bool:
    """Return whether all tests of this run are to go through PgBouncer."""
    return "TEST_PGBOUNCER" in os.environ


def program() -> str:
    """Return how PgBouncer is started for this run."""
    return os.environ.get("TEST_PGBOUNCER", "pgbouncer")


def is_installed() -> bool:
    """Return whether it can be started."""
    return _is_image() or shutil.which(program()) is not None


def statement_cache_size() -> int:
    """Return what EXPENSES_STATEMENT_CACHE_SIZE has to be behind it."""
    return 200 if keeps_prepared_statements() else 0


@functools.cache
def keeps_prepared_statements() -> bool:
    """Return whether the PgBouncer of this run is new enough to keep each client's prepared statements apart."""
    return is_installed() and _version() >= (1, 21)


@functools.cache
def _version() -> tuple[int, ...]:
    said = subprocess.run([*_command(), "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(map(int, re.search(r"PgBouncer ([\d.]+)", said)[1].split(".")))


def _is_image() -> bool:
    return ":" in program()


def _command(name: str = "", folder: str = "") -> list[str]:
    if not _is_image():
        return [program()]
    options = ["--name", name, "--volume", f"{folder}:{folder}:ro"] if name else []
    return ["docker", "run", "--rm", "--network", "host", *options, "--entrypoint", "pgbouncer", program()]


@contextmanager
def pooler(url: str, **options: object) -> Iterator[Pooler]:
    """Run a PgBouncer before the server of a DSN, with more options where they are given."""
    target = {key: value for key, value in conninfo_to_dict(url).items() if key in {"host", "port", "user", "password"}}
    port = int(str(options.get("listen_port") or _free_port()))
    options = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        # There are no sockets in the file system.
        "unix_socket_dir": "",
        # Everybody is let in, as the user of the DSN.
        "auth_type": "any",
        "pool_mode": "transaction",
        **({"max_prepared_statements": 200} if keeps_prepared_statements() else {}),
        **({"user": USER} if os.geteuid() == 0 and not _is_image() else {}),
        **options,
    }
    to = " ".join(f"{key}='{value}'" for key, value in target.items())
    ini = f"[databases]\n* = {to}\n[pgbouncer]\n" + "".join(f"{key} = {value}\n" for key, value in options.items())
    with tempfile.TemporaryDirectory(prefix="expenses-pgbouncer-") as folder:
        Path(folder).chmod(0o755)
        file, log = Path(folder, "pgbouncer.ini"), Path(folder, "log")
        file.write_text(ini)
        name = f"expenses-pgbouncer-{port}"
        with log.open("w+b") as written:
            process = subprocess.Popen([*_command(name, folder), str(file)], stdout=written, stderr=written)

        def stop() -> None:
            if _is_image():
                subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)
            # At once, whoever is still connected.
            process.send_signal(signal.SIGQUIT)
            process.wait(START_SECONDS_MAX)

        try:
            _wait(process, port, log)
            yield Pooler(f"PgBouncer {'.'.join(map(str, _version()))}", port, stop)
        finally:
            stop()


def new_role(url: str, name: str, attributes: str) -> str:
    """Make a role that may log in, and return its DSN."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"create role {name} login password '{name}' {attributes}")
    return make_conninfo(url, user=name, password=name)


def give_limits(url: str) -> None:
    """Give a role, for all its sessions, the limits that PgBouncer does not let it ask for."""
    with psycopg.connect(url, autocommit=True) as connection:
        for name, value in Server(url).limits().items():
            connection.execute(f"alter role current_user set {name} = '{value}'")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen, port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"PgBouncer does not start: {log.read_text()}")
