"""GET /v1/teams/{team_id}/settlements."""

from tests.access import READ

ACCESS = READ


async def listed(team, query=""):
    answer = await team.owner.get(f"{team.path}/settlements{query}")
    assert answer.status == 200, answer.body
    return [each["amount"] for each in answer.body["items"]]


async def test_it_lists_pages_and_filters(bob, flat, subtests):
    other = await bob.team("Trip")
    await other.settle(await other.guest(), other.owner_id, 700)
    kim, lee = await flat.guest("Kim"), await flat.guest("Lee")
    await flat.spend()
    await flat.settle(kim, lee, 1, settled_on="2024-01-02", external_id="one", metadata={"bank": "a"})
    await flat.settle(lee, kim, 2, settled_on="2024-01-03")
    await flat.settle(kim, flat.owner_id, 3, settled_on="2024-01-01", metadata={"bank": "a", "day": "b:c"})
    for query, expected in [
        ("", [2, 1, 3]),
        ("?sort=created_at", [3, 2, 1]),
        (f"?from={kim}", [1, 3]),
        (f"?to={kim}", [2]),
        (f"?member={lee}", [2, 1]),
        ("?settled_from=2024-01-02", [2, 1]),
        ("?settled_to=2024-01-02", [1, 3]),
        ("?external_id=one", [1]),
        ("?external_id=none", []),
        ("?metadata=bank:a", [1, 3]),
        ("?metadata=day:b:c", [3]),
        ("?metadata=day:b", []),
    ]:
        with subtests.test(query):
            assert await listed(flat, query) == expected
    for sort, expected in (("settled_on", [2, 1, 3]), ("created_at", [3, 2, 1])):
        found, after = [], ""
        while after is not None:
            answer = await flat.owner.get(f"{flat.path}/settlements?limit=1&sort={sort}{after}")
            found += [each["amount"] for each in answer.body["items"]]
            after = answer.body["next"] and f"&after={answer.body['next']}"
        assert found == expected


async def test_a_list_of_expenses_shows_them_when_asked(flat):
    kim = await flat.guest("Kim")
    settlement = await flat.settle(kim, flat.owner_id, 4500)
    answer = await flat.owner.get(f"{flat.path}/expenses?kind=settlement")
    [shown] = answer.body["items"]
    assert (shown["expense_id"], shown["kind"]) == (settlement["settlement_id"], "settlement")
    assert shown["payers"] == [{"member_id": kim, "amount": 4500}]
    assert shown["participants"] == [{"member_id": flat.owner_id, "amount": 4500}]
