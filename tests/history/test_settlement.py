"""GET /v1/teams/{team_id}/settlements/{settlement_id}/history."""

from tests.access import READ
from tests.history.test_expense import sentences

ACCESS = READ


async def test_it_tells_each_version(flat):
    bob, cleo = await flat.guest("Bob"), await flat.guest("Cleo")
    settled = await flat.settle(bob, cleo, 4500)
    path = f"/settlements/{settled['settlement_id']}"
    await flat.owner.patch(flat.path + path, {"settles": {"amount": 5400, "currency": "USD"}, "to": flat.owner_id}, "*")
    await flat.owner.delete(flat.path + path, "*")
    assert await sentences(flat, f"{path}/history") == [
        "Ann deleted the settlement of 45.00 EUR for 54.00 USD from Bob to Ann",
        "Ann changed who received it from Cleo to Ann and set the debt that it settles to 54.00 USD",
        "Ann recorded that Bob paid Cleo 45.00 EUR",
    ]
    answer = await flat.owner.get(f"{flat.path}{path}/history?limit=2")
    changes = {each["field"]: (each["before"], each["after"]) for each in answer.body["items"][1]["changes"]}
    assert changes == {"to": (cleo, flat.owner_id), "settles": (None, {"amount": 5400, "currency": "USD"})}
    assert [each["subject_name"] for each in answer.body["items"]] == ["Bob to Ann", "Bob to Ann"]


async def test_an_expense_is_none(flat):
    spent = await flat.spend()
    answer = await flat.owner.get(f"{flat.path}/settlements/{spent['expense_id']}/history")
    assert (answer.status, answer.body["detail"]) == (404, "There is no such settlement.")
