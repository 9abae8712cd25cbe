"""What runs the tasks: what fails does not hold up the rest, and how far behind it is grows while nothing is done."""

import asyncio
import time
from dataclasses import replace

import pytest

from service.app import create_app
from service.errors import Unavailable
from service.postgres.pool import connect
from service.telemetry.metrics import Metrics
from service.worker import runner as module
from service.worker.runner import Backlog, TaskRunner, working
from service.worker.tasks import Task, all_tasks
from tests.conftest import running
from tests.process import ANSWER_SECONDS_MAX
from tests.proxy import proxied

DAY = 86_400
WORKER_METRICS = {"worker_lag_seconds", "worker_done_total", "worker_failures_total"}


class Things:
    """Things that are due, and what comes of each: an outcome, or an error."""

    def __init__(self, **outcomes):
        self.outcomes = outcomes
        self.worked = []
        self.looks = 0

    async def due(self, _):
        self.looks += 1
        return {name: 60.0 for name, outcome in self.outcomes.items() if outcome != "gone"}

    async def work(self, _db, name, is_stopping):
        self.worked.append(name)
        outcome = self.outcomes[name]
        if isinstance(outcome, Exception):
            raise outcome
        if outcome == "done":
            self.outcomes[name] = "gone"
        return "stopped" if is_stopping() else outcome


def runner_of(things):
    return TaskRunner(None, [Task("things", things.due, things.work)], Metrics())


def numbers(runner):
    return tuple(dict(each.counts)[("things",)] for each in (runner.done, runner.failures))


async def round_of(runner):
    [task] = runner.backlogs
    return await runner.round(task)


async def test_a_round_does_all_that_is_due_and_looks_again():
    things = Things(a="done", b="skipped", c="done")
    runner = runner_of(things)
    assert await round_of(runner)
    assert things.worked == ["a", "b", "c", "b"]
    assert numbers(runner) == (2, 0)


async def test_one_that_fails_is_tried_once_a_round_and_the_others_are_done(caplog):
    things = Things(a=ValueError("bad luck"), b="done", c="done")
    runner = runner_of(things)
    assert not await round_of(runner)
    assert things.worked == ["a", "b", "c"]
    assert numbers(runner) == (2, 1)
    [line] = [record for record in caplog.records if record.name == "service.worker.runner"]
    assert (line.levelname, line.message, line.task, line.subject) == ("ERROR", "a task failed", "things", "a")
    assert "bad luck" in line.exc_text
    # It counts for how far behind the task is, whatever else was done.
    assert runner.lags()["things"] >= 60


async def test_a_database_that_is_away_ends_the_round():
    things = Things(a="done", b=Unavailable(reason="unreachable"), c="done")
    runner = runner_of(things)
    assert not await round_of(runner)
    assert things.worked == ["a", "b"]
    assert numbers(runner) == (1, 1)


async def test_a_look_that_fails_is_a_failure(caplog):
    things = Things()

    async def fail(_):
        raise ValueError("bad luck")

    things.due = fail
    runner = runner_of(things)
    assert not await round_of(runner)
    assert numbers(runner) == (0, 1)
    assert [record.message for record in caplog.records if record.name == "service.worker.runner"] == ["a task failed"]


async def test_the_wait_grows_while_it_fails_and_is_the_usual_one_when_it_does_not(monkeypatch):
    waits = []

    async def wait(event, seconds):
        event.close()
        waits.append(seconds)
        if len(waits) == 7:
            things.outcomes["a"] = "gone"
        if len(waits) == 9:
            runner.stopping.set()
        raise TimeoutError

    things = Things(a=ValueError("bad luck"))
    runner = runner_of(things)
    monkeypatch.setattr(module.asyncio, "wait_for", wait)
    await runner.run()
    assert waits == [1, 2, 4, 8, 16, 30, 30, 5, 5]


def test_how_far_behind_is_the_age_of_the_oldest_thing_that_is_due():
    backlog = Backlog()
    backlog.found({})
    assert backlog.lag_seconds() == 0
    backlog.found({"a": 7.0, "b": 5.0})
    assert 7 <= backlog.lag_seconds() < 8
    del backlog.due_since["a"]
    assert 5 <= backlog.lag_seconds() < 6
    del backlog.due_since["b"]
    assert backlog.lag_seconds() == 0


def test_a_look_that_does_not_come_is_behind_as_well(monkeypatch):
    backlog = Backlog()
    backlog.found({})
    now = time.monotonic()
    monkeypatch.setattr(module.time, "monotonic", lambda: now + module.look_every_seconds - 1)
    assert backlog.lag_seconds() == 0
    monkeypatch.setattr(module.time, "monotonic", lambda: now + module.look_every_seconds + 100)
    assert 100 <= backlog.lag_seconds() < 101
    # So it is before the first look.
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    backlog = Backlog()
    monkeypatch.setattr(module.time, "monotonic", lambda: now + 3)
    assert backlog.lag_seconds() == 3


async def test_its_end_waits_for_the_transaction_in_hand_and_not_for_more():
    working_on, may_end = asyncio.Event(), asyncio.Event()
    things = Things(a="done", b="done")

    async def work(_db, name, is_stopping):
        things.worked.append(name)
        working_on.set()
        await may_end.wait()
        return "stopped" if is_stopping() else "done"

    task = Task("things", things.due, work)
    async with asyncio.timeout(ANSWER_SECONDS_MAX):
        async with working(None, [task], Metrics(), finish_seconds=ANSWER_SECONDS_MAX):
            await working_on.wait()
            asyncio.get_running_loop().call_later(0.1, may_end.set)
        assert may_end.is_set()
        assert things.worked == ["a"]
        # Nor for ever.
        may_end.clear()
        working_on.clear()
        async with working(None, [task], Metrics(), finish_seconds=0.05):
            await working_on.wait()


@pytest.fixture
def eager(monkeypatch):
    monkeypatch.setattr(module, "look_every_seconds", 0.02)


async def test_while_the_database_is_away_it_falls_behind_and_then_catches_up(config, flat, db, eager):
    await flat.owner.delete(flat.path)
    tasks = all_tasks(deleted_teams_kept_seconds=30.0 * DAY)
    async with proxied(config.database_url) as proxy:
        through = connect(
            proxy.dsn, wait_seconds=0.2, statement_seconds=0.2, statement_cache_size=config.statement_cache_size
        )
        async with through as database, working(database, tasks, Metrics(), finish_seconds=5) as runner:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                while runner.lags()["teams.purge"]:  # noqa: ASYNC110 -- nothing tells of it.
                    await asyncio.sleep(0.02)
                proxy.swallow()
                await db.execute("update teams set deleted_at = now() - interval '31 days'")
                while runner.lags()["teams.purge"] < 1:  # noqa: ASYNC110 -- nothing tells of it.
                    await asyncio.sleep(0.02)
                assert runner.failures.counts[("teams.purge",)] > 0
                assert await db.fetchval("select count(*) from teams") == 1
                proxy.heal()
                while await db.fetchval("select count(*) from teams"):  # noqa: ASYNC110 -- nothing tells of it.
                    await asyncio.sleep(0.02)
                while runner.lags()["teams.purge"]:  # noqa: ASYNC110 -- nothing tells of it.
                    await asyncio.sleep(0.02)
            assert runner.done.counts[("teams.purge",)] == 1


async def test_serve_does_the_tasks_only_where_it_is_told_to(config, flat, db, eager):
    await flat.owner.delete(flat.path)
    await db.execute("update teams set deleted_at = now() - interval '31 days'")
    found = await flat.owner.service.metrics()
    assert not WORKER_METRICS & {name.partition("{")[0] for name in found}
    assert await db.fetchval("select count(*) from teams") == 1
    async with running(replace(config, pool_size=2), has_tasks=True) as served:
        await served.metric('worker_done_total{task="teams.purge"}', 1)
        found = await served.metrics()
        assert found['worker_failures_total{task="teams.purge"}'] == 0
        assert 'worker_lag_seconds{task="teams.purge"}' in found
        # The person is another's, but the team is gone for everybody.
        assert await db.fetchval("select count(*) from teams") == 0


def test_serve_has_no_tasks_by_itself(config):
    assert len(create_app(config).cleanup_ctx) + 1 == len(create_app(config, has_tasks=True).cleanup_ctx)
