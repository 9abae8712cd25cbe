"""GET /v1/teams/{team_id}/members/{member_id}/history."""

import json

from tests.access import READ
from tests.history.test_expense import sentences

ACCESS = READ


async def test_it_tells_each_version_of_somebody_who_comes_and_goes(bob, flat):
    member = await flat.add(bob)
    path = f"/members/{member}"
    await flat.owner.patch(flat.path + path, {"role": "admin"})
    await bob.patch(flat.path + path, {"name": "Robert"})
    await bob.delete(flat.path + path)
    assert await flat.add(bob, "viewer") == member
    await flat.owner.delete(flat.path + path)
    assert await sentences(flat, f"{path}/history") == [
        "Ann removed Robert",
        "Ann took Robert back as a viewer",
        "Robert left the team",
        'Robert changed their name from "Bob" to "Robert"',
        "Ann made Robert an admin instead of a member",
        "Ann added Robert as a member",
    ]


async def test_what_older_rows_do_not_say_of_before_the_one_before_does(flat, db):
    guest = await flat.guest("Kim")
    await flat.owner.delete(f"{flat.path}/members/{guest}")
    await flat.owner.post(f"{flat.path}/members", {"member_id": guest})
    before = await db.fetch("select before from revisions where subject_id = $1 order by revision", guest)
    assert [row["before"] and json.loads(row["before"])["left_at"] is None for row in before] == [None, True, False]
    path = f"/members/{guest}/history"
    new = (await flat.owner.get(flat.path + path)).body
    assert [each["sentence"] for each in new["items"]] == [
        "Ann took Kim back as a guest",
        "Ann removed Kim",
        "Ann added Kim as a guest",
    ]
    assert [each["field"] for each in new["items"][1]["changes"]] == ["left_at"]
    # As the releases before left them.
    await db.execute("update revisions set before = null where action in ('members.create', 'members.delete')")
    assert (await flat.owner.get(flat.path + path)).body == new


async def test_the_first_owner_has_none_and_a_stranger_is_none(flat, bob):
    assert await sentences(flat, f"/members/{flat.owner_id}/history") == []
    foreign = await bob.team("Trip")
    for each in (foreign.owner_id, (await flat.spend())["expense_id"]):
        answer = await flat.owner.get(f"{flat.path}/members/{each}/history")
        assert (answer.status, answer.body["detail"]) == (404, "There is no such member.")
