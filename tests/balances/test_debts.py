"""GET /v1/teams/{team_id}/debts."""

import random
from collections import defaultdict

from tests.access import READ

ACCESS = READ


async def debts(team):
    answer = await team.owner.get(f"{team.path}/debts")
    assert answer.status == 200, answer.body
    return {(each["from"], each["to"], each["currency"]): each["amount"] for each in answer.body["items"]}


async def test_each_owes_who_paid(bob, flat):
    other = await bob.team("Trip")
    await other.spend(700, participants=[{"member_id": await other.guest()}])
    kim, lee = await flat.guest("Kim"), await flat.guest("Lee")
    assert await debts(flat) == {}
    await flat.spend(900)
    assert await debts(flat) == {(kim, flat.owner_id, "EUR"): 300, (lee, flat.owner_id, "EUR"): 300}
    await flat.spend(1000, payer=kim, participants=[{"member_id": flat.owner_id}])
    await flat.spend(50, payer=kim, participants=[{"member_id": flat.owner_id}], currency="USD")
    assert await debts(flat) == {
        (flat.owner_id, kim, "EUR"): 700,
        (lee, flat.owner_id, "EUR"): 300,
        (flat.owner_id, kim, "USD"): 50,
    }
    await flat.settle(flat.owner_id, kim, 700)
    # Nothing is simplified: that Lee could pay Kim is for the plan to say.
    assert await debts(flat) == {(lee, flat.owner_id, "EUR"): 300, (flat.owner_id, kim, "USD"): 50}


async def test_several_payers_are_owed_in_proportion(flat):
    kim, lee, max_ = [await flat.guest(name) for name in ("Kim", "Lee", "Max")]
    await flat.spend(
        100,
        payers=[{"member_id": flat.owner_id, "amount": 60}, {"member_id": kim, "amount": 40}],
        participants=[{"member_id": lee}, {"member_id": max_}],
    )
    assert await debts(flat) == {
        (lee, flat.owner_id, "EUR"): 30,
        (lee, kim, "EUR"): 20,
        (max_, flat.owner_id, "EUR"): 30,
        (max_, kim, "EUR"): 20,
    }


async def test_what_a_member_is_owed_less_what_they_owe_is_their_net(flat, db):
    numbers = random.Random(9)  # noqa: S311 -- the same each time.
    members = [flat.owner_id, *[await flat.guest(name) for name in ("Kim", "Lee", "Max", "Nia")]]
    for _ in range(30):
        paying = numbers.sample(members, numbers.randint(1, 4))
        paid = [numbers.choice([1, 2, 3, 100, 3333, 10**14]) for _ in paying]
        await flat.spend(
            sum(paid),
            kind=numbers.choice(["expense", "income"]),
            payers=[{"member_id": each, "amount": part} for each, part in zip(paying, paid, strict=True)],
            participants=[{"member_id": each} for each in numbers.sample(members, numbers.randint(1, 5))],
        )
    found = defaultdict(int)
    for (debtor, creditor, _), amount in (await debts(flat)).items():
        assert amount > 0
        found[creditor] += amount
        found[debtor] -= amount
    assert {each: found[each] for each in members} == await flat.nets()


async def test_it_has_the_team_s_revision(flat):
    answer = await flat.owner.get(f"{flat.path}/debts")
    assert answer.headers["ETag"] == f'"{answer.body["revision"]}"'
    unchanged = await flat.owner.get(f"{flat.path}/debts", headers={"If-None-Match": answer.headers["ETag"]})
    assert unchanged.status == 304
