"""PUT /v1/teams/{team_id}/activity/read."""

import asyncio

ACCESS = (401, 401, 404, 404, 204, 204, 204, 204, 204, 404)
BODY = {"revision": 1}


async def marked(person, team, **body):
    return await person.call("PUT", f"{team.path}/activity/read", body)


async def read_by(person, team):
    return (await person.get(f"{team.path}/activity?limit=1")).body["read"]


async def test_it_is_one_s_own_and_no_write_of_the_team(bob, flat, db):
    await flat.add(bob, "viewer")
    team, member = (await flat.owner.get(flat.path)).body, await db.fetchval("select version from members limit 1")
    assert (await marked(bob, flat, revision=2)).status == 204
    assert (await read_by(bob, flat), await read_by(flat.owner, flat)) == (2, 0)
    assert (await flat.owner.get(flat.path)).body == team
    assert await db.fetchval("select max(version) from members") == member
    assert await db.fetchval("select max(revision) from revisions") == 2


async def test_it_goes_back_only_if_asked_to(flat):
    await flat.guest()
    await flat.guest()
    for body, expected in [
        ({"revision": 2}, 2),
        ({"revision": 1}, 2),
        ({"revision": 3}, 3),
        ({"revision": 3}, 3),
        ({"revision": 1, "back": False}, 3),
        ({"revision": 1, "back": True}, 1),
        ({"revision": 0, "back": True}, 0),
        ({"revision": 2, "back": True}, 2),
    ]:
        assert (await marked(flat.owner, flat, **body)).status == 204
        assert await read_by(flat.owner, flat) == expected


async def test_what_is_not_written_yet_cannot_have_been_read(flat):
    answer = await marked(flat.owner, flat, revision=2)
    [error] = answer.body["errors"]
    assert (answer.status, error["pointer"], error["code"]) == (422, "/revision", "out_of_range")
    assert error["detail"] == "This is 2; the team's latest revision is 1."
    assert await read_by(flat.owner, flat) == 0


async def test_of_many_at_once_the_latest_stays(flat):
    for _ in range(5):
        await flat.guest()
    await asyncio.gather(*(marked(flat.owner, flat, revision=each) for each in (3, 6, 1, 5, 2, 4)))
    assert await read_by(flat.owner, flat) == 6
