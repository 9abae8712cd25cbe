"""What the database itself holds on to, whoever writes: the ledger's balance, the amounts, and whose a row is."""

import re
from pathlib import Path

import asyncpg
import pytest

ROOT = Path(__file__).parent.parent
TABLES = {"teams", "members", "expenses", "entries", "totals", "revisions"}
TABLES |= {"actors", "open_balances", "live_expenses", "unbalanced_expenses", "wrong_totals"}


@pytest.fixture
async def dinner(flat):
    """Ids of an expense of 900 that Ann paid for herself and Kim, with those two and the team."""
    guest = await flat.guest("Kim")
    expense = await flat.spend(900)
    return {
        "team": flat.team_id,
        "expense": expense["expense_id"],
        "ann": flat.owner_id,
        "kim": guest,
    }


async def written(db, sql, ids):
    """Run statements, with `:names` for ids, in one transaction."""
    for name, value in ids.items():
        sql = re.sub(rf":{name}\b", f"'{value}'", sql)
    async with db.transaction():
        await db.execute(sql)


async def refusal(db, sql, ids, error):
    """Return the constraint that refuses statements."""
    with pytest.raises(error) as refused:
        await written(db, sql, ids)
    return refused.value.constraint_name


# By a statement that writes entries, at its end.
REFUSED_AT_ONCE = {
    "an entry less": "delete from entries where member_id = :kim",
    "no entry": "delete from entries",
    "an entry more": """insert into entries (team_id, expense_id, member_id, currency, paid, owed)
        select :team, :expense, member_id, 'EUR', 0, 1 from members where name = 'Lee'""",
    "more paid": "update entries set paid = paid + 1 where member_id = :ann",
    "less owed": "update entries set owed = owed - 1 where member_id = :kim",
    "as much more paid as owed": "update entries set paid = paid + 1, owed = owed + 1 where member_id = :kim",
    "another currency of an entry": "update entries set currency = 'USD' where member_id = :kim",
    "another currency of an entry of nothing": """update entries set
        owed = case when member_id = :ann then 900 else 0 end,
        currency = case when member_id = :ann then 'EUR' else 'USD' end""",
    "another kind of an entry": "update entries set kind = 'income' where member_id = :kim",
    "another day of an entry": "update entries set spent_on = spent_on + 1 where member_id = :kim",
    "entries of a deleted expense": """update expenses set deleted_at = now(); delete from entries;
        insert into entries (team_id, expense_id, member_id, currency, paid, owed)
        values (:team, :expense, :ann, 'EUR', 900, 900)""",
    "an entry of nothing of a deleted expense": """update expenses set deleted_at = now(); delete from entries;
        insert into entries (team_id, expense_id, member_id, currency, paid, owed)
        values (:team, :expense, :ann, 'EUR', 0, 0)""",
}
# By one that writes the expense, at the commit: its entries may come later.
REFUSED_AT_THE_COMMIT = {
    "another amount": "update expenses set amount = 901",
    "another currency of the expense": "update expenses set currency = 'USD'",
    "a deleted expense with entries": "update expenses set deleted_at = now()",
    "a restored expense without entries": """update expenses set deleted_at = now(); delete from entries;
        update expenses set deleted_at = null""",
    "an expense without entries": """insert into expenses
        (team_id, description, amount, currency, spent_on, split, payers, participants, created_by)
        values (:team, 'Lunch', 1, 'EUR', '2024-01-01', 'equal', '[]', '[]', :ann)""",
}
REFUSED = REFUSED_AT_ONCE | REFUSED_AT_THE_COMMIT


async def test_it_refuses_what_does_not_balance(flat, db, dinner, subtests):
    await flat.guest("Lee")
    before = await db.fetch("select * from entries order by member_id")
    for case, sql in REFUSED.items():
        with subtests.test(case):
            constraint = await refusal(db, sql, dinner, asyncpg.CheckViolationError)
            assert constraint == "entries_balanced_check", case
    assert await db.fetch("select * from entries order by member_id") == before


async def test_it_refuses_before_the_commit_what_no_later_statement_mends(flat, db, dinner, subtests):
    await flat.guest("Lee")
    for case, sql in REFUSED_AT_ONCE.items():
        with subtests.test(case):
            assert await refusal(db, f"{sql}; select 1 / 0", dinner, asyncpg.CheckViolationError), case
    for case, sql in REFUSED_AT_THE_COMMIT.items():
        with subtests.test(case):
            assert await refusal(db, f"{sql}; select 1 / 0", dinner, asyncpg.DivisionByZeroError) is None, case


@pytest.mark.parametrize("case", REFUSED_AT_ONCE)
async def test_without_the_triggers_of_entries_it_takes_that(flat, db, dinner, case):
    await flat.guest("Lee")
    for trigger in ("added", "changed", "removed"):
        await db.execute(f"alter table entries disable trigger entries_{trigger}")
    await db.execute("alter table expenses disable trigger expenses_balanced")
    await written(db, REFUSED[case], dinner)


@pytest.mark.parametrize("case", REFUSED_AT_THE_COMMIT)
async def test_without_the_deferred_rule_it_takes_that(flat, db, dinner, case):
    await db.execute("alter table expenses disable trigger expenses_balanced")
    await written(db, REFUSED[case], dinner)


PASSED = {
    "other shares": "update entries set owed = case when member_id = :ann then 900 else 0 end",
    "another payer": "update entries set paid = 900 - paid",
    "another amount with its entries": """update expenses set amount = 901;
        update entries set paid = paid + 1, owed = owed + 1 where member_id = :ann""",
    "another currency of all": "update expenses set currency = 'USD'; update entries set currency = 'USD'",
    "another day of all": "update expenses set spent_on = spent_on - 40",
    "a delete": "update expenses set deleted_at = now(); delete from entries",
    "a restore": """update expenses set deleted_at = now(); delete from entries; update expenses set deleted_at = null;
        insert into entries (team_id, expense_id, member_id, currency, paid, owed)
        values (:team, :expense, :ann, 'EUR', 900, 900)""",
    "an entry of nothing": """insert into entries (team_id, expense_id, member_id, currency, paid, owed)
        select :team, :expense, member_id, 'EUR', 0, 0 from members where name = 'Lee'""",
    "an end of both": "update expenses set deleted_at = now(); delete from entries; delete from expenses",
}


@pytest.mark.parametrize("case", PASSED)
async def test_it_takes_what_balances(flat, db, dinner, case):
    await flat.guest("Lee")
    await written(db, PASSED[case], dinner)
    assert await db.fetch("select * from unbalanced_expenses") == []
    assert await db.fetch("select * from wrong_totals") == []


async def test_it_looks_at_both_expenses_when_an_entry_moves(flat, db, dinner):
    other = await flat.spend(100, participants=[{"member_id": flat.owner_id}])
    extra = await flat.guest("Lee")
    sql = """
    update expenses set amount = 110 where expense_id = :other;
    insert into entries (team_id, expense_id, member_id, currency, paid, owed)
    values (:team, :other, :extra, 'EUR', 10, 10)"""
    ids = dinner | {"other": other["expense_id"], "extra": extra}
    await written(db, sql, ids)
    # The one that it moves to comes out even; the one that it leaves does not.
    sql = """
    update expenses set amount = 910 where expense_id = :expense;
    update entries set expense_id = :expense where member_id = :extra"""
    assert await refusal(db, sql, ids, asyncpg.CheckViolationError) == "entries_balanced_check"


async def test_it_refuses_values_that_are_none(db, dinner, subtests):
    for sql, constraint in [
        ("update expenses set amount = 0", "expenses_amount_check"),
        ("update expenses set amount = -900", "expenses_amount_check"),
        ("update expenses set amount = 1000000000000001", "expenses_amount_check"),
        ("update expenses set currency = 'eur'", "expenses_currency_check"),
        ("update expenses set split = 'lottery'", "expenses_split_check"),
        ("update expenses set description = ''", "expenses_description_check"),
        ("update expenses set kind = 'gift'", "expenses_kind_check"),
        ("update entries set paid = -1", "entries_paid_check"),
        ("update entries set owed = -1", "entries_owed_check"),
        ("update members set role = 'king' where member_id = :ann", "members_role_check"),
        ("update members set role = 'viewer' where member_id = :kim", "members_guest_check"),
        ("update members set role = 'guest' where member_id = :ann", "members_guest_check"),
        ("update teams set currency = 'EURO'", "teams_currency_check"),
        ("update teams set name = ''", "teams_name_check"),
    ]:
        with subtests.test(sql):
            assert await refusal(db, sql, dinner, asyncpg.CheckViolationError) == constraint


async def test_it_refuses_members_and_expenses_of_another_team(bob, db, dinner, subtests):
    other = await bob.team("Trip")
    ids = dinner | {"other": other.team_id, "bob": other.owner_id}
    for sql in [
        """insert into entries (team_id, expense_id, member_id, currency, kind, spent_on, paid, owed)
        values (:other, :expense, :bob, 'EUR', 'expense', '2024-01-01', 0, 0)""",
        """insert into entries (team_id, expense_id, member_id, currency, paid, owed)
        values (:team, :expense, :bob, 'EUR', 0, 0)""",
        "update entries set team_id = :other",
        "update entries set member_id = :bob where member_id = :kim",
        "update expenses set created_by = :bob",
        "update revisions set actor_id = :bob",
        "update totals set member_id = :bob where member_id = :kim",
    ]:
        with subtests.test(sql):
            assert await refusal(db, sql, ids, asyncpg.ForeignKeyViolationError)


async def test_it_keeps_an_account_once_in_a_team_and_a_revision_once(bob, flat, db):
    await flat.add(bob)
    with pytest.raises(asyncpg.UniqueViolationError) as refusal:
        await db.execute(
            "insert into members (team_id, user_id, name, role) values ($1, $2, 'Bob', 'viewer')",
            flat.team_id,
            bob.user_id,
        )
    assert refusal.value.constraint_name == "members_team_id_user_id_key"
    with pytest.raises(asyncpg.UniqueViolationError):
        await db.execute("update revisions set revision = 1")


# Keys of tables with a team_id that do not begin with it, and foreign keys between such tables without it.
FOREIGN_TO_THE_TEAM = """
with owned as (
    select attributes.attrelid, attributes.attnum
    from pg_attribute as attributes
    inner join pg_class on pg_class.oid = attributes.attrelid
    where attributes.attname = 'team_id' and pg_class.relkind = 'r' and pg_class.relnamespace = 'public'::regnamespace
)
select constraints.conrelid::regclass || ': ' || constraints.conname as found
from pg_constraint as constraints
inner join owned on owned.attrelid = constraints.conrelid
left join owned as referenced on referenced.attrelid = constraints.confrelid
where
    (constraints.contype = 'p' and constraints.conkey[1] <> owned.attnum)
    or (constraints.contype = 'u' and owned.attnum <> all(constraints.conkey))
    or (
        constraints.contype = 'f'
        and referenced.attnum is not null
        and coalesce(
            referenced.attnum <> constraints.confkey[array_position(constraints.conkey, owned.attnum)], true
        )
    )
union all
select owned.attrelid::regclass || ': no primary key'
from owned
where not exists (select 1 from pg_constraint where contype = 'p' and conrelid = owned.attrelid)
union all
select indexes.indexrelid::regclass || ': unique without team_id'
from pg_index as indexes
inner join owned on owned.attrelid = indexes.indrelid
where indexes.indisunique and owned.attnum <> all(indexes.indkey::smallint[])
order by 1
"""


async def test_every_key_of_a_team_s_rows_holds_the_team(db):
    assert [row["found"] for row in await db.fetch(FOREIGN_TO_THE_TEAM)] == []
    await db.execute(
        """create table late (late_id uuid primary key, team_id uuid not null, expense_id uuid unique);
        create table keyless (team_id uuid not null);
        create table wrong (
            team_id uuid, expense_id uuid, late_id uuid references late, primary key (team_id, expense_id)
        )"""
    )
    assert [row["found"] for row in await db.fetch(FOREIGN_TO_THE_TEAM)] == [
        "keyless: no primary key",
        "late: late_expense_id_key",
        "late: late_pkey",
        "late_expense_id_key: unique without team_id",
        "late_pkey: unique without team_id",
        "wrong: wrong_late_id_fkey",
    ]


def teamless(sql):
    """Return the tables of teams that a statement touches in a part that does not say of which team."""
    sql = re.sub(r"--.*", "", sql)
    found = []
    while part := re.search(r"\(([^()]*)\)", sql) or re.fullmatch(r"([^()]*)", sql):
        text = re.sub(r"insert into \w+ columns_with_team", "", part[1])
        touched = [table for table in re.findall(r"\b(?:from|join|into|update|using)\s+(\w+)", text) if table in TABLES]
        # Joined to each other they may still be of any team.
        named = [name for name in re.findall(r"\bteam_id = :?(\w+)", text) if name not in TABLES]
        if touched and not named:
            found += touched
        if part[0] == sql:
            return found
        # A list of columns that has the team stays visible as one.
        rest = "columns_with_team" if re.match(r"\s*team_id,", part[1]) else " "
        sql = sql[: part.start()] + rest + sql[part.end() :]
    return found


# The audit reads the whole ledger, and tells nothing but sums of it; the check of an operator goes through all teams. A
# list of the actor's teams names none, nor does what follows all of them; a new team has none yet; the worker looks for
# teams that are due; and the seed dates accounts of all teams.
EXCEPTIONS = {
    "changes/mine.sql": ["revisions"],
    "me/balances.sql": ["actors", "teams", "totals"],
    "ops/audit.sql": ["expenses", "teams", "unbalanced_expenses", "wrong_totals"],
    "ops/count_teams.sql": ["teams"],
    "ops/next_teams.sql": ["teams"],
    "seed/date_accounts.sql": ["members"],
    "teams/create.sql": ["teams"],
    "teams/due.sql": ["teams"],
    "teams/page_deleted.sql": ["teams"],
    "teams/page.sql": ["open_balances", "actors", "teams"],
}


def test_every_statement_on_a_team_s_rows_names_the_team():
    found = {}
    for path in sorted((ROOT / "sql").rglob("*.sql")):
        if tables := teamless(path.read_text()):
            found[f"{path.parent.name}/{path.name}"] = tables
    assert found == EXCEPTIONS


@pytest.mark.parametrize(
    "sql",
    [
        "select amount from expenses where expense_id = :expense_id",
        "select 1 from expenses where team_id = :team_id and exists (select 1 from actors where user_id = :user_id)",
        "select 1 from expenses inner join entries on expenses.team_id = entries.team_id",
        "with gone as (delete from entries using expenses where entries.expense_id = expenses.expense_id) select 1",
        "update members set left_at = now() where member_id = :member_id",
        "insert into entries (expense_id, member_id) values (:expense_id, :member_id)",
        "select expense_id from unbalanced_expenses where expense_id = :expense_id",
    ],
)
def test_it_notices_a_statement_that_forgets_the_team(sql):
    assert teamless(sql)
