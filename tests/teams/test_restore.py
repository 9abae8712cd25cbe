"""POST /v1/teams/{team_id}/restore, and the list of what can be restored."""

import asyncio
import datetime
import json
import uuid

import pytest

from service.config import Config
from tests.conftest import running
from tests.rows import all_rows

# Each tries it with a team that was deleted.
ACCESS = (401, 401, 404, 404, 404, 404, 404, 404, 200, 404)
IS_DELETED = True

AGE = "update teams set deleted_at = deleted_at - $1 * interval '1 second'"
DAY = 86_400


@pytest.fixture
async def deleted(bob, flat):
    """Ann's team with Bob as an admin, a guest, an archived past, an expense and open balances; deleted."""
    await flat.add(bob, "admin")
    await flat.guest()
    await flat.spend(9000)
    assert (await flat.owner.patch(flat.path, {"archived": True})).status == 200
    assert (await flat.owner.delete(f"{flat.path}?keep_balance=true")).status == 204
    return flat


async def listed(person, query=""):
    answer = await person.get(f"/v1/teams?status=deleted{query}")
    assert answer.status == 200
    return answer.body["items"]


async def everything(person, team):
    """Return what the person reads of a team."""
    paths = ("", "/members", "/expenses", "/balances", "/debts", "/settlement-plan")
    return [(await person.get(team.path + path)).body for path in paths]


async def test_everything_is_as_it_was_for_all_members(bob, flat, db):
    await flat.add(bob, "viewer")
    guest = await flat.guest()
    expense = await flat.spend(9000)
    before = [await everything(person, flat) for person in (flat.owner, bob)]
    rows = await all_rows(db)
    await flat.owner.delete(f"{flat.path}?keep_balance=true")
    answer = await flat.owner.post(f"{flat.path}/restore", None)
    assert answer.status == 200
    assert (answer.body["deleted_at"], answer.body["purge_at"]) == (None, None)
    assert (answer.body["version"], answer.body["revision"]) == (3, 6)
    assert answer.headers["ETag"] == '"3.6"'
    assert answer.body == (await flat.owner.get(flat.path)).body
    for was, person in zip(before, (flat.owner, bob), strict=True):
        now = await everything(person, flat)
        for part in (was, now):
            for each in part:
                each.pop("revision", None)
                each.pop("version", None)
        assert now == was
    # Nothing but the team's numbers, and two revisions.
    changed = {table for table, _ in set(rows) ^ set(await all_rows(db))}
    assert changed == {"teams", "revisions"}
    assert (await flat.owner.patch(f"{flat.path}/expenses/{expense['expense_id']}", {"amount": 1}, "*")).status == 200
    assert (await flat.owner.delete(f"{flat.path}/members/{guest}?keep_balance=true")).status == 204


async def test_it_is_a_revision_with_the_team_before_and_after(deleted, db):
    await deleted.owner.post(f"{deleted.path}/restore", None)
    row = await db.fetchrow("select * from revisions order by revision desc limit 1")
    assert (row["revision"], row["action"]) == (7, "teams.restore")
    assert (str(row["actor_id"]), str(row["subject_id"])) == (deleted.owner_id, deleted.team_id)
    before, after = json.loads(row["before"]), json.loads(row["after"])
    assert (before["revision"], before["version"], before["deleted_at"] is None) == (6, 3, False)
    assert (after["revision"], after["version"], after.get("deleted_at")) == (7, 4, None)
    assert after["team_id"] == deleted.team_id
    assert "member_id" not in after
    assert after["archived_at"] == before["archived_at"] is not None


async def test_a_team_can_be_deleted_and_restored_again_and_again(flat, db):
    for _ in range(3):
        assert (await flat.owner.delete(flat.path)).status == 204
        assert (await flat.owner.post(f"{flat.path}/restore", None)).status == 200
    assert await db.fetchval("select revision from teams") == 7
    assert [row["revision"] for row in await db.fetch("select revision from revisions")] == [*range(1, 8)]


async def test_owners_find_what_they_can_restore_and_until_when(bob, deleted):
    await deleted.owner.team("Trip")
    [team] = await listed(deleted.owner)
    assert (team["team_id"], team["name"], team["role"]) == (deleted.team_id, "Flat", "owner")
    assert team["balances"] == [{"currency": "EUR", "net": 6000}]
    deleted_at, purge_at = (datetime.datetime.fromisoformat(team[name]) for name in ("deleted_at", "purge_at"))
    assert purge_at - deleted_at == datetime.timedelta(days=30)
    assert abs(datetime.datetime.now(datetime.UTC) - deleted_at) < datetime.timedelta(minutes=5)
    assert await listed(bob) == []
    await deleted.owner.post(f"{deleted.path}/restore", None)
    assert await listed(deleted.owner) == []


async def test_no_other_list_has_it_and_what_is_there_has_no_such_times(deleted):
    trip = await deleted.owner.team("Trip")
    for status in ("active", "all"):
        items = (await deleted.owner.get(f"/v1/teams?status={status}")).body["items"]
        assert [(each["name"], each["deleted_at"], each["purge_at"]) for each in items] == [("Trip", None, None)]
    assert (await deleted.owner.get("/v1/teams?status=archived")).body["items"] == []
    changed = await deleted.owner.patch(trip.path, {"name": "Boat", "deleted_at": None, "purge_at": None})
    assert (changed.status, changed.body["deleted_at"], changed.body["purge_at"]) == (200, None, None)
    refused = await deleted.owner.patch(trip.path, {"name": "Car", "deleted_at": "2026-05-17T12:00:00Z"})
    assert (refused.status, refused.body["errors"][0]["pointer"]) == (422, "/deleted_at")


async def test_it_pages_through_the_deleted_ones(ann):
    for number in range(5):
        team = await ann.team(f"Team {number}")
        if number != 2:
            await ann.delete(team.path)
    found, path = [], "/v1/teams?status=deleted&limit=2"
    while path:
        answer = await ann.get(path)
        found += [team["name"] for team in answer.body["items"]]
        path = answer.headers["Link"].split(">")[0].strip("<") if answer.body["next"] else ""
        assert not path or "status=deleted" in path
    assert found == ["Team 4", "Team 3", "Team 1", "Team 0"]


@pytest.mark.parametrize("role", ["admin", "member", "viewer", "former owner", "stranger", "owner of another"])
async def test_to_everybody_but_owners_the_team_does_not_exist(bob, flat, db, role):
    await bob.team("Trip")
    if role in {"admin", "member", "viewer", "former owner"}:
        member_id = await flat.add(bob, role.removeprefix("former "))
    if role == "former owner":
        assert (await bob.delete(f"{flat.path}/members/{member_id}")).status == 204
    await flat.owner.delete(flat.path)
    before = await all_rows(db)
    answer = await bob.post(f"{flat.path}/restore", None)
    nowhere = await bob.post(f"/v1/teams/{uuid.uuid4()}/restore", None)
    assert (answer.status, answer.body["type"]) == (404, "/problems/not-found")
    assert answer.body | {"instance": ""} == nowhere.body | {"instance": ""}
    assert await listed(bob) == []
    assert await all_rows(db) == before


async def test_another_owner_than_the_one_who_deleted_it_can_restore_it(bob, flat):
    await flat.add(bob, "owner")
    await flat.owner.delete(flat.path)
    assert [team["team_id"] for team in await listed(bob)] == [flat.team_id]
    assert (await bob.post(f"{flat.path}/restore", None)).status == 200
    assert (await flat.owner.get(flat.path)).status == 200


async def test_a_team_that_is_not_deleted_is_refused_and_stays_as_it_is(bob, flat, db):
    await flat.add(bob, "viewer")
    before = await all_rows(db)
    for person in (flat.owner, bob):
        answer = await person.post(f"{flat.path}/restore", None)
        assert (answer.status, answer.body["type"]) == (409, "/problems/not-deleted")
        assert answer.body["detail"] == "The team is not deleted."
    assert await all_rows(db) == before


async def test_after_30_days_it_is_gone_for_its_owners_too(deleted, db):
    await db.execute(AGE, 30 * DAY - 60)
    assert len(await listed(deleted.owner)) == 1
    await db.execute(AGE, 60)
    assert await listed(deleted.owner) == []
    before = await all_rows(db)
    answer = await deleted.owner.post(f"{deleted.path}/restore", None)
    assert (answer.status, answer.body["type"]) == (404, "/problems/not-found")
    assert await all_rows(db) == before


async def test_on_the_last_day_it_can_still_be_restored(deleted, db):
    await db.execute(AGE, 30 * DAY - 60)
    assert (await deleted.owner.post(f"{deleted.path}/restore", None)).status == 200


async def test_how_long_that_is_is_a_setting(database, db):
    settings = Config(
        database_url=database, jwt_secret="a secret for the tests, 32 bytes at least", deleted_team_days=1
    )
    async with running(settings) as served:
        ann = await served.person("Ann")
        flat = await ann.team()
        await ann.delete(flat.path)
        [team] = await listed(ann)
        deleted_at, purge_at = (datetime.datetime.fromisoformat(team[name]) for name in ("deleted_at", "purge_at"))
        assert purge_at - deleted_at == datetime.timedelta(days=1)
        await db.execute(AGE, DAY)
        assert await listed(ann) == []
        assert (await ann.post(f"{flat.path}/restore", None)).status == 404


async def test_of_several_at_once_one_restores_it(bob, flat, db):
    await flat.add(bob, "owner")
    await flat.owner.delete(flat.path)
    people = [flat.owner, bob, flat.owner, bob, flat.owner]
    answers = await asyncio.gather(*(each.post(f"{flat.path}/restore", None) for each in people))
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409, 409]
    assert await db.fetchval("select revision from teams") == 4
    assert await db.fetchval("select count(*) from revisions where action = 'teams.restore'") == 1


async def test_of_a_deletion_and_a_restore_at_once_one_comes_first(flat):
    for _ in range(5):
        await flat.owner.delete(flat.path)
        restored, deleted = await asyncio.gather(
            flat.owner.post(f"{flat.path}/restore", None), flat.owner.delete(flat.path)
        )
        assert (restored.status, deleted.status) in {(200, 404), (200, 204)}
        there = (await flat.owner.get(flat.path)).status == 200
        assert there == (deleted.status == 404)
        if not there:
            await flat.owner.post(f"{flat.path}/restore", None)
