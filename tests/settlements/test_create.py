"""POST /v1/teams/{team_id}/settlements."""

import datetime
import json

import pytest

from tests.rows import all_rows

ACCESS = (401, 401, 404, 404, 403, 201, 201, 201, 201, 404)


def body(world):
    """Return a settlement between two members of the team."""
    return {"from": world.members["member"], "to": world.members["owner"], "amount": 5000}


async def test_it_settles_a_debt(bob, flat, db):
    bob_id = await flat.add(bob)
    await flat.spend(9000)
    assert await flat.nets() == {flat.owner_id: 4500, bob_id: -4500}
    answer = await bob.post(f"{flat.path}/settlements", {"from": bob_id, "to": flat.owner_id, "amount": 4500})
    assert answer.status == 201
    settlement = answer.body
    assert answer.headers["Location"] == f"{flat.path}/settlements/{settlement['settlement_id']}"
    assert answer.headers["ETag"] == '"1"'
    expected = {
        "kind": "settlement",
        "from": bob_id,
        "to": flat.owner_id,
        "amount": 4500,
        "currency": "EUR",
        "settles": None,
        "settled_on": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "notes": None,
        "external_id": None,
        "metadata": {},
        "created_by": bob_id,
        "version": 1,
    }
    assert {name: settlement[name] for name in expected} == expected
    assert await flat.nets() == {flat.owner_id: 0, bob_id: 0}
    entries = await db.fetch(
        "select member_id::text, paid, owed from entries where expense_id = $1", settlement["settlement_id"]
    )
    assert {tuple(row) for row in entries} == {(bob_id, 4500, 0), (flat.owner_id, 0, 4500)}
    row = await db.fetchrow("select action, subject_id::text, after from revisions order by revision desc limit 1")
    assert tuple(row)[:2] == ("settlements.create", settlement["settlement_id"])
    assert json.loads(row["after"])["amount"] == 4500


async def test_it_is_never_spending(bob, flat):
    bob_id = await flat.add(bob)
    spent = await flat.spend(9000)
    await flat.settle(bob_id, flat.owner_id, 4500)
    items = (await flat.owner.get(f"{flat.path}/expenses")).body["items"]
    assert [each["expense_id"] for each in items] == [spent["expense_id"]]


async def test_it_pays_in_one_currency_for_a_debt_in_another(bob, flat):
    bob_id = await flat.add(bob)
    await flat.spend(10800, currency="USD")
    answer = await bob.post(
        f"{flat.path}/settlements",
        {
            "from": bob_id,
            "to": flat.owner_id,
            "amount": 5000,
            "currency": "EUR",
            "settles": {"amount": 5400, "currency": "USD"},
        },
    )
    assert answer.status == 201
    assert (answer.body["amount"], answer.body["currency"]) == (5000, "EUR")
    assert answer.body["settles"] == {"amount": 5400, "currency": "USD"}
    balances = (await flat.owner.get(f"{flat.path}/balances")).body["items"]
    assert {(each["currency"], each["net"]) for each in balances} == {("USD", 0)}


async def test_a_dry_run_stores_nothing(bob, flat, db):
    bob_id = await flat.add(bob)
    before = await all_rows(db)
    sent = {"from": bob_id, "to": flat.owner_id, "amount": 4500}
    answer = await bob.post(f"{flat.path}/settlements?dry_run=true", sent)
    assert (answer.status, answer.body["amount"], answer.body["from"]) == (200, 4500, bob_id)
    assert "Location" not in answer.headers
    assert await all_rows(db) == before


async def test_it_refuses_what_is_no_settlement_and_stores_nothing(bob, flat, db, subtests):
    bob_id = await flat.add(bob)
    other = await (await flat.owner.service.person("Eve")).team("Trip")
    before = await all_rows(db)
    for change, pointer, code in [
        ({"to": bob_id}, "/to", "same_member"),
        ({"to": other.owner_id}, "/to", "not_a_member"),
        ({"from": other.owner_id}, "/from", "not_a_member"),
        ({"amount": 0}, "/amount", "too_small"),
        ({"amount": 10**15 + 1}, "/amount", "too_large"),
        ({"currency": "QQQ"}, "/currency", "invalid"),
        ({"settles": {"amount": 4501, "currency": "EUR"}}, "/settles/amount", "same_currency"),
        ({"settles": {"amount": 4500, "currency": "QQQ"}}, "/settles/currency", "invalid"),
        ({"settles": {"amount": 4500}}, "/settles/currency", "required"),
        ({"settled_on": "2999-01-01"}, "/settled_on", "out_of_range"),
        ({"settled_on": "1999-12-31"}, "/settled_on", "out_of_range"),
        ({"external_id": "x" * 101}, "/external_id", "too_long"),
        ({"description": "Tea"}, "/description", "unknown"),
    ]:
        with subtests.test(f"{pointer} {code}"):
            sent = {"from": bob_id, "to": flat.owner_id, "amount": 4500} | change
            answer = await flat.owner.post(f"{flat.path}/settlements", sent)
            assert answer.status == 422, change
            found = [(each["pointer"], each["code"]) for each in answer.body["errors"]]
            assert found == [(pointer, code)], change
    assert await all_rows(db) == before


@pytest.mark.parametrize("first", ["expenses", "settlements"])
async def test_an_external_id_is_taken_once_in_the_team(bob, flat, db, first):
    bob_id = await flat.add(bob)
    sent = {"from": bob_id, "to": flat.owner_id, "amount": 4500, "external_id": "A-17"}
    if first == "expenses":
        taken = f"{flat.path}/expenses/{(await flat.spend(external_id='A-17'))['expense_id']}"
    else:
        taken = (await bob.post(f"{flat.path}/settlements", sent)).headers["Location"]
        assert (await bob.delete(taken, if_match="*")).status == 204
    before = await all_rows(db)
    answer = await bob.post(f"{flat.path}/settlements", sent)
    assert (answer.status, answer.body["type"]) == (409, "/problems/external-id-taken")
    assert answer.body["existing"] == taken
    assert await all_rows(db) == before
    # Another team has its own.
    trip = await bob.team("Trip")
    kim = await trip.guest("Kim")
    assert (await bob.post(f"{trip.path}/settlements", sent | {"from": kim, "to": trip.owner_id})).status == 201


async def test_a_former_member_settles_what_is_open(bob, flat):
    bob_id = await flat.add(bob)
    await flat.spend(9000)
    await flat.owner.delete(f"{flat.path}/members/{bob_id}?keep_balance=true")
    await flat.settle(bob_id, flat.owner_id, 4500)
    answer = await flat.owner.post(f"{flat.path}/settlements", {"from": bob_id, "to": flat.owner_id, "amount": 1})
    assert (answer.status, answer.body["errors"][0]["code"]) == (422, "not_a_member")
