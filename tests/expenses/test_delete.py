"""DELETE /v1/teams/{team_id}/expenses/{expense_id}."""

import json

import pytest

ACCESS = (401, 401, 404, 404, 403, 403, 204, 204, 204, 404)


def path(team, expense):
    return f"{team.path}/expenses/{expense['expense_id']}"


async def test_it_takes_the_entries_out_and_keeps_the_expense(bob, flat, db):
    other = await bob.team("Trip")
    await other.spend(700)
    await flat.guest()
    gone, stays = await flat.spend(9000), await flat.spend(100)
    answer = await flat.owner.delete(path(flat, gone), if_match='"1"')
    assert (answer.status, answer.body) == (204, b"")
    row = await db.fetchrow(
        "select amount, version, deleted_at is not null as deleted, participants from expenses where expense_id = $1",
        gone["expense_id"],
    )
    assert (row["amount"], row["version"], row["deleted"]) == (9000, 2, True)
    assert json.loads(row["participants"]) == gone["participants"]
    rows = await db.fetch("select team_id::text, sum(paid)::bigint from entries group by team_id")
    assert {tuple(row) for row in rows} == {(flat.team_id, 100), (other.team_id, 700)}
    listed = (await flat.owner.get(f"{flat.path}/expenses")).body["items"]
    assert [each["expense_id"] for each in listed] == [stays["expense_id"]]
    assert (await flat.owner.get(path(flat, gone))).status == 404
    assert sorted((await flat.nets()).values()) == [-50, 50]


async def test_it_writes_a_revision(flat, db):
    expense = await flat.spend()
    await flat.owner.delete(path(flat, expense), if_match='"1"')
    row = await db.fetchrow("select * from revisions order by revision desc limit 1")
    assert (row["revision"], row["action"]) == (3, "expenses.delete")
    assert (str(row["actor_id"]), str(row["subject_id"])) == (flat.owner_id, expense["expense_id"])
    assert json.loads(row["before"])["amount"] == 9000
    assert row["after"] is None


async def test_it_deletes_once(flat, db):
    expense = await flat.spend()
    assert (await flat.owner.delete(path(flat, expense), if_match="*")).status == 204
    assert (await flat.owner.delete(path(flat, expense), if_match="*")).status == 404
    assert (await flat.owner.patch(path(flat, expense), {"amount": 1}, if_match="*")).status == 404
    assert await db.fetchval("select revision from teams") == 3


async def test_it_deletes_the_version_that_was_read(flat, db, subtests):
    for if_match, status in [
        ("", 428),
        ('"2"', 412),
        ('"x"', 412),
        ("1", 422),
        ('W/"1"', 204),
        ('"1"', 204),
        ('"7", "1"', 204),
        ("*", 204),
    ]:
        with subtests.test(if_match):
            expense = await flat.spend()
            revisions = await db.fetchval("select count(*) from revisions")
            assert (await flat.owner.delete(path(flat, expense), if_match=if_match)).status == status, if_match
            is_deleted = dict(await db.fetch("select expense_id::text, deleted_at is not null from expenses"))
            assert is_deleted[expense["expense_id"]] == (status == 204)
            assert await db.fetchval("select count(*) from revisions") == revisions + (status == 204)


# Who acts, on whose expense, and what comes of it.
CASES = [
    ("owner", "other", 204),
    ("admin", "other", 204),
    ("member", "own", 204),
    ("member", "other", 403),
    ("viewer", "other", 403),
    (None, "other", 404),
]


@pytest.mark.parametrize(("role", "whose", "status"), CASES)
async def test_it_keeps_to_the_roles(bob, flat, db, *, role, whose, status):
    await (await bob.team("Trip")).spend()
    if role:
        await flat.add(bob, role)
    expense = await flat.spend(by=bob if whose == "own" else flat.owner)
    entries = await db.fetchval("select count(*) from entries")
    revision = await db.fetchval("select sum(revision) from teams")
    answer = await bob.delete(path(flat, expense), if_match="*")
    assert answer.status == status
    removed = len(expense["participants"]) if status == 204 else 0
    assert await db.fetchval("select count(*) from entries") == entries - removed
    assert await db.fetchval("select sum(revision) from teams") == revision + (status == 204)


async def test_it_keeps_an_expense_from_who_recorded_it_and_became_a_viewer(bob, flat, db):
    bob_id = await flat.add(bob)
    expense = await flat.spend(by=bob)
    await flat.owner.patch(f"{flat.path}/members/{bob_id}", {"role": "viewer"})
    assert (await bob.delete(path(flat, expense), if_match="*")).status == 403
    assert await db.fetchval("select deleted_at from expenses") is None


async def test_it_finds_no_expense_of_another_team(bob, flat, db):
    other = await bob.team("Trip")
    theirs = await other.spend()
    for team in (flat, other):
        assert (await flat.owner.delete(path(team, theirs), if_match="*")).status == 404
    assert await db.fetchval("select count(*) from expenses where deleted_at is null") == 1
    assert sum(await db.fetchrow("select sum(paid)::bigint, -sum(owed)::bigint from entries")) == 0


async def test_it_refuses_an_archived_team_and_finds_no_deleted_one(flat):
    expense = await flat.spend()
    await flat.owner.patch(flat.path, {"archived": True})
    answer = await flat.owner.delete(path(flat, expense), if_match="*")
    assert (answer.status, answer.body["type"]) == (409, "/problems/team-archived")
    await flat.owner.delete(flat.path)
    assert (await flat.owner.delete(path(flat, expense), if_match="*")).status == 404
