"""GET /v1/teams/{team_id}/balances/{member_id}."""

import datetime
import json
import random

import pytest

from service.postgres.queries import queries
from service.web.paging import last_id
from tests.access import READ
from tests.balances.test_get import walk
from tests.rows import expenses

ACCESS = READ


async def explained(team, member_id, **query):
    """Return all items, page by page."""
    found, after = [], {}
    while True:
        answer = await team.owner.get(f"{team.path}/balances/{member_id}", params=query | after)
        assert answer.status == 200, answer.body
        assert len(answer.body["items"]) <= int(query.get("limit", 50))
        found += answer.body["items"]
        if answer.body["next"] is None:
            return found
        after = {"after": answer.body["next"]}


async def test_it_lists_what_a_balance_consists_of_newest_first(flat):
    guest = await flat.guest("Kim")
    rent = await flat.spend(1000, description="Rent", spent_on="2024-03-01")
    back = await flat.spend(
        300, description="Back", payer=guest, participants=[{"member_id": flat.owner_id}], spent_on="2024-04-02"
    )
    assert await explained(flat, guest) == [
        {
            "expense_id": back["expense_id"],
            "kind": "expense",
            "description": "Back",
            "spent_on": "2024-04-02",
            "currency": "EUR",
            "paid": 300,
            "owed": 0,
            "net": 300,
            "balance": -200,
        },
        {
            "expense_id": rent["expense_id"],
            "kind": "expense",
            "description": "Rent",
            "spent_on": "2024-03-01",
            "currency": "EUR",
            "paid": 0,
            "owed": 500,
            "net": -500,
            "balance": -500,
        },
    ]


@pytest.mark.parametrize("limit", [1, 7, 50])
async def test_pages_add_up_to_the_balance_in_each_currency(flat, limit):
    chance = random.Random(3)  # noqa: S311 -- a test that can be repeated.
    member_ids = [flat.owner_id, *[await flat.guest(f"Guest {number}") for number in range(2)]]
    for _ in range(40):
        await flat.spend(
            chance.randint(1, 10**9),
            currency=chance.choice(["EUR", "EUR", "EUR", "JPY"]),
            # Several on a day, and days in several months.
            spent_on=f"2024-0{chance.randint(1, 3)}-{chance.choice(['01', '02', '15', '28'])}",
            payer=chance.choice(member_ids),
            participants=[{"member_id": each} for each in chance.sample(member_ids, chance.randint(1, 3))],
        )
    nets = {
        (each["member_id"], each["currency"]): each["net"]
        for each in (await flat.owner.get(f"{flat.path}/balances")).body["items"]
    }
    for member_id in member_ids:
        everything = await explained(flat, member_id, limit=str(limit))
        order = [(each["spent_on"], each["expense_id"]) for each in everything]
        assert order == sorted(order, reverse=True)
        for currency in ("EUR", "JPY"):
            found = [each for each in everything if each["currency"] == currency]
            assert await explained(flat, member_id, limit=str(limit), currency=currency) == found
            balance = 0
            for each in reversed(found):
                assert each["net"] == each["paid"] - each["owed"]
                balance += each["net"]
                assert each["balance"] == balance
            assert balance == nets.get((member_id, currency), 0)


async def test_it_explains_the_balance_of_a_former_member(flat):
    former = await flat.guest("Kim")
    await flat.spend(1000)
    await flat.owner.delete(f"{flat.path}/members/{former}?keep_balance=true")
    [item] = await explained(flat, former)
    assert item["balance"] == -500


async def test_it_leaves_out_what_adds_nothing(flat):
    guest = await flat.guest()
    shares = [{"member_id": guest, "amount": 0}, {"member_id": flat.owner_id, "amount": 900}]
    await flat.spend(900, split="exact", participants=shares)
    assert await explained(flat, guest) == []
    await flat.spend(100)
    assert [each["balance"] for each in await explained(flat, guest)] == [-50]


async def test_it_forgets_what_was_deleted(flat):
    guest = await flat.guest()
    gone = await flat.spend(900)
    await flat.spend(100)
    await flat.owner.delete(f"{flat.path}/expenses/{gone['expense_id']}", if_match="*")
    assert [each["balance"] for each in await explained(flat, guest)] == [-50]


async def test_it_knows_balances_beyond_what_one_amount_can_be(flat, db):
    guest = await flat.guest()
    await expenses(db, flat.team_id, flat.owner_id, 50, amount=10**15, participant_id=guest)
    assert (await explained(flat, guest, limit="7"))[0]["balance"] == -50 * 10**15


async def test_a_member_without_anything_has_nothing_to_explain(flat):
    guest = await flat.guest()
    assert await explained(flat, guest) == []
    await flat.spend(100)
    assert await explained(flat, guest, currency="JPY") == []


async def test_it_finds_no_member_of_another_team(bob, flat):
    other = await bob.team("Trip")
    answer = await flat.owner.get(f"{flat.path}/balances/{other.owner_id}")
    assert answer.status == 404


async def test_it_refuses_what_it_does_not_know(flat):
    for query, pointer in (({"currency": "euro"}, "/currency"), ({"after": "x"}, "/after"), ({"limit": "0"}, "/limit")):
        answer = await flat.owner.get(f"{flat.path}/balances/{flat.owner_id}", params=query)
        assert (answer.status, answer.body["errors"][0]["pointer"]) == (422, pointer)


async def test_a_page_of_a_long_history_reads_a_page_and_a_month(flat, db):
    guest = await flat.guest()
    await expenses(db, flat.team_id, flat.owner_id, 3000, participant_id=guest)
    await flat.spend(100, currency="JPY", spent_on="2024-01-02")
    await db.execute("vacuum analyze")
    statement = "explain (analyze, format json) " + queries.balances.explain.sql
    for currency, most in (("EUR", 20 + 62 + 1), ("JPY", 2), (None, 2 * 20 + 62 + 1)):
        # In the order in which the statement mentions them.
        arguments = (flat.team_id, guest, currency, datetime.date(2026, 1, 1), last_id, 20, flat.owner.user_id)
        [[plan]] = await db.fetch(statement, *arguments)
        read = [
            node["Actual Rows"] * node["Actual Loops"]
            for node in walk(json.loads(plan)[0]["Plan"])
            if node.get("Relation Name") == "entries"
        ]
        assert sum(read) <= most, currency
        assert read
