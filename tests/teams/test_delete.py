"""DELETE /v1/teams/{team_id}."""

import pytest

from service.routes import routes

ACCESS = (401, 401, 404, 404, 403, 403, 403, 403, 204, 404)

NOBODY, OTHERS = (f"01930b7e-7a3c-7d6a-8a35-2f6a3f1d9a1{number}" for number in range(2))
BODIES = {
    "teams.update": {"name": "House"},
    "members.create": {"name": "Guest"},
    "members.update": {"name": "Guest"},
    "expenses.create": {"description": "Late", "amount": 1},
    "expenses.update": {"amount": 1},
    "history.read": {"revision": 1},
    "settlements.create": {"from": NOBODY, "to": OTHERS, "amount": 1},
    "settlements.update": {"amount": 1},
    "settlements.transfer": {"from": NOBODY, "to": OTHERS, "amount": 1, "currency": "EUR"},
}


async def test_it_marks_the_team_as_deleted_and_keeps_its_rows(bob, flat, db):
    other = await bob.team("Trip")
    await flat.spend()
    answer = await flat.owner.delete(flat.path)
    assert answer.status == 204
    rows = await db.fetch("select team_id::text, deleted_at is not null as deleted, revision from teams order by 1")
    assert {tuple(row) for row in rows} == {(flat.team_id, True, 3), (other.team_id, False, 1)}
    for table in ("members", "expenses", "entries"):
        assert await db.fetchval(f"select count(*) from {table} where team_id = $1", flat.team_id) == 1  # noqa: S608


async def test_it_writes_a_revision(flat, db):
    await flat.owner.delete(flat.path)
    row = await db.fetchrow("select * from revisions order by revision desc limit 1")
    assert (row["revision"], row["action"]) == (2, "teams.delete")
    assert (str(row["actor_id"]), str(row["subject_id"])) == (flat.owner_id, flat.team_id)


async def test_it_leaves_a_team_that_nobody_finds_on_any_route(bob, flat, subtests):
    # But for its owner, to restore it: tests/teams/test_restore.py.
    await flat.add(bob, "admin")
    guest = await flat.guest()
    expense = await flat.spend()
    await flat.owner.delete(f"{flat.path}?keep_balance=true")
    ids = {"team_id": flat.team_id, "member_id": guest, "expense_id": expense["expense_id"], "settlement_id": NOBODY}
    below = [
        (method, path.format(**ids), name)
        for method, path, _, name in routes
        # Those who followed the team are told that it was deleted.
        if "{team_id}" in path and name != "changes.page"
    ]
    assert below
    for person in (flat.owner, bob):
        for method, path, name in below:
            if (person, name) == (flat.owner, "teams.restore"):
                continue
            with subtests.test(f"{person.email} {name}"):
                answer = await person.call(method, path, BODIES.get(name), headers={"If-Match": "*"})
                assert answer.status == 404, name
        assert (await person.get("/v1/teams")).body["items"] == []


@pytest.mark.parametrize(
    ("role", "status"), [("owner", 204), ("admin", 403), ("member", 403), ("viewer", 403), (None, 404)]
)
async def test_it_takes_an_owner(bob, flat, db, role, status):
    if role:
        await flat.add(bob, role)
    revisions = await db.fetchval("select count(*) from revisions")
    assert (await bob.delete(flat.path)).status == status
    assert await db.fetchval("select deleted_at is not null from teams") == (status == 204)
    assert await db.fetchval("select count(*) from revisions") == revisions + (status == 204)


async def test_it_deletes_an_archived_team(flat, db):
    await flat.owner.patch(flat.path, {"archived": True})
    assert (await flat.owner.delete(flat.path)).status == 204
    assert await db.fetchval("select deleted_at is not null from teams")


async def test_it_asks_before_it_leaves_balances_open(bob, flat, db):
    await (await bob.team("Trip")).spend()
    bob_id = await flat.add(bob)
    await flat.spend(9000)
    answer = await flat.owner.delete(flat.path)
    assert (answer.status, answer.body["type"]) == (409, "/problems/open-balance")
    balances = {(each["member_id"], each["currency"], each["net"]) for each in answer.body["balances"]}
    assert balances == {(flat.owner_id, "EUR", 4500), (bob_id, "EUR", -4500)}
    assert await db.fetchval("select count(*) from teams where deleted_at is null") == 2
    assert (await flat.owner.delete(f"{flat.path}?keep_balance=true")).status == 204
    assert await db.fetchval("select count(*) from teams where deleted_at is null") == 1


async def test_it_deletes_a_settled_team_at_once(bob, flat):
    bob_id = await flat.add(bob)
    await flat.spend(9000)
    await flat.settle(bob_id, flat.owner_id, 4500)
    assert (await flat.owner.delete(flat.path)).status == 204
