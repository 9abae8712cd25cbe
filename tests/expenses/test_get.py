"""GET /v1/teams/{team_id}/expenses/{expense_id}."""

from tests.access import READ

ACCESS = READ


def path(team, expense):
    return f"{team.path}/expenses/{expense['expense_id']}"


async def test_it_returns_what_was_recorded(bob, flat):
    await flat.add(bob, "viewer")
    other = await bob.team("Trip")
    await other.spend(1234)
    expense = await flat.spend(1001, notes="Late", category="Food")
    for person in (flat.owner, bob):
        answer = await person.get(path(flat, expense))
        assert (answer.status, answer.body) == (200, expense)
        assert answer.headers["ETag"] == '"1"'


async def test_it_answers_not_modified_to_who_has_it(flat, subtests):
    expense = await flat.spend()
    for sent in ('"1"', 'W/"1"', '"7", "1"', "*"):
        with subtests.test(sent):
            answer = await flat.owner.get(path(flat, expense), headers={"If-None-Match": sent})
            assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", '"1"')
    await flat.owner.patch(path(flat, expense), {"amount": 1}, if_match='"1"')
    answer = await flat.owner.get(path(flat, expense), headers={"If-None-Match": '"1"'})
    assert (answer.status, answer.body["version"], answer.headers["ETag"]) == (200, 2, '"2"')


async def test_it_finds_no_expense_of_another_team(bob, flat):
    other = await bob.team("Trip")
    theirs, mine = await other.spend(), await flat.spend()
    assert (await flat.owner.get(path(flat, theirs))).status == 404
    assert (await flat.owner.get(path(other, theirs))).status == 404
    assert (await flat.owner.get(path(other, mine))).status == 404
    assert (await flat.owner.get(path(flat, mine))).status == 200


async def test_it_finds_nothing_that_is_deleted_and_nothing_for_who_left(bob, flat):
    bob_id = await flat.add(bob)
    first, second = await flat.spend(), await flat.spend()
    await flat.owner.delete(path(flat, first), if_match="*")
    assert (await flat.owner.get(path(flat, first))).status == 404
    assert (await bob.get(path(flat, second))).status == 200
    await flat.owner.delete(f"{flat.path}/members/{bob_id}?keep_balance=true")
    assert (await bob.get(path(flat, second))).status == 404
    await flat.owner.delete(f"{flat.path}?keep_balance=true")
    assert (await flat.owner.get(path(flat, second))).status == 404
