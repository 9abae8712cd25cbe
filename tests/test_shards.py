"""One team, one shard: what keeps the statements right and fast when the tables are distributed by `team_id`.

docs/adr/0017-one-team-one-shard.md has the rules. PostgreSQL's plans hold them where those can tell, reading where they
cannot.
"""

import re
from pathlib import Path

import psycopg
import pytest

from service.postgres.queries import queries, text_of

ROOT = Path(__file__).parent.parent
FILES = {f"{path.parent.name}.{path.stem}": text_of(path) for path in sorted((ROOT / "sql").rglob("*.sql"))}
TEAM_TABLES = {"teams", "members", "expenses", "entries", "totals", "revisions"}
# These look for the teams of an account, or at all teams: each asks every shard, so there are few of them.
ACROSS_TEAMS = {"teams.page", "teams.page_deleted", "teams.due", "me.balances", "seed.date_accounts"}
ACROSS_TEAMS |= {"changes.look", "changes.mine"}
ACROSS_TEAMS |= {"ops.audit", "ops.count_teams", "ops.next_teams", "ops.unbalanced", "ops.differences"}
# A team that is being made has no id to be asked for.
MAKES_A_TEAM = {"teams.create"}


def sql_of(name):
    feature, verb = name.split(".")
    return getattr(getattr(queries, feature), verb).sql


def place_of_team_id(name):
    """Return the placeholder that stands for the team, as `$1`; None where the statement takes no team."""
    found = re.findall(r"(?<!:):(\w+)", re.sub(r"--.*", "", FILES[name]))
    names = list(dict.fromkeys(found))
    return f"${names.index('team_id') + 1}" if "team_id" in names else None


def scans(node):
    """Yield the parts of a plan that read a team's table."""
    if node.get("Relation Name") in TEAM_TABLES and node["Node Type"] != "ModifyTable":
        yield node
    for child in node.get("Plans", []):
        yield from scans(child)


def conditions_of(scan):
    # Below the scan of a bitmap, its index has the condition.
    parts = [scan, *scan.get("Plans", [])]
    return " ".join(part.get(key, "") for part in parts for key in ("Index Cond", "Recheck Cond", "Filter"))


def plan_of(connection, name):
    [[[plan]]] = connection.execute(f"explain (generic_plan, format json) {sql_of(name)}").fetchall()
    return plan["Plan"]


@pytest.fixture
def connection(database):
    with psycopg.connect(database) as connected:
        yield connected


@pytest.mark.parametrize("name", FILES)
def test_every_part_of_a_statement_names_the_team(connection, name):
    found = list(scans(plan_of(connection, name)))
    place = place_of_team_id(name)
    if place is None:
        assert not found or name in ACROSS_TEAMS | MAKES_A_TEAM, f"{name} reads tables of teams and takes no team_id"
        return
    for scan in found:
        assert re.search(rf"team_id = {re.escape(place)}(?!\d)", conditions_of(scan)), scan


def test_the_statements_across_teams_are_those_that_are_known():
    across = {name for name in FILES if place_of_team_id(name) is None and reads_a_team_table(name)}
    assert across == ACROSS_TEAMS | MAKES_A_TEAM


def reads_a_team_table(name):
    tables = "|".join(
        [
            *TEAM_TABLES,
            "actors",
            "restorers",
            "open_balances",
            "live_expenses",
            "shown_changes",
            "unbalanced_expenses",
            "wrong_totals",
        ]
    )
    return re.search(rf"\b(from|join|update|into) ({tables})\b", FILES[name]) is not None


@pytest.mark.parametrize("name", [name for name in FILES if "before as (" in FILES[name]])
def test_what_was_before_is_read_before(name):
    # Apart from the update, a shard may run that part after it, and the history would hold the state after as before.
    history = FILES[name][FILES[name].index("history as (") :]
    assert not re.search(r"\b(from|join) before\b", history)


@pytest.mark.parametrize("name", FILES)
def test_no_clock_stands_where_shards_take_only_constants(name):
    sql = re.sub(r"--.*", "", FILES[name])
    for part in re.findall(
        r"\bcase\b.*?\bend\b|\bcoalesce\(.*?\)\s*[,)\n]|\bdo update\b.*?\breturning\b", sql, re.DOTALL
    ):
        assert not re.search(r"(?<!\(select )\bnow\(\)", part.replace("(select (now()", "(select now()")), part


def test_nothing_locks_an_account():
    # Accounts are copied to every node: a lock on one is taken on all of them, in no order.
    locking = {name for name, sql in FILES.items() if re.search(r"\bfor (no key )?(update|share)\b", sql)}
    assert locking == {"auth.purge", "auth.remember", "ops.audit", "ops.hold", "teams.hold_due"}


def test_the_plan_shows_a_part_that_does_not_name_the_team(connection):
    good = """explain (generic_plan, format json)
        select (select count(*) from entries where entries.team_id = $2 and entries.member_id = members.member_id)
        from members where members.user_id = $1::uuid and $2::uuid is not null"""
    for sql, expected in (
        (good.replace("entries.team_id = $2", "entries.team_id = members.team_id"), False),
        (good, True),
    ):
        [[[plan]]] = connection.execute(sql).fetchall()
        [entries] = [scan for scan in scans(plan["Plan"]) if scan["Relation Name"] == "entries"]
        assert ("team_id = $2" in conditions_of(entries)) == expected
