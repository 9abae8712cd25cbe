"""Every query of sql/ is one that PostgreSQL can plan, and every call matches a query and its parameters."""

import ast
import re
from pathlib import Path

import asyncpg
import pytest

from service import access
from service.postgres.queries import queries, text_of

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "sql").rglob("*.sql"))


def query_of(path: Path):
    return getattr(getattr(queries, path.parent.name), path.stem)


def calls() -> dict[str, list[set[str]]]:
    """Query names to the keywords of each of their calls; `**` counts as None."""
    found: dict[str, list[set[str]]] = {}
    for path in (ROOT / "service").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and re.fullmatch(r"queries\.\w+\.\w+", ast.unparse(node)):
                found.setdefault(ast.unparse(node).removeprefix("queries."), [])
            if isinstance(node, ast.Call) and re.fullmatch(r"queries\.\w+\.\w+", ast.unparse(node.func)):
                name = ast.unparse(node.func).removeprefix("queries.")
                found.setdefault(name, []).append({keyword.arg for keyword in node.keywords})
    return found


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


async def test_postgres_plans_every_query(database):
    connection = await asyncpg.connect(database)
    try:
        for path in FILES:
            await connection.prepare(query_of(path).sql)
    finally:
        await connection.close()


def test_every_query_is_called_and_every_call_has_a_query():
    assert sorted(calls()) == sorted(f"{path.parent.name}.{path.stem}" for path in FILES)


def test_every_call_names_the_query_s_parameters():
    for name, keywords_of_calls in calls().items():
        feature, verb = name.split(".")
        parameters = set(getattr(getattr(queries, feature), verb).parameters)
        for keywords in keywords_of_calls:
            named = {keyword for keyword in keywords if keyword}
            assert named <= parameters, f"{name} has no {named - parameters}"
            assert None in keywords or named == parameters, f"{name} also takes {parameters - named}"


VIEWS = ("actors", "live_expenses", "open_balances")


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_columns_are_named(path):
    # The star of a table changes its meaning when a column is added, under statements that are prepared already.
    # That of a view, or of a part of the same statement, does not: their columns are listed.
    sql = text_of(path)
    assert not re.search(r"(select|returning)\s*\*", sql)
    listed = {*VIEWS, *re.findall(r"^(\w+) as (?:not materialized )?\($", sql, re.MULTILINE)}
    assert set(re.findall(r"(\w+)\.\*", sql)) <= listed
