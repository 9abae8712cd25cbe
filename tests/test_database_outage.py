"""What becomes of requests while PostgreSQL is away, slow, full or read-only, and how soon all is well again."""

import asyncio
import logging
import os
import random
import signal
import tempfile
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from service.errors import Unavailable
from service.postgres.embedded import EmbeddedPostgres
from service.postgres.migrate import known, migrate
from service.web.keys import DB, LIFECYCLE
from tests.conftest import PASSWORD, running
from tests.proxy import proxied

STATEMENT_SECONDS = 0.5
WAIT_SECONDS = 0.3
RECOVERY_SECONDS = 3
# Of the service, in the database of the test.
SESSIONS = "from pg_stat_activity where application_name = 'expenses' and datname = current_database()"


@pytest.fixture(autouse=True)
def _nothing_crashes(caplog):
    yield
    records = [each for each in caplog.get_records("call") if each.name.startswith("service")]
    assert [each.getMessage() for each in records if each.levelno >= logging.ERROR] == []


class OwnServer:
    """A PostgreSQL that may be killed; its DSN stays the same when it is started again."""

    def __init__(self, directory):
        self.postgres = EmbeddedPostgres(directory, durable=False)
        self.link = directory / "socket"
        self.dsn = f"postgresql://postgres@/expenses?host={self.link}"

    def start(self):
        started = conninfo_to_dict(self.postgres.start())
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(started["host"])

    def kill(self):
        os.kill(int((self.postgres.data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    def execute(self, sql):
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return connection.execute(sql).fetchall() if sql.startswith("select") else connection.execute(sql)

    @contextmanager
    def setting(self, name, value):
        self.execute(f"alter system set {name} = {value}")
        self.execute("select pg_reload_conf()")
        try:
            yield
        finally:
            self.execute(f"alter system reset {name}")
            self.execute("select pg_reload_conf()")


@pytest.fixture(scope="module")
def own_server():
    with tempfile.TemporaryDirectory(prefix="expenses-outage-") as name:
        # For root the server runs as another user, who must get through.
        Path(name).chmod(0o711)
        server = OwnServer(Path(name))
        server.start()
        migrate(server.dsn)
        # Tests run without waiting for the disk; what was acknowledged is to be found after a kill all the same.
        server.execute("alter database expenses set synchronous_commit = on")
        yield server
        server.postgres.stop()


@pytest.fixture
def impatient(config):
    return replace(config, statement_seconds=STATEMENT_SECONDS, pool_wait_seconds=WAIT_SECONDS, pool_size=4)


class Household:
    """A person with a team and an expense, and one request of every kind that needs the database."""

    def __init__(self, service, person, team, expense):
        self.service, self.person, self.team, self.expense = service, person, team, expense
        path = f"{team.path}/expenses"
        self.reads = [
            ("GET", "/readyz", None),
            ("GET", "/v1/me", None),
            ("GET", "/v1/teams", None),
            ("GET", team.path, None),
            ("GET", path, None),
            ("GET", f"{path}/{expense['expense_id']}", None),
            ("GET", f"{team.path}/members", None),
            ("GET", f"{team.path}/balances", None),
        ]
        self.writes = [
            ("POST", path, {"description": "Lunch", "amount": 100}),
            ("PATCH", f"{path}/{expense['expense_id']}", {"amount": 100}),
            ("PATCH", "/v1/me", {"name": "Ann"}),
            ("POST", "/v1/teams", {"name": "Trip", "currency": "EUR"}),
            ("PATCH", team.path, {"name": "House"}),
            ("POST", f"{team.path}/members", {"name": "Guest"}),
            ("POST", "/v1/auth/login", {"email": person.email, "password": PASSWORD}),
            ("POST", "/v1/auth/register", {"email": "new@example.com", "password": PASSWORD, "name": "New"}),
            ("POST", "/v1/auth/refresh", {"refresh_token": person.refresh_token}),
        ]

    async def ask(self, method, path, body=None):
        """Return the answer, and the seconds it took."""
        started = time.perf_counter()
        answer = await self.person.call(method, path, body, headers={"If-Match": "*"})
        return answer, time.perf_counter() - started

    async def is_refused(self, within_seconds, requests):
        """Send requests at once, and hold all answers against what they must be while the database is away."""
        asked = await asyncio.gather(*(self.ask(*request) for request in requests))
        for request, (answer, seconds) in zip(requests, asked, strict=True):
            assert answer.status == 503, request
            assert answer.body["type"] == "/problems/unavailable"
            assert int(answer.headers["Retry-After"]) >= 1
            assert seconds < within_seconds, request
        assert (await self.ask("GET", "/livez"))[0].status == 200

    async def recovers(self, within_seconds=RECOVERY_SECONDS):
        """Wait until the service writes again, by itself; until then it may be unavailable, but nothing else."""
        async with asyncio.timeout(within_seconds):
            while (answer := (await self.ask("PATCH", self.team.path, {"name": "Well again"}))[0]).status != 200:
                assert answer.status == 503
                await asyncio.sleep(0.05)
        for request in self.reads:
            assert (await self.ask(*request))[0].status == 200, request

    async def pool_is_whole(self):
        """Wait until every connection of the pool is free."""
        connections = self.service.app[DB].connections
        size = connections.pool.get_max_size()
        async with asyncio.timeout(5):
            while connections.in_use() or connections.slots + len(connections.at_hand) < size:  # noqa: ASYNC110 -- a pool tells nobody.
                await asyncio.sleep(0.01)


@asynccontextmanager
async def household(config):
    async with running(config) as service:
        person = await service.person("Ann")
        team = await person.team()
        yield Household(service, person, team, await team.spend())


async def nothing_runs(db):
    """Wait until no session of the service works: one whose connection was closed ends its statement first."""
    async with asyncio.timeout(5):
        while await db.fetchval(f"select count(*) {SESSIONS} and state <> 'idle'"):  # noqa: ASYNC110 -- nobody tells.
            await asyncio.sleep(0.02)


async def test_it_outlives_the_death_of_the_server(own_server, impatient):
    async with household(replace(impatient, database_url=own_server.dsn)) as home:
        path, acknowledged, statuses = f"{home.team.path}/expenses", [], set()

        async def spend_on():
            while not down.is_set() or len(statuses) < 2:
                answer, _ = await home.ask("POST", path, {"description": "Under load", "amount": 1})
                statuses.add(answer.status)
                if answer.status == 201:
                    acknowledged.append(answer.body["expense_id"])

        down = asyncio.Event()
        load = [asyncio.create_task(spend_on()) for _ in range(4)]
        await asyncio.sleep(0.3)
        own_server.kill()
        await asyncio.sleep(0.3)
        down.set()
        await asyncio.gather(*load)
        assert statuses == {201, 503}
        for _ in range(2):
            await home.is_refused(WAIT_SECONDS + 1, home.reads + home.writes)
        own_server.postgres.stop()
        own_server.start()
        await home.recovers()
        await home.pool_is_whole()
        stored = {str(found) for (found,) in own_server.execute("select expense_id from expenses")}
        assert set(acknowledged) <= stored
        assert len(acknowledged) > 0


async def test_it_outlives_the_crash_of_a_backend(own_server, impatient):
    async with household(replace(impatient, database_url=own_server.dsn)) as home:
        [(pid,)] = own_server.execute("select pid from pg_stat_activity where application_name = 'expenses' limit 1")
        os.kill(pid, signal.SIGKILL)
        answers = await asyncio.gather(*(home.ask(*request) for request in home.reads))
        assert {answer.status for answer, _ in answers} <= {200, 503}
        await home.recovers()


async def test_a_server_that_stops_says_so(own_server, impatient):
    async with household(replace(impatient, database_url=own_server.dsn)) as home:
        # It waits for whoever is still connected, and lets nobody else in.
        with psycopg.connect(own_server.dsn):
            os.kill(int((own_server.postgres.data / "postmaster.pid").read_text().split()[0]), signal.SIGTERM)
            async with asyncio.timeout(RECOVERY_SECONDS):
                while True:
                    await home.service.app[DB].connections.expire()
                    answer, _ = await home.ask("GET", "/v1/me")
                    if answer.status == 503:
                        break
        assert answer.body["detail"] == "The database is starting or stopping. Send the request again."
        assert (await home.service.metrics())['unavailable_total{reason="starting"}'] == 1
        own_server.postgres.stop()
        own_server.start()
        await home.recovers()


async def test_a_read_only_server_is_still_read(own_server, impatient):
    async with household(replace(impatient, database_url=own_server.dsn)) as home:
        with own_server.setting("default_transaction_read_only", "on"):
            async with asyncio.timeout(RECOVERY_SECONDS):
                while (await home.ask("PATCH", home.team.path, {"name": "x"}))[0].status != 503:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            await home.is_refused(WAIT_SECONDS + STATEMENT_SECONDS + 1, home.writes[:6])
            for request in home.reads:
                assert (await home.ask(*request))[0].status == 200, request
        await home.recovers()
        await home.pool_is_whole()


async def test_a_full_pool_is_not_waited_for_long(impatient):
    async with household(replace(impatient, statement_seconds=5)) as home:
        database, size = home.service.app[DB], impatient.pool_size
        holding = [
            asyncio.create_task(database.ask("fetchval", "test.sleep", "select pg_sleep(2)", [])) for _ in range(size)
        ]
        await asyncio.sleep(0.1)
        await home.is_refused(WAIT_SECONDS + 0.5, home.reads)
        await asyncio.gather(*holding)
        assert (await home.ask("GET", "/v1/me"))[0].status == 200


async def test_a_network_that_swallows_everything_is_given_up_on(impatient, database):
    async with proxied(database) as proxy, household(replace(impatient, database_url=proxy.dsn)) as home:
        # A request waits for a connection and for an answer on it, but never for both twice.
        within_seconds = STATEMENT_SECONDS + WAIT_SECONDS + 1
        for _ in range(2):
            proxy.swallow()
            await home.is_refused(within_seconds, home.reads[:2] + home.writes[:2])
            await home.is_refused(within_seconds, home.reads + home.writes)
            proxy.heal()
            await home.recovers()
        await home.pool_is_whole()


async def test_a_network_that_fails_in_mid_transaction_is_given_up_on_once(impatient, database):
    async with (
        proxied(database) as proxy,
        household(replace(impatient, database_url=proxy.dsn, statement_seconds=1)) as home,
    ):
        path, longest_seconds = f"{home.team.path}/expenses", 0.0

        async def spend_on():
            nonlocal longest_seconds
            while proxy.flowing.is_set():
                answer, seconds = await home.ask("POST", path, {"description": "Under load", "amount": 1})
                assert answer.status in {201, 503}
                longest_seconds = max(longest_seconds, seconds)

        load = [asyncio.create_task(spend_on()) for _ in range(8)]
        await asyncio.sleep(0.3)
        proxy.swallow()
        await asyncio.gather(*load)
        # The rollback must not wait for an answer as long again.
        assert longest_seconds < 1 + WAIT_SECONDS + 0.5
        proxy.heal()
        await home.recovers()
        await home.pool_is_whole()


async def test_broken_connections_are_replaced(impatient, database):
    async with proxied(database) as proxy, household(replace(impatient, database_url=proxy.dsn)) as home:
        await asyncio.gather(*(home.ask(*request) for request in home.reads))
        proxy.reset()
        answers = await asyncio.gather(*(home.ask(*request) for request in home.reads))
        assert {answer.status for answer, _ in answers} <= {200, 503}
        await home.recovers(within_seconds=1)


async def test_a_terminated_connection_costs_one_request_at_most(impatient, db):
    async with household(impatient) as home:
        for request in home.reads + home.writes[:6]:
            await db.execute(f"select pg_terminate_backend(pid) {SESSIONS}")
            statuses = [(await home.ask(*request))[0].status for _ in range(impatient.pool_size + 1)]
            assert set(statuses) <= {200, 201, 503}, request
            assert statuses.count(503) <= impatient.pool_size
            assert statuses[-1] in {200, 201}


async def test_a_statement_that_takes_too_long_is_given_up_and_changes_nothing(impatient, db):
    async with household(impatient) as home:
        async with db.transaction():
            await db.execute("select from teams where team_id = $1 for update", home.team.team_id)
            answer, seconds = await home.ask("POST", f"{home.team.path}/expenses", {"description": "x", "amount": 1})
            assert answer.status == 503
            assert STATEMENT_SECONDS / 2 < seconds < STATEMENT_SECONDS + 1
        await home.pool_is_whole()
        assert await db.fetchval("select count(*) from expenses") == 1
        await nothing_runs(db)
        await home.recovers()


async def test_it_is_not_ready_without_the_newest_migration(served, db):
    assert (await served.call("GET", "/readyz")).status == 200
    await db.execute("delete from _yoyo_migration where migration_id = $1", known()[-1])
    answer = await served.call("GET", "/readyz")
    assert answer.status == 503
    assert answer.body["detail"] == f"The migration {known()[-1]} is not applied."
    assert answer.headers["Retry-After"] == "5"
    assert (await served.call("GET", "/livez")).status == 200


async def test_what_the_database_says_of_an_outage_is_not_told(impatient, database):
    async with proxied(database) as proxy, household(replace(impatient, database_url=proxy.dsn)) as home:
        proxy.swallow()
        answer, _ = await home.ask("GET", "/v1/me")
        assert answer.body["detail"] == "The database does not answer right now. Send the request again."
        with pytest.raises(Unavailable):
            await home.service.app[DB].ask("fetchval", "test.one", "select 1", [])
        proxy.heal()


async def test_clients_that_give_up_leave_nothing_half_done(impatient, db):
    async with household(impatient) as home:
        url = f"{home.service.url}{home.team.path}/expenses"
        headers = {"Authorization": f"Bearer {home.person.token}"}
        body = {"description": "Given up", "amount": 7}
        chance = random.Random(1)  # noqa: S311 -- for the same disturbances every time.
        acknowledged = 0

        async def give_up():
            nonlocal acknowledged
            timeout = aiohttp.ClientTimeout(total=chance.uniform(0.0005, 0.03))
            async with aiohttp.ClientSession(timeout=timeout, headers=headers) as http:
                try:
                    async with http.post(url, json=body) as response:
                        acknowledged += response.status == 201
                except (TimeoutError, aiohttp.ClientError):
                    pass

        for _ in range(10):
            await asyncio.gather(*(give_up() for _ in range(20)))
        await home.service.app[LIFECYCLE].idle.wait()
        await home.pool_is_whole()
        await nothing_runs(db)
        stored = await db.fetchval("select count(*) from expenses where description = 'Given up'")
        assert acknowledged <= stored <= 200
        sums = "select sum(paid), sum(owed), 9000 + 7 * $1::bigint from entries"
        assert len(set(await db.fetchrow(sums, stored))) == 1
        # One for the making of the team and one for each expense.
        assert (
            await db.fetchval("select revision from teams")
            == stored + 2
            == await db.fetchval("select count(*) from revisions")
        )
        await home.recovers()


async def test_a_process_that_stands_still_in_a_write_holds_its_team_up_for_seconds_only(impatient):
    async with household(impatient) as home:
        body, statuses = {"description": "Tea", "amount": 1}, []

        async def stand_still():
            async with home.service.app[DB].transaction() as transaction:
                await transaction.ask("fetchval", "lock", "select 1 from teams for update", [])
                # What it holds is let go soon after the time of a statement, although it does not go on.
                deadline = time.monotonic() + 3 * STATEMENT_SECONDS + 10
                while 201 not in statuses and time.monotonic() < deadline:
                    statuses.append((await home.ask("POST", f"{home.team.path}/expenses", body))[0].status)
                await transaction.ask("fetchval", "late", "select 1", [])

        with pytest.raises(Unavailable):
            await stand_still()
        assert (statuses[0], statuses[-1]) == (503, 201)
        await home.pool_is_whole()
