"""Every refusal as a client meets it, and what becomes of a crash."""

import asyncio
import logging

import asyncpg
import pytest

from service import errors
from service.auth.attempts import failures_of_place_max
from service.me import service as me
from service.members import service as members
from service.telemetry.logs import current_request
from service.web import fields
from service.web import request as body
from service.web.keys import DB
from service.web.text import Text
from tests import pgbouncer
from tests.conftest import PASSWORD
from tests.rows import guests

ALL = list(errors.refusals())
WRONG_PASSWORD = "not the password at all"


def test_every_refusal_says_what_it_means(subtests):
    for refusal in ALL:
        with subtests.test(refusal.slug()):
            assert 400 <= refusal.status < 600
            assert refusal.about().endswith((".", "`"))


def test_no_two_refusals_have_one_name():
    assert len({refusal.slug() for refusal in ALL}) == len(ALL)


def check(answer, refusal, **headers):
    """Hold an answer against all that a problem document of the refusal must have."""
    assert answer.status == refusal.status, answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.body["type"] == f"/problems/{refusal.slug()}"
    assert answer.body["title"].lower().replace(" ", "-") == refusal.slug()
    assert answer.body["status"] == refusal.status
    assert answer.body["detail"].endswith((".", "`"))
    assert answer.body["instance"] == answer.headers["X-Request-Id"]
    for name, expected in headers.items():
        assert answer.headers[name.replace("_", "-")] == expected


async def test_every_refusal_of_a_team_is_met(ann, bob, flat, db):
    guest_id = await flat.guest()
    expense = await flat.spend()
    path = f"{flat.path}/expenses/{expense['expense_id']}"
    await flat.add(bob, "viewer")
    people = f"{flat.path}/members"
    check(await bob.post(people, {"name": "Carl"}), errors.Forbidden)
    check(await ann.post(people, {"email": bob.email}), errors.AlreadyMember)
    check(await ann.patch(path, {"amount": 1}), errors.PreconditionRequired)
    check(await ann.patch(path, {"amount": 1}, '"2"'), errors.PreconditionFailed)
    check(await ann.delete(f"{people}/{flat.owner_id}"), errors.LastOwner)
    answer = await ann.delete(f"{people}/{guest_id}")
    check(answer, errors.OpenBalance)
    assert answer.body["balances"] == [{"currency": "EUR", "net": -4500}]
    await guests(db, flat.team_id, members.members_max - 3)
    check(await ann.post(people, {"name": "One too many"}), errors.TeamFull)
    await ann.patch(flat.path, {"archived": True})
    check(await ann.post(f"{flat.path}/expenses", {"description": "x", "amount": 1}), errors.TeamArchived)
    await ann.delete(f"{flat.path}?keep_balance=true")
    check(await ann.get(flat.path), errors.NotFound)


async def test_every_refusal_of_a_request_is_met(served, ann, monkeypatch):
    json = {"Content-Type": "application/json"}
    login = "/v1/auth/login"
    check(await served.call("POST", login, headers=json, data="{"), errors.Malformed)
    check(await served.call("POST", login, headers=json, data=b" " * 70_000), errors.TooLarge)
    check(await served.call("POST", login, data="{}"), errors.UnsupportedMediaType, Accept="application/json")
    check(await served.call("PUT", login), errors.MethodNotAllowed, Allow="POST")
    answer = await served.call("POST", login, {"email": "x", "password": ""})
    check(answer, errors.Invalid)
    assert {each["pointer"] for each in answer.body["errors"]} == {"/email", "/password"}
    assert answer.body["detail"] == "Not accepted: email, password."
    account = {"email": ann.email, "password": PASSWORD, "name": "Ann"}
    check(await served.call("POST", "/v1/auth/register", account), errors.EmailTaken)
    check(await served.call("GET", "/v1/me"), errors.Unauthenticated, WWW_Authenticate='Bearer realm="expenses"')
    monkeypatch.setattr(body, "body_seconds_max", 0.1)

    async def never():
        yield b"{"
        await asyncio.Event().wait()

    check(await served.call("POST", login, headers=json, data=never()), errors.RequestTimeout)


async def test_it_says_when_to_log_in_again(served, ann):
    wrong = {"email": ann.email, "password": WRONG_PASSWORD}
    for _ in range(failures_of_place_max):
        check(
            await served.call("POST", "/v1/auth/login", wrong),
            errors.Unauthenticated,
            WWW_Authenticate='Bearer realm="expenses"',
        )
    answer = await served.call("POST", "/v1/auth/login", wrong)
    check(answer, errors.TooManyAttempts)
    assert 0 < int(answer.headers["Retry-After"]) <= 900
    assert f"in {answer.headers['Retry-After']} seconds" in answer.body["detail"]


async def test_a_team_that_changed_meanwhile_is_a_conflict(ann, flat, db):
    async with db.transaction():
        await db.execute("update teams set revision = revision + 1 where team_id = $1", flat.team_id)
        await guests(db, flat.team_id)
        spending = asyncio.create_task(ann.post(f"{flat.path}/expenses", {"description": "x", "amount": 1}))
        await waits_for_a_lock(db)
    answer = await spending
    check(answer, errors.Conflict)
    assert await db.fetchval("select count(*) from expenses") == 0


async def waits_for_a_lock(db):
    """Return once another session waits for a lock of this one."""
    waiting = (
        "select exists(select 1 from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid)))"
    )
    async with asyncio.timeout(30):
        while not await db.fetchval(waiting):  # noqa: ASYNC110 -- the server tells nobody.
            await asyncio.sleep(0.01)


class Crashes:
    """A function that crashes the first times it is called, and then does what it did before."""

    def __init__(self, function, error, times):
        self.function, self.error, self.times, self.calls = function, error, times, 0

    async def __call__(self, *arguments, **named):
        self.calls += 1
        if self.calls <= self.times:
            raise self.error
        return await self.function(*arguments, **named)


@pytest.fixture
def logged():
    """The log records of the service, each with the request that it was written for."""

    class Keep(logging.Handler):
        def emit(self, record):
            found.append((record, current_request.get()[0]))

    found, handler = [], Keep()
    logging.getLogger("service").addHandler(handler)
    yield found
    logging.getLogger("service").removeHandler(handler)


INTERNAL = "select * from secrets at /srv/app.py"
CRASHES = [
    *[RuntimeError(INTERNAL), KeyError(INTERNAL), ValueError(INTERNAL), AssertionError(INTERNAL), TypeError(INTERNAL)],
    *[AttributeError(INTERNAL), ZeroDivisionError(INTERNAL), RecursionError(INTERNAL), MemoryError(INTERNAL)],
    *[asyncpg.UndefinedTableError(INTERNAL), asyncpg.CheckViolationError(INTERNAL), Exception(INTERNAL)],
]


async def test_a_crash_tells_the_log_everything_and_the_client_nothing(ann, logged, monkeypatch, subtests):
    for crash in CRASHES:
        with subtests.test(type(crash).__name__):
            logged.clear()
            with monkeypatch.context() as patched:
                patched.setattr(me, "get", Crashes(me.get, crash, times=9))
                answer = await ann.get("/v1/me")
            check(answer, errors.InternalError)
            assert answer.body["detail"] == errors.InternalError.about()
            assert set(answer.body) == {"type", "title", "status", "detail", "instance"}
            [(record, request_id)] = [each for each in logged if each[0].levelno >= logging.ERROR]
            assert record.message == "crash"
            assert record.exc_info[1] is crash
            assert request_id == answer.body["instance"]
            assert (await ann.get("/v1/me")).status == 200
    metrics = await ann.get("/metrics")
    assert f'refusals_total{{type="internal-error"}} {len(CRASHES)}' in metrics.body.decode()


async def test_what_validation_misses_and_postgresql_cannot_hold_is_invalid(
    ann, flat, logged, monkeypatch, *, db, subtests
):
    # The second net is there for what nobody thought of; here it is what validation is made to miss.
    monkeypatch.setattr(Text, "read", lambda _, value: value)
    monkeypatch.setattr(fields.Amount, "read", lambda _, value: value)
    for bad in ({"description": "a\0b"}, {"description": "\ud800"}, {"amount": 2**63}):
        with subtests.test(ascii(bad)):
            logged.clear()
            answer = await ann.post(f"{flat.path}/expenses", {"description": "x", "amount": 1} | bad)
            check(answer, errors.Invalid)
            assert "errors" not in answer.body
            [(record, request_id)] = [each for each in logged if each[0].levelno >= logging.ERROR]
            assert record.message == "PostgreSQL refused a value"
            assert request_id == answer.body["instance"]
    assert await db.fetchval("select count(*) from expenses") == 0


@pytest.mark.parametrize("error", [asyncpg.DeadlockDetectedError, asyncpg.InvalidCachedStatementError])
async def test_a_transaction_that_fails_by_chance_is_tried_once_more(ann, logged, monkeypatch, error):
    crashes = Crashes(me.get, error("by chance"), times=1)
    monkeypatch.setattr(me, "get", crashes)
    assert (await ann.get("/v1/me")).status == 200
    assert crashes.calls == 2
    crashes.calls, crashes.times = 0, 9
    check(await ann.get("/v1/me"), errors.Unavailable, Retry_After="1")
    assert crashes.calls == 2
    assert (await ann.service.metrics())['unavailable_total{reason="conflict"}'] == 1
    assert [record for record, _ in logged if record.levelno >= logging.ERROR] == []


@pytest.mark.skipif(
    pgbouncer.asked_for() and pgbouncer.keeps_prepared_statements(),
    reason="PgBouncer keeps the plans of its sessions until it is told to reconnect, see docs/deploy.md",
)
@pytest.mark.parametrize("column", ["notes type varchar(3000)", "category type varchar(60)"])
async def test_a_migration_under_way_is_not_noticed(config, ann, flat, db, column):
    size = config.pool_size
    expense = {}
    for _ in range(size):
        expense = await flat.spend()
    path = f"{flat.path}/expenses/{expense['expense_id']}"
    await ann.get(path)
    await ann.patch(path, {"amount": 1}, "*")
    # A migration that changes a column makes the views on it anew.
    names = ("live_expenses", "live_settlements")
    views = {name: await db.fetchval("select pg_get_viewdef($1::regclass)", name) for name in names}
    async with db.transaction():
        for name in views:
            await db.execute(f"drop view {name}")
        await db.execute(f"alter table expenses alter column {column}")
        for name, view in views.items():
            await db.execute(f"create view {name} as {view}")
    await db.execute("alter table expenses add column another text")
    for _ in range(size):
        await flat.spend()
    assert (await ann.get(path)).status == 200
    assert (await ann.patch(path, {"amount": 2}, '"2"')).status == 200
    assert (await ann.get(f"{flat.path}/expenses")).status == 200
    assert (await ann.delete(path, '"3"')).status == 204


async def test_a_deadlock_is_not_noticed(served, ann, flat, db, monkeypatch):
    updates = Crashes(members.update, None, times=0)
    monkeypatch.setattr(members, "update", updates)
    guest_id = await flat.guest()
    name = await db.fetchval("select current_database()")
    # The service's side is to be the one that notices the deadlock, and soon.
    await db.execute(f"alter database {name} set deadlock_timeout = '100ms'")
    await db.execute("set deadlock_timeout = '10s'")
    await served.app[DB].connections.expire()
    async with db.transaction():
        await db.execute("update members set name = 'A' where member_id = $1", guest_id)
        renaming = asyncio.create_task(ann.patch(f"{flat.path}/members/{guest_id}", {"name": "B"}))
        await waits_for_a_lock(db)
        await db.execute("update teams set name = 'Deadlock' where team_id = $1", flat.team_id)
    answer = await renaming
    assert (answer.status, answer.body["name"]) == (200, "B")
    assert updates.calls == 2


async def test_a_body_full_of_mistakes_gets_a_bounded_answer(ann):
    answer = await ann.post("/v1/teams", {f"field_{number}": 1 for number in range(1000)})
    assert answer.status == 422
    assert len(answer.body["errors"]) == 50
