"""GET /v1/teams/{team_id}/settlements/{settlement_id}."""

from tests.access import READ

ACCESS = READ


async def test_it_returns_what_was_recorded(bob, flat):
    bob_id = await flat.add(bob)
    settlement = await flat.settle(bob_id, flat.owner_id, 4500, notes="By bank", metadata={"bank": "1"})
    answer = await bob.get(f"{flat.path}/settlements/{settlement['settlement_id']}")
    assert (answer.status, answer.body, answer.headers["ETag"]) == (200, settlement, '"1"')


async def test_it_finds_no_expense_and_nothing_of_another_team(bob, flat):
    expense = await flat.spend()
    assert (await flat.owner.get(f"{flat.path}/settlements/{expense['expense_id']}")).status == 404
    other = await bob.team("Trip")
    theirs = await other.settle(await other.guest(), other.owner_id, 100)
    for path in (other.path, flat.path):
        assert (await flat.owner.get(f"{path}/settlements/{theirs['settlement_id']}")).status == 404
