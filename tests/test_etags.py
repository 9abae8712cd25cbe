"""ETags of what is read of a team: none stays where the answer changes, and one look-up tells that nothing did."""

import pytest

from service.postgres.queries import queries
from service.routes import routes
from tests.test_statements import config, recorded  # noqa: F401 -- one connection, so that all statements are seen.


async def paths(team):
    """Return the path of every read of a team by its route's name."""
    guest = await team.guest("Kim")
    ids = {
        "team_id": team.team_id,
        "member_id": guest,
        "expense_id": (await team.spend(900))["expense_id"],
        "settlement_id": (await team.settle(guest, team.owner_id, 100))["settlement_id"],
    }
    return {
        name: path.format(**ids)
        for method, path, _, name in routes
        if method == "GET" and path.startswith("/v1/teams/{")
    }


async def tags(person, found):
    return {name: (await person.get(path)).headers.get("ETag") for name, path in found.items()}


# What has a version is changed with it in If-Match; its tag is that version.
VERSIONED = {"teams.get", "members.get", "expenses.get", "settlements.get"}


async def test_every_read_of_a_team_has_a_tag_that_answers_304(flat, subtests):
    found = await paths(flat)
    assert len(found) >= 17
    for name, etag in (await tags(flat.owner, found)).items():
        with subtests.test(name):
            assert etag
            again = await flat.owner.get(found[name], headers={"If-None-Match": etag})
            assert (again.status, again.headers["ETag"], again.body) == (304, etag, b"")
            assert (await flat.owner.get(found[name], headers={"If-None-Match": '"999"'})).status == 200


async def test_304_takes_one_look_up(served, flat, subtests):
    found = await paths(flat)
    for name, etag in (await tags(flat.owner, found)).items():
        with subtests.test(name):
            async with recorded(served) as statements:
                await flat.owner.get(found[name], headers={"If-None-Match": etag})
            feature, verb = name.split(".")
            is_by_version = name in VERSIONED - {"teams.get"}
            read = getattr(getattr(queries, feature), verb) if is_by_version else queries.teams.state
            assert statements == [read.sql]


async def writes(team, bob):
    """Do one write after the other, and yield the name of each."""
    guest = await team.guest("Lee")
    yield "a guest"
    expense = await team.spend(100)
    yield "an expense"
    await team.owner.patch(f"{team.path}/expenses/{expense['expense_id']}", {"amount": 200}, "*")
    yield "a change"
    await team.owner.delete(f"{team.path}/expenses/{expense['expense_id']}", "*")
    yield "a deletion"
    await team.settle(guest, team.owner_id, 100)
    yield "a settlement"
    await team.owner.patch(f"{team.path}/members/{guest}", {"name": "Leo"})
    yield "a member's name"
    member = await team.add(bob)
    yield "an account"
    await team.owner.patch(f"{team.path}/members/{member}", {"role": "viewer"})
    yield "a role"
    await bob.delete(f"{team.path}/members/{member}")
    yield "somebody who left"
    await team.owner.patch(team.path, {"name": "House"})
    yield "the team's name"
    await team.owner.patch(team.path, {"archived": True})
    yield "the archive"


async def test_every_write_changes_the_tag_of_every_list(flat, bob, subtests):
    found = {name: path for name, path in (await paths(flat)).items() if name not in VERSIONED - {"teams.get"}}
    before = await tags(flat.owner, found)
    async for write in writes(flat, bob):
        after = await tags(flat.owner, found)
        with subtests.test(write):
            assert [name for name in found if before[name] == after[name]] == []
        before = after


async def test_the_marker_is_in_the_tag_of_the_activity(flat):
    path = f"{flat.path}/activity"
    before = (await flat.owner.get(path)).headers["ETag"]
    assert (await flat.owner.call("PUT", f"{path}/read", {"revision": 1})).status == 204
    after = await flat.owner.get(path, headers={"If-None-Match": before})
    assert (after.status, after.body["read"]) == (200, 1)
    assert (await flat.owner.get(path, headers={"If-None-Match": after.headers["ETag"]})).status == 304


@pytest.mark.parametrize("sent", ["the tag", "*"])
async def test_a_tag_tells_a_stranger_nothing(flat, bob, subtests, sent):
    found = await paths(flat)
    for name, etag in (await tags(flat.owner, found)).items():
        with subtests.test(name):
            headers = {"If-None-Match": etag if sent == "the tag" else sent}
            assert (await bob.get(found[name], headers=headers)).status == 404


async def test_a_bad_query_is_refused_before_a_tag_is_looked_at(flat):
    path = f"{flat.path}/expenses"
    etag = (await flat.owner.get(path)).headers["ETag"]
    assert (await flat.owner.get(f"{path}?limit=0", headers={"If-None-Match": etag})).status == 422


async def test_an_empty_list_has_the_tag_of_its_own_revision(flat):
    path = f"{flat.path}/settlements"
    empty = await flat.owner.get(path)
    assert (empty.status, empty.body["items"], empty.headers["ETag"]) == (200, [], '"1"')
    await flat.guest()
    again = await flat.owner.get(path, headers={"If-None-Match": '"1"'})
    assert (again.status, again.body["items"], again.headers["ETag"]) == (200, [], '"2"')
