"""Measures the service against bare.py, which runs the same statements with nothing around them.

Needs wrk. Everything else it starts itself and ends again: an embedded PostgreSQL with durable settings, the service
as in production (its log, on, goes to a file), and the peer. README.md has results.
"""
# ruff: noqa: E402 -- run as a file, it has to find the checkout first.

import asyncio
import datetime
import json
import os
import platform
import re
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

root = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(root))

import psycopg
from instance import Instance, fill

from service.actor import Actor
from service.auth.tokens import Tokens
from service.config import Config
from service.postgres.embedded import EmbeddedPostgres
from service.postgres.migrate import migrate
from service.postgres.queries import queries

rounds = 5
round_seconds = 3
warm_up_rounds = 2
connections = 16
page_limit = 20
start_seconds = 30


class Route(NamedTuple):
    """What is measured: one kind of request, to several paths in turn."""

    name: str
    paths: list[str]
    method: str = "GET"
    body: str = ""
    # A tag that the client has, for answers without a body.
    etag: str = ""


class Server(NamedTuple):
    """A running peer and where it listens."""

    process: subprocess.Popen[bytes]
    url: str


@dataclass
class Measured:
    """Requests per second of both in each round."""

    service: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)

    def rate(self) -> float:
        """Return the service's median."""
        return statistics.median(self.service)

    def line(self, name: str) -> str:
        """Return a row of the table: medians, the median of the rounds' ratios, and their range."""
        ratios = [ours / theirs for ours, theirs in zip(self.service, self.bare, strict=True)]
        medians = [statistics.median(each) for each in (self.service, self.bare)]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        return f"{name:<16}{medians[0]:>10.0f}{medians[1]:>10.0f}{statistics.median(ratios):>8.2f}   {spread}"


def main() -> None:
    """Start, measure, print, and end all that was started, also when told to stop."""
    if not shutil.which("wrk"):
        sys.exit("The benchmark needs wrk: apt-get install wrk, or brew install wrk.")
    stops = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for each in stops:
        signal.signal(each, lambda number, _: sys.exit(128 + number))
    with ExitStack() as started:
        try:
            _run(started)
        finally:
            # An impatient second Ctrl-C would leave something running.
            for each in stops:
                signal.signal(each, signal.SIG_IGN)


def _run(started: ExitStack) -> None:
    directory = Path(started.enter_context(tempfile.TemporaryDirectory(prefix="expenses-bench-")))
    # For root, PostgreSQL runs as another user, who must get through.
    directory.chmod(0o711)
    url = started.enter_context(EmbeddedPostgres(directory / "postgres"))
    migrate(url)
    config = Config(database_url=url, jwt_secret=secrets.token_urlsafe(48), access_token_seconds=86_400)
    instance = asyncio.run(fill(config))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("vacuum analyze")
        print(_machine(connection), flush=True)
    service = _start(started, config, directory / "service.log", "-m", "service", "serve")
    bare = _start(started, config, directory / "bare.log", str(root / "bench/bare.py"), instance.user_id)
    # A session that nobody opened is as good as one that somebody did: only those that ended are known.
    tokens = Tokens(config.jwt_secret, lifetime_seconds=config.access_token_seconds)
    token = tokens.access(Actor(instance.user_id, instance.user_id))
    measured = _measure(service, bare, token, _routes(instance))
    print(
        f"\nbalances of 200,000 expenses take {measured['balances'] / measured['of 200,000']:.2f} times those of 2,000"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        print(f"as of a day, the database works for {_as_of_milliseconds(connection, instance):.2f} ms")


def _routes(instance: Instance) -> list[Route]:
    team, long_team = f"/v1/teams/{instance.read_team}", f"/v1/teams/{instance.long_team}"
    return [
        Route("expense page", [f"{team}/expenses?limit={page_limit}"]),
        Route("page, unchanged", [f"{team}/expenses?limit={page_limit}"], etag=f'"{instance.read_revision}"'),
        Route("changes", [f"{team}/changes?after={instance.read_revision - page_limit}&limit={page_limit}"]),
        Route("one expense", [f"{team}/expenses/{each}" for each in instance.expense_ids]),
        Route("balances", [f"{team}/balances"]),
        Route("of 200,000", [f"{long_team}/balances"]),
        Route("as of a day", [f"{long_team}/balances?as_of={_middle()}"]),
        Route(
            "create",
            [f"/v1/teams/{each}/expenses" for each in instance.written_teams],
            "POST",
            json.dumps({"description": "Dinner", "amount": 9001}),
        ),
    ]


def _measure(service: Server, bare: Server, token: str, routes: list[Route]) -> dict[str, float]:
    """Measure each route and print its row. Return the service's requests per second."""
    rates = {}
    print(f"\n{'':<16}{'service':>10}{'bare':>10}{'ratio':>8}   range of {rounds} rounds of {round_seconds} s")
    for route in routes:
        _check_same(service, bare, token, route)
        measured = Measured()
        for number in range(warm_up_rounds + rounds):
            # Who is first alternates, so that a machine that gets slower or faster favours neither.
            pair = [(service, measured.service), (bare, measured.bare)]
            for server, results in pair if number % 2 else reversed(pair):
                rate = _wrk(server, token, route)
                if number >= warm_up_rounds:
                    results.append(rate)
        print(measured.line(route.name), flush=True)
        rates[route.name] = measured.rate()
    return rates


def _as_of_milliseconds(connection: psycopg.Connection[tuple[Any, ...]], instance: Instance) -> float:
    """Return the time that the database takes for balances as of the middle of a month, of the long team."""
    connection.execute(f"prepare as_of (uuid, uuid, date) as {queries.balances.get.sql}")
    parameters = f"'{instance.long_team}', '{instance.user_id}', '{_middle()}'"
    plans = [
        connection.execute(f"explain (analyze, timing off, format json) execute as_of ({parameters})").fetchone()
        for _ in range(21)
    ]
    return float(statistics.median(plan[0][0]["Execution Time"] for plan in plans if plan))


def _middle() -> datetime.date:
    """Return the middle of a month of last year: no other day is as far from the ends of months."""
    return (datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=365)).replace(day=15)


def _check_same(service: Server, bare: Server, token: str, route: Route) -> None:
    """Fail unless both give the same answer, or for a record one with the same fields."""
    answers = []
    for server in (service, bare):
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        if route.etag:
            answers.append(_unchanged(server, route, headers))
            continue
        request = Request(server.url + route.paths[0], route.body.encode() or None, headers, method=route.method)  # noqa: S310
        with urlopen(request) as response:  # noqa: S310 -- the address is ours.
            answers.append(json.load(response))
    ours, theirs = answers
    ours.pop("next", None)
    if ours != theirs and not (route.body and ours.keys() == theirs.keys()):
        sys.exit(f"{route.name}: the service and bare.py give different answers:\n{ours}\n{theirs}")


def _unchanged(server: Server, route: Route, headers: dict[str, str]) -> dict[str, str]:
    """Return the tag of the 304 that is to come."""
    request = Request(server.url + route.paths[0], headers=headers | {"If-None-Match": route.etag})  # noqa: S310
    try:
        urlopen(request)  # noqa: S310 -- the address is ours.
    except HTTPError as error:
        if error.code == HTTPStatus.NOT_MODIFIED:
            return {"etag": error.headers["ETag"]}
    sys.exit(f"{route.name} at {server.url} is not 304.")


def _wrk(server: Server, token: str, route: Route) -> float:
    """Return the requests per second of one round. Ends everything when one of them failed."""
    load = ["-t1", f"-c{connections}", f"-d{round_seconds}s", f"-HAuthorization: Bearer {token}"]
    load += [f"-HIf-None-Match: {route.etag}"] if route.etag else []
    requests = [f"-s{root / 'bench/wrk.lua'}", server.url, "--", route.method, route.body, *route.paths]
    output = subprocess.run(["wrk", *load, *requests], capture_output=True, text=True, check=True).stdout
    found = re.search(r"^result (\d+) (\S+) (\d+) (\d+)$", output, re.MULTILINE)
    if not found or found[3] != "0" or found[4] != "0":
        sys.exit(f"{route.name} at {server.url} did not go well:\n{output}")
    return int(found[1]) / float(found[2])


def _start(started: ExitStack, config: Config, log: Path, *command: str) -> Server:
    """Start a peer on a free port and wait until it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EXPENSES_")}
    environment |= {
        "DATABASE_URL": config.database_url,
        "EXPENSES_JWT_SECRET": config.jwt_secret,
        "EXPENSES_PORT": port,
        "PYTHONPATH": str(root),
    }
    with log.open("wb") as output:
        # In a session of its own, so that Ctrl-C reaches this process alone, which then ends the others in order.
        process = subprocess.Popen(
            [sys.executable, *command], cwd=root, env=environment, stderr=output, start_new_session=True
        )
    started.callback(_stop, process)
    deadline = time.monotonic() + start_seconds
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", int(port))):
            return Server(process, f"http://127.0.0.1:{port}")
        time.sleep(0.05)
    sys.exit(f"{' '.join(command)} did not start:\n{log.read_text()[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _machine(connection: psycopg.Connection) -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    version = str(connection.info.parameter_status("server_version")).split()[0]
    return (
        f"{cores} cores ({platform.machine()}) for wrk, both peers and PostgreSQL; "
        f"Python {platform.python_version()}, PostgreSQL {version}, {connections} connections"
    )


if __name__ == "__main__":
    main()
