"""DELETE /v1/teams/{team_id}/members/{member_id}."""

import json

import pytest

ACCESS = (401, 401, 404, 404, 403, 403, 403, 204, 204, 404)


async def present(db, team):
    """Return the ids of a team's active members."""
    found = await db.fetch("select member_id::text from members where team_id = $1 and left_at is null", team.team_id)
    return {row["member_id"] for row in found}


async def test_it_makes_a_former_member(bob, flat, db):
    other = await bob.team("Trip")
    await other.guest("Kim")
    guest = await flat.guest("Kim")
    answer = await flat.owner.delete(f"{flat.path}/members/{guest}")
    assert (answer.status, answer.body) == (204, b"")
    assert await present(db, flat) == {flat.owner_id}
    assert len(await present(db, other)) == 2
    assert await db.fetchval("select name from members where member_id = $1", guest) == "Kim"


async def test_it_writes_a_revision(flat, db):
    guest = await flat.guest("Kim")
    await flat.owner.delete(f"{flat.path}/members/{guest}")
    row = await db.fetchrow("select * from revisions order by revision desc limit 1")
    assert (row["revision"], row["action"]) == (3, "members.delete")
    assert (str(row["actor_id"]), str(row["subject_id"])) == (flat.owner_id, guest)
    assert json.loads(row["after"])["left_at"] is not None


# Who acts, who is removed, and what comes of it.
CASES = [
    ("owner", "owner", 204),
    ("owner", "self", 204),
    ("admin", "admin", 204),
    ("admin", "owner", 403),
    ("admin", "self", 204),
    ("member", "viewer", 403),
    ("member", "self", 204),
    ("viewer", "member", 403),
    ("viewer", "self", 204),
    (None, "member", 404),
]


@pytest.mark.parametrize(("actor", "subject", "status"), CASES)
async def test_it_keeps_to_the_roles(served, bob, flat, db, *, actor, subject, status):
    carol = await served.person("Carol")
    bob_id = await flat.add(bob, actor) if actor else None
    carol_id = await flat.add(carol, "viewer" if subject == "self" else subject)
    before, revision = await present(db, flat), await db.fetchval("select revision from teams")
    subject_id = bob_id if subject == "self" else carol_id
    assert (await bob.delete(f"{flat.path}/members/{subject_id}")).status == status
    assert await present(db, flat) == (before - {subject_id} if status == 204 else before)
    assert await db.fetchval("select revision from teams") == revision + (status == 204)


async def test_it_shuts_out_who_left(bob, flat, subtests):
    bob_id = await flat.add(bob, "owner")
    await bob.delete(f"{flat.path}/members/{bob_id}")
    for path in ("", "/members", "/expenses", "/balances"):
        with subtests.test(path):
            assert (await bob.get(flat.path + path)).status == 404
    assert (await bob.post(f"{flat.path}/expenses", {"description": "Late", "amount": 1})).status == 404


async def test_it_keeps_the_last_owner(bob, flat, db):
    other = await bob.team("Trip")
    await other.add(flat.owner, "owner")
    await flat.add(bob, "admin")
    for query in ("", "?keep_balance=true"):
        answer = await flat.owner.delete(f"{flat.path}/members/{flat.owner_id}{query}")
        assert (answer.status, answer.body["type"]) == (409, "/problems/last-owner")
    assert flat.owner_id in await present(db, flat)
    assert await db.fetchval("select revision from teams where team_id = $1", flat.team_id) == 2


async def test_it_refuses_an_open_balance_and_says_it(bob, flat, db):
    other = await bob.team("Trip")
    bob_id, kim = await flat.add(bob), await flat.guest("Kim")
    await other.spend(5000)
    await flat.spend(1000, currency="USD", participants=[{"member_id": bob_id}])
    await flat.spend(600, payer=bob_id, participants=[{"member_id": kim}])
    for person in (flat.owner, bob):
        answer = await person.delete(f"{flat.path}/members/{bob_id}")
        assert (answer.status, answer.body["type"]) == (409, "/problems/open-balance")
        assert answer.body["balances"] == [{"currency": "EUR", "net": 600}, {"currency": "USD", "net": -1000}]
    assert bob_id in await present(db, flat)
    assert await db.fetchval("select count(*) from revisions where team_id = $1", flat.team_id) == 5


async def test_it_refuses_who_only_gets_as_it_does_who_only_gives(flat):
    gets, gives = await flat.guest(), await flat.guest()
    await flat.spend(900, payer=gets, participants=[{"member_id": gives}])
    for member_id, net in ((gets, 900), (gives, -900)):
        answer = await flat.owner.delete(f"{flat.path}/members/{member_id}")
        assert (answer.status, answer.body["balances"]) == (409, [{"currency": "EUR", "net": net}])


async def test_it_lets_go_who_paid_as_much_as_they_owe(bob, flat):
    bob_id = await flat.add(bob)
    await flat.spend(1000, participants=[{"member_id": bob_id}])
    await flat.spend(1000, by=bob, participants=[{"member_id": flat.owner_id}])
    assert (await bob.delete(f"{flat.path}/members/{bob_id}")).status == 204


async def test_it_does_not_take_two_currencies_for_one(bob, flat):
    bob_id = await flat.add(bob)
    await flat.spend(1000, currency="EUR", participants=[{"member_id": bob_id}])
    await flat.spend(1000, currency="USD", by=bob, participants=[{"member_id": flat.owner_id}])
    assert (await bob.delete(f"{flat.path}/members/{bob_id}")).body["type"] == "/problems/open-balance"


async def test_it_keeps_a_balance_until_it_is_settled(bob, flat):
    bob_id = await flat.add(bob)
    expense = await flat.spend(1000)
    answer = await flat.owner.delete(f"{flat.path}/members/{bob_id}?keep_balance=true")
    assert answer.status == 204
    assert await flat.nets() == {flat.owner_id: 500, bob_id: -500}
    await flat.owner.delete(f"{flat.path}/expenses/{expense['expense_id']}", if_match="*")
    assert await flat.nets() == {flat.owner_id: 0}


async def test_it_says_the_balance_whatever_case_the_id_is_in(bob, flat):
    bob_id = await flat.add(bob)
    await flat.spend(1000)
    answer = await bob.delete(f"{flat.path}/members/{bob_id.upper()}")
    assert (answer.status, answer.body["type"]) == (409, "/problems/open-balance")


async def test_it_finds_nobody_twice_and_nobody_of_another_team(bob, flat, db, subtests):
    other = await bob.team("Trip")
    theirs = await other.guest("Kim")
    mine = await flat.guest("Kim")
    await flat.owner.delete(f"{flat.path}/members/{mine}")
    for member_id in (mine, theirs, flat.team_id):
        with subtests.test(member_id):
            assert (await flat.owner.delete(f"{flat.path}/members/{member_id}")).status == 404
    assert theirs in await present(db, other)
    assert await db.fetchval("select revision from teams where team_id = $1", flat.team_id) == 3


async def test_it_refuses_another_word_than_true_or_false(flat, subtests):
    guest = await flat.guest()
    for query in ("keep_balance=1", "keep_balance=", "force=true"):
        with subtests.test(query):
            assert (await flat.owner.delete(f"{flat.path}/members/{guest}?{query}")).status == 422


@pytest.mark.parametrize("role", ["owner", "admin", "member", "viewer"])
async def test_everybody_leaves_an_archived_team(bob, flat, db, role):
    bob_id = await flat.add(bob, role)
    await flat.owner.patch(flat.path, {"archived": True})
    assert len((await bob.get("/v1/teams")).body["items"]) == 1
    assert (await bob.delete(f"{flat.path}/members/{bob_id}")).status == 204
    assert (await bob.get("/v1/teams")).body["items"] == []
    assert await present(db, flat) == {flat.owner_id}
    assert await db.fetchval("select action from revisions order by revision desc limit 1") == "members.delete"


async def test_the_rules_of_leaving_hold_in_an_archived_team(bob, flat, db):
    bob_id = await flat.add(bob)
    guest = await flat.guest()
    await flat.spend(1000, participants=[{"member_id": bob_id}])
    await flat.owner.patch(flat.path, {"archived": True})
    mine = f"{flat.path}/members/{bob_id}"
    answer = await bob.delete(mine)
    assert (answer.status, answer.body["balances"]) == (409, [{"currency": "EUR", "net": -1000}])
    assert (await bob.delete(f"{flat.path}/members/{guest}")).status == 403
    assert (await bob.delete(f"{mine}?keep_balance=true")).status == 204
    assert (await flat.owner.delete(f"{flat.path}/members/{guest}")).status == 204
    answer = await flat.owner.delete(f"{flat.path}/members/{flat.owner_id}?keep_balance=true")
    assert (answer.status, answer.body["type"]) == (409, "/problems/last-owner")
    assert await present(db, flat) == {flat.owner_id}
    assert await flat.nets() == {flat.owner_id: 1000, bob_id: -1000}


async def test_it_finds_nobody_in_a_deleted_team(flat):
    guest = await flat.guest()
    await flat.owner.delete(flat.path)
    assert (await flat.owner.delete(f"{flat.path}/members/{guest}")).status == 404
