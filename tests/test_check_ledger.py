"""`expenses check --ledger`: it says what is wrong in the ledger, and makes wrong totals right."""

import asyncio
import re

import asyncpg
import pytest

from service.ops import ledger
from service.postgres.server import Server
from service.process.exits import StartError
from tests.process import ANSWER_SECONDS_MAX, on, run
from tests.rows import all_rows, expenses, guests, teams


def check(database, *arguments):
    """Run the command; return its status, its lines, and what it said on standard error."""
    done = run("check", *arguments, **on(database))
    return done.returncode, done.stdout.splitlines(), done.stderr


@pytest.fixture
async def household(flat, db):
    """A team whose guest owes 450 of May and 50 of June, and another team."""
    await teams(db, flat.owner.user_id, 3)
    guest = await flat.guest("Kim")
    await flat.spend(900, spent_on="2024-05-15")
    await flat.spend(100, spent_on="2024-06-15")
    await (await flat.owner.team("Trip")).spend(500)
    return flat, guest


async def test_a_ledger_that_is_right_is_said_to_be(household, database):
    status, lines, progress = check(database, "--ledger")
    assert (status, lines) == (0, ["the ledger is right; teams: 5"])
    assert re.search(r"checked: 100%.* 5/5 ", progress)


async def test_it_names_the_balances_whose_totals_are_wrong_and_changes_nothing(household, database, db):
    flat, guest = household
    await db.execute("update totals set paid = paid + 7 where member_id = $1", guest)
    before = await all_rows(db)
    status, lines, said = check(database, "--ledger")
    assert status == 1
    both = "paid 0 and owed 500 by the entries, but 14 and 500 by the totals, of as many months as differ: 2"
    assert lines == [f"team {flat.team_id}, member {guest}, EUR: {both}"]
    assert said.splitlines()[-1] == (
        "expenses: The ledger is wrong. Expenses that their entries do not come to: 0; "
        "balances whose totals are not those of their entries: 1."
    )
    assert await all_rows(db) == before


# What goes around the triggers.
TAMPERED = {
    "a total": "update totals set paid = paid + 1 where month = '2024-05-01'",
    "one that is nowhere else": """insert into totals select team_id, member_id, 'JPY', kind, month, 5, 0 from totals
        where month = '2024-05-01'""",
    "no totals": "delete from totals",
    "another month": "update totals set month = month - 31 where month = '2024-05-01'",
}


@pytest.mark.parametrize("case", TAMPERED)
async def test_it_makes_wrong_totals_from_the_entries_again(household, database, db, case):
    flat, _ = household
    right, revision = await db.fetch("select * from totals order by 1, 2, 5"), await balances(flat)
    await db.execute("set session_replication_role = replica")
    await db.execute(TAMPERED[case])
    await db.execute("reset session_replication_role")
    status, lines, progress = check(database, "--rebuild-totals")
    assert status == 0, progress
    assert "rebuilt: 100%" in progress
    assert re.fullmatch(r"teams whose totals were made again: [12]", lines[-2])
    assert lines[-1] == "the ledger is right; teams: 5"
    assert await db.fetch("select * from totals order by 1, 2, 5") == right
    assert await balances(flat) == revision
    assert check(database, "--ledger")[:2] == (0, ["the ledger is right; teams: 5"])
    await flat.spend(100, spent_on="2024-05-20")
    assert check(database, "--ledger")[0] == 0


async def balances(flat):
    return (await flat.owner.get(f"{flat.path}/balances")).body


async def test_entries_that_do_not_come_to_their_expense_stay_wrong(household, database, db):
    flat, guest = household
    await db.execute("alter table entries disable trigger user")
    await db.execute("update entries set owed = owed + 7 where member_id = $1", guest)
    await db.execute("alter table entries enable trigger user")
    for option, balances_wrong in (("--ledger", 1), ("--rebuild-totals", 0)):
        status, lines, said = check(database, option)
        assert status == 1
        assert re.fullmatch(
            rf"team {flat.team_id}, EUR: expenses that their entries do not come to: 2, such as [0-9a-f-]+", lines[0]
        )
        assert f"do not come to: 2; balances whose totals are not those of their entries: {balances_wrong}." in said
    # The totals are what the entries are, now.
    assert await db.fetch("select * from wrong_totals") == []


async def test_it_says_so_many_and_counts_all(flat, db, database, monkeypatch, capsys):
    await guests(db, flat.team_id, 9)
    await flat.spend(1000)
    await db.execute("update totals set paid = paid + 1")
    monkeypatch.setattr(ledger, "lines_max", 3)
    monkeypatch.setattr(ledger, "teams_at_once", 1)
    with pytest.raises(StartError, match="entries: 10"):
        await ledger.check_ledger(Server(database), rebuild_totals=False)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[-1] == "and more, which are only counted"


async def rebuilt_during_a_write(flat, db, direct, database):
    """Rebuild the totals while a write of the team has begun and not ended."""
    await db.execute("update totals set paid = paid + 1")
    other = await asyncpg.connect(direct)
    try:
        write = other.transaction()
        await write.start()
        await other.execute("update teams set revision = revision + 1 where team_id = $1", flat.team_id)
        await expenses(other, flat.team_id, flat.owner_id, 1)
        await other.execute("update expenses set spent_on = '2024-05-20' where description = 'Expense 1'")
        checked = asyncio.create_task(ledger.check_ledger(Server(database), rebuild_totals=True))
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            while not await db.fetchval("select count(*) from pg_locks where not granted"):  # noqa: ASYNC110 -- nothing tells of it.
                await asyncio.sleep(0.02)
        await write.commit()
        await checked
    finally:
        await other.close()
    return await db.fetch("select * from wrong_totals")


async def test_it_waits_for_a_write_that_is_under_way(household, database, db, direct):
    flat, _ = household
    assert await rebuilt_during_a_write(flat, db, direct, database) == []


async def test_without_the_lock_of_the_team_it_would_forget_that(household, database, db, direct, monkeypatch):
    flat, _ = household
    monkeypatch.setattr(ledger.queries.ops, "hold", lambda *_, **__: asyncio.sleep(0))
    with pytest.raises(StartError, match="entries: 1"):
        await rebuilt_during_a_write(flat, db, direct, database)
    assert await db.fetchval("select count(*) from wrong_totals") == 1


async def test_many_expenses_of_many_teams_are_all_read(flat, db, database, monkeypatch):
    monkeypatch.setattr(ledger, "teams_at_once", 2)
    await teams(db, flat.owner.user_id, 4)
    await expenses(db, flat.team_id, flat.owner_id, 100)
    found = await db.fetch("select team_id, member_id from members order by team_id")
    for row in found[1:]:
        await expenses(db, row["team_id"], row["member_id"], 3)
    await ledger.check_ledger(Server(database), rebuild_totals=False)
    await db.execute("update totals set owed = owed + 1 where team_id = $1", found[-1]["team_id"])
    with pytest.raises(StartError, match="entries: 1"):
        await ledger.check_ledger(Server(database), rebuild_totals=False)
