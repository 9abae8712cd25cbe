"""Requests at the same time: each race is shown to be one without its guard, and then to be none with it."""

import asyncio
import contextlib
from dataclasses import replace

import orjson
import pytest

from service.me import service as me
from service.postgres import pool as db_module
from service.postgres import shares as shares_module
from service.postgres.folders import folder
from service.postgres.pool import Database
from service.postgres.queries import queries, query
from tests.conftest import PASSWORD
from tests.rows import all_rows, guests

WAITING = """
select count(distinct pid)
from pg_locks
where not granted and pid in (select pid from pg_stat_activity where datname = current_database())
"""
# The lock of a team, and the same without locking: any revision will do.
LOCK = [
    (
        "update teams\nset revision = teams.revision + 1\nfrom actors\n",
        "select (random() * 1000000000)::bigint as revision\nfrom teams, actors\n",
    ),
    ("returning teams.revision", ""),
]


@pytest.fixture(autouse=True)
def _no_turns(monkeypatch):
    # The races are to be decided by the database, as between two processes.
    monkeypatch.setattr(db_module, "turns_max", 100)
    monkeypatch.setattr(shares_module, "shares", (1.0, 1.0))


@pytest.fixture
def config(config):
    # Every request of a race gets a connection, and waits at the lock until all of them do, on a slow machine as well.
    return replace(config, pool_size=25, pool_wait_seconds=60, statement_seconds=60)


def without(monkeypatch, name, replacements):
    """Take a guard out of a query of the running service, or put something else in its place."""
    feature, verb = name.split(".")
    sql = (folder("sql") / feature / f"{verb}.sql").read_text()
    for guard, instead in replacements:
        assert guard in sql
        sql = sql.replace(guard, instead)
    monkeypatch.setattr(getattr(queries, feature), verb, query(name, sql))


async def wait_for(db, count):
    """Return when so many connections wait for a lock."""
    async with asyncio.timeout(60):
        while True:
            await db.execute("select pg_stat_clear_snapshot()")
            if await db.fetchval(WAITING) >= count:
                return
            await asyncio.sleep(0.005)


async def at_once(db, team, *requests, meanwhile=""):
    """Return the answers to requests that all have begun before any can end.

    `meanwhile` is a statement that takes hold while they wait; `:team_id` is the team.
    """
    async with contextlib.AsyncExitStack() as stack:
        transaction = db.transaction()
        await transaction.start()
        stack.push_async_callback(transaction.commit)
        await db.execute("select 1 from teams where team_id = $1 for update", team.team_id)
        tasks = [asyncio.create_task(request) for request in requests]
        await wait_for(db, len(tasks))
        if meanwhile:
            await db.execute(meanwhile)
    return await asyncio.gather(*tasks)


def statuses(answers):
    return sorted(answer.status for answer in answers)


@pytest.mark.parametrize("guarded", [False, True])
async def test_owners_who_leave_at_once_leave_one_behind(bob, flat, db, monkeypatch, *, guarded):
    if not guarded:
        without(monkeypatch, "teams.lock", LOCK)
    bob_id = await flat.add(bob, "owner")
    answers = await at_once(
        db,
        flat,
        flat.owner.delete(f"{flat.path}/members/{flat.owner_id}"),
        bob.delete(f"{flat.path}/members/{bob_id}"),
    )
    owners = await db.fetchval("select count(*) from members where role = 'owner' and left_at is null")
    assert (statuses(answers), owners) == (([204, 409], 1) if guarded else ([204, 204], 0))
    if guarded:
        [refused] = [answer for answer in answers if answer.status == 409]
        assert refused.body["type"] == "/problems/last-owner"


@pytest.mark.parametrize("guarded", [False, True])
async def test_owners_who_step_down_at_once_leave_one_behind(bob, flat, db, monkeypatch, *, guarded):
    if not guarded:
        without(monkeypatch, "teams.lock", LOCK)
    bob_id = await flat.add(bob, "owner")
    answers = await at_once(
        db,
        flat,
        flat.owner.patch(f"{flat.path}/members/{flat.owner_id}", {"role": "admin"}),
        bob.patch(f"{flat.path}/members/{bob_id}", {"role": "admin"}),
    )
    owners = await db.fetchval("select count(*) from members where role = 'owner' and left_at is null")
    assert (statuses(answers), owners) == (([200, 409], 1) if guarded else ([200, 200], 0))


@pytest.mark.parametrize("guarded", [False, True])
async def test_members_who_come_at_once_fit_in(flat, db, monkeypatch, *, guarded):
    await guests(db, flat.team_id, 198)
    if not guarded:
        without(monkeypatch, "teams.lock", LOCK)
    requests = [flat.owner.post(f"{flat.path}/members", {"name": f"Late {number}"}) for number in range(3)]
    answers = await at_once(db, flat, *requests)
    members = await db.fetchval("select count(*) from members")
    assert (statuses(answers), members) == (([201, 409, 409], 200) if guarded else ([201, 201, 201], 202))


@pytest.mark.parametrize("guarded", [False, True])
async def test_changes_of_one_version_lose_none(flat, db, monkeypatch, *, guarded):
    path = f"{flat.path}/expenses/{(await flat.spend())['expense_id']}"
    if not guarded:
        without(monkeypatch, "teams.lock", LOCK)
    requests = [flat.owner.patch(path, {"amount": 100 + number}, if_match='"1"') for number in range(20)]
    answers = await at_once(db, flat, *requests)
    row = await db.fetchrow("select version, amount from expenses")
    if not guarded:
        assert (statuses(answers), row["version"]) == ([200] * 20, 21)
        return
    assert statuses(answers) == [200] + [412] * 19
    [changed] = [answer.body for answer in answers if answer.status == 200]
    assert tuple(row) == (2, changed["amount"])
    assert await db.fetchval("select sum(paid)::bigint from entries") == changed["amount"]
    assert await db.fetchval("select count(*) from revisions") == 3


async def test_a_delete_and_changes_of_one_version_leave_one_of_them(flat, db):
    path = f"{flat.path}/expenses/{(await flat.spend())['expense_id']}"
    answers = await at_once(
        db,
        flat,
        *(flat.owner.delete(path, if_match='"1"') for _ in range(5)),
        *(flat.owner.patch(path, {"amount": 100 + number}, if_match='"1"') for number in range(5)),
    )
    assert len([answer for answer in answers if answer.status < 300]) == 1
    assert {answer.status for answer in answers} <= {200, 204, 404, 412}
    assert await db.fetchval("select count(*) from revisions") == 3


@pytest.mark.parametrize("guarded", [False, True])
async def test_expenses_recorded_at_once_are_all_there_in_order(flat, db, monkeypatch, *, guarded):
    if not guarded:
        revision = "teams.revision"
        columns = ",\n        ".join(
            f"{table}.{name}"
            for table, names in {
                "teams": ("revision", "currency", "time_zone"),
                "actors": ("member_id", "role", "can_record", "is_archived"),
            }.items()
            for name in names
        )
        without(
            monkeypatch,
            "expenses.prepare",
            [
                (
                    "update teams\n    set revision = teams.revision + 1\n    from actors\n",
                    f"select {columns.replace(revision, f'{revision} + 1 as revision')}\n    from teams, actors\n",  # noqa: S608 -- of ours.
                ),
                (f"    returning\n        {columns}\n", ""),
            ],
        )
    body = {"description": "Dinner", "amount": 1001}
    answers = await at_once(db, flat, *(flat.owner.post(f"{flat.path}/expenses", body) for _ in range(16)))
    if not guarded:
        # All take the same revision, and the key of revisions lets one of them through.
        assert statuses(answers) == [201] + [500] * 15
        return
    assert statuses(answers) == [201] * 16
    rows = await db.fetch("select revision, subject_id::text from revisions order by revision")
    assert [row["revision"] for row in rows] == list(range(1, 18))
    assert {row["subject_id"] for row in rows[1:]} == {answer.body["expense_id"] for answer in answers}
    assert await db.fetchval("select revision from teams") == 17
    assert await db.fetchval("select count(*) from expenses") == 16


async def test_writes_of_all_kinds_leave_gapless_revisions(served, flat, db):
    others = [await served.person(f"Person {number}") for number in range(4)]
    expenses = [await flat.spend(participants=[{"member_id": flat.owner_id}]) for _ in range(4)]
    guests = [await flat.guest() for _ in range(4)]
    answers = await asyncio.gather(
        *(flat.owner.post(f"{flat.path}/members", {"email": person.email}) for person in others),
        *(flat.owner.patch(f"{flat.path}/members/{guest}", {"name": "Kim"}) for guest in guests[:2]),
        *(flat.owner.delete(f"{flat.path}/members/{guest}?keep_balance=true") for guest in guests[2:]),
        *(flat.owner.patch(f"{flat.path}/expenses/{each['expense_id']}", {"amount": 5}, "*") for each in expenses[:2]),
        *(flat.owner.delete(f"{flat.path}/expenses/{each['expense_id']}", "*") for each in expenses[2:]),
        *(flat.owner.patch(flat.path, {"name": f"Flat {number}"}) for number in range(3)),
        flat.owner.post(f"{flat.path}/members", {"name": ""}),
    )
    assert [answer.status for answer in answers if answer.status >= 300] == [422]
    revisions = await db.fetchval("select array_agg(revision order by revision) from revisions")
    assert revisions == list(range(1, len(revisions) + 1))
    assert await db.fetchval("select revision from teams") == len(revisions) == 1 + 8 + 15
    # Each change of the name is from what the one before it made.
    names = await db.fetch(
        "select before ->> 'name', after ->> 'name' from revisions where action = 'teams.update' order by revision"
    )
    assert [row[0] for row in names] == ["Flat", *(row[1] for row in names[:-1])]


MEMBERS_ARE_CHECKED = [("then 'members-changed'", "then null")]
LEAVES = "update members set left_at = now() where name = 'Kim'"
COMES = "insert into members (team_id, name, role) select team_id, 'Lee', 'guest' from teams"


@pytest.mark.parametrize("guarded", [False, True])
@pytest.mark.parametrize("meanwhile", [LEAVES, COMES], ids=["leaves", "comes"])
async def test_an_expense_is_split_among_those_who_are_there(flat, db, monkeypatch, *, guarded, meanwhile):
    await flat.guest("Kim")
    if not guarded:
        without(monkeypatch, "expenses.create", MEMBERS_ARE_CHECKED)
    request = flat.owner.post(f"{flat.path}/expenses", {"description": "Dinner", "amount": 900})
    [answer] = await at_once(db, flat, request, meanwhile=meanwhile)
    if not guarded:
        # One who left owes a part, or one who came does not.
        assert (answer.status, len(answer.body["participants"])) == (201, 2)
        return
    assert (answer.status, answer.body["type"]) == (409, "/problems/conflict")
    assert await db.fetchval("select count(*) from expenses") == 0
    assert await db.fetchval("select revision from teams") == 2
    again = await flat.spend(900)
    assert len(again["participants"]) == (1 if meanwhile == LEAVES else 3)


@pytest.mark.parametrize("guarded", [False, True])
async def test_as_many_come_as_leave_and_it_is_noticed(flat, db, monkeypatch, *, guarded):
    kim_id = await flat.guest("Kim")
    await flat.spend(900)
    if not guarded:
        without(monkeypatch, "expenses.create", MEMBERS_ARE_CHECKED)
    request = flat.owner.post(f"{flat.path}/expenses", {"description": "Dinner", "amount": 900})
    # Kim leaves with a debt, so an expense could still name her.
    [answer] = await at_once(db, flat, request, meanwhile=f"{LEAVES}; {COMES}")
    if not guarded:
        assert {each["member_id"] for each in answer.body["participants"]} == {flat.owner_id, kim_id}
        return
    assert (answer.status, answer.body["type"]) == (409, "/problems/conflict")
    assert await db.fetchval("select count(*) from expenses") == 1
    shared = {each["member_id"] for each in (await flat.spend(900))["participants"]}
    assert len(shared) == 2
    assert kim_id not in shared


async def test_who_is_named_may_not_have_left_but_others_may_have_come(flat, db):
    guest = await flat.guest("Kim")
    body = {"description": "Dinner", "amount": 900, "participants": [{"member_id": flat.owner_id}]}
    [answer] = await at_once(db, flat, flat.owner.post(f"{flat.path}/expenses", body), meanwhile=COMES)
    assert answer.status == 201
    body["participants"] = [{"member_id": guest}]
    [answer] = await at_once(db, flat, flat.owner.post(f"{flat.path}/expenses", body), meanwhile=LEAVES)
    assert (answer.status, answer.body["type"]) == (409, "/problems/conflict")
    assert await db.fetchval("select count(*) from expenses") == 1


async def test_a_member_does_not_leave_while_an_expense_makes_them_owe(bob, flat, db):
    bob_id = await flat.add(bob)
    body = {"description": "Dinner", "amount": 900, "participants": [{"member_id": bob_id}]}
    answers = await at_once(
        db, flat, flat.owner.post(f"{flat.path}/expenses", body), bob.delete(f"{flat.path}/members/{bob_id}")
    )
    # Whichever comes first, the other is refused.
    assert statuses(answers) in ([201, 409], [204, 409])
    assert await db.fetchval("select left_at is null from members where member_id = $1", bob_id) == (
        await db.fetchval("select count(*) from entries") > 0
    )


@pytest.mark.parametrize("guarded", [False, True])
async def test_a_viewer_does_not_record_what_they_began_as_a_member(bob, flat, db, monkeypatch, *, guarded):
    bob_id = await flat.add(bob)
    if not guarded:
        without(monkeypatch, "expenses.create", [("when not actors.can_record then", "when false then")])
    body = {"description": "Dinner", "amount": 900, "participants": [{"member_id": bob_id}]}
    request = bob.post(f"{flat.path}/expenses", body)
    [answer] = await at_once(db, flat, request, meanwhile="update members set role = 'viewer' where name = 'Bob'")
    assert answer.status == (403 if guarded else 201)
    assert await db.fetchval("select count(*) from expenses") == (0 if guarded else 1)


# What happens to Bob, an owner, or to the team while his write waits, and what then comes of it.
MEANWHILE = {
    "he becomes a viewer": ("update members set role = 'viewer' where name = 'Bob'", {403, 409}),
    "he is removed": ("update members set left_at = now() where name = 'Bob'", {404}),
    "the team is deleted": ("update teams set deleted_at = now()", {404}),
    "the team is archived": ("update teams set archived_at = now()", {409}),
}
UNDO = """
update members set role = 'owner', left_at = null where name = 'Bob';
update teams set deleted_at = null, archived_at = null
"""
WRITES = [
    ("PATCH", "", {"name": "Bob's"}),
    ("DELETE", "", None),
    ("POST", "/members", {"name": "Kim"}),
    ("PATCH", "/members/{member_id}", {"name": "Kim"}),
    ("DELETE", "/members/{member_id}", None),
    ("POST", "/expenses", {"description": "Lunch", "amount": 1}),
    ("PATCH", "/expenses/{expense_id}", {"amount": 1}),
    ("DELETE", "/expenses/{expense_id}", None),
]
# An archived team may be deleted, and holds nobody.
OPEN_WHILE_ARCHIVED = {("DELETE", ""), ("PATCH", "/members/{member_id}"), ("DELETE", "/members/{member_id}")}
WAITED = [
    (event, *write)
    for event in MEANWHILE
    for write in WRITES
    if event != "the team is archived" or write[:2] not in OPEN_WHILE_ARCHIVED
]


@pytest.mark.parametrize(("event", "method", "path", "body"), WAITED)
async def test_a_write_that_waited_is_refused_for_what_happened_meanwhile(bob, flat, db, *, event, method, path, body):
    meanwhile, expected = MEANWHILE[event]
    await flat.add(bob, "owner")
    guest = await flat.guest()
    expense = await flat.spend(900, by=bob, payer=flat.owner_id, participants=[{"member_id": flat.owner_id}])
    target = flat.path + path.format(member_id=guest, expense_id=expense["expense_id"])
    before = await all_rows(db)
    request = bob.call(method, target, body, headers={"If-Match": "*"})
    [answer] = await at_once(db, flat, request, meanwhile=meanwhile)
    await db.execute(UNDO)
    assert answer.status in expected
    assert await all_rows(db) == before


async def test_readers_always_see_balances_of_zero(flat, db):
    for number in range(3):
        await flat.guest(f"Guest {number}")
    writing = True
    sums = []

    async def write(number):
        currency = ["EUR", "JPY"][number % 2]
        for turn in range(3):
            expense = await flat.spend(1000 + number, currency=currency)
            path = f"{flat.path}/expenses/{expense['expense_id']}"
            await flat.owner.patch(path, {"amount": 7 + turn}, if_match="*")
            if turn % 2:
                await flat.owner.delete(path, if_match="*")

    async def read():
        while writing:
            items = (await flat.owner.get(f"{flat.path}/balances")).body["items"]
            currencies = {item["currency"] for item in items}
            sums.extend(sum(item["net"] for item in items if item["currency"] == each) for each in currencies)

    readers = [asyncio.create_task(read()) for _ in range(2)]
    await asyncio.gather(*(write(number) for number in range(8)))
    writing = False
    await asyncio.gather(*readers)
    assert len(sums) > 10
    assert set(sums) == {0}


PAUSE = "select pg_advisory_xact_lock(1)"


@pytest.mark.parametrize("guarded", [False, True])
async def test_balances_are_of_one_moment_though_an_expense_comes_while_they_are_read(
    flat, db, monkeypatch, *, guarded
):
    async def in_two_statements(pool, **of_whom):
        first = await get(pool, **of_whom)
        await pool.ask("fetchval", "pause", PAUSE, [])
        second = await get(pool, **of_whom)
        pairs = zip(*(orjson.loads(orjson.dumps(read["items"])) for read in (first, second)), strict=True)
        items = [paid | {"owed": owed["owed"], "net": paid["paid"] - owed["owed"]} for paid, owed in pairs]
        return {"revision": first["revision"], "is_settled": False, "items": items}

    get = queries.balances.get
    if guarded:
        # The one statement that there is, held up in its middle.
        without(monkeypatch, "balances.get", [("from team;", f"from team, ({PAUSE}) as pause;")])
    else:
        monkeypatch.setattr(queries.balances, "get", in_two_statements)
    await db.execute("select pg_advisory_lock(1)")
    reading = asyncio.create_task(flat.owner.get(f"{flat.path}/balances"))
    await wait_for(db, 1)
    await flat.spend(900)
    await db.execute("select pg_advisory_unlock(1)")
    answer = await reading
    [ann] = answer.body["items"]
    # Of two statements the first saw nothing paid, and the second what is owed for it.
    assert (answer.body["revision"], ann["paid"], ann["net"]) == ((1, 0, 0) if guarded else (1, 0, -900))
    assert await flat.nets() == {flat.owner_id: 0}


# Opening a session waits once it has looked at the password; so does the commit of a change of the password.
WAITS_WHILE_LOCKED = """
create function wait() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock(1);
    return new;
end
$$;
"""
OPENING_WAITS = "create trigger waits before insert on sessions for each row execute function wait()"
CHANGING_WAITS = """
create constraint trigger waits after update on users deferrable initially deferred
for each row execute function wait()
"""
CHANGE = {"password": "another long password", "current_password": PASSWORD}


async def opened_with_the_old_password(served, ann, db):
    """Return how many sessions are live that were opened with the old password."""
    login = {"email": ann.email, "password": CHANGE["password"]}
    assert (await served.call("POST", "/v1/auth/login", login)).status == 200
    # One that changed the password, and one that knows the new one.
    return await db.fetchval("select count(*) from sessions where revoked_at is null") - 2


@pytest.mark.parametrize("guarded", [False, True])
async def test_no_session_opens_with_a_password_that_was_changed_meanwhile(served, ann, db, monkeypatch, *, guarded):
    if not guarded:
        without(monkeypatch, "auth.confirm_session", [("and not exists", "and false and not exists")])
    await db.execute(WAITS_WHILE_LOCKED + OPENING_WAITS)
    await db.execute("select pg_advisory_lock(1)")
    login = {"email": ann.email, "password": PASSWORD}
    logins = [asyncio.create_task(served.call("POST", "/v1/auth/login", login)) for _ in range(3)]
    await wait_for(db, 3)
    assert (await ann.patch("/v1/me", CHANGE)).status == 200
    await db.execute("select pg_advisory_unlock(1)")
    answers = await asyncio.gather(*logins)
    assert statuses(answers) == ([401] * 3 if guarded else [200] * 3)
    assert await opened_with_the_old_password(served, ann, db) == (0 if guarded else 3)


@pytest.mark.parametrize("guarded", [False, True])
async def test_an_old_address_does_not_come_back_without_a_password(ann, db, monkeypatch, *, guarded):
    if not guarded:
        without(monkeypatch, "me.update", [("then email = coalesce(:email, email)", "then :email::text is not null")])
    async with db.transaction():
        await db.execute("update users set email = 'anna@example.com'")
        # Where this is sent, it is still the address that there is, which needs no password.
        changing = asyncio.create_task(ann.patch("/v1/me", {"email": ann.email}))
        await wait_for(db, 1)
    answer = await changing
    assert answer.status == (422 if guarded else 200)
    assert await db.fetchval("select email from users") == ("anna@example.com" if guarded else ann.email)


@pytest.mark.parametrize("guarded", [False, True])
async def test_no_session_of_the_old_password_outlives_its_change(served, ann, db, monkeypatch, *, guarded):
    if not guarded:
        # That after the commit; the one within it goes on.
        ends = me._end_other_sessions
        monkeypatch.setattr(
            me,
            "_end_other_sessions",
            lambda db, actor: asyncio.sleep(0) if isinstance(db, Database) else ends(db, actor),
        )
    await db.execute(WAITS_WHILE_LOCKED + CHANGING_WAITS)
    await db.execute("select pg_advisory_lock(1)")
    changing = asyncio.create_task(ann.patch("/v1/me", CHANGE))
    await wait_for(db, 1)
    login = {"email": ann.email, "password": PASSWORD}
    answers = [await served.call("POST", "/v1/auth/login", login) for _ in range(3)]
    assert statuses(answers) == [200] * 3
    await db.execute("select pg_advisory_unlock(1)")
    assert (await changing).status == 200
    assert await opened_with_the_old_password(served, ann, db) == (0 if guarded else 3)
