"""GET /v1/teams/{team_id}/settlement-plan."""

import pytest

from tests.access import READ
from tests.rows import guests

ACCESS = READ


async def planned(team):
    answer = await team.owner.get(f"{team.path}/settlement-plan")
    assert answer.status == 200, answer.body
    return answer.body


async def test_it_settles_everything_with_the_fewest_transfers(bob, flat):
    other = await bob.team("Trip")
    await other.spend(700, participants=[{"member_id": await other.guest()}])
    kim, lee, max_ = [await flat.guest(name) for name in ("Kim", "Lee", "Max")]
    assert await planned(flat) == {"revision": 4, "fewest": True, "items": []}
    # Ann is owed 30 by Kim; Lee is owed 50 by Max, and in dollars 7 by Ann.
    await flat.spend(30, participants=[{"member_id": kim}])
    await flat.spend(50, payer=lee, participants=[{"member_id": max_}])
    await flat.spend(7, payer=lee, participants=[{"member_id": flat.owner_id}], currency="USD")
    plan = await planned(flat)
    assert plan["fewest"] is True
    assert sorted((each["from"], each["to"], each["amount"], each["currency"]) for each in plan["items"]) == sorted(
        [(kim, flat.owner_id, 30, "EUR"), (max_, lee, 50, "EUR"), (flat.owner_id, lee, 7, "USD")]
    )


async def test_carrying_out_one_transfer_leaves_the_others(flat):
    members = [flat.owner_id, *[await flat.guest(name) for name in ("Kim", "Lee", "Max", "Nia", "Oli")]]
    for index, amount in enumerate((100, 70, 55, 31, 8)):
        await flat.spend(amount, payer=members[index], participants=[{"member_id": each} for each in members[2:]])
    left = (await planned(flat))["items"]
    assert len(left) >= 3
    while left:
        carried_out = left.pop(len(left) // 2)
        await flat.settle(carried_out["from"], carried_out["to"], carried_out["amount"])
        assert (await planned(flat))["items"] == left
    assert set((await flat.nets()).values()) == {0}


async def test_many_open_balances_have_a_plan_that_says_it_may_not_be_the_fewest(flat, db):
    await guests(db, flat.team_id, 40)
    await flat.spend(4100)
    plan = await planned(flat)
    assert (plan["fewest"], len(plan["items"])) == (False, 40)
    assert {each["to"] for each in plan["items"]} == {flat.owner_id}


@pytest.mark.parametrize("write", [True, False])
async def test_it_has_the_team_s_revision(flat, write):
    answer = await flat.owner.get(f"{flat.path}/settlement-plan")
    assert answer.headers["ETag"] == f'"{answer.body["revision"]}"'
    if write:
        await flat.spend()
    again = await flat.owner.get(f"{flat.path}/settlement-plan", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status == (200 if write else 304)
