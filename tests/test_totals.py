"""The totals by month: that the database keeps them exact, whoever writes, and however the previous release does."""

import asyncio
import datetime
import json
import random
import re
import shutil
from collections import Counter

import asyncpg
import psycopg
import pytest

from service import errors
from service.postgres.folders import folder
from service.postgres.migrate import migrate
from tests.rows import expenses

TOTALS = "select team_id, member_id, currency, kind, month, paid, owed from totals where paid <> 0 or owed <> 0"
ENTRIES = "select team_id, member_id, currency, kind, spent_on, paid, owed from entries"


async def kept(db):
    """Return what the totals say, by their key."""
    return {tuple(row)[:5]: tuple(row)[5:] for row in await db.fetch(TOTALS)}


async def summed(db):
    """Return the same, added up here from the entries."""
    paid, owed = Counter(), Counter()
    for row in await db.fetch(ENTRIES):
        key = (row["team_id"], row["member_id"], row["currency"], row["kind"], row["spent_on"].replace(day=1))
        paid[key] += row["paid"]
        owed[key] += row["owed"]
    return {key: (paid[key], owed[key]) for key in paid if paid[key] or owed[key]}


async def check(db):
    """Hold the totals against the entries, and the entries against the expenses."""
    assert await kept(db) == await summed(db)
    assert await db.fetch("select * from wrong_totals") == []
    assert await db.fetch("select * from unbalanced_expenses") == []


# What can be done to an expense of 900 in May, which Ann paid for herself and Kim.
CHANGES = {
    "another amount": {"amount": 901},
    "another day of the month": {"spent_on": "2024-05-31"},
    "another month": {"spent_on": "2024-06-01"},
    "another year": {"spent_on": "2025-05-15"},
    "another currency": {"currency": "JPY"},
    "another payer": {"payer": ":kim"},
    "only one participant": {"participants": [{"member_id": ":kim"}]},
    "all at once": {"amount": 7, "spent_on": "2023-01-01", "currency": "USD", "payer": ":kim"},
    "only words": {"description": "Supper"},
}


async def dinner(flat):
    """Record that expense; return Kim's id and its path."""
    kim = await flat.guest("Kim")
    expense = await flat.spend(900, spent_on="2024-05-15")
    return kim, f"{flat.path}/expenses/{expense['expense_id']}"


@pytest.mark.parametrize("case", CHANGES)
async def test_totals_follow_a_change_of_an_expense(flat, db, case):
    kim, path = await dinner(flat)
    await flat.spend(100, spent_on="2024-05-15")
    await check(db)
    change = json.loads(json.dumps(CHANGES[case]).replace(":kim", kim))
    answer = await flat.owner.patch(path, change, if_match="*")
    assert answer.status == 200, answer.body
    await check(db)


async def test_totals_follow_a_new_expense_and_a_deleted_one(flat, db):
    assert await kept(db) == {}
    kim, path = await dinner(flat)
    await check(db)
    may, team = datetime.date(2024, 5, 1), flat.team_id
    found = {(str(key[1]), key[4]): values for key, values in (await kept(db)).items()}
    assert found == {(flat.owner_id, may): (900, 450), (kim, may): (0, 450)}
    assert {str(key[0]) for key in await kept(db)} == {team}
    await flat.owner.delete(path, if_match="*")
    assert await kept(db) == {}
    await check(db)


async def test_a_month_that_is_used_again_changes_in_its_place(flat, db):
    _, path = await dinner(flat)
    for month in ("06", "05", "06"):
        await flat.owner.patch(path, {"spent_on": f"2024-{month}-15"}, if_match="*")
    # Those without anything stay for the next time.
    assert await db.fetchval("select count(*) from totals") == 4
    await check(db)


@pytest.mark.parametrize(
    ("trigger", "verb"),
    [("entries_added", "POST"), ("entries_changed", "PATCH"), ("entries_removed", "DELETE")],
)
async def test_without_a_trigger_the_totals_are_wrong(flat, db, trigger, verb):
    _, path = await dinner(flat)
    await db.execute(f"alter table entries disable trigger {trigger}")
    if verb == "POST":
        await flat.spend(100)
    else:
        await flat.owner.call(verb, path, {"amount": 902} if verb == "PATCH" else None, headers={"If-Match": "*"})
    assert await kept(db) != await summed(db)
    assert await db.fetchval("select count(*) from wrong_totals") == 2


async def test_totals_follow_whatever_is_written_at_random(flat, db):
    chance = random.Random(7)  # noqa: S311 -- a test that can be repeated.
    members = [flat.owner_id, *[await flat.guest(f"Guest {number}") for number in range(3)]]
    paths = []
    for _ in range(60):
        fields = {
            "amount": chance.randint(1, 10**9),
            "currency": chance.choice(["EUR", "JPY"]),
            "spent_on": f"2024-0{chance.randint(1, 3)}-{chance.randint(10, 28)}",
            "payer": chance.choice(members),
            "participants": [{"member_id": each} for each in chance.sample(members, chance.randint(1, 4))],
        }
        verb = chance.choice(["POST", "POST", "PATCH", "DELETE"]) if paths else "POST"
        if verb == "POST":
            paths.append(f"{flat.path}/expenses/{(await flat.spend(**fields))['expense_id']}")
        elif verb == "PATCH":
            assert (await flat.owner.patch(chance.choice(paths), fields, if_match="*")).status == 200
        else:
            path = paths.pop(chance.randrange(len(paths)))
            assert (await flat.owner.delete(path, if_match="*")).status == 204
    await check(db)


async def test_many_expenses_in_one_statement_are_added_up_as_well(flat, db):
    await expenses(db, flat.team_id, flat.owner_id, 500)
    await check(db)
    await db.execute("update expenses set spent_on = spent_on + 45 where spent_on < '2024-03-01'")
    await check(db)
    await db.execute("update entries set paid = paid, owed = owed")
    await check(db)
    await db.execute(
        """
        with gone as (update expenses set deleted_at = now() where spent_on > '2024-04-01' returning expense_id)
        delete from entries using gone where entries.expense_id = gone.expense_id
        """
    )
    await check(db)
    assert await kept(db)


# What the previous release sends: entries without a kind and a day.
PREVIOUS = {
    "create": """
    with expense as (
        insert into expenses
        (team_id, description, amount, currency, spent_on, split, payers, participants, created_by, kind)
        values ($1, 'Lunch', 500, 'EUR', '2024-07-15', 'equal', '[]', '[]', $2, 'settlement')
        returning expense_id, currency
    )
    insert into entries (team_id, expense_id, member_id, currency, paid, owed)
    select $1, expense.expense_id, $2, expense.currency, 500, 500 from expense where $3::uuid is not null
    """,
    "update": """
    with expense as (
        update expenses set amount = 1000, currency = 'USD', spent_on = '2024-08-02', version = version + 1
        where team_id = $1 and expense_id = $3
        returning expense_id, currency
    ),
    dropped as (
        delete from entries using expense
        where entries.team_id = $1 and entries.expense_id = $3 and entries.member_id <> $2
    )
    insert into entries (team_id, expense_id, member_id, currency, paid, owed)
    select $1, expense.expense_id, $2, expense.currency, 1000, 1000 from expense
    on conflict (team_id, expense_id, member_id) do update
        set currency = excluded.currency, paid = excluded.paid, owed = excluded.owed
    """,
    "delete": """
    with expense as (
        update expenses set deleted_at = now() where team_id = $1 and expense_id = $3 returning expense_id
    )
    delete from entries using expense where entries.team_id = $1 and entries.expense_id = $3 and $2::uuid is not null
    """,
}


@pytest.mark.parametrize("verb", PREVIOUS)
async def test_what_the_previous_release_writes_is_right(flat, db, verb):
    _, path = await dinner(flat)
    await db.execute(PREVIOUS[verb], flat.team_id, flat.owner_id, path.rpartition("/")[2])
    assert await db.fetchval("select bool_and(spent_on is not null and kind is not null) from entries") is not False
    await check(db)


@pytest.mark.parametrize("trigger", ["entries_dated on entries", "expenses_dated on expenses"])
async def test_without_a_trigger_it_would_not_be(flat, db, trigger):
    _, path = await dinner(flat)
    name, table = trigger.split(" on ")
    await db.execute(f"alter table {table} disable trigger {name}")
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await db.execute(
            PREVIOUS["create" if table == "entries" else "update"],
            *(flat.team_id, flat.owner_id, path.rpartition("/")[2]),
        )


async def test_a_sum_that_would_not_fit_is_refused_and_nothing_stored(flat, db):
    _, path = await dinner(flat)
    await db.execute("update totals set paid = 9000000000000000000 - 99 where member_id = $1", flat.owner_id)
    before = await db.fetch("select * from entries"), await db.fetch("select * from revisions")
    for answer in (
        await flat.owner.post(f"{flat.path}/expenses", {"description": "A", "amount": 100, "spent_on": "2024-05-01"}),
        await flat.owner.patch(path, {"amount": 1000}, if_match="*"),
    ):
        assert (answer.status, answer.body["type"]) == (422, f"/problems/{errors.SumTooLarge.slug()}")
    assert (await db.fetch("select * from entries"), await db.fetch("select * from revisions")) == before
    # There is room for this, and in the month after it for anything.
    await flat.spend(99, spent_on="2024-05-01")
    await flat.spend(10**12, spent_on="2024-06-01")


async def turned_at_once(flat, db, direct):
    """Let two connections, without the lock of the team, write the same twenty totals again and again."""
    for number in range(20):
        await flat.guest(f"Guest {number}")
    found = [(await flat.spend(2100, spent_on="2024-05-01"))["expense_id"] for _ in range(2)]
    sql = """
        update entries set owed = case when member_id = $1 then 2100 - 20 * $2::bigint else $2 end
        where expense_id = $3
    """

    async def write(expense):
        connection = await asyncpg.connect(direct)
        try:
            for share in range(100):
                await connection.execute(sql, flat.owner_id, share, expense)
        finally:
            await connection.close()

    async with asyncio.timeout(60):
        await asyncio.gather(*map(write, found))


async def test_two_that_write_the_same_totals_do_not_wait_for_each_other_for_ever(flat, db, direct):
    await turned_at_once(flat, db, direct)
    await check(db)


async def test_in_no_order_they_would(flat, db, direct):
    source = await db.fetchval("select pg_get_functiondef('keep_totals'::regproc)")
    ordered = "order by team_id, member_id, currency, kind, month_of(spent_on)"
    assert source.count(ordered) == 3
    await db.execute(source.replace(ordered, "order by random()"))
    with pytest.raises(asyncpg.DeadlockDetectedError):
        await turned_at_once(flat, db, direct)


async def test_the_rule_is_checked_once_a_statement_however_many_members_there_are(flat, db):
    await db.execute("set track_functions = 'all'")
    members = [flat.owner_id, *[await flat.guest(f"Guest {number}") for number in range(20)]]
    expense = await flat.spend(2100)
    calls = "select calls from pg_stat_xact_user_functions where funcname = 'check_expense'"
    async with db.transaction():
        await db.execute("update entries set owed = 100 where expense_id = $1", expense["expense_id"])
        assert await db.fetchval(calls) == 1
    assert len(members) == 21


def test_the_migrations_date_and_add_up_what_is_there(empty_database, tmp_path):
    for file in folder("migrations").glob("00*.sql"):
        if re.match(r"00(0\d|1[0-4])", file.name):
            shutil.copy(file, tmp_path)
    migrate(empty_database, tmp_path)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(
            """
            with team as (
                insert into teams (name, currency) select 'Flat', 'EUR' from generate_series(1, 3) returning team_id
            )
            insert into members (team_id, name, role)
            select team_id, 'Guest', 'guest' from team cross join generate_series(1, 3)
            """
        )
        connection.execute(
            """
            with expense as (
                insert into expenses
                (team_id, description, amount, currency, spent_on, split, payers, participants, created_by, kind)
                select team_id, 'Tea', 10 + day, 'EUR', date '2024-01-20' + day, 'equal', '[]', '[]', member_id, kind
                from members cross join generate_series(1, 40) as day
                cross join unnest(array['expense', 'settlement']) as kind
                returning team_id, expense_id, created_by, amount, currency
            )
            insert into entries (team_id, expense_id, member_id, currency, paid, owed)
            select team_id, expense_id, created_by, currency, amount, amount from expense
            """
        )
        migrate(empty_database)
        # The whole schema is there, so these see everything.
        assert connection.execute("select count(*) from wrong_totals").fetchone() == (0,)
        assert connection.execute("select count(*) from unbalanced_expenses").fetchone() == (0,)
        [(rows, paid, owed)] = connection.execute("select count(*), sum(paid), sum(owed) from totals").fetchall()
        assert rows == 9 * 2 * 2
        assert paid == owed == 9 * 2 * sum(range(11, 51))


def test_what_the_previous_release_writes_while_they_fill_is_counted_once(empty_database, tmp_path):
    for file in folder("migrations").glob("00*.sql"):
        if re.match(r"00(0\d|1[0-5])", file.name):
            shutil.copy(file, tmp_path)
    migrate(empty_database, tmp_path)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        [(team, ann)] = connection.execute(
            """
            with team as (insert into teams (name, currency) values ('Flat', 'EUR') returning team_id)
            insert into members (team_id, name, role) select team_id, 'Ann', 'guest' from team
            returning team_id, member_id
            """
        ).fetchall()
        found = []
        for day in (1, 2, 3):
            [(expense,)] = connection.execute(
                """
                with expense as (
                    insert into expenses
                    (team_id, description, amount, currency, spent_on, split, payers, participants, created_by)
                    values (%s, 'Tea', 7, 'EUR', date '2024-01-01' + %s, 'equal', '[]', '[]', %s) returning expense_id
                )
                insert into entries (team_id, expense_id, member_id, currency, paid, owed)
                select %s, expense_id, %s, 'EUR', 7, 7 from expense returning expense_id
                """,
                (team, day, ann, team, ann),
            ).fetchall()
            found.append(expense)
        # As those of before are found.
        connection.execute("set session_replication_role = replica")
        connection.execute("update entries set kind = null, spent_on = null")
        connection.execute("delete from totals")
        connection.execute("reset session_replication_role")
        for verb, expense in zip(("update", "delete"), found, strict=False):
            sql = re.sub(r"\$(\d)", lambda number: f"%({'tae'[int(number[1]) - 1]})s", PREVIOUS[verb])
            connection.execute(sql, {"t": team, "a": ann, "e": expense})
        assert connection.execute("select month, paid from totals").fetchall() == [(datetime.date(2024, 8, 1), 1000)]
        migrate(empty_database)
        assert connection.execute("select count(*) from wrong_totals").fetchone() == (0,)
        assert connection.execute("select sum(paid), sum(owed) from totals").fetchone() == (1007, 1007)
