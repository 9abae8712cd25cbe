"""GET /v1/teams/{team_id}/changes."""

import pytest

# Somebody who left follows to where they left.
ACCESS = (401, 401, 404, 200, 200, 200, 200, 200, 200, 404)


async def changes(person, team, query=""):
    answer = await person.get(f"{team.path}/changes{query}")
    assert answer.status == 200, answer.body
    return answer.body


async def test_it_has_every_write_of_the_team_oldest_first(flat):
    kim = await flat.guest("Kim")
    expense = await flat.spend()
    await flat.owner.patch(f"{flat.path}/expenses/{expense['expense_id']}", {"amount": 8000}, "*")
    settled = await flat.settle(kim, flat.owner_id, 100)
    await flat.owner.delete(f"{flat.path}/expenses/{expense['expense_id']}", "*")
    await flat.owner.patch(f"{flat.path}/members/{kim}", {"name": "Kimberly"})
    await flat.owner.delete(f"{flat.path}/members/{kim}?keep_balance=true")
    await flat.owner.patch(flat.path, {"name": "House"})
    found = await changes(flat.owner, flat)
    assert (found["revision"], found["more"]) == (9, False)
    assert [(each["revision"], each["action"], each["subject"], each["subject_id"]) for each in found["items"]] == [
        (1, "teams.create", "team", flat.team_id),
        # Whoever makes a team is its first member.
        (1, "members.create", "member", flat.owner_id),
        (2, "members.create", "member", kim),
        (3, "expenses.create", "expense", expense["expense_id"]),
        (4, "expenses.update", "expense", expense["expense_id"]),
        (5, "settlements.create", "settlement", settled["settlement_id"]),
        (6, "expenses.delete", "expense", expense["expense_id"]),
        (7, "members.update", "member", kim),
        (8, "members.delete", "member", kim),
        (9, "teams.update", "team", flat.team_id),
    ]
    assert {each["actor_id"] for each in found["items"]} == {flat.owner_id}


async def test_what_was_written_is_there_as_it_was_answered(flat):
    kim = await flat.guest("Kim")
    expense = await flat.spend(
        9001,
        kind="income",
        notes="with wine",
        metadata={"order": "A-17"},
        external_id="bank:17",
        split="percent",
        participants=[{"member_id": flat.owner_id, "percent": 62.5}, {"member_id": kim, "percent": 37.5}],
    )
    bill = await flat.spend(
        600,
        split="itemised",
        tip=100,
        items=[{"amount": 500, "split": "shares", "participants": [{"member_id": kim, "shares": 0.5}]}],
    )
    settled = await flat.settle(kim, flat.owner_id, 100)
    exchanged = await flat.settle(kim, flat.owner_id, 100, settles={"amount": 108, "currency": "USD"}, notes="By bank")
    member = (await flat.owner.get(f"{flat.path}/members/{kim}")).body
    await flat.owner.delete(f"{flat.path}/members/{kim}?keep_balance=true")
    former = (await flat.owner.get(f"{flat.path}/members/{kim}")).body
    team = (await flat.owner.patch(flat.path, {"archived": True})).body
    for name in ("member_id", "role", "balances", "revision", "deleted_at", "purge_at"):
        del team[name]
    found = await changes(flat.owner, flat, "?after=1")
    assert [each["after"] for each in found["items"]] == [member, expense, bill, settled, exchanged, former, team]


async def test_of_what_was_deleted_there_is_nothing_left(flat):
    kim = await flat.guest()
    for path, body in (
        ("expenses", {"description": "Dinner", "amount": 1}),
        ("settlements", {"from": kim, "to": flat.owner_id, "amount": 1}),
    ):
        created = await flat.owner.post(f"{flat.path}/{path}", body)
        await flat.owner.delete(created.headers["Location"], "*")
        deleted = (await changes(flat.owner, flat))["items"][-1]
        assert (deleted["action"], deleted["after"]) == (f"{path}.delete", None)


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("2026-05-17 19:30:12.482913+00", "2026-05-17T19:30:12.482913Z"),
        ("2026-05-17 19:30:12.48+00", "2026-05-17T19:30:12.480000Z"),
        ("2026-05-17 19:30:12+00", "2026-05-17T19:30:12Z"),
        ("2026-05-17 19:30:12.00001+00", "2026-05-17T19:30:12.000010Z"),
        ("0999-12-31 23:30:00.1-05", "1000-01-01T04:30:00.100000Z"),
    ],
)
async def test_times_are_as_everywhere_else(flat, db, stored, shown):
    # What a session in another time zone has stored.
    await db.execute("set time zone 'Asia/Kathmandu'")
    await db.execute("update teams set created_at = $1::text::timestamptz", stored)
    await db.execute(
        """update revisions set at = $1::text::timestamptz,
        after = after || jsonb_build_object('created_at', $1::text::timestamptz)""",
        stored,
    )
    [item, _] = (await changes(flat.owner, flat))["items"]
    assert item["at"] == item["after"]["created_at"] == shown
    assert (await flat.owner.get(flat.path)).body["created_at"] == shown


async def test_what_earlier_releases_wrote_has_what_was_added_since(flat, db):
    expense = await flat.spend()
    gone = ["kind", "items", "tax", "tip", "discount", "external_id", "metadata", "handed_amount", "handed_currency"]
    await db.execute("update revisions set after = after - $1::text[]", [*gone, "typed", "time_zone"])
    await db.execute("update revisions set after = after - 'version' where action = 'teams.create'")
    team, _, spent = (await changes(flat.owner, flat))["items"]
    assert spent["after"] == expense
    assert (team["after"]["time_zone"], team["after"]["version"]) == ("UTC", 1)


async def test_it_comes_in_pages(flat):
    for _ in range(4):
        await flat.guest()
    for after, revisions, more in ((0, [1, 1, 2], True), (2, [3, 4], True), (3, [4, 5], False), (4, [5], False)):
        found = await changes(flat.owner, flat, f"?after={after}&limit=2")
        assert ([each["revision"] for each in found["items"]], found["more"]) == (revisions, more)
    assert await changes(flat.owner, flat, "?after=5") == {"items": [], "revision": 5, "more": False}


async def test_it_is_one_304_as_long_as_nothing_is_written(flat):
    first = await flat.owner.get(f"{flat.path}/changes")
    assert first.headers["ETag"] == '"1"'
    again = await flat.owner.get(f"{flat.path}/changes?after=1", headers={"If-None-Match": '"1"'})
    assert (again.status, again.body) == (304, b"")
    await flat.guest()
    later = await flat.owner.get(f"{flat.path}/changes?after=1", headers={"If-None-Match": '"1"'})
    assert (later.status, later.headers["ETag"]) == (200, '"2"')


async def test_it_refuses_a_revision_that_is_still_to_come(bob, flat):
    answer = await flat.owner.get(f"{flat.path}/changes?after=2")
    assert answer.status == 422
    assert answer.body["errors"][0]["pointer"] == "/after"
    assert "come to 1" in answer.body["detail"]
    member = await flat.add(bob)
    await flat.owner.delete(f"{flat.path}/members/{member}")
    await flat.guest()
    assert (await bob.get(f"{flat.path}/changes?after=4")).status == 422


async def test_somebody_who_left_follows_to_where_they_left_and_no_further(bob, flat):
    await flat.spend(100)
    member = await flat.add(bob)
    await bob.delete(f"{flat.path}/members/{member}")
    await flat.spend(200)
    await flat.guest()
    found = await changes(bob, flat, "?after=2")
    assert (found["revision"], found["more"]) == (4, False)
    assert [each["action"] for each in found["items"]] == ["members.create", "members.delete"]
    assert found["items"][-1]["subject_id"] == member
    assert found["items"][-1]["after"]["left_at"]
    page = await changes(bob, flat, "?after=1&limit=2")
    assert ([each["revision"] for each in page["items"]], page["more"]) == ([2, 3], True)
    assert (await bob.get(flat.path)).status == 404
    # Whoever is taken back sees all again; whoever leaves again, to there.
    await flat.add(bob)
    assert (await changes(bob, flat))["revision"] == 7
    await bob.delete(f"{flat.path}/members/{member}")
    await flat.guest()
    found = await changes(bob, flat)
    assert (found["revision"], found["items"][-1]["action"]) == (8, "members.delete")


async def test_the_last_change_of_a_team_is_its_deletion(bob, flat):
    left = await flat.add(bob)
    await bob.delete(f"{flat.path}/members/{left}")
    await flat.owner.delete(flat.path)
    found = await changes(flat.owner, flat, "?after=3")
    assert [(each["action"], each["after"]) for each in found["items"]] == [("teams.delete", None)]
    assert (await changes(bob, flat))["revision"] == 3
    assert (await flat.owner.get(flat.path)).status == 404


async def test_teams_stay_apart(bob, flat):
    other = await bob.team("Trip")
    await other.guest("Not of the flat")
    assert len((await changes(flat.owner, flat))["items"]) == 2
    assert (await flat.owner.get(f"{other.path}/changes")).status == 404


async def test_the_owner_of_the_beginning_is_there_as_they_were(bob, flat):
    founder = (await flat.owner.get(f"{flat.path}/members/{flat.owner_id}")).body

    async def first():
        return (await changes(bob, flat, "?limit=1"))["items"]

    await flat.add(bob, "owner")
    team, owner = await first()
    assert (team["action"], owner["action"], owner["subject_id"]) == ("teams.create", "members.create", flat.owner_id)
    assert owner["after"] == founder
    await flat.owner.delete(f"{flat.path}/members/{flat.owner_id}")
    assert (await first())[1]["after"] == founder
    await bob.post(f"{flat.path}/members", {"member_id": flat.owner_id, "role": "admin"})
    await bob.patch(f"{flat.path}/members/{flat.owner_id}", {"name": "Anna"})
    assert (await first())[1]["after"] == founder


async def test_the_owner_of_the_beginning_had_another_name(flat):
    founder = (await flat.owner.get(f"{flat.path}/members/{flat.owner_id}")).body
    await flat.owner.patch(f"{flat.path}/members/{flat.owner_id}", {"name": "Anna"})
    [_, owner, changed] = (await changes(flat.owner, flat))["items"]
    assert (owner["after"], changed["after"]["name"]) == (founder, "Anna")
