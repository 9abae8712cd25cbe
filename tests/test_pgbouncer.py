"""The service behind a PgBouncer in transaction mode: it works, or one line says what to set.

With TEST_PGBOUNCER all other tests go through one as well; here is what operators meet there.
"""

import asyncio
import os
import re
from dataclasses import replace

import psycopg
import pytest

from service.errors import Unavailable
from service.postgres.pool import connect
from service.web.keys import DB
from tests import pgbouncer
from tests.conftest import running
from tests.process import Process, on, run

pytestmark = pytest.mark.skipif(not pgbouncer.is_installed(), reason="PgBouncer is not installed")

# Of a PgBouncer that was told to let such clients in: it drops what they ask for.
IGNORED = {"ignore_startup_parameters": "statement_timeout,idle_in_transaction_session_timeout,jit"}
READY = "ready to serve\n"
CACHE = {"EXPENSES_STATEMENT_CACHE_SIZE": str(pgbouncer.statement_cache_size())}


@pytest.fixture
def config(config):
    """As it has to be behind the PgBouncer that there is, also in a run that goes without it."""
    return replace(config, statement_cache_size=pgbouncer.statement_cache_size())


@pytest.fixture
def role(direct):
    """The address of the test's database for a role of its own, whose sessions have no limits."""
    name = f"plain_{os.getpid()}"
    yield pgbouncer.new_role(direct, name, "in role pg_read_all_data, pg_write_all_data")
    with psycopg.connect(direct, autocommit=True) as connection:
        connection.execute(f"drop role {name}")


@pytest.fixture
def limited(role):
    """The same for a role that has limits."""
    pgbouncer.give_limits(role)
    return role


def asked(command, dsn, **environment):
    """Return the status of a command, and what it says in the end."""
    done = run(command, **on(dsn) | CACHE | environment)
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) <= 1, lines
    return done.returncode, lines[0] if lines else done.stdout


@pytest.mark.parametrize("options", [{}, IGNORED], ids=["refused", "ignored"])
def test_a_role_without_limits_is_told_how_to_get_them(role, database_name, tmp_path, options):
    with pgbouncer.pooler(role, **options) as pooler:
        dsn = pooler.dsn(database_name)
        status, line = asked("check", dsn)
        assert status == 2
        assert line.startswith(
            "expenses: DATABASE_URL leads to a pooler that does not pass on statement_timeout and"
            " idle_in_transaction_session_timeout."
        )
        assert asked("serve", dsn) == (status, line)
    with psycopg.connect(role, autocommit=True) as connection:
        statements = re.findall(r"alter role [^;]+", line)
        assert len(statements) == 3
        for each in statements:
            connection.execute(each)
    with pgbouncer.pooler(role, **options) as pooler:
        assert [asked("check", pooler.dsn(database_name)) for _ in range(3)] == [(0, READY)] * 3
        with Process(tmp_path / "data", **on(pooler.dsn(database_name)) | CACHE) as served:
            ann = {"email": "ann@example.com", "password": "correct horse battery", "name": "Ann"}
            assert served.call("/v1/auth/register", ann)["access_token"]


def test_a_pooler_that_keeps_no_prepared_statements_is_named(limited, database_name):
    options = {"max_prepared_statements": 0} if pgbouncer.keeps_prepared_statements() else {}
    with pgbouncer.pooler(limited, **options) as pooler:
        dsn = pooler.dsn(database_name)
        for command in ("check", "serve", "check"):
            status, line = asked(command, dsn, EXPENSES_STATEMENT_CACHE_SIZE="200")
            assert status == 2
            assert "set EXPENSES_STATEMENT_CACHE_SIZE=0" in line
        assert [asked("check", dsn, EXPENSES_STATEMENT_CACHE_SIZE="0") for _ in range(2)] == [(0, READY)] * 2


@pytest.mark.skipif(not pgbouncer.keeps_prepared_statements(), reason="this PgBouncer keeps no prepared statements")
def test_a_pooler_that_keeps_prepared_statements_is_used_with_them(limited, database_name):
    with pgbouncer.pooler(limited) as pooler:
        assert asked("check", pooler.dsn(database_name), EXPENSES_STATEMENT_CACHE_SIZE="200") == (0, READY)


def test_nothing_is_migrated_through_a_pooler_that_lends_sessions(direct, database_name):
    with pgbouncer.pooler(direct) as pooler:
        status, line = asked("migrate", pooler.dsn(database_name))
        assert status == 2
        assert "pooler in transaction mode, through which nothing can be migrated" in line
    with pgbouncer.pooler(direct, pool_mode="session") as pooler:
        assert asked("migrate", pooler.dsn(database_name)) == (0, "nothing to apply\n")


async def test_many_connections_share_few_sessions(limited, database_name, config, db):
    with pgbouncer.pooler(limited, default_pool_size=2) as pooler:
        behind = replace(config, database_url=pooler.dsn(database_name), pool_wait_seconds=20)
        async with running(behind) as first, running(behind) as second:
            ann = await first.person("Ann")
            teams = [await ann.team(f"Team {number}") for number in range(4)]

            async def spend_and_read(service, team):
                for _ in range(5):
                    await team.spend(300)
                    assert (await service.call("GET", f"{team.path}/balances", token=ann.token)).status == 200
                    assert (await service.call("GET", f"{team.path}/expenses", token=ann.token)).status == 200

            await asyncio.gather(*(spend_and_read(each, team) for team in teams for each in (first, second)))
            for team in teams:
                assert await team.nets() == {team.owner_id: 0}
    assert await db.fetchval("select count(*) from expenses") == 40


async def test_the_limits_of_the_role_hold_and_longer_ones_only_for_who_asks(limited, database_name, config):
    with psycopg.connect(limited, autocommit=True) as connection:
        connection.execute("alter role current_user set statement_timeout = '300ms'")
    with pgbouncer.pooler(limited, default_pool_size=1) as pooler:
        dsn = pooler.dsn(database_name)
        async with connect(dsn, statement_cache_size=config.statement_cache_size) as database:
            async with database.apart(5, "expenses-test") as transaction:
                await transaction.ask("fetchval", "test.sleep", "select pg_sleep(0.6)", [])
            with pytest.raises(Unavailable) as refused:
                await database.ask("fetchval", "test.sleep", "select pg_sleep(60)", [])
            assert refused.value.reason == "statement"


async def test_a_pooler_that_goes_away_costs_requests_and_nothing_else(limited, database_name, config):
    with pgbouncer.pooler(limited) as pooler:
        behind = replace(config, database_url=pooler.dsn(database_name), pool_wait_seconds=0.3)
        async with running(behind) as service:
            ann = await service.person("Ann")
            assert (await ann.get("/v1/me")).status == 200
            pooler.stop()
            answer = await ann.get("/v1/me")
            assert answer.status == 503
            with pgbouncer.pooler(limited, listen_port=pooler.port):
                async with asyncio.timeout(10):
                    while (await ann.get("/v1/me")).status != 200:  # noqa: ASYNC110 -- nothing tells of it.
                        await asyncio.sleep(0.05)
                await service.app[DB].ask("fetchval", "test.one", "select 1", [])
