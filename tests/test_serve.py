"""`serve` as an operator runs it: a process of its own on an embedded PostgreSQL."""

import asyncio
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from service.process.addresses import joined, reachable
from tests.process import ANSWER_SECONDS_MAX, READY_SECONDS_MAX, ROOT, Process, clean, on, run


@pytest.fixture
def data_dir():
    # Not under tmp_path: PostgreSQL runs as an unprivileged user where the tests run as root.
    with tempfile.TemporaryDirectory(prefix="expenses-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "data"


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
        request = await served.begin_to_register("ann@example.com")
        served.process.send_signal(signal.SIGTERM)
        await served.wait_until_said("stopping")
        assert (await request.finish()).startswith(b"HTTP/1.1 201")
        assert await asyncio.to_thread(served.process.wait, ANSWER_SECONDS_MAX) == 0


def test_a_second_serve_on_the_same_data_says_so_in_one_line(data_dir):
    with Process(data_dir), Process(data_dir, wait=False) as second:
        assert second.process.wait(ANSWER_SECONDS_MAX) == 8
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
            assert served.process.wait(READY_SECONDS_MAX) == 9
            assert f"Cannot listen on 127.0.0.1:{port}" in served.output().strip().splitlines()[-1]
            assert "Traceback" not in served.output()


def test_it_logs_its_configuration_without_secrets(data_dir):
    with Process(data_dir, EXPENSES_JWT_SECRET="do not show this to anybody, please") as served:
        starting = next(line for line in map(json.loads, served.output().splitlines()) if line["message"] == "starting")
        assert starting["configuration"]["EXPENSES_PORT"] == served.port
        assert starting["configuration"]["EXPENSES_JWT_SECRET"] == "set"
        assert "do not show this" not in served.output()


def test_migrate_brings_a_database_up_to_date_once(empty_database):
    # It signs no tokens, so it needs no secret.
    environment = {"DATABASE_URL": empty_database, "EXPENSES_ALLOW_UNSAFE_DATABASE": "true"}
    first, second = run("migrate", **environment), run("migrate", **environment)
    assert first.returncode == 0
    assert "0001.uuidv7" in first.stdout
    assert second.stdout == "nothing to apply\n"


def test_help_names_the_commands():
    done = run("--help")
    assert done.returncode == 0
    for command in ("serve", "migrate", "seed", "check", "openapi"):
        assert command in done.stdout


def test_it_ends_when_its_postgresql_does(data_dir):
    with Process(data_dir) as served:
        postmaster = int((data_dir / "data/postmaster.pid").read_text().splitlines()[0])
        os.kill(postmaster, signal.SIGKILL)
        assert served.process.wait(ANSWER_SECONDS_MAX) == 8
        assert "The embedded PostgreSQL has stopped" in served.output().splitlines()[-1]


# Where a host is answered and where it is not, and how it is written in the log.
HOSTS = {
    "127.0.0.1": (["127.0.0.1"], ["[::1]"], "127.0.0.1"),
    "127.0.0.2": (["127.0.0.2"], ["127.0.0.1", "[::1]"], "127.0.0.2"),
    "0.0.0.0": (["127.0.0.1"], ["[::1]"], "0.0.0.0"),  # noqa: S104
    "::1": (["[::1]"], ["127.0.0.1"], "[::1]"),
    "::": (["127.0.0.1", "[::1]"], [], "[::]"),
    "": (["127.0.0.1", "[::1]"], [], "[::]"),
}


@pytest.mark.parametrize(("host", "workers"), [*((host, "1") for host in HOSTS), ("::", "2")])
def test_it_listens_on_ipv4_and_ipv6_alike(database, tmp_path, host, workers):
    answered, unanswered, written = HOSTS[host]
    environment = on(database) | {"EXPENSES_HOST": host, "EXPENSES_WORKERS": workers}
    with Process(tmp_path / "data", reached_at=answered[0], **environment) as served:
        for each in answered:
            served.url = f"http://{each}:{served.port}"
            assert served.call("/readyz")["status"] == "ok"
        for each in unanswered:
            served.url = f"http://{each}:{served.port}"
            with pytest.raises(OSError, match="refused"):
                served.call("/readyz")
        serving = next(line for line in map(json.loads, served.output().splitlines()) if line["message"] == "serving")
        assert serving["address"] == f"http://{written}:{served.port}"
        assert serving["documentation"] == f"http://{written}:{served.port}/docs"
        assert health(EXPENSES_HOST=host, EXPENSES_PORT=str(served.port)).returncode == 0
    gone = health(EXPENSES_HOST=host, EXPENSES_PORT=str(served.port))
    assert (gone.returncode, gone.stderr) == (1, "not ready: [Errno 111] Connection refused\n")


def test_an_ipv6_address_that_is_taken_is_written_as_in_a_url(database, tmp_path):
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = str(taken.getsockname()[1])
        with Process(tmp_path / "data", wait=False, **on(database), EXPENSES_HOST="::1", EXPENSES_PORT=port) as served:
            assert served.process.wait(READY_SECONDS_MAX) == 9
            assert f"Cannot listen on [::1]:{port}: Address already in use." in served.output()


@pytest.mark.parametrize(
    ("host", "reached_at", "written"),
    [
        ("localhost", "localhost", "localhost:80"),
        ("0.0.0.0", "127.0.0.1", "0.0.0.0:80"),  # noqa: S104
        ("0::0", "127.0.0.1", "[0::0]:80"),
        ("fe80::1%eth0", "fe80::1%eth0", "[fe80::1%25eth0]:80"),
    ],
)
def test_an_address_is_reached_and_written_by_its_kind(host, reached_at, written):
    assert (reachable(host), joined(host, 80)) == (reached_at, written)


def health(**environment: str) -> subprocess.CompletedProcess:
    """Run the health check as the image does."""
    command = [sys.executable, "-m", "service.process.health"]
    return subprocess.run(command, cwd=ROOT, env=clean() | environment, capture_output=True, text=True)
