"""Every query of sql/ is one that PostgreSQL can plan, and every call matches a query and its parameters."""

import ast
import operator
import re
from collections import Counter
from pathlib import Path

import asyncpg
import pytest

from service import access
from service.expenses.service import columns
from service.expenses.splits import divide
from service.postgres.queries import queries, text_of
from service.settlements.rows import columns_of

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "sql").rglob("*.sql"))


def query_of(path: Path):
    return getattr(getattr(queries, path.parent.name), path.stem)


def named(node: ast.AST) -> list[str]:
    """Return the queries that an expression is: one, or one of two."""
    if isinstance(node, ast.IfExp):
        return [*named(node.body), *named(node.orelse)]
    found = re.fullmatch(r"queries\.(\w+\.\w+)", ast.unparse(node)) if isinstance(node, ast.Attribute) else None
    return [found[1]] if found else []


def keywords(call: ast.Call, dictionaries: dict[str, list[str]]) -> set[str]:
    """Return the keywords of a call; KeyError for a `**` of which it is not known here what it stands for."""
    division = divide("", 1, split="equal", payer="a", payers=None, participants=None, allowed=["a"], everybody=["a"])
    wanted = {"from_id": "a", "to_id": "b", "amount": 1, "currency": "EUR", "settles": None}
    settlement = columns_of(wanted, ["a", "b"]).keys()
    known = {
        "division.columns(kind)": division.columns().keys(),
        "division.columns(changes.get('kind', current['kind']))": division.columns().keys(),
        "columns": settlement,
        "columns_of(after, allowed.union(former_ids))": settlement,
        **dictionaries,
        "{column: changes.get(column, current[column]) for column in columns}": columns,
    }
    return {name for each in call.keywords for name in ([each.arg] if each.arg else known[ast.unparse(each.value)])}


def uses(source: str) -> tuple[list[str], list[tuple[str, ast.Call, set[str]]]]:
    """Return the queries that a module mentions, and their calls with their keywords: by the name, or by a variable."""
    mentioned, called = [], []
    for function in ast.parse(source).body:
        variables: dict[str, list[str]] = {}
        dictionaries: dict[str, list[str]] = {}
        for node in ast.walk(function):
            mentioned += named(node) if isinstance(node, ast.Attribute) else []
            for target in node.targets if isinstance(node, ast.Assign) else []:
                variables.setdefault(ast.unparse(target), []).extend(named(node.value))
                if isinstance(node.value, ast.Dict) and all(isinstance(key, ast.Constant) for key in node.value.keys):
                    dictionaries[ast.unparse(target)] = [ast.literal_eval(key) for key in node.value.keys if key]
        for node in ast.walk(function):
            if isinstance(node, ast.Call):
                called += [
                    (name, node, keywords(node, dictionaries))
                    for name in named(node.func) or variables.get(ast.unparse(node.func), [])
                ]
    return mentioned, called


def complaints(source: str) -> list[str]:
    """Return what is wrong with a module's uses of queries."""
    mentioned, called = uses(source)
    found = [
        f"{name} is not called where it is mentioned"
        for name in Counter(mentioned) - Counter(name for name, *_ in called)
    ]
    for name, call, sent in called:
        parameters = set(operator.attrgetter(name)(queries).parameters)
        found += [f"{name} takes {parameters}: {ast.unparse(call)}"] if sent != parameters else []
    return found


MODULES = sorted((ROOT / "service").rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_a_file_is_one_query_with_its_name(path):
    names = re.findall(r"^-- name: (\w+)\(", text_of(path), re.MULTILINE)
    assert names == [path.stem]
    assert re.search(r"^-- [A-Z].*[.;]?$", path.read_text().splitlines()[1]), "the second line says what it is for"


def test_a_file_that_is_like_another_replaces_what_is_there_once(tmp_path):
    (tmp_path / "one.sql").write_text("-- name: one()\nselect 1, 2 + 2;\n")
    like = tmp_path / "other.sql"
    like.write_text("-- like: one\n-- The other.\n-- replace: one with other\n-- replace: 1, with 3,\n")
    assert text_of(like) == "-- name: other()\nselect 3, 2 + 2;\n"
    for bad in ("2", "4"):
        like.write_text(f"-- like: one\n-- replace: {bad} with 5\n")
        with pytest.raises(ValueError, match=f"replaces what is there {2 * (bad == '2')} times"):
            text_of(like)


def test_every_verdict_has_its_refusal():
    named = {name for path in FILES for name in re.findall(r"\bthen '([a-z-]+)'", path.read_text()) if "-" in name}
    assert named == set(access.verdicts)


async def test_postgres_plans_every_query(database, subtests):
    connection = await asyncpg.connect(database)
    try:
        for path in FILES:
            with subtests.test(path.name):
                await connection.prepare(query_of(path).sql)
    finally:
        await connection.close()


def test_every_query_is_called_and_every_call_has_a_query():
    called = {name for path in MODULES for name, *_ in uses(path.read_text())[1]}
    assert sorted(called) == sorted(f"{path.parent.name}.{path.stem}" for path in FILES)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_every_call_names_the_query_s_parameters(path):
    assert complaints(path.read_text()) == []


@pytest.mark.parametrize(
    "statement",
    [
        "queries.teams.lock(db, team_id=1)",
        "queries.teams.lock(db, team_id=1, user_id=2, revision=3)",
        "query = queries.teams.lock; query(db, team_id=1)",
        "query = queries.teams.lock if db else queries.teams.is_visible; query(db, team_id=1)",
        "(queries.teams.lock if db else queries.teams.is_visible)(db, team_id=1)",
        "queries.teams.lock(db, **division.columns(kind))",
        "ask(queries.teams.lock, db, team_id=1, user_id=2)",
        "query = queries.teams.lock; ask(query, db, team_id=1, user_id=2)",
    ],
)
def test_it_notices_a_call_with_other_parameters_and_a_query_that_it_cannot_follow(statement):
    assert complaints(f"def function(db):\n    {statement}")


def test_it_takes_no_mapping_for_an_excuse():
    with pytest.raises(KeyError):
        complaints("def function(db, them):\n    queries.teams.lock(db, **them)")


VIEWS = ("actors", "live_expenses", "live_settlements", "open_balances")


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_columns_are_named(path):
    # The star of a table changes its meaning when a column is added, under statements that are prepared already.
    # That of a view, or of a part of the same statement, does not: their columns are listed.
    sql = text_of(path)
    assert not re.search(r"(select|returning)\s*\*", sql)
    listed = {*VIEWS, *re.findall(r"^(\w+) as (?:not materialized )?\($", sql, re.MULTILINE)}
    assert set(re.findall(r"(\w+)\.\*", sql)) <= listed
