"""GET /v1/teams/{team_id}/expenses."""

import asyncio
import datetime
import json
import random

import psycopg
import pytest

from service.postgres.queries import queries
from service.web.paging import last_id
from tests.access import READ
from tests.rows import expenses

ACCESS = READ

SORTS = ["spent_on", "created_at"]


async def listed(person, team, **query):
    """Return the descriptions on the first page, in its order."""
    answer = await person.get(f"{team.path}/expenses", params=query)
    assert answer.status == 200, answer.body
    return [expense["description"] for expense in answer.body["items"]]


async def paged(team, **query):
    """Yield the expenses of one page after the other, and check the links between them."""
    after = {}
    while True:
        answer = await team.owner.get(f"{team.path}/expenses", params=query | after)
        assert answer.status == 200, answer.body
        yield answer.body["items"]
        if answer.body["next"] is None:
            assert "Link" not in answer.headers
            return
        after = {"after": answer.body["next"]}
        target, relation = answer.headers["Link"].split("; ")
        assert (target[0], target[-1], relation) == ("<", ">", 'rel="next"')
        assert f"after={after['after']}" in target


@pytest.fixture
async def trip(flat, bob):
    """Some expenses of a team, and the same again in Bob's, which nobody must see."""
    other = await bob.team("Trip")
    for team in (flat, other):
        await team.guest("Kim")
        for description, day, fields in [
            ("Dinner in Rome", "2024-05-02", {"category": "Food"}),
            ("Taxi 100% slow", "2024-05-01", {"category": "Travel"}),
            ("DINNER at home", "2024-05-03", {"category": "Food"}),
            ("Wine_bar", "2024-05-02", {}),
        ]:
            await team.spend(1000, description=description, spent_on=day, **fields)
    return flat


async def test_it_lists_the_last_spent_first(trip):
    expected = ["DINNER at home", "Wine_bar", "Dinner in Rome", "Taxi 100% slow"]
    assert await listed(trip.owner, trip) == expected
    assert await listed(trip.owner, trip, sort="spent_on") == expected


async def test_it_lists_the_last_recorded_first(trip):
    expected = ["Wine_bar", "DINNER at home", "Taxi 100% slow", "Dinner in Rome"]
    assert await listed(trip.owner, trip, sort="created_at") == expected


async def test_it_returns_expenses_as_they_are(trip):
    answer = await trip.owner.get(f"{trip.path}/expenses")
    assert len(answer.body["items"]) == 4
    for expense in answer.body["items"]:
        assert (await trip.owner.get(f"{trip.path}/expenses/{expense['expense_id']}")).body == expense


@pytest.mark.parametrize("sort", SORTS)
async def test_it_filters_by_each_and_by_all_together(trip, sort):
    async def found(**query):
        return sorted(await listed(trip.owner, trip, sort=sort, **query))

    assert await found(category="Food") == ["DINNER at home", "Dinner in Rome"]
    assert await found(category="food") == []
    assert await found(spent_from="2024-05-02") == ["DINNER at home", "Dinner in Rome", "Wine_bar"]
    assert await found(spent_to="2024-05-02") == ["Dinner in Rome", "Taxi 100% slow", "Wine_bar"]
    assert await found(spent_from="2024-05-02", spent_to="2024-05-02") == ["Dinner in Rome", "Wine_bar"]
    assert await found(spent_from="2024-05-03", spent_to="2024-05-01") == []
    # Any day can be asked for, also one that no expense can have.
    for first, last in (("1970-01-01", "9999-12-31"), ("0001-01-01", "2999-06-15")):
        assert len(await found(spent_from=first, spent_to=last)) == 4
        assert await found(spent_to=first) == await found(spent_from=last) == []
    assert await found(q="dinner") == ["DINNER at home", "Dinner in Rome"]
    assert await found(q="%") == ["Taxi 100% slow"]
    assert await found(q="_") == ["Wine_bar"]
    assert await found(q="\\") == []
    assert await found(category="Food", q="rome", spent_to="2024-05-02", payer=trip.owner_id) == ["Dinner in Rome"]
    assert await found(category="Travel", q="rome") == []


@pytest.mark.parametrize("sort", SORTS)
async def test_it_filters_by_who_paid_and_by_who_takes_part(bob, flat, sort):
    other = await bob.team("Trip")
    kim, lee = await flat.guest("Kim"), await flat.guest("Lee")
    await other.spend(description="Not here")
    await flat.spend(description="Kim paid for Lee", payer=kim, participants=[{"member_id": lee}])
    await flat.spend(description="Ann paid for all")
    nothing = [{"member_id": flat.owner_id, "amount": 9000}, {"member_id": kim, "amount": 0}]
    await flat.spend(description="Kim owes nothing", split="exact", participants=nothing)

    async def found(**query):
        return sorted(await listed(flat.owner, flat, sort=sort, **query))

    assert await found(payer=kim) == ["Kim paid for Lee"]
    assert await found(payer=lee) == []
    assert await found(payer=flat.owner_id) == ["Ann paid for all", "Kim owes nothing"]
    assert await found(participant=kim) == ["Ann paid for all", "Kim owes nothing"]
    assert await found(participant=lee.upper()) == ["Ann paid for all", "Kim paid for Lee"]
    assert await found(payer=kim, participant=lee) == ["Kim paid for Lee"]
    assert await found(payer=other.owner_id) == []
    assert await found(participant=other.owner_id) == []


async def test_it_leaves_out_deleted_ones_and_settlements(flat, db, subtests):
    gone, settled = await flat.spend(description="Gone"), await flat.spend(description="Settled")
    await flat.spend(description="Stays")
    await flat.owner.delete(f"{flat.path}/expenses/{gone['expense_id']}", if_match="*")
    await db.execute("update expenses set kind = 'settlement' where expense_id = $1", settled["expense_id"])
    for sort in SORTS:
        with subtests.test(sort):
            assert await listed(flat.owner, flat, sort=sort) == ["Stays"]


async def test_it_returns_an_empty_page_to_a_member_and_nothing_to_a_stranger(bob, flat, subtests):
    await (await bob.team("Trip")).spend()
    for query in ("", "?sort=created_at", "?q=nothing"):
        with subtests.test(query):
            answer = await flat.owner.get(f"{flat.path}/expenses{query}")
            assert (answer.status, answer.body) == (200, {"items": [], "next": None})
            assert (await bob.get(f"{flat.path}/expenses{query}")).status == 404
    await flat.spend()
    assert (await bob.get(f"{flat.path}/expenses")).status == 404


async def test_it_finds_nothing_for_who_left_and_in_a_deleted_team(bob, flat):
    bob_id = await flat.add(bob, "viewer")
    await flat.spend(participants=[{"member_id": flat.owner_id}])
    assert len(await listed(bob, flat)) == 1
    await flat.owner.delete(f"{flat.path}/members/{bob_id}")
    assert (await bob.get(f"{flat.path}/expenses")).status == 404
    await flat.owner.delete(flat.path)
    assert (await flat.owner.get(f"{flat.path}/expenses")).status == 404


@pytest.mark.parametrize("sort", SORTS)
async def test_it_pages_through_all_with_ties(bob, flat, db, sort, subtests):
    other = await bob.team("Trip")
    await expenses(db, other.team_id, other.owner_id, 20)
    await expenses(db, flat.team_id, flat.owner_id, 20)
    order = f"{sort} desc, expense_id desc"
    rows = await db.fetch(f"select expense_id::text from expenses where team_id = $1 order by {order}", flat.team_id)  # noqa: S608
    for limit in (1, 3, 20):
        with subtests.test(f"limit {limit}"):
            pages = [items async for items in paged(flat, sort=sort, limit=limit)]
            assert {len(items) for items in pages[:-1]} <= {limit}
            assert [each["expense_id"] for items in pages for each in items] == [row["expense_id"] for row in rows]


async def test_it_keeps_the_filters_in_the_link(trip):
    answer = await trip.owner.get(f"{trip.path}/expenses", params={"limit": 1, "q": "dinner", "sort": "created_at"})
    link = answer.headers["Link"].split(";")[0].strip("<>")
    answer = await trip.owner.get(link)
    assert [each["description"] for each in answer.body["items"]] == ["Dinner in Rome"]
    assert answer.body["next"] is None


async def test_it_has_fifty_on_a_page_and_two_hundred_at_most(flat, db, subtests):
    await expenses(db, flat.team_id, flat.owner_id, 201)
    for query, size in (({}, 50), ({"limit": 7}, 7), ({"limit": 200}, 200), ({"limit": 999999}, 200)):
        with subtests.test(str(query)):
            assert len(await listed(flat.owner, flat, **query)) == size


@pytest.mark.parametrize("sort", SORTS)
async def test_it_skips_and_repeats_nothing_while_others_write(flat, db, sort):
    """Rows come and go before, after and at the very place where the reader is."""
    await expenses(db, flat.team_id, flat.owner_id, 300)
    ids = [row["expense_id"] for row in await db.fetch("select expense_id::text from expenses")]
    chance = random.Random(7)  # noqa: S311 - A test that can be repeated.
    doomed = chance.sample(ids, 100)
    throughout = set(ids) - set(doomed)
    seen = []

    async def write():
        # The last one seen is the one that the cursor names.
        gone = seen[-1] if seen and seen[-1] in doomed else doomed[-1]
        doomed.remove(gone)
        assert (await flat.owner.delete(f"{flat.path}/expenses/{gone}", if_match="*")).status == 204
        day = datetime.date(2024, 1, 1) + datetime.timedelta(days=chance.randrange(150))
        await flat.spend(1, spent_on=day.isoformat(), description="New")

    pages = paged(flat, sort=sort, limit=5)
    items = await anext(pages)
    while items:
        seen += [each["expense_id"] for each in items]
        items, _ = await asyncio.gather(anext(pages, None), write())
    assert len(seen) == len(set(seen)), "none is repeated"
    assert not throughout - set(seen), "none is skipped"


@pytest.mark.parametrize("sort", SORTS)
async def test_days_that_are_edited_while_one_reads_move_their_own_expenses_alone(flat, sort):
    """Sorted by the time they were recorded, all are seen once; sorted by day, those whose day stays."""
    days = [f"2024-01-{number:02}" for number in range(24, 0, -1)]
    ids = [(await flat.spend(1, spent_on=day))["expense_id"] for day in days]
    # Each time, one that the reader has not seen yet becomes the newest, and one that they have seen the oldest.
    edits = [(ids[12], "2025-01-01"), (ids[1], "2023-01-01"), (ids[20], "2025-01-02"), (ids[5], "2023-01-02")]
    edited = {expense_id for expense_id, _ in edits}
    seen = []
    async for items in paged(flat, sort=sort, limit=4):
        seen += [each["expense_id"] for each in items]
        turn, edits = edits[:2], edits[2:]
        for expense_id, day in turn:
            answer = await flat.owner.patch(f"{flat.path}/expenses/{expense_id}", {"spent_on": day}, "*")
            assert answer.status == 200
    if sort == "created_at":
        assert sorted(seen) == sorted(ids)
    else:
        assert [each for each in seen if each not in edited] == [each for each in ids if each not in edited]
        # Two were skipped and two repeated: that is why no more is promised.
        assert [seen.count(each) for each in (ids[12], ids[1], ids[20], ids[5])] == [0, 2, 0, 2]


@pytest.mark.parametrize("sort", SORTS)
async def test_it_reads_a_deep_page_from_the_index_and_nothing_else(bob, flat, db, database, sort):
    other = await bob.team("Trip")
    for team in (flat, other):
        await expenses(db, team.team_id, team.owner_id, 3000)
    await db.execute("analyze expenses")
    query = queries.expenses.page_by_spent_on if sort == "spent_on" else queries.expenses.page_by_created_at
    key = (
        datetime.date(2024, 1, 20) if sort == "spent_on" else datetime.datetime(2024, 1, 1, 0, 20, tzinfo=datetime.UTC)
    )
    given = {
        "team_id": flat.team_id,
        "user_id": flat.owner.user_id,
        "kinds": ["expense"],
        "after_key": key,
        "after_id": last_id,
        "size": 11,
    }
    # Between all days, a look at all, no filters.
    arguments = [given.get(name) for name in queries.driver_adapter.var_sorted[f"expenses.page_by_{sort}"]]
    assert "offset" not in query.sql
    [[plan]] = await db.fetch("explain (analyze, buffers, format json) " + query.sql, *arguments)
    nodes = list(walk(page_in(json.loads(plan)[0]["Plan"])))
    assert not {"Sort", "Incremental Sort", "Seq Scan", "Bitmap Heap Scan"} & {node["Node Type"] for node in nodes}
    [scan] = [node for node in nodes if node.get("Index Name") == f"expenses_{sort}_idx"]
    assert "ROW(" in scan["Index Cond"]
    assert "team_id" in scan["Index Cond"]
    assert (scan["Actual Rows"], scan.get("Rows Removed by Filter", 0)) == (11, 0)
    assert scan["Shared Hit Blocks"] + scan["Shared Read Blocks"] < 20
    # PostgreSQL may come to plan once for all values: that plan sorts nothing either.
    with psycopg.connect(database) as connection:
        [[[plan]]] = connection.execute(f"explain (generic_plan, format json) {query.sql}").fetchall()
    nodes = list(walk(page_in(plan["Plan"])))
    assert not {"Sort", "Incremental Sort", "Bitmap Heap Scan"} & {node["Node Type"] for node in nodes}
    assert [node["Index Name"] for node in nodes if node.get("Relation Name") == "expenses"] == [f"expenses_{sort}_idx"]


def page_in(plan):
    """Return the part of a plan that finds the page; what is above only puts the revision beside it."""
    return next(node for node in walk(plan) if node["Node Type"] == "Limit")


def walk(node):
    """Yield a plan's nodes."""
    yield node
    for child in node.get("Plans", []):
        yield from walk(child)


async def test_it_refuses_what_it_cannot_list_by(flat, subtests):
    for query, pointer, code in [
        ("limit=0", "/limit", "invalid"),
        ("sort=amount", "/sort", "invalid"),
        ("payer=me", "/payer", "invalid"),
        ("participant=", "/participant", "invalid"),
        ("spent_from=yesterday", "/spent_from", "invalid"),
        ("spent_to=2024-13-01", "/spent_to", "invalid"),
        ("q=", "/q", "too_short"),
        ("category=a&category=b", "/category", "repeated"),
        ("after=x", "/after", "not_a_cursor"),
        ("offset=10", "/offset", "unknown"),
    ]:
        with subtests.test(query):
            answer = await flat.owner.get(f"{flat.path}/expenses?{query}")
            assert answer.status == 422, query
            found = [(each["in"], each["pointer"], each["code"]) for each in answer.body["errors"]]
            assert found == [("query", pointer, code)]


async def test_it_refuses_a_cursor_of_another_order_or_list(flat, subtests):
    for _ in range(2):
        await flat.guest()
        await flat.spend()
    for sort, source in [
        ("created_at", "expenses?sort=spent_on"),
        ("spent_on", "expenses?sort=created_at"),
        ("spent_on", "members?status=all"),
    ]:
        with subtests.test(f"{sort} after {source}"):
            after = (await flat.owner.get(f"{flat.path}/{source}&limit=1")).body["next"]
            assert after
            answer = await flat.owner.get(f"{flat.path}/expenses?sort={sort}&after={after}")
            assert answer.status == 422
            assert answer.body["errors"][0]["code"] == "not_a_cursor"
