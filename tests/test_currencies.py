"""A ledger outlives its currencies: what is stored stays usable, whatever ISO 4217's list leaves out."""

import pytest

from service.ops.keys import MONITOR

# Of the euro's newest countries; the guilder; with no decimals; and a code that no list has.
GONE = ["BGN", "HRK", "ANG", "BYR", "QQQ"]


@pytest.fixture(params=GONE)
async def gone(request, db, flat):
    """A team in a currency that has left ISO 4217, with a guest who owes half of what Ann paid."""
    flat.guest_id = await flat.guest()
    flat.currency = request.param
    await spend_in(db, flat, request.param)
    await db.execute("update teams set currency = $1", request.param)
    return flat


async def spend_in(db, team, currency, amount=9000):
    """Record an expense, and move it to a currency as if it had been in the list then."""
    expense = await team.spend(amount)
    async with db.transaction():
        for table in ("expenses", "entries"):
            sql = f"update {table} set currency = $1 where expense_id = $2"  # noqa: S608
            await db.execute(sql, currency, expense["expense_id"])
    return expense


async def only_expense(team):
    [expense] = (await team.owner.get(f"{team.path}/expenses")).body["items"]
    return expense


async def test_it_is_read(gone):
    expense = await only_expense(gone)
    assert expense["currency"] == gone.currency
    assert (await gone.owner.get(f"{gone.path}/expenses/{expense['expense_id']}")).body == expense
    assert (await gone.owner.get(gone.path)).body["currency"] == gone.currency
    items = (await gone.owner.get(f"{gone.path}/balances")).body["items"]
    assert {(each["currency"], each["net"]) for each in items} == {(gone.currency, 4500), (gone.currency, -4500)}


async def test_it_is_changed_also_when_the_currency_is_sent_back(gone):
    path = f"{gone.path}/expenses/{(await only_expense(gone))['expense_id']}"
    for change in ({"amount": 8000}, {"amount": 7000, "currency": gone.currency}):
        answer = await gone.owner.patch(path, change, if_match="*")
        assert (answer.status, answer.body["amount"], answer.body["currency"]) == (200, change["amount"], gone.currency)
    assert sorted((await gone.nets()).values()) == [-3500, 3500]
    answer = await gone.owner.patch(path, {"currency": "EUR"}, if_match="*")
    assert (answer.status, answer.body["currency"]) == (200, "EUR")


async def test_it_is_deleted(gone):
    path = f"{gone.path}/expenses/{(await only_expense(gone))['expense_id']}"
    assert (await gone.owner.delete(path, if_match="*")).status == 204
    assert set((await gone.nets()).values()) == {0}


async def test_a_team_whose_currency_it_is_goes_on(gone):
    assert (await gone.spend(1000))["currency"] == gone.currency
    answer = await gone.owner.patch(gone.path, {"name": "House", "currency": gone.currency})
    assert (answer.status, answer.body["name"], answer.body["currency"]) == (200, "House", gone.currency)
    assert (await gone.owner.patch(gone.path, {"currency": "EUR"})).body["currency"] == "EUR"


async def test_it_is_settled_in_a_team_that_has_another_by_now(gone):
    assert (await gone.owner.patch(gone.path, {"currency": "EUR"})).status == 200
    back = {"payer": gone.guest_id, "participants": [{"member_id": gone.owner_id}], "currency": gone.currency}
    assert (await gone.spend(4500, **back))["currency"] == gone.currency
    assert set((await gone.nets()).values()) == {0}


async def test_a_former_member_leaves_and_settles_it(gone):
    member = f"{gone.path}/members/{gone.guest_id}"
    answer = await gone.owner.delete(member)
    assert (answer.status, answer.body["balances"]) == (409, [{"currency": gone.currency, "net": -4500}])
    assert (await gone.owner.delete(f"{member}?keep_balance=true")).status == 204
    back = {"payer": gone.guest_id, "participants": [{"member_id": gone.owner_id}]}
    assert (await gone.spend(4500, **back))["currency"] == gone.currency
    assert set((await gone.nets()).values()) == {0}


async def test_it_is_measured(gone, served, db, caplog):
    await spend_in(db, gone, "EUR", 1250)
    await db.execute("update audits set audited_at = null")
    await served.app[MONITOR].look()
    found = await served.metrics()
    in_major_units = 9000 if gone.currency == "BYR" else 90
    assert found[f'ledger_expenses_amount{{currency="{gone.currency}"}}'] == in_major_units
    assert found['ledger_expenses_amount{currency="EUR"}'] == 12.5
    assert [each for each in caplog.records if each.levelname == "ERROR"] == []


async def test_a_team_may_not_choose_one_that_has_left(ann, flat, db, subtests):
    for code, left in (("BGN", "2026-01"), ("HRK", "2023-01"), ("DEM", "2002-03")):
        for method, path, body in (
            ("POST", "/v1/teams", {"name": "Trip", "currency": code}),
            ("PATCH", flat.path, {"name": "Trip", "currency": code}),
        ):
            with subtests.test(f"{method} {code}"):
                answer = await ann.call(method, path, body)
                [error] = answer.body["errors"]
                assert (answer.status, error["pointer"], error["code"]) == (422, "/currency", "withdrawn")
                assert f"{code} has left ISO 4217 in {left}" in error["detail"]
    assert await db.fetch("select name, currency, revision from teams") == [("Flat", "EUR", 1)]


async def test_an_expense_may_be_in_one_of_back_then_but_not_in_what_never_was_one(flat, subtests):
    spent = await flat.spend(currency="HRK", spent_on="2022-07-01")
    assert spent["currency"] == "HRK"
    path = f"{flat.path}/expenses"
    for code in ("QQQ", "XAU", "XXX"):
        body = {"description": "Dinner", "amount": 1, "currency": code}
        for method, target in (("POST", path), ("PATCH", f"{path}/{spent['expense_id']}")):
            with subtests.test(f"{method} {code}"):
                answer = await flat.owner.call(method, target, body, headers={"If-Match": "*"})
                assert (answer.status, answer.body["errors"][0]["pointer"]) == (422, "/currency")
                assert "must be an ISO 4217 currency code" in answer.body["errors"][0]["detail"]


async def test_a_currency_of_another_team_s_ledger_is_none_of_this_one(ann, flat, db):
    other = await ann.team("Trip")
    await spend_in(db, other, "QQQ")
    answer = await ann.post(f"{flat.path}/expenses", {"description": "Dinner", "amount": 1, "currency": "QQQ"})
    assert answer.status == 422
