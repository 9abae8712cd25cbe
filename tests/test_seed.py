"""The sample data: that it is realistic, adds up, can be logged in to, and comes whole or not at all."""

import asyncio
import datetime
import json
import re
import subprocess
import sys
from dataclasses import replace
from typing import NamedTuple

import asyncpg
import psycopg
import pytest

from service.postgres.migrate import migrate
from service.seed.fill import fill
from tests.process import ROOT, clean, on
from tests.rows import all_rows, user

SEED = [sys.executable, "-m", "service", "seed"]
WRITES_EXPENSES = """
select exists(
    select 1 from pg_stat_activity where datname = current_database() and query like '%as taken_id%'
    and pid <> pg_backend_pid()
)
"""
OTHERS = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"


class Seeded(NamedTuple):
    name: str
    output: str


def surroundings(dsn):
    """Where `expenses seed` runs, and its environment with a database."""
    return {"env": clean() | on(dsn), "cwd": ROOT}


@pytest.fixture(scope="module")
def seeded(postgres, pooler, template):
    """A database that was seeded, and what that said."""
    name = f"{template}_seeded"
    with psycopg.connect(postgres.dsn("postgres"), autocommit=True) as connection:
        connection.execute(f"create database {name} template {template}")
        try:
            surrounded = surroundings((pooler or postgres).dsn(name))
            done = subprocess.run(SEED, **surrounded, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            yield Seeded(name, done.stdout + done.stderr)
        finally:
            connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def database_name(seeded):
    """Let `db`, `config` and `served` be on the seeded database."""
    return seeded.name


@pytest.fixture
def fresh(config, empty_database):
    """The configuration for a database that has the schema and no rows."""
    migrate(empty_database)
    return replace(config, database_url=empty_database)


@pytest.fixture
async def connected(fresh):
    """A connection to the fresh database, to see the rows."""
    connection = await asyncpg.connect(fresh.database_url)
    yield connection
    await connection.close()


async def until(connection, query, expected):
    for _ in range(1000):
        if await connection.fetchval(query) == expected:
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"it did not become {expected}: {query}")


async def test_makes_twelve_accounts_and_four_teams_in_three_currencies(db):
    assert await db.fetchval("select count(*) from users") == 12
    currencies = await db.fetch("select currency, count(*) from teams group by currency order by currency")
    assert [tuple(row) for row in currencies] == [("EUR", 2), ("GBP", 1), ("JPY", 1)]


async def test_gives_every_role_and_former_members_and_accounts_in_several_teams(db):
    roles = await db.fetch("select distinct role from members")
    assert {row["role"] for row in roles} == {"owner", "admin", "member", "viewer", "guest"}
    assert await db.fetchval("select count(*) from members where left_at is not null") == 1
    assert await db.fetchval("select count(*) from users where user_id not in (select user_id from actors)") == 1
    several = "select count(*) from (select 1 from members group by user_id having count(user_id) > 1) as several"
    assert await db.fetchval(several) >= 5


async def test_spends_for_two_years_until_today(db):
    row = await db.fetchrow("select min(spent_on) as first, max(spent_on) as last, count(*) as number from expenses")
    today = datetime.datetime.now(datetime.UTC).date()
    assert 0 <= (row["first"] - (today - datetime.timedelta(days=730))).days < 7
    assert 0 <= (today - row["last"]).days < 7
    assert row["number"] > 2000


async def test_splits_in_every_way_among_various_people(db):
    row = await db.fetchrow("""
        select
            count(*) filter (where split = 'exact' and kind = 'expense') as exact,
            count(*) filter (where split = 'equal') as equal,
            count(distinct split) as splits,
            count(distinct kind) as kinds,
            count(*) filter (where jsonb_array_length(payers) > 1) as several_payers,
            count(distinct payers -> 0 ->> 'member_id') as payers,
            count(distinct jsonb_array_length(participants)) as sizes
        from expenses
    """)
    assert min(row["exact"], row["equal"]) > 40
    assert (row["splits"], row["kinds"]) == (6, 3)
    assert row["several_payers"] > 10
    assert row["payers"] > 15
    assert row["sizes"] > 4


async def test_nets_to_zero_in_every_team_and_currency(db):
    nets = await db.fetch("select sum(paid) - sum(owed) as net from entries group by team_id, currency")
    assert [row["net"] for row in nets] == [0] * 5, "the trip has flights in EUR"


async def test_writes_entries_that_are_the_payers_and_participants(db):
    different = await db.fetch("""
        with typed as (
            select team_id, expense_id, part ->> 'member_id' as member_id, currency,
                (part ->> 'amount')::bigint as paid, 0 as owed
            from expenses
            cross join jsonb_array_elements(case when kind = 'income' then participants else payers end) as part
            union all
            select team_id, expense_id, part ->> 'member_id', currency, 0, (part ->> 'amount')::bigint
            from expenses
            cross join jsonb_array_elements(case when kind = 'income' then payers else participants end) as part
        ),

        expected as (
            select team_id, expense_id, member_id::uuid, currency, sum(paid) as paid, sum(owed) as owed
            from typed group by team_id, expense_id, member_id, currency
        ),

        ledger as (select team_id, expense_id, member_id, currency, paid, owed from entries)

        (table expected except table ledger) union all (table ledger except table expected)
    """)
    assert different == []


async def test_dates_everything_when_it_happened(db):
    wrong = await db.fetch("""
        select expense_id from expenses
        where created_at not between spent_on and least(spent_on + 2, now())
        or updated_at <> created_at
        union all
        select entries.expense_id from entries
        inner join expenses using (team_id, expense_id)
        inner join members using (team_id, member_id)
        where expenses.created_at not between members.joined_at and coalesce(members.left_at, now())
            -- Who left can still settle.
            and expenses.kind <> 'settlement'
        union all
        select subject_id from revisions
        inner join expenses on subject_id = expense_id
        where at <> created_at or (after ->> 'created_at')::timestamptz <> created_at
        union all
        select subject_id from (select subject_id, at, lag(at) over (partition by team_id order by revision) as before
            from revisions) as history
        where at < before
        union all
        select members.member_id from members inner join users using (user_id) inner join teams using (team_id)
        where joined_at < teams.created_at or joined_at < users.created_at or left_at > now()
    """)
    assert wrong == []
    assert await db.fetchval("select max(created_at) < now() - interval '1 year' from teams")


async def test_says_how_to_log_in(seeded, served):
    login = json.loads(re.search(r"curl \S+/v1/auth/login --json '(.*)'", seeded.output)[1])
    answer = await served.call("POST", "/v1/auth/login", login)
    assert answer.status == 200
    teams = await served.call("GET", "/v1/teams", token=answer.body["access_token"])
    assert [team["currency"] for team in teams.body["items"]] == ["JPY", "EUR"]


def test_stays_readable_without_a_terminal(seeded):
    assert "\r" not in seeded.output
    assert len(seeded.output.splitlines()) == 6


async def test_adds_nothing_the_second_time(config, db, capsys):
    before = await all_rows(db)
    await fill(config)
    assert await all_rows(db) == before
    assert "Nothing was added: the account anna@example.com already exists." in capsys.readouterr().out


async def test_adds_nothing_where_one_of_the_addresses_has_an_account(fresh, connected):
    await user(connected, "liam@example.com")
    await fill(fresh)
    assert [table for table, _ in await all_rows(connected)] == ["users"]


async def test_leaves_nothing_when_cancelled(fresh, connected):
    filling = asyncio.create_task(fill(fresh))
    await until(connected, WRITES_EXPENSES, expected=True)
    filling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await filling
    assert await all_rows(connected) == []


async def test_leaves_nothing_when_killed(fresh, connected):
    process = await asyncio.create_subprocess_exec(*SEED, **surroundings(fresh.database_url))
    try:
        await until(connected, WRITES_EXPENSES, expected=True)
    finally:
        process.kill()
        await process.wait()
    await until(connected, OTHERS, expected=0)
    assert await all_rows(connected) == []
