"""A database per test, cloned from a migrated template; the service on it; and people who use it over HTTP."""

import asyncio
import contextlib
import itertools
import json
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import asyncpg
import psycopg
import pytest
from aiohttp import web

from service.app import create_app
from service.auth.sessions import poll_seconds
from service.config import Config
from service.postgres.migrate import migrate
from service.telemetry.logs import writer
from service.web.keys import DOCUMENT
from service.web.runner import runner
from tests import pgbouncer
from tests.contract import Contract
from tests.postgres import Server, server

PASSWORD = "correct horse battery"
counter = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    # What a developer's shell sets must not reach the tests.
    for name in list(os.environ):
        if name.startswith("EXPENSES_") or name == "DATABASE_URL":
            del os.environ[name]


SERVERS: pytest.StashKey[set[str]] = pytest.StashKey()


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The server that this run's databases are on."""
    with server() as started:
        described(request.config, started.description)
        yield started


@pytest.fixture(scope="session")
def pooler(request: pytest.FixtureRequest, postgres: Server) -> Iterator[pgbouncer.Pooler | None]:
    """The PgBouncer through which the service reaches that server in this run, if TEST_PGBOUNCER asks for one."""
    if not pgbouncer.asked_for():
        yield None
        return
    # The sessions of the tests themselves go without limits.
    name = f"pooled_{os.getpid()}"
    url = pgbouncer.new_role(postgres.url, name, "superuser")
    pgbouncer.give_limits(url)
    with pgbouncer.pooler(url) as started:
        described(request.config, f"{postgres.description} through {started.description}")
        yield started
    _execute(postgres, f"drop role {name}")


def described(config: pytest.Config, description: str) -> None:
    """Keep what the last lines of the output say of the server."""
    if hasattr(config, "workeroutput"):
        config.workeroutput["postgres"] = description
    config.stash.setdefault(SERVERS, set()).add(description)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Learn from a worker process of xdist which server it had."""
    if found := getattr(node, "workeroutput", {}).get("postgres"):
        node.config.stash.setdefault(SERVERS, set()).add(found)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which server it was."""
    for description in config.stash.get(SERVERS, set()):
        terminalreporter.write_line(f"PostgreSQL of this run: {description}")


@pytest.fixture(scope="session")
def template(postgres: Server) -> str:
    name = f"template_{os.getpid()}"
    _execute(postgres, f"create database {name}")
    migrate(postgres.dsn(name))
    return name


@pytest.fixture
def empty_database(postgres: Server) -> Iterator[str]:
    """The address of a fresh database with nothing in it."""
    with _database(postgres, "template1") as name:
        yield postgres.dsn(name)


@pytest.fixture
def database_name(postgres: Server, template: str) -> Iterator[str]:
    """The name of a fresh database with the schema."""
    with _database(postgres, template) as name:
        yield name


@pytest.fixture
def direct(postgres: Server, database_name: str) -> str:
    """The address of that database, with nothing in between."""
    return postgres.dsn(database_name)


@pytest.fixture
def database(postgres: Server, pooler: pgbouncer.Pooler | None, database_name: str) -> str:
    """The address of that database for the service: with TEST_PGBOUNCER, through PgBouncer."""
    return (pooler or postgres).dsn(database_name)


@contextlib.contextmanager
def _database(postgres: Server, template: str) -> Iterator[str]:
    name = f"test_{os.getpid()}_{next(counter)}"
    _execute(postgres, f"create database {name} template {template} strategy file_copy")
    yield name
    _execute(postgres, f"drop database {name} with (force)")


def _execute(postgres: Server, sql: str) -> None:
    with psycopg.connect(postgres.dsn("postgres"), autocommit=True) as connection:
        connection.execute(sql)


@pytest.fixture
def config(database: str) -> Config:
    return Config(
        database_url=database,
        jwt_secret="a secret for the tests, 32 bytes at least",
        pool_size=10,
        statement_cache_size=pgbouncer.statement_cache_size() if pgbouncer.asked_for() else 200,
    )


@pytest.fixture
async def db(direct: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the test's own, to see the rows."""
    connection = await asyncpg.connect(direct)
    yield connection
    await connection.close()


@dataclass
class Answer:
    status: int
    body: Any
    headers: Any


@dataclass
class Service:
    """The service on a real socket, and how the tests talk to it. Every answer is held against the OpenAPI document."""

    url: str
    app: web.Application
    http: aiohttp.ClientSession
    contract: Contract

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        token: str = "",
        headers: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> Answer:
        sent = dict(headers or {})
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if body is not None:
            kwargs["json"] = body
        async with self.http.request(method, self.url + path, headers=sent, **kwargs) as response:
            content = await response.read()
            is_json = response.content_type.endswith("json")
            answer = Answer(
                response.status,
                await response.json(content_type=None) if is_json and content else content,
                response.headers,
            )
        self.contract.check(method, path.partition("?")[0], answer)
        return answer

    async def metrics(self) -> dict[str, float]:
        """Return what /metrics says, by series as it is written there."""
        answer = await self.call("GET", "/metrics")
        assert answer.status == 200
        lines = [line for line in answer.body.decode().splitlines() if not line.startswith("#")]
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines}

    async def metric(self, name: str, expected: float) -> None:
        """Return once a series has a value."""
        async with asyncio.timeout(30):
            while (await self.metrics()).get(name) != expected:  # noqa: ASYNC110 -- nothing tells of it.
                await asyncio.sleep(0.02)

    async def until_refused(self, token: str) -> None:
        """Return once an access token is refused: soon after its session has ended in another process."""
        # That it is within a second is in the time between two looks; how long one takes is the machine's.
        assert poll_seconds <= 0.5
        async with asyncio.timeout(30):
            while (await self.call("GET", "/v1/me", token=token)).status != 401:  # noqa: ASYNC110 -- nothing tells of it.
                await asyncio.sleep(0.02)

    async def person(self, name: str = "Ann", email: str = "") -> "Person":
        email = email or f"{name.lower().replace(' ', '.')}-{next(counter)}@example.com"
        answer = await self.call("POST", "/v1/auth/register", {"email": email, "password": PASSWORD, "name": name})
        assert answer.status == 201, answer.body
        return Person(
            self, email, answer.body["user"]["user_id"], answer.body["access_token"], answer.body["refresh_token"]
        )


@dataclass
class Person:
    """Somebody with an account; calls are made with their access token."""

    service: Service
    email: str
    user_id: str
    token: str = field(repr=False)
    refresh_token: str = field(repr=False)

    async def call(self, method: str, path: str, body: Any = None, **kwargs: Any) -> Answer:
        return await self.service.call(method, path, body, token=self.token, **kwargs)

    async def get(self, path: str, **kwargs: Any) -> Answer:
        return await self.call("GET", path, **kwargs)

    async def post(self, path: str, body: Any, **kwargs: Any) -> Answer:
        return await self.call("POST", path, body, **kwargs)

    async def patch(self, path: str, body: Any, if_match: str = "", **kwargs: Any) -> Answer:
        headers = {"If-Match": if_match} if if_match else {}
        return await self.call("PATCH", path, body, headers=headers, **kwargs)

    async def delete(self, path: str, if_match: str = "", **kwargs: Any) -> Answer:
        headers = {"If-Match": if_match} if if_match else {}
        return await self.call("DELETE", path, headers=headers, **kwargs)

    async def team(self, name: str = "Flat", currency: str = "EUR") -> "Team":
        answer = await self.post("/v1/teams", {"name": name, "currency": currency})
        assert answer.status == 201, answer.body
        return Team(self, answer.body["team_id"], answer.body["member_id"])


@dataclass
class Team:
    """A team, its owner, and the owner's member id."""

    owner: Person
    team_id: str
    owner_id: str

    @property
    def path(self) -> str:
        return f"/v1/teams/{self.team_id}"

    async def guest(self, name: str = "Guest") -> str:
        answer = await self.owner.post(f"{self.path}/members", {"name": name})
        assert answer.status == 201, answer.body
        return answer.body["member_id"]

    async def add(self, person: Person, role: str = "member") -> str:
        answer = await self.owner.post(f"{self.path}/members", {"email": person.email, "role": role})
        assert answer.status == 201, answer.body
        return answer.body["member_id"]

    async def spend(self, amount: int = 9000, by: Person | None = None, **fields: Any) -> dict[str, Any]:
        body = {"description": "Dinner", "amount": amount} | fields
        answer = await (by or self.owner).post(f"{self.path}/expenses", body)
        assert answer.status == 201, answer.body
        return answer.body

    async def settle(self, from_id: str, to_id: str, amount: int, **fields: Any) -> dict[str, Any]:
        body = {"from": from_id, "to": to_id, "amount": amount} | fields
        answer = await self.owner.post(f"{self.path}/settlements", body)
        assert answer.status == 201, answer.body
        return answer.body

    async def nets(self) -> dict[str, int]:
        """Member ids to nets, in a team with one currency."""
        answer = await self.owner.get(f"{self.path}/balances")
        assert answer.status == 200, answer.body
        return {item["member_id"]: item["net"] for item in answer.body["items"]}


@contextlib.asynccontextmanager
async def running(config: Config, **options: Any) -> AsyncIterator[Service]:
    """Run the service as `serve` does, on a free port; `options` are those of `create_app`."""
    app = create_app(config, **options)
    serving = runner(app, keepalive_seconds=config.keepalive_seconds)
    await serving.setup()
    try:
        site = web.TCPSite(serving, "127.0.0.1", 0)
        await site.start()
        async with aiohttp.ClientSession() as http:
            yield Service(f"http://127.0.0.1:{serving.addresses[0][1]}", app, http, Contract(app[DOCUMENT]))
        # aiohttp closes its sockets on the loop's next turn.
        await asyncio.sleep(0)
    finally:
        await serving.cleanup()


@pytest.fixture
async def served(config: Config) -> AsyncIterator[Service]:
    async with running(config) as service:
        yield service


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    """The root of all loggers, which is afterwards as it was before."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """What the requests so far wrote to standard error."""
    caplog.set_level(logging.INFO)
    # What was before this test.
    writer.flush()
    capfd.readouterr()

    def read() -> list[dict[str, Any]]:
        writer.flush()
        return [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]

    return read


@pytest.fixture
async def ann(served: Service) -> Person:
    return await served.person("Ann")


@pytest.fixture
async def bob(served: Service) -> Person:
    return await served.person("Bob")


@pytest.fixture
async def flat(ann: Person) -> Team:
    """Ann's team in EUR."""
    return await ann.team()
