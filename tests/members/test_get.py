"""GET /v1/teams/{team_id}/members/{member_id}."""

from tests.access import READ

ACCESS = READ


async def test_it_returns_accounts_and_guests(bob, flat):
    bob_id, guest = await flat.add(bob, "viewer"), await flat.guest("Grandma")
    answer = await bob.get(f"{flat.path}/members/{bob_id}")
    assert answer.status == 200
    assert (answer.body["user_id"], answer.body["name"], answer.body["role"]) == (bob.user_id, "Bob", "viewer")
    answer = await bob.get(f"{flat.path}/members/{guest}")
    assert (answer.body["user_id"], answer.body["name"], answer.body["role"]) == (None, "Grandma", "guest")


async def test_it_returns_a_former_member(flat):
    guest = await flat.guest()
    await flat.owner.delete(f"{flat.path}/members/{guest}")
    answer = await flat.owner.get(f"{flat.path}/members/{guest}")
    assert answer.status == 200
    assert answer.body["left_at"] is not None


async def test_it_finds_no_member_of_another_team(bob, flat):
    other = await bob.team("Trip")
    assert (await flat.owner.get(f"{flat.path}/members/{other.owner_id}")).status == 404
    assert (await flat.owner.get(f"{other.path}/members/{other.owner_id}")).status == 404
    assert (await flat.owner.get(f"{flat.path}/members/{flat.owner_id}")).status == 200


async def test_it_finds_nothing_for_former_members_and_in_deleted_teams(ann, bob, flat):
    bob_id = await flat.add(bob)
    await ann.delete(f"{flat.path}/members/{bob_id}")
    assert (await bob.get(f"{flat.path}/members/{bob_id}")).status == 404
    await ann.delete(flat.path)
    assert (await ann.get(f"{flat.path}/members/{flat.owner_id}")).status == 404


async def test_it_finds_nothing_where_there_is_no_member(flat):
    for member_id in (flat.team_id, "1"):
        assert (await flat.owner.get(f"{flat.path}/members/{member_id}")).status == 404
