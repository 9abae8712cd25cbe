"""GET /v1/me/changes."""

import asyncio
import base64

import pytest

from service.changes import service as changes_service
from service.changes.cursor import decoded, encoded
from service.changes.keys import WAITING
from service.postgres.queries import queries
from service.web.keys import DB
from tests.conftest import Person, running

SECONDS_MAX = 20


async def changes(person, after="", query=""):
    path = f"/v1/me/changes?{f'after={after}&' if after else ''}{query or 'limit=50'}"
    answer = await person.get(path)
    assert answer.status == 200, answer.body
    return answer.body


def told(page):
    return [(each["team_id"], each["revision"], each["action"]) for each in page["items"]]


@pytest.fixture
async def trip(ann):
    return await ann.team("Trip")


async def test_one_position_follows_all_teams(ann, flat, trip):
    await flat.guest()
    found = await changes(ann)
    assert told(found) == [
        (flat.team_id, 1, "teams.create"),
        (flat.team_id, 1, "members.create"),
        (flat.team_id, 2, "members.create"),
        (trip.team_id, 1, "teams.create"),
        (trip.team_id, 1, "members.create"),
    ]
    assert (found["revision"], found["more"]) == (3, False)
    of_team = (await ann.get(f"{flat.path}/changes")).body["items"]
    assert [{"team_id": flat.team_id} | each for each in of_team] == found["items"][:3]
    quiet = await changes(ann, found["next"])
    assert quiet == {"items": [], "revision": 3, "more": False, "next": found["next"]}
    await trip.spend()
    await flat.spend()
    later = await changes(ann, found["next"])
    assert told(later) == [(flat.team_id, 3, "expenses.create"), (trip.team_id, 2, "expenses.create")]
    assert later["revision"] == 5


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_pages_of_any_size_neither_skip_nor_repeat(ann, bob, flat, trip, limit):
    for team in (flat, trip, flat, flat, trip):
        await team.guest()
    theirs = await bob.team("Cottage")
    await theirs.add(ann)
    whole, found, after, more = await changes(ann), [], "", True
    while more:
        page = await changes(ann, after, f"limit={limit}")
        assert len({(each["team_id"], each["revision"]) for each in page["items"]}) <= limit
        found, after, more = found + page["items"], page["next"], page["more"]
    assert found == whole["items"]
    assert after == whole["next"]


async def test_a_new_team_begins_at_its_beginning(ann, bob, flat):
    found = await changes(ann)
    theirs = await bob.team("Cottage")
    await theirs.guest()
    await theirs.add(ann)
    later = await changes(ann, found["next"])
    assert told(later) == [
        (theirs.team_id, 1, "teams.create"),
        (theirs.team_id, 1, "members.create"),
        (theirs.team_id, 2, "members.create"),
        (theirs.team_id, 3, "members.create"),
    ]


async def test_a_team_that_was_left_ends_there(ann, bob, flat):
    theirs = await bob.team("Cottage")
    member = await theirs.add(ann)
    found = await changes(ann)
    await ann.delete(f"{theirs.path}/members/{member}")
    await theirs.guest()
    later = await changes(ann, found["next"])
    assert told(later) == [(theirs.team_id, 3, "members.delete")]
    assert (await changes(ann, later["next"]))["items"] == []
    await theirs.add(ann)
    assert [each[1:] for each in told(await changes(ann, later["next"]))] == [
        (4, "members.create"),
        (5, "members.create"),
    ]


async def test_a_deleted_team_ends_with_that(ann, flat, trip):
    found = await changes(ann)
    await trip.owner.delete(trip.path)
    later = await changes(ann, found["next"])
    assert told(later) == [(trip.team_id, 2, "teams.delete")]
    assert (await changes(ann, later["next"]))["items"] == []


async def test_somebody_without_a_team_has_nothing_to_follow(ann):
    found = await changes(ann)
    assert (found["items"], found["revision"]) == ([], 0)
    assert await changes(ann, found["next"]) == found


async def test_it_is_one_304_as_long_as_nothing_is_written(ann, flat, trip):
    first = await ann.get("/v1/me/changes")
    path = f"/v1/me/changes?after={first.body['next']}"
    assert (await ann.get(path, headers={"If-None-Match": first.headers["ETag"]})).status == 304
    await trip.guest()
    assert (await ann.get(path, headers={"If-None-Match": first.headers["ETag"]})).status == 200


async def test_it_is_one_statement(served, ann, flat, trip):
    await changes(ann)
    statements = []
    async with served.app[DB].connections.use() as connection:
        listening = connection.query_logger(lambda record: statements.append(record.query))
    with listening:
        await changes(ann)
        await asyncio.sleep(0)
    assert statements.count(queries.changes.mine.sql) == 1


async def test_the_position_of_somebody_else_is_refused(ann, bob, flat):
    theirs = await bob.team("Cottage")
    for after in (
        (await changes(bob))["next"],
        encoded({flat.team_id: 1, theirs.team_id: 1}),
        encoded({flat.team_id: 2}),
        encoded({"01890000-0000-7000-8000-000000000000": 0}),
    ):
        answer = await ann.get(f"/v1/me/changes?after={after}")
        assert (answer.status, answer.body["errors"][0]["code"]) == (422, "not_a_cursor")


async def test_it_says_when_there_are_too_many_teams(ann, flat, trip, monkeypatch):
    monkeypatch.setattr(changes_service, "teams_max", 1)
    answer = await ann.get("/v1/me/changes")
    assert (answer.status, answer.body["type"]) == (409, "/problems/too-many-teams")
    assert "in 2 teams" in answer.body["detail"]


def test_a_position_is_short_enough_for_an_address_and_comes_back():
    ids = [f"01890000-0000-7000-8000-{number:012x}" for number in range(changes_service.teams_max)]
    positions = dict.fromkeys(ids, 2**21 - 1)
    assert len(encoded(positions)) < 7000
    for each in (positions, {}, {ids[0]: 0}, {ids[0]: 127, ids[1]: 128}, {ids[0]: 2**62 - 1}):
        assert decoded(encoded(each)) == each


@pytest.mark.parametrize("content", [b"", b"\2", b"\1" + b"x" * 16, b"\1" + b"x" * 16 + b"\x80", b"\1" + b"x" * 15])
def test_what_is_no_position_is_refused(content):
    with pytest.raises(ValueError):  # noqa: PT011
        decoded(base64.urlsafe_b64encode(content).rstrip(b"=").decode())
    with pytest.raises(ValueError):  # noqa: PT011
        decoded(encoded({"01890000-0000-7000-8000-000000000000": 2**62}))


async def waits(served, number=1):
    async with asyncio.timeout(SECONDS_MAX):
        while len(served.app[WAITING].waiters) != number:  # noqa: ASYNC110 -- nothing tells of it.
            await asyncio.sleep(0.01)


async def test_a_write_to_any_of_the_teams_ends_the_wait(served, config, ann, flat, trip):
    async with running(config) as other:
        there = Person(other, "", ann.user_id, ann.token, "")
        for team in (flat, trip):
            after = (await changes(ann))["next"]
            asked = [asyncio.create_task(changes(each, after, "wait=50")) for each in (ann, there)]
            await waits(served)
            await waits(other)
            await team.guest()
            async with asyncio.timeout(SECONDS_MAX):
                for found in await asyncio.gather(*asked):
                    assert [each[0] for each in told(found)] == [team.team_id]


async def test_a_new_membership_ends_the_wait(served, ann, bob):
    theirs = await bob.team("Cottage")
    for expected in (2, 1):
        after = (await changes(ann))["next"]
        asked = asyncio.create_task(changes(ann, after, "wait=50"))
        await waits(served)
        member = await theirs.add(ann)
        async with asyncio.timeout(SECONDS_MAX):
            assert (await asked)["items"][-1]["revision"] >= expected
        await bob.delete(f"{theirs.path}/members/{member}")


async def test_what_is_written_to_a_team_that_was_left_wakes_nobody(served, ann, bob):
    theirs = await bob.team("Cottage")
    await bob.delete(f"{theirs.path}/members/{await theirs.add(ann)}")
    after = (await changes(ann))["next"]
    asked = asyncio.create_task(changes(ann, after, "wait=1"))
    await waits(served)
    await theirs.guest()
    assert (await asked)["items"] == []
