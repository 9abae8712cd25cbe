"""GET /v1/teams."""

from tests.access import ALL_ACCOUNTS
from tests.rows import teams

ACCESS = ALL_ACCOUNTS


async def names(person, query=""):
    answer = await person.get(f"/v1/teams{query}")
    assert answer.status == 200
    return [team["name"] for team in answer.body["items"]]


async def test_it_lists_the_teams_of_the_actor_newest_first(ann, bob):
    flat = await ann.team("Flat")
    trip = await bob.team("Trip")
    await bob.team("Nothing to do with Ann")
    member_id = await trip.add(ann, "viewer")
    answer = await ann.get("/v1/teams")
    assert [(team["name"], team["role"]) for team in answer.body["items"]] == [("Trip", "viewer"), ("Flat", "owner")]
    assert [team["member_id"] for team in answer.body["items"]] == [member_id, flat.owner_id]
    assert answer.body["next"] is None
    assert "Link" not in answer.headers


async def test_it_lists_nothing_for_somebody_in_no_team(ann, bob):
    await bob.team()
    assert (await ann.get("/v1/teams")).body == {"items": [], "next": None}


async def test_it_pages_through_all_and_links_to_the_next(ann, bob):
    for number in range(5):
        await (bob if number == 2 else ann).team(f"Team {number}")
    found, path = [], "/v1/teams?limit=2"
    while path:
        answer = await ann.get(path)
        found += [team["name"] for team in answer.body["items"]]
        assert ("Link" in answer.headers) == (answer.body["next"] is not None)
        path = f"/v1/teams?limit=2&after={answer.body['next']}" if answer.body["next"] else ""
        if path:
            assert answer.headers["Link"] == f'<{path}>; rel="next"'
    assert found == ["Team 4", "Team 3", "Team 1", "Team 0"]


async def test_it_says_that_the_last_full_page_is_the_last(ann):
    await ann.team("One")
    await ann.team("Two")
    answer = await ann.get("/v1/teams?limit=2")
    assert len(answer.body["items"]) == 2
    assert answer.body["next"] is None


async def test_it_leaves_out_deleted_teams_and_those_that_the_actor_left(ann, bob):
    await ann.team("Flat")
    trip = await bob.team("Trip")
    member_id = await trip.add(ann)
    gone = await ann.team("Gone")
    await ann.delete(gone.path)
    assert await names(ann) == ["Trip", "Flat"]
    await ann.delete(f"{trip.path}/members/{member_id}")
    assert await names(ann) == ["Flat"]
    assert await names(bob) == ["Trip"]


async def test_it_lists_active_archived_or_all_teams(ann, bob):
    for name in ("Flat", "Trip", "House", "Boat"):
        team = await (bob if name == "Boat" else ann).team(name)
        if name in {"Trip", "Boat"}:
            await team.owner.patch(team.path, {"archived": True})
    assert await names(ann) == ["House", "Trip", "Flat"]
    assert await names(ann, "?status=all") == ["House", "Trip", "Flat"]
    assert await names(ann, "?status=active") == ["House", "Flat"]
    assert await names(ann, "?status=archived") == ["Trip"]


async def test_each_team_has_the_actor_s_own_balances(ann, bob):
    flat, trip = await ann.team("Flat"), await bob.team("Trip", "JPY")
    bob_id = await flat.add(bob)
    await trip.add(ann)
    await flat.spend(1000)
    await flat.spend(500, currency="USD", payer=bob_id)
    await flat.spend(500, currency="CHF", participants=[{"member_id": flat.owner_id}])

    async def balances(person):
        return {each["name"]: each["balances"] for each in (await person.get("/v1/teams")).body["items"]}

    assert await balances(ann) == {
        "Flat": [{"currency": "EUR", "net": 500}, {"currency": "USD", "net": -250}],
        "Trip": [],
    }
    assert await balances(bob) == {
        "Flat": [{"currency": "EUR", "net": -500}, {"currency": "USD", "net": 250}],
        "Trip": [],
    }
    for person in (ann, bob):
        for team in (await person.get("/v1/teams")).body["items"]:
            assert (await person.get(f"/v1/teams/{team['team_id']}")).body == team


async def test_it_keeps_the_status_in_the_link(ann):
    for number in range(5):
        team = await ann.team(f"Team {number}")
        await ann.patch(team.path, {"archived": number != 2})
    found, path = [], "/v1/teams?status=archived&limit=2"
    while path:
        answer = await ann.get(path)
        found += [team["name"] for team in answer.body["items"]]
        path = answer.headers["Link"].split(">")[0].strip("<") if answer.body["next"] else ""
        assert not path or "status=archived" in path
    assert found == ["Team 4", "Team 3", "Team 1", "Team 0"]


async def test_it_refuses_a_status_that_it_does_not_know(ann):
    answer = await ann.get("/v1/teams?status=former")
    assert (answer.status, answer.body["errors"][0]["pointer"]) == (422, "/status")


async def test_it_refuses_a_limit_that_is_no_number_from_one(ann, subtests):
    for limit in ["0", "-1", "x", "1.0", "٣", "1_0", ""]:
        with subtests.test(limit):
            answer = await ann.get("/v1/teams", params={"limit": limit})
            assert answer.status == 422, limit
            assert answer.body["errors"][0]["pointer"] == "/limit"


async def test_it_takes_a_limit_above_the_most_for_the_most(ann, db):
    await teams(db, ann.user_id, 201)
    answer = await ann.get("/v1/teams?limit=999999")
    assert len(answer.body["items"]) == 200
    assert len(await names(ann, f"?after={answer.body['next']}")) == 1


async def test_it_refuses_a_cursor_that_is_none(ann, subtests):
    for after in ["x", "bnVsbA", "WyJpZCIsbnVsbCwieCJd", "WyJzcGVudF9vbiIsbnVsbCxudWxsXQ"]:
        with subtests.test(after):
            answer = await ann.get(f"/v1/teams?after={after}")
            assert answer.status == 422, after
            assert answer.body["errors"][0]["code"] == "not_a_cursor"


async def test_it_refuses_a_parameter_that_it_does_not_know(ann):
    answer = await ann.get("/v1/teams?offset=10")
    assert answer.status == 422
    assert (answer.body["errors"][0]["in"], answer.body["errors"][0]["code"]) == ("query", "unknown")
