"""Why a request was slow, and why it was answered 503: what its line in the log says, its answer, and the metrics.

tests/test_database_outage.py has what becomes of requests meanwhile.
"""

import asyncio
import contextlib
import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import psycopg
import pytest

from service.auth import passwords
from service.errors import Reason
from service.web.keys import DB, LIFECYCLE
from tests.conftest import PASSWORD, running
from tests.proxy import proxied
from tests.test_errors import waits_for_a_lock

LOCK = "select from teams where team_id = $1 for update"
# A disk that is full, as PostgreSQL says it.
FULL = """
create function is_full() returns trigger language plpgsql as $$ begin
    raise exception 'could not extend file' using errcode = 'disk_full';
end $$;
create trigger full_disk before insert on teams execute function is_full()
"""


WAIT_SECONDS = 0.3


@pytest.fixture
def impatient(config):
    return replace(config, statement_seconds=2, pool_wait_seconds=30)


def hurry(service):
    """Let requests wait only briefly from now on; what came before had time, also on a machine that is busy."""
    for each in (service.app[DB].connections, service.app[DB].turns):
        each.wait_seconds = WAIT_SECONDS


@pytest.fixture
def is_because(lines, caplog):
    """Hold all that is said of an answer against the reason that it has."""

    async def check(service, answer, reason, detail):
        assert (answer.status, answer.body["type"]) == (503, "/problems/unavailable")
        assert re.fullmatch(detail, answer.body["detail"])
        line = next(line for line in lines() if line["request_id"] == answer.body["instance"])
        assert (line["status"], line["refusal"], line["reason"]) == (503, "unavailable", reason)
        assert (await service.metrics())[f'unavailable_total{{reason="{reason}"}}'] >= 1
        # That a request is refused is no crash, and no mistake of ours.
        assert [each for each in caplog.records if each.name.startswith("service") and each.exc_info] == []
        return line

    return check


@contextlib.asynccontextmanager
async def all_in_use(service):
    async with contextlib.AsyncExitStack() as stack:
        connections = service.app[DB].connections
        for _ in range(connections.pool.get_max_size()):
            await stack.enter_async_context(connections.use())
        yield


async def test_no_connection_is_free(impatient, is_because):
    async with running(replace(impatient, pool_size=2)) as service:
        ann = await service.person("Ann")
        async with all_in_use(service):
            hurry(service)
            answer = await ann.get("/v1/me")
        detail = r"No connection to the database became free within 0\.3 s\. Send the request again\."
        line = await is_because(service, answer, "pool", detail)
        assert line["connection_wait_ms"] >= 300
        assert (line["database_ms"], line["turn_wait_ms"], line["slowest_query"]) == (0, 0, None)


@pytest.fixture
async def slow_pages(db):
    """Make pages of expenses wait until the block ends."""

    @contextlib.asynccontextmanager
    async def wait():
        async with db.transaction():
            await db.execute("lock table expenses in access exclusive mode")
            yield

    return wait


async def waiting(db):
    """Return how many pages wait; the audit of the ledger may wait as well."""
    return await db.fetchval(
        """
        select count(*)
        from pg_locks
        inner join pg_stat_activity using (pid)
        where not granted and relation = 'expenses'::regclass and query like '%as live_expenses%'
        """
    )


async def until_all_wait(db, number):
    """Return when so many statements wait for a lock, and no more."""
    async with asyncio.timeout(30):
        while await db.fetchval("select pg_stat_clear_snapshot()") or await waiting(db) != number:  # noqa: ASYNC110 -- nothing tells of it.
            await asyncio.sleep(0.02)


async def test_one_account_leaves_connections_to_others(impatient, db, slow_pages, is_because):
    async with running(replace(impatient, statement_seconds=30, pool_wait_seconds=0.3, pool_size=6)) as service:
        ann, bob = await service.person("Ann"), await service.person("Bob")
        teams = [await ann.team() for _ in range(4)]
        async with slow_pages():
            asked = [asyncio.create_task(ann.get(f"{teams[number % 4].path}/expenses")) for number in range(12)]
            await until_all_wait(db, 4)
            answers = await asyncio.gather(*(bob.get("/v1/me") for _ in range(5)))
            assert [answer.status for answer in answers] == [200] * 5
            refused = [await task for task in asyncio.as_completed(asked[4:])]
        detail = r"Too many requests of this account, or for this team, at once: this one waited 0\.3 s\. Send .*"
        for answer in refused[:1]:
            line = await is_because(service, answer, "share", detail)
            assert line["turn_wait_ms"] >= 300
        assert [answer.status for answer in refused] == [503] * 8
        assert [(await task).status for task in asked[:4]] == [200] * 4
        # What was held is given back.
        answers = await asyncio.gather(*(ann.get(f"{teams[0].path}/expenses") for _ in range(12)))
        assert {answer.status for answer in answers} == {200}
        assert not service.app[DB].shares.held
        assert not service.app[DB].shares.lines


async def test_one_team_leaves_connections_to_others(impatient, db, slow_pages):
    async with running(replace(impatient, statement_seconds=30, pool_wait_seconds=0.3, pool_size=10)) as service:
        members = [await service.person(name) for name in ("Ann", "Bob", "Cleo")]
        stranger = await service.person("Dan")
        flat = await members[0].team()
        for member in members[1:]:
            await flat.add(member)
        async with slow_pages():
            path = f"{flat.path}/expenses"
            asked = [asyncio.create_task(member.get(path)) for member in members for _ in range(4)]
            asked += [
                asyncio.create_task(
                    members[2].get(path.upper().replace("/V1/TEAMS", "/v1/teams").replace("EXPENSES", "expenses"))
                )
            ]
            await until_all_wait(db, 9)
            assert (await stranger.get("/v1/me")).status == 200
            await asyncio.sleep(0.4)
            await until_all_wait(db, 9)
            assert service.app[DB].shares.held[flat.team_id] == 9
        statuses = sorted([(await task).status for task in asked])
        assert statuses == [200] * 9 + [503] * 4


async def test_who_waits_for_a_share_is_next(config, db, slow_pages):
    async with running(replace(config, pool_size=4, pool_wait_seconds=30, statement_seconds=30)) as service:
        ann = await service.person("Ann")
        flat = await ann.team()
        async with slow_pages():
            asked = [asyncio.create_task(ann.get(f"{flat.path}/expenses")) for _ in range(20)]
            await until_all_wait(db, 3)
            # Those who give up are passed over.
            for task in asked[5:15]:
                task.cancel()
            await asyncio.sleep(0.1)
        statuses = await asyncio.gather(*(task for task in asked if not task.cancelled()))
        assert [answer.status for answer in statuses] == [200] * 10


async def test_it_is_not_the_request_s_turn(impatient, db, is_because):
    async with running(replace(impatient, statement_seconds=30)) as service:
        team = await (await service.person("Ann")).team()
        body = {"description": "Tea", "amount": 1}
        async with all_in_use(service):
            pass  # All connections are there from here on.
        async with db.transaction():
            await db.execute(LOCK, team.team_id)
            writing = [asyncio.create_task(team.owner.post(f"{team.path}/expenses", body)) for _ in range(2)]
            await waits_for_a_lock(db)
            hurry(service)
            answer = await team.owner.post(f"{team.path}/expenses", body)
        assert [each.status for each in await asyncio.gather(*writing)] == [201, 201]
        detail = r"Too many writes to this team at once: this one waited 0\.3 s\. Send the request again\."
        line = await is_because(service, answer, "turn", detail)
        assert line["turn_wait_ms"] >= 300
        assert (line["database_ms"], line["connection_wait_ms"], line["slowest_query"]) == (0, 0, None)


async def test_a_statement_takes_too_long(impatient, db, is_because):
    async with running(impatient) as service:
        team = await (await service.person("Ann")).team()
        async with db.transaction():
            await db.execute(LOCK, team.team_id)
            answer = await team.owner.post(f"{team.path}/expenses", {"description": "Tea", "amount": 1})
        detail = r"A statement took longer than 2 s and was given up\. Send the request again\."
        line = await is_because(service, answer, "statement", detail)
        assert line["slowest_query"] == "expenses.prepare"
        assert 1900 < line["database_ms"] <= line["duration_ms"]


@pytest.mark.parametrize("is_write", [False, True])
async def test_the_server_does_not_answer(impatient, database, is_because, is_write, caplog):
    async with proxied(database) as proxy, running(replace(impatient, database_url=proxy.dsn)) as service:
        ann = await service.person("Ann")
        team = await ann.team()
        proxy.swallow()
        body = {"description": "Tea", "amount": 1}
        answer = await (ann.post(f"{team.path}/expenses", body) if is_write else ann.get("/v1/me"))
        detail = r"The database does not answer right now\. Send the request again\."
        await is_because(service, answer, "unreachable", detail)
        records = [each for each in caplog.records if each.getMessage() == "database unavailable"]
        assert {(each.reason, each.error) for each in records} == {("unreachable", "TimeoutError: ")}
        proxy.heal()


async def test_the_server_lets_nobody_in(impatient, postgres, database_name, is_because):
    async with running(impatient) as service:
        ann = await service.person("Ann")
        with psycopg.connect(postgres.dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"alter database {database_name} with allow_connections false")
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [database_name]
            )
        await service.app[DB].connections.expire()
        answer = await ann.get("/v1/me")
        await is_because(service, answer, "unreachable", r"The database does not answer right now\. .*")


async def test_the_disk_is_full(impatient, db, is_because):
    async with running(impatient) as service:
        ann = await service.person("Ann")
        await db.execute(FULL)
        answer = await ann.post("/v1/teams", {"name": "Flat", "currency": "EUR"})
        detail = r"The database is out of connections, memory or disk\. Send the request again\."
        await is_because(service, answer, "resources", detail)


async def test_the_server_is_a_standby(impatient, db, is_because):
    async with running(impatient) as service:
        ann = await service.person("Ann")
        await db.execute(
            "create function standby() returns trigger language plpgsql as $$ begin"
            " raise exception 'read-only' using errcode = 'read_only_sql_transaction'; end $$"
        )
        await db.execute("create trigger standby before insert on teams execute function standby()")
        answer = await ann.post("/v1/teams", {"name": "Flat", "currency": "EUR"})
        await is_because(
            service, answer, "read-only", r"The database takes no writes right now\. Send the request again\."
        )


async def test_too_many_log_in(served, is_because, monkeypatch):
    monkeypatch.setattr(passwords, "hash_queue_max", 0)
    answer = await served.call("POST", "/v1/auth/login", {"email": "ann@example.com", "password": PASSWORD})
    await is_because(served, answer, "logins", r"Too many log-ins at once\. .*")


async def test_a_migration_is_missing(served, db, is_because):
    await db.execute("delete from _yoyo_migration")
    await is_because(served, await served.call("GET", "/readyz"), "migration", r"The migration .* is not applied\.")


async def test_the_service_stops(served, is_because):
    served.app[LIFECYCLE].stopping = True
    await is_because(served, await served.call("GET", "/readyz"), "stopping", r"The service is stopping\.")


async def test_every_reason_is_counted_from_0_and_documented(served):
    found = await served.metrics()
    assert {name: value for name, value in found.items() if name.startswith("unavailable_total")} == {
        f'unavailable_total{{reason="{reason}"}}': 0 for reason in get_args(Reason)
    }
    document = (Path(__file__).parent.parent / "docs/logs.md").read_text()
    table = document.split("\n| Reason | Why, and where to look |\n|---|---|", 1)[1]
    assert tuple(re.findall(r"^\| ([\w-]+) \|", table, re.MULTILINE)) == get_args(Reason)


async def test_a_request_s_line_says_what_took_its_time(impatient, db, lines):
    patient = replace(impatient, statement_seconds=30, pool_wait_seconds=30, pool_size=3)
    async with running(patient) as service:
        team = await (await service.person("Ann")).team()
        body = {"description": "Tea", "amount": 1}
        lines()
        async with db.transaction():
            await db.execute(LOCK, team.team_id)
            writing = [asyncio.create_task(team.owner.post(f"{team.path}/expenses", body)) for _ in range(3)]
            await waits_for_a_lock(db)
            reading = asyncio.create_task(team.owner.get(team.path))
            await asyncio.sleep(0.3)
        await asyncio.gather(*writing, reading)
        found = [line for line in lines() if line["logger"] == "service.access"]
        wrote = [line for line in found if line["route"] == "expenses.create"]
        # Two have their turn at once, and hold both connections of the account's share; one has the lock to wait for.
        assert sum(line["turn_wait_ms"] >= 250 for line in wrote) == 1
        assert max(line["database_ms"] for line in wrote) >= 250
        [read] = [line for line in found if line["route"] == "teams.get"]
        assert read["turn_wait_ms"] >= 250
        assert read["slowest_query"] == "teams.get"
        for line in found:
            parts = line["database_ms"] + line["connection_wait_ms"] + line["turn_wait_ms"]
            assert 0 < parts <= line["duration_ms"]


async def test_what_asks_nothing_of_the_database_spends_nothing_there(served, lines):
    await served.call("GET", "/livez")
    line = lines()[-1]
    assert (line["database_ms"], line["connection_wait_ms"], line["turn_wait_ms"]) == (0, 0, 0)
    assert (line["slowest_query"], line["reason"]) == (None, None)


async def test_slow_queries_are_logged_by_name(config, caplog):
    async with running(replace(config, slow_query_seconds=0)) as service:
        await (await service.person("Ann")).team()
    slow = [each for each in caplog.records if each.getMessage() == "slow query"]
    assert {"auth.register", "teams.create", "commit"} <= {each.query for each in slow}
    assert all(each.levelno == logging.WARNING and each.duration_ms > 0 for each in slow)


async def test_quick_queries_are_not_logged(config, caplog):
    async with running(replace(config, slow_query_seconds=600)) as service:
        await (await service.person("Ann")).team()
    assert "slow query" not in caplog.messages


@pytest.mark.parametrize("log_probes", [True, False])
async def test_probes_and_scrapes_can_be_left_out_unless_they_fail(config, db, lines, log_probes):
    async with running(replace(config, log_probes=log_probes)) as service:
        lines()
        for path in ("/livez", "/readyz", "/metrics"):
            assert (await service.call("GET", path)).status == 200
        await service.call("GET", "/openapi.json")
        await db.execute("delete from _yoyo_migration")
        assert (await service.call("GET", "/readyz")).status == 503
    routes = [line["route"] for line in lines() if line["logger"] == "service.access"]
    assert routes == [*(["ops.live", "ops.ready", "ops.metrics"] if log_probes else []), "ops.document", "ops.ready"]
