"""`serve` as an operator runs it: a process of its own on an embedded PostgreSQL."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

import psutil
import pytest

ROOT = Path(__file__).parent.parent
READY_SECONDS_MAX = 30


@pytest.fixture
def data_dir():
    # Not under tmp_path: PostgreSQL runs as an unprivileged user where the tests run as root.
    with tempfile.TemporaryDirectory(prefix="expenses-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "data"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """`python -m service serve` with a data directory."""

    def __init__(self, data_dir: Path, *, wait: bool = True, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = Path(f"{data_dir}-{self.port}.log").open("w+b")  # noqa: SIM115 -- closed with the process.
        self.process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve"],
            cwd=ROOT,
            env=clean() | {"EXPENSES_DATA_DIR": str(data_dir), "EXPENSES_PORT": str(self.port)} | environment,
            stdout=self.log,
            stderr=self.log,
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

    def call(self, path: str, body: object = None, token: str = "") -> dict:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers), timeout=5) as response:
            return json.loads(response.read())

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(by)
        return self.process.wait(20)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.end()
        self.log.close()


def clean() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("EXPENSES_") and name not in {"DATABASE_URL", "PYTHONWARNINGS"}
    }


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "service", *arguments]
    return subprocess.run(command, cwd=ROOT, env=clean() | environment, capture_output=True, text=True, timeout=60)


def record(served: Process) -> tuple[str, str]:
    ann = {"email": "ann@example.com", "password": "correct horse battery", "name": "Ann"}
    token = served.call("/v1/auth/register", ann)["access_token"]
    team = served.call("/v1/teams", {"name": "Flat", "currency": "EUR"}, token)["team_id"]
    served.call(f"/v1/teams/{team}/expenses", {"description": "Dinner", "amount": 9001}, token)
    return token, team


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
def test_everything_is_still_there_after_a_stop_and_after_a_kill(data_dir, by):
    with Process(data_dir) as served:
        token, team = record(served)
        status = served.end(by)
        assert status == (0 if by == signal.SIGTERM else -signal.SIGKILL)
    with Process(data_dir) as served:
        # The secret was kept too, so the access token is still good.
        page = served.call(f"/v1/teams/{team}/expenses", token=token)
        assert [item["amount"] for item in page["items"]] == [9001]
    secrets = [path for path in data_dir.iterdir() if "secret" in path.name]
    assert [stat.S_IMODE(path.stat().st_mode) for path in secrets] == [0o600]


def test_no_process_is_left_after_sigterm(data_dir):
    with Process(data_dir) as served:
        children = psutil.Process(served.process.pid).children(recursive=True)
        assert children
        assert served.end() == 0
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


async def test_sigterm_finishes_what_is_in_flight(data_dir):
    with Process(data_dir) as served:
        body = json.dumps({"email": "ann@example.com", "password": "correct horse battery", "name": "Ann"}).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(
            b"POST /v1/auth/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body[:10]
        )
        await writer.drain()
        # The request is in its handler, which waits for the rest of the body.
        await asyncio.sleep(0.3)
        served.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.3)
        writer.write(body[10:])
        status_line = await asyncio.wait_for(reader.readline(), 5)
        assert status_line.startswith(b"HTTP/1.1 201")
        writer.close()
        assert await asyncio.to_thread(served.process.wait, 20) == 0


def test_a_second_serve_on_the_same_data_says_so_in_one_line(data_dir):
    with Process(data_dir), Process(data_dir, wait=False) as second:
        assert second.process.wait(20) == 1
        lines = second.output().strip().splitlines()
        assert len(lines) == 1
        assert str(data_dir) in lines[0]


def test_seed_fills_an_instance_that_is_being_served(data_dir):
    with Process(data_dir) as served:
        done = run("seed", EXPENSES_DATA_DIR=str(data_dir))
        assert done.returncode == 0, done.stderr
        address, password = re.search(r"Log in as (\S+?),.* password: (.+)", done.stdout).groups()
        assert served.call("/v1/auth/login", {"email": address, "password": password})["access_token"]


def test_a_port_that_is_taken_is_said_in_one_line(data_dir):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with Process(data_dir, wait=False, EXPENSES_PORT=port) as served:
            assert served.process.wait(READY_SECONDS_MAX) == 1
            assert f"Cannot listen on 127.0.0.1:{port}" in served.output().strip().splitlines()[-1]
            assert "Traceback" not in served.output()


def test_it_logs_its_configuration_without_secrets(data_dir):
    with Process(data_dir, EXPENSES_JWT_SECRET="do not show this to anybody, please") as served:
        starting = next(line for line in map(json.loads, served.output().splitlines()) if line["message"] == "starting")
        assert starting["configuration"]["EXPENSES_PORT"] == served.port
        assert starting["configuration"]["EXPENSES_JWT_SECRET"] == "set"
        assert "do not show this" not in served.output()


def test_with_a_database_url_a_secret_is_needed(database):
    done = run("serve", DATABASE_URL=database)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "EXPENSES_JWT_SECRET is missing" in done.stderr


def test_a_database_that_is_not_migrated_is_not_served(empty_database):
    done = run("serve", DATABASE_URL=empty_database, EXPENSES_JWT_SECRET="x" * 32)
    assert done.returncode == 1
    assert "run `expenses migrate`" in done.stderr
    assert "Traceback" not in done.stderr


def test_migrate_brings_a_database_up_to_date_once(empty_database):
    environment = {"DATABASE_URL": empty_database, "EXPENSES_JWT_SECRET": "x" * 32}
    first, second = run("migrate", **environment), run("migrate", **environment)
    assert first.returncode == 0
    assert "0001.uuidv7" in first.stdout
    assert second.stdout == "nothing to apply\n"


def test_a_database_that_cannot_be_reached_is_said_in_one_line():
    url = f"postgresql://ann:hunter2@127.0.0.1:{free_port()}/expenses"
    done = run("serve", DATABASE_URL=url, EXPENSES_JWT_SECRET="x" * 32)
    assert done.returncode == 1
    assert done.stderr.strip().count("\n") == 0
    assert "hunter2" not in done.stderr


def test_help_names_the_commands():
    done = run("--help")
    assert done.returncode == 0
    for command in ("serve", "migrate", "seed", "openapi"):
        assert command in done.stdout


def test_it_ends_when_its_postgresql_does(data_dir):
    with Process(data_dir) as served:
        postmaster = int((data_dir / "data/postmaster.pid").read_text().splitlines()[0])
        os.kill(postmaster, signal.SIGKILL)
        assert served.process.wait(20) == 1
        assert "The embedded PostgreSQL has ended" in served.output().splitlines()[-1]
