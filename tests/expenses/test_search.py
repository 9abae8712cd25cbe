"""Filters of a long list: what is found by an index is what a look at every expense finds, in every locale."""

import random
import re
from dataclasses import replace

import psycopg
import pytest

import service.expenses.service as module
from service.postgres.migrate import migrate
from service.postgres.queries import queries
from tests import rows
from tests.conftest import running

WORDS = ["Dinner", "École de musique", "Φόρος", "Straße", "НОЧЬ в поезде", "o'clock \\ now", "午饭", "ﬁsh & chips", "a"]
TEXTS = [
    "dinner",
    "ÉCOLE",
    "ΦΌΡΟΣ",
    "φόρος",
    "STRASSE",
    "ночь",
    "O'CLOCK \\",
    "饭",
    "午饭",
    "FISH",
    "A",
    "zz",
    "z",
    "eri",
    "'",
]


def folded(text: str) -> str:
    return text.replace("ﬁ", "fi").casefold()


@pytest.fixture
async def expenses(flat):
    """Thirty expenses of all kinds, in the order of the list by day."""
    numbers = random.Random(8)  # noqa: S311 -- the same each time.
    members = [flat.owner_id, await flat.guest("Kim"), await flat.guest("Lou"), await flat.guest("Max")]
    for number in range(30):
        await flat.spend(
            description=f"{numbers.choice(WORDS)} {number % 7}",
            spent_on=f"2024-05-{numbers.randint(1, 9):02}",
            # Nobody shares expenses with the last one.
            participants=[{"member_id": each} for each in numbers.sample(members[:3], 2)],
            payer=numbers.choice(members[:2]),
            **({"category": category} if (category := numbers.choice(["food", "rent", None])) else {}),
        )
    found = (await flat.owner.get(f"{flat.path}/expenses?limit=200")).body["items"]
    assert len(found) == 30
    return members, found


def expected(items, sort, query):
    """Return what a list must have, by a look at every expense."""
    found = [
        each
        for each in items
        if ("payer" not in query or each["payers"][0]["member_id"] == query["payer"])
        and ("participant" not in query or query["participant"] in [one["member_id"] for one in each["participants"]])
        and ("category" not in query or each["category"] == query["category"])
        and each["spent_on"] >= query.get("spent_from", "")
        and each["spent_on"] <= query.get("spent_to", "9")
        and ("q" not in query or folded(query["q"]) in folded(each["description"]))
    ]
    return sorted(found, key=lambda each: (each[sort], each["expense_id"]), reverse=True)


@pytest.mark.parametrize("looked_at_max", [1, 5, 1000])
@pytest.mark.parametrize("sort", ["spent_on", "created_at"])
async def test_an_index_finds_what_a_look_at_all_finds(  # noqa: PLR0917 -- fixtures.
    flat, expenses, monkeypatch, sort, looked_at_max, subtests
):
    monkeypatch.setattr(module, "looked_at_max", looked_at_max)
    monkeypatch.setattr(module, "candidates_max", looked_at_max)
    members, items = expenses
    numbers = random.Random(looked_at_max)  # noqa: S311 -- the same each time.
    choices = {
        "payer": members,
        "participant": members,
        "category": ["food", "rent", "none"],
        "spent_from": ["2024-05-03", "2024-05-08", "2025-01-01"],
        "spent_to": ["2024-05-02", "2024-05-07", "2023-01-01"],
        "q": TEXTS,
    }
    queries_of_one = [{name: value} for name, values in choices.items() for value in values]
    queries_of_some = [
        {name: numbers.choice(choices[name]) for name in numbers.sample(list(choices), numbers.randint(2, 3))}
        for _ in range(20)
    ]
    for query in (*queries_of_one, *queries_of_some):
        with subtests.test(str(query)):
            found, after = [], {}
            while True:
                asked = query | after | {"sort": sort, "limit": 7}
                page = (await flat.owner.get(f"{flat.path}/expenses", params=asked)).body
                found += page["items"]
                if page["next"] is None:
                    break
                after = {"after": page["next"]}
            assert found == expected(items, sort, query)


async def test_text_is_found_in_a_database_of_the_locale_c(config, database, monkeypatch, subtests):
    monkeypatch.setattr(module, "looked_at_max", 1)
    name = "locale_c_" + database.rsplit("_", 1)[1]
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"create database {name} template template0 encoding 'UTF8' locale 'C'")
    url = re.sub(r"[^/]+$", name, database)
    try:
        migrate(url)
        async with running(replace(config, database_url=url)) as served:
            flat = await (await served.person("Ann")).team()
            for description in ("ÉCOLE", "Φόρος", "Straße", "НОЧЬ", "other", "one more"):
                await flat.spend(description=description)
            for q, description in (
                ("école", "ÉCOLE"),
                ("ΦΌΡΟΣ", "Φόρος"),
                ("φόροσ", "Φόρος"),
                ("STRASSE", "Straße"),
                ("ночь", "НОЧЬ"),
                ("НОЧЬ", "НОЧЬ"),
            ):
                with subtests.test(q):
                    answer = await flat.owner.get(f"{flat.path}/expenses", params={"q": q})
                    assert [each["description"] for each in answer.body["items"]] == [description]
    finally:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)")


@pytest.mark.parametrize("sort", ["spent_on", "created_at"])
async def test_every_filter_has_an_index(flat, bob, db, database, sort):
    for team in (flat, await bob.team("Trip")):
        await rows.expenses(db, team.team_id, team.owner_id, 3000)
    await db.execute("analyze")
    query = queries.expenses.search_by_spent_on if sort == "spent_on" else queries.expenses.search_by_created_at
    with psycopg.connect(database) as connection:
        [[[plan]]] = connection.execute(f"explain (generic_plan, format json) {query.sql}").fetchall()
    indexes = {}

    def look(node, part=""):
        part = node.get("Subplan Name", part)
        if "Index Name" in node:
            indexes.setdefault(part, set()).add((node["Index Name"], "Index Cond" in node))
        for child in node.get("Plans", []):
            look(child, part)

    look(plan["Plan"])
    assert indexes["CTE by_member"] == {("entries_member_idx", True)}
    assert ("expenses_search_idx", True) in indexes["CTE by_text"]
    assert indexes["CTE by_category"] == {("expenses_category_idx", True)}
    assert indexes["CTE by_day"] == {("expenses_spent_on_idx", True)}
