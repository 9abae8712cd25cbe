"""`worker` as an operator runs it: processes of their own that share the work, die, stop, and wait for the database."""

import asyncio
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import psycopg
import pytest

from service.postgres.embedded import EmbeddedPostgres
from tests import rows
from tests.process import ANSWER_SECONDS_MAX, READY_SECONDS_MAX, ROOT, Process, clean, free_port, on, run
from tests.proxy import Proxy

AGE = "update teams set deleted_at = now() - interval '31 days'"
# Makes each piece of expenses take so long that a process can be met in the midst of it.
SLOW = """
create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(1); return null; end $$;
create trigger slowed after delete on expenses for each statement execute function slow()
"""
WRONG = "select (select count(*) from unbalanced_expenses) + (select count(*) from wrong_totals)"
PURGES_NOTHING_OF = {"users", "sessions", "ended_sessions", "login_failures", "login_places"}


def worker(database, tmp_path, *, wait=True, **environment):
    return Process(tmp_path / "data", wait=wait, command="worker", **on(database) | environment)


def scrape(process):
    with urllib.request.urlopen(process.url + "/metrics", timeout=ANSWER_SECONDS_MAX) as response:
        return response.read().decode()


def number(process, name):
    return float(re.search(rf'^{name}{{task="teams.purge"}} (\S+)$', scrape(process), re.MULTILINE)[1])


def purged(*processes):
    """Return the teams that the processes say they have purged."""
    lines = [json.loads(line) for each in processes for line in each.output().splitlines() if line.startswith("{")]
    return [line["team"] for line in lines if line["message"] == "purged a team"]


async def until(happens):
    async with asyncio.timeout(ANSWER_SECONDS_MAX):
        while not await happens():  # noqa: ASYNC110 -- it is in another process.
            await asyncio.sleep(0.02)


async def no_team_is_left(db):
    return not await db.fetchval("select count(*) from teams")


async def nothing_is_left(db):
    return {name for name, _ in await rows.all_rows(db)} <= PURGES_NOTHING_OF


@pytest.fixture
async def large(db):
    """A team of so many expenses that it takes a dozen pieces, which was deleted long ago; its id."""
    await rows.teams(db, await rows.user(db, "liam@example.com"), 1)
    team_id, member_id = await db.fetchrow("select team_id::text, member_id::text from members")
    await rows.guests(db, team_id, 1)
    guest_id = await db.fetchval("select member_id::text from members where user_id is null")
    await rows.expenses(db, team_id, member_id, 6000, participant_id=guest_id)
    await db.execute(AGE)
    return team_id


async def test_of_several_each_team_is_purged_by_one(database, tmp_path, db):
    await rows.teams(db, await rows.user(db, "liam@example.com"), 300)
    for team_id, member_id in await db.fetch("select team_id::text, member_id::text from members limit 30"):
        await rows.expenses(db, team_id, member_id, 3)
    wanted = [row[0] for row in await db.fetch("select team_id::text from teams")]
    with worker(database, tmp_path) as first, worker(database, tmp_path) as second:
        await db.execute(AGE)
        await until(lambda: no_team_is_left(db))
        await until(lambda: asyncio.sleep(0, len(purged(first, second)) == len(wanted)))
        assert sorted(purged(first, second)) == sorted(wanted)
        done = [number(each, "worker_done_total") for each in (first, second)]
        assert sum(done) == len(wanted)
        assert [number(each, "worker_failures_total") for each in (first, second)] == [0, 0]
        for each in (first, second):
            assert each.end() == 0
            assert '"level":"ERROR"' not in each.output()
    assert await nothing_is_left(db)


async def test_one_that_is_killed_in_the_midst_of_it_loses_nothing_and_the_next_goes_on(database, tmp_path, db, large):
    await db.execute(SLOW)
    for _ in range(2):
        left = await db.fetchval("select count(*) from expenses")
        with worker(database, tmp_path, wait=False) as killed:

            async def has_begun(left=left):
                return await db.fetchval("select count(*) from expenses") < left

            await until(has_begun)
            killed.end(signal.SIGKILL)
        # PostgreSQL notices that the client is gone when it has done what it was asked for.
        await until(lambda: no_lock_is_held(db))
        assert await db.fetchval("select count(*) from expenses") > 0
        assert await db.fetchval("select count(*) from teams") == 1
        assert await db.fetchval(WRONG) == 0
    await db.execute("drop trigger slowed on expenses")
    with worker(database, tmp_path) as last:
        await until(lambda: no_team_is_left(db))
        await last.wait_until_said("purged a team")
        assert purged(last) == [large]
    assert await nothing_is_left(db)


async def no_lock_is_held(db):
    return await db.fetchval(
        """
        select not exists (
            select 1 from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
            and xact_start is not null
        )
        """
    )


async def test_sigterm_ends_it_after_the_transaction_in_hand(database, tmp_path, db, large):
    await db.execute(SLOW)
    with worker(database, tmp_path) as stopped:

        async def has_begun():
            return await db.fetchval("select count(*) from expenses") < 6000

        await until(has_begun)
        assert await asyncio.to_thread(stopped.end) == 0
        left = await db.fetchval("select count(*) from expenses")
        assert 0 < left < 6000
        assert await no_lock_is_held(db)
        assert await db.fetchval(WRONG) == 0
        messages = [json.loads(line)["message"] for line in stopped.output().splitlines()]
        assert (messages.count("stopping"), messages[-1]) == (1, "stopped")
        assert "Traceback" not in stopped.output()
    await db.execute("drop trigger slowed on expenses")
    with worker(database, tmp_path, wait=False):
        await until(lambda: no_team_is_left(db))
    assert await nothing_is_left(db)


async def test_it_waits_for_a_database_that_is_not_there_yet(database, tmp_path, db, large):
    proxy, port = Proxy(database), free_port()
    patient = {"EXPENSES_DATABASE_WAIT_SECONDS": "60"}
    with worker(proxy.through(port), tmp_path, wait=False, **patient) as waiting:
        await waiting.wait_until_said("waiting for the database")
        assert waiting.process.poll() is None
        async with await asyncio.start_server(proxy.serve, "127.0.0.1", port) as server:
            await until(lambda: no_team_is_left(db))
            assert await asyncio.to_thread(waiting.end) == 0
            server.close()
            proxy.reset()


async def test_while_its_database_is_away_it_is_not_ready_and_lives_and_then_goes_on(database, tmp_path, db, large):
    proxy, port = Proxy(database), free_port()
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", port)
    with worker(proxy.through(port), tmp_path, wait=False) as cut_off:
        await asyncio.to_thread(cut_off.wait_until_ready)
        await until(lambda: no_team_is_left(db))
        server.close()
        proxy.reset()

        async def is_not_ready():
            try:
                await asyncio.to_thread(cut_off.call, "/readyz")
            except urllib.error.HTTPError as error:
                return error.code == 503
            return False

        await until(is_not_ready)
        assert (await asyncio.to_thread(cut_off.call, "/livez"))["status"] == "ok"

        async def has_failed():
            return await asyncio.to_thread(number, cut_off, "worker_failures_total") > 0

        await until(has_failed)
        await rows.teams(db, await rows.user(db, "olivia@example.com"), 1)
        await db.execute(AGE)
        async with await asyncio.start_server(proxy.serve, "127.0.0.1", port):
            await until(lambda: no_team_is_left(db))
            assert await asyncio.to_thread(cut_off.end) == 0
            proxy.reset()
    server.close()


def test_it_refuses_to_start_without_a_database_of_its_own():
    done = run("worker")
    assert done.returncode == 2
    assert done.stderr == (
        "expenses: DATABASE_URL is missing: on the embedded PostgreSQL, `serve` does what a worker does.\n"
    )


def test_it_refuses_to_start_without_the_newest_migration(database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "delete from _yoyo_migration where migration_id = (select max(migration_id) from _yoyo_migration)"
        )
    done = run("worker", **on(database))
    assert done.returncode == 5
    assert "run `expenses migrate`" in done.stderr.splitlines()[-1]


def test_it_needs_no_secret(database, tmp_path):
    environment = on(database)
    del environment["EXPENSES_JWT_SECRET"]
    with Process(tmp_path / "data", command="worker", **environment) as served:
        assert served.call("/readyz") == {"status": "ok"}
        assert served.end() == 0


def test_a_port_that_is_taken_is_said_in_one_line(database, tmp_path):
    with worker(database, tmp_path) as first:
        taken = {"EXPENSES_WORKER_PORT": str(first.port)}
        with worker(database, tmp_path, wait=False, **taken) as second:
            assert second.process.wait(READY_SECONDS_MAX) == 9
            assert f"Cannot listen on 127.0.0.1:{first.port}" in second.output().splitlines()[-1]


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_it_can_be_stopped_while_it_waits_for_the_database(tmp_path, by):
    environment = on("postgresql://ann@127.0.0.1:1/expenses") | {"EXPENSES_DATABASE_WAIT_SECONDS": "3600"}
    command = [sys.executable, "-m", "service", "worker"]
    with subprocess.Popen(command, cwd=ROOT, env=clean() | environment, stderr=-1) as waiting:
        assert b"waiting for the database" in waiting.stderr.readline()
        waiting.send_signal(by)
        assert waiting.wait(ANSWER_SECONDS_MAX) == 0
        assert b"Traceback" not in waiting.stderr.read()


def test_it_answers_probes_and_nothing_else(database, tmp_path):
    with worker(database, tmp_path) as served:
        assert served.call("/livez") == served.call("/readyz") == {"status": "ok"}
        for path in ("/", "/v1/me", "/docs", "/openapi.json"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                served.call(path)
            assert (refused.value.code, json.load(refused.value)["type"]) == (404, "/problems/not-found")
        health = [sys.executable, "-m", "service.process.health", "worker"]
        environment = clean() | {"EXPENSES_WORKER_PORT": str(served.port)}
        assert subprocess.run(health, cwd=ROOT, env=environment, capture_output=True).returncode == 0
        lines = [json.loads(line) for line in served.output().splitlines()]
        assert "documentation" not in next(line for line in lines if line["message"] == "serving")
        assert served.end() == 0
    gone = subprocess.run(health, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (gone.returncode, gone.stderr) == (1, "not ready: [Errno 111] Connection refused\n")


def test_its_metrics_are_documented_and_its_own(database, tmp_path):
    rows_of_page = re.findall(r"^\| `(\w+)` \| (\w+) \|", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)
    with worker(database, tmp_path) as served:
        served.call("/readyz")
        text = scrape(served)
        if shutil.which("promtool"):
            done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    exposed = set(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))
    assert exposed <= set(rows_of_page)
    names = {name for name, _ in exposed}
    assert {"worker_lag_seconds", "worker_done_total", "worker_failures_total"} <= names
    assert {"build_info", "process_start_time_seconds", "database_query_seconds", "http_requests_total"} <= names
    # By these a dashboard tells a replica of the API.
    assert not {name for name in names if name.startswith(("http_connections", "ledger_", "password_", "database_up"))}


@pytest.fixture
def data_dir():
    # Not under tmp_path: PostgreSQL runs as an unprivileged user where the tests run as root.
    with tempfile.TemporaryDirectory(prefix="expenses-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "data"


async def test_serve_on_an_embedded_postgresql_needs_no_worker(data_dir):
    with Process(data_dir) as served:
        ann = {"email": "ann@example.com", "password": "correct horse battery", "name": "Ann"}
        token = served.call("/v1/auth/register", ann)["access_token"]
        team = served.call("/v1/teams", {"name": "Flat", "currency": "EUR"}, token)["team_id"]
        request = urllib.request.Request(
            f"{served.url}/v1/teams/{team}", headers={"Authorization": f"Bearer {token}"}, method="DELETE"
        )
        (await asyncio.to_thread(urllib.request.urlopen, request, timeout=ANSWER_SECONDS_MAX)).close()
        with psycopg.connect(EmbeddedPostgres(data_dir).running_dsn(), autocommit=True) as connection:
            connection.execute(AGE)
        await served.wait_until_said("purged a team")
        assert purged(served) == [team]
        assert number(served, "worker_done_total") == 1
        assert served.end() == 0
