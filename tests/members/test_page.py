"""GET /v1/teams/{team_id}/members."""

from tests.access import READ

ACCESS = READ


async def names(team, query=""):
    answer = await team.owner.get(f"{team.path}/members{query}")
    assert answer.status == 200
    return [member["name"] for member in answer.body["items"]]


async def test_it_lists_the_members_of_this_team_in_the_order_in_which_they_came(bob, flat):
    other = await bob.team("Trip")
    await other.guest("Not of the flat")
    await flat.guest("Zoe")
    await flat.add(bob, "viewer")
    await flat.guest("Anton")
    assert await names(flat) == ["Ann", "Zoe", "Bob", "Anton"]
    assert await names(other) == ["Bob", "Not of the flat"]


async def test_it_shows_a_viewer_everybody(bob, flat):
    await flat.add(bob, "viewer")
    answer = await bob.get(f"{flat.path}/members")
    assert {member["name"]: member["role"] for member in answer.body["items"]} == {"Ann": "owner", "Bob": "viewer"}


async def test_it_lists_active_former_or_all_members(flat):
    zoe = await flat.guest("Zoe")
    await flat.owner.delete(f"{flat.path}/members/{zoe}")
    assert await names(flat) == ["Ann"]
    assert await names(flat, "?status=active") == ["Ann"]
    assert await names(flat, "?status=former") == ["Zoe"]
    assert await names(flat, "?status=all") == ["Ann", "Zoe"]


async def test_it_returns_an_empty_page_to_a_member_where_there_is_nothing(flat):
    answer = await flat.owner.get(f"{flat.path}/members?status=former")
    assert (answer.status, answer.body) == (200, {"items": [], "next": None})


async def test_it_pages_through_all_and_links_to_the_next(bob, flat):
    other = await bob.team("Trip")
    for number in range(4):
        await flat.guest(f"Guest {number}")
        await other.guest(f"Other {number}")
    found, path = [], f"{flat.path}/members?status=all&limit=2"
    for more in (True, True, False):
        answer = await flat.owner.get(path)
        found += [member["name"] for member in answer.body["items"]]
        assert (answer.body["next"] is not None) == more
        if more:
            path = f"{flat.path}/members?status=all&limit=2&after={answer.body['next']}"
            assert answer.headers["Link"] == f'<{path}>; rel="next"'
    assert "Link" not in answer.headers
    assert found == ["Ann", "Guest 0", "Guest 1", "Guest 2", "Guest 3"]


async def test_it_gives_a_member_of_another_team_no_page_with_a_cursor_from_here(bob, flat):
    other = await bob.team("Trip")
    await flat.guest()
    after = (await flat.owner.get(f"{flat.path}/members?limit=1")).body["next"]
    assert (await bob.get(f"{flat.path}/members?after={after}")).status == 404
    # Their own members, who all came after the one that the cursor names.
    found = (await bob.get(f"{other.path}/members?after={after}")).body["items"]
    assert [member["member_id"] for member in found] == [other.owner_id]


async def test_it_finds_nothing_for_strangers_former_members_and_in_deleted_teams(ann, bob, flat):
    assert (await bob.get(f"{flat.path}/members")).status == 404
    bob_id = await flat.add(bob)
    await ann.delete(f"{flat.path}/members/{bob_id}")
    assert (await bob.get(f"{flat.path}/members")).status == 404
    await ann.delete(flat.path)
    assert (await ann.get(f"{flat.path}/members")).status == 404


async def test_it_refuses_what_it_cannot_list_by(flat, subtests):
    for query, pointer in [("status=gone", "/status"), ("limit=0", "/limit"), ("after=x", "/after"), ("q=a", "/q")]:
        with subtests.test(query):
            answer = await flat.owner.get(f"{flat.path}/members?{query}")
            assert answer.status == 422, query
            assert (answer.body["errors"][0]["in"], answer.body["errors"][0]["pointer"]) == ("query", pointer)
