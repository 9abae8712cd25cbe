"""GET /v1/teams/{team_id}/statement."""

import random

import pytest

from tests.access import READ
from tests.rows import all_rows

ACCESS = READ


async def stated(team, **query):
    """Return the head of a statement and all of its items, page by page."""
    found, after = [], {}
    while True:
        answer = await team.owner.get(f"{team.path}/statement", params=query | after)
        assert answer.status == 200, answer.body
        head = {name: value for name, value in answer.body.items() if name not in {"items", "next"}}
        assert len(answer.body["items"]) <= int(query.get("limit", 50))
        found += answer.body["items"]
        if answer.body["next"] is None:
            return head, found
        after = {"after": answer.body["next"]}


async def test_it_goes_from_one_balance_to_the_other(flat):
    guest = await flat.guest("Kim")
    await flat.spend(1000, description="Rent", spent_on="2024-02-29")
    tea = await flat.spend(301, description="Tea", payer=guest, spent_on="2024-03-01")
    paid = await flat.settle(guest, flat.owner_id, 200, settled_on="2024-03-31")
    await flat.spend(50, spent_on="2024-04-01")
    share = next(each["amount"] for each in tea["participants"] if each["member_id"] == guest)
    answer = await flat.owner.get(f"{flat.path}/statement?member_id={guest}&from=2024-03-01&to=2024-03-31")
    assert answer.body == {
        "member_id": guest,
        "name": "Kim",
        "from": "2024-03-01",
        "to": "2024-03-31",
        "balances": [{"currency": "EUR", "opening": -500, "paid": 501, "owed": share, "closing": 1 - share}],
        "items": [
            {
                "expense_id": tea["expense_id"],
                "kind": "expense",
                "description": "Tea",
                "spent_on": "2024-03-01",
                "currency": "EUR",
                "paid": 301,
                "owed": share,
                "net": 301 - share,
                "balance": -199 - share,
            },
            {
                "expense_id": paid["settlement_id"],
                "kind": "settlement",
                "description": "Settlement",
                "spent_on": "2024-03-31",
                "currency": "EUR",
                "paid": 200,
                "owed": 0,
                "net": 200,
                "balance": 1 - share,
            },
        ],
        "next": None,
    }


PERIODS = [
    {},
    {"from": "2024-01-01", "to": "2024-12-31"},
    {"from": "2024-02-15"},
    {"to": "2024-02-15"},
    {"from": "2024-02-02", "to": "2024-02-28"},
    {"from": "2024-02-15", "to": "2024-02-15"},
    {"from": "2025-01-01"},
    {"to": "2023-12-31"},
    {"from": "0001-01-01", "to": "9999-12-31"},
]


@pytest.mark.parametrize("limit", [1, 7, 50])
async def test_opening_entries_and_closing_add_up_in_each_currency(flat, limit, subtests):
    chance = random.Random(5)  # noqa: S311 -- a test that can be repeated.
    member_ids = [flat.owner_id, await flat.guest(), await flat.guest()]
    for _ in range(40):
        await flat.spend(
            chance.randint(1, 10**9),
            currency=chance.choice(["EUR", "EUR", "JPY"]),
            kind=chance.choice(["expense", "expense", "income"]),
            # Several on a day, and days in several months.
            spent_on=f"2024-0{chance.randint(1, 3)}-{chance.choice(['01', '02', '15', '28'])}",
            payer=chance.choice(member_ids),
            participants=[{"member_id": each} for each in chance.sample(member_ids, chance.randint(1, 3))],
        )
    for member_id in member_ids[:2]:
        _, everything = await stated(flat, member_id=member_id, limit="200")
        for period in PERIODS:
            with subtests.test(str(period)):
                head, found = await stated(flat, member_id=member_id, limit=str(limit), **period)
                first, last = period.get("from", "0000"), period.get("to", "9999-99")
                assert found == [each for each in everything if first <= each["spent_on"] <= last]
                assert [each["currency"] for each in head["balances"]] == ["EUR", "JPY"]
                for balance in head["balances"]:
                    parts = [each for each in everything if each["currency"] == balance["currency"]]
                    assert balance["opening"] == sum(each["net"] for each in parts if each["spent_on"] < first)
                    running = balance["opening"]
                    for each in found:
                        if each["currency"] == balance["currency"]:
                            running += each["net"]
                            assert each["balance"] == running
                    within = [each for each in found if each["currency"] == balance["currency"]]
                    assert balance["paid"] == sum(each["paid"] for each in within)
                    assert balance["owed"] == sum(each["owed"] for each in within)
                    assert balance["closing"] == running
        nets = {
            each["currency"]: each["net"]
            for each in (await flat.owner.get(f"{flat.path}/balances")).body["items"]
            if each["member_id"] == member_id
        }
        head, _ = await stated(flat, member_id=member_id)
        assert {each["currency"]: each["closing"] for each in head["balances"]} == nets


async def test_it_is_the_readers_own_without_a_member(flat):
    await flat.guest()
    await flat.spend(100)
    head, items = await stated(flat)
    assert (head["member_id"], head["from"], head["to"], len(items)) == (flat.owner_id, None, None, 1)


async def test_a_member_without_entries_has_an_empty_statement(flat):
    guest = await flat.guest("Kim")
    head, items = await stated(flat, member_id=guest)
    assert (head["name"], head["balances"], items) == ("Kim", [], [])


async def test_a_former_member_has_one(flat):
    guest = await flat.guest()
    await flat.spend(100, spent_on="2024-01-01")
    await flat.owner.delete(f"{flat.path}/members/{guest}?keep_balance=true")
    head, _ = await stated(flat, member_id=guest)
    assert head["balances"] == [{"currency": "EUR", "opening": 0, "paid": 0, "owed": 50, "closing": -50}]


async def test_it_refuses_what_is_no_period_or_no_member(flat, bob, db, subtests):
    trip = await bob.team("Trip")
    before = await all_rows(db)
    for query, status, said in [
        ("from=2024-03-02&to=2024-03-01", 422, "This is 2024-03-01, which is before `from`, 2024-03-02."),
        ("from=2024-02-30", 422, "real date"),
        ("to=today", 422, "real date"),
        ("member_id=1", 422, "UUID"),
        ("after=x", 422, "not the `next` of a page"),
        (f"member_id={trip.owner_id}", 404, "There is no such member"),
    ]:
        with subtests.test(query):
            answer = await flat.owner.get(f"{flat.path}/statement?{query}")
            assert (answer.status, said in answer.body["detail"]) == (status, True), answer.body
    assert (await bob.get(f"{flat.path}/statement")).status == 404
    assert await all_rows(db) == before
