"""GET /v1/teams/{team_id}."""

from tests.access import READ

ACCESS = READ


async def test_it_returns_the_team_as_the_actor_stands_in_it(ann, bob, flat):
    other = await bob.team("Trip", "JPY")
    await other.add(ann, "admin")
    bob_id = await flat.add(bob, "viewer")
    mine, his = await ann.get(flat.path), await bob.get(flat.path)
    assert (mine.status, his.status) == (200, 200)
    assert (mine.body["name"], mine.body["currency"], mine.body["revision"]) == ("Flat", "EUR", 2)
    assert (mine.body["member_id"], mine.body["role"]) == (flat.owner_id, "owner")
    assert (his.body["member_id"], his.body["role"]) == (bob_id, "viewer")


async def test_it_counts_the_writes(flat):
    await flat.guest()
    await flat.spend()
    assert (await flat.owner.get(flat.path)).body["revision"] == 3


async def test_it_finds_nothing_for_a_stranger(bob, flat):
    await bob.team()
    answer = await bob.get(flat.path)
    assert (answer.status, answer.body["type"]) == (404, "/problems/not-found")


async def test_it_finds_nothing_for_a_former_member(bob, flat):
    member_id = await flat.add(bob, "admin")
    assert (await bob.get(flat.path)).status == 200
    await flat.owner.delete(f"{flat.path}/members/{member_id}")
    assert (await bob.get(flat.path)).status == 404


async def test_it_finds_no_deleted_team(flat):
    await flat.owner.delete(flat.path)
    assert (await flat.owner.get(flat.path)).status == 404


async def test_it_returns_an_archived_team(flat):
    await flat.owner.patch(flat.path, {"archived": True})
    answer = await flat.owner.get(flat.path)
    assert answer.status == 200
    assert answer.body["archived_at"] is not None


async def test_it_finds_nothing_where_there_is_no_team(ann, bob, subtests):
    await bob.team()
    for team_id in ["00000000-0000-7000-8000-000000000000", "1", "null", "%00"]:
        with subtests.test(team_id):
            assert (await ann.get(f"/v1/teams/{team_id}")).status == 404


async def test_it_takes_an_id_in_capitals(flat):
    answer = await flat.owner.get(f"/v1/teams/{flat.team_id.upper()}")
    assert (answer.status, answer.body["team_id"]) == (200, flat.team_id)
