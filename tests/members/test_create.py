"""POST /v1/teams/{team_id}/members."""

import asyncio
import json

import pytest

from service.web.keys import DB
from tests.rows import all_rows, guests

ACCESS = (401, 401, 404, 404, 403, 403, 403, 201, 201, 404)
BODY = {"name": "Kim"}


async def test_it_adds_an_account_by_its_address(bob, flat, db):
    other = await bob.team("Trip")
    answer = await flat.owner.post(f"{flat.path}/members", {"email": bob.email.upper(), "role": "viewer"})
    assert answer.status == 201
    member = answer.body
    assert (member["user_id"], member["name"], member["role"], member["left_at"]) == (
        bob.user_id,
        "Bob",
        "viewer",
        None,
    )
    assert answer.headers["Location"] == f"{flat.path}/members/{member['member_id']}"
    rows = await db.fetch(
        "select team_id::text, member_id::text, role from members where user_id = $1 order by team_id", bob.user_id
    )
    assert {tuple(row) for row in rows} == {
        (flat.team_id, member["member_id"], "viewer"),
        (other.team_id, other.owner_id, "owner"),
    }


async def test_it_adds_a_member_where_no_role_is_sent(bob, flat):
    answer = await flat.owner.post(f"{flat.path}/members", {"email": bob.email})
    assert (answer.status, answer.body["role"]) == (201, "member")


async def test_it_adds_a_guest_by_name(flat, db):
    answer = await flat.owner.post(f"{flat.path}/members", {"name": " Grandma "})
    assert answer.status == 201
    assert (answer.body["user_id"], answer.body["name"], answer.body["role"]) == (None, "Grandma", "guest")
    row = await db.fetchrow(
        "select user_id, name, role, left_at from members where member_id = $1", answer.body["member_id"]
    )
    assert tuple(row) == (None, "Grandma", "guest", None)


async def test_it_adds_two_guests_of_one_name_as_two_members(flat):
    assert await flat.guest("Kim") != await flat.guest("Kim")


async def test_it_writes_a_revision(flat, db):
    guest = await flat.guest("Grandma")
    row = await db.fetchrow("select * from revisions order by revision desc limit 1")
    assert (row["revision"], row["action"]) == (2, "members.create")
    assert (str(row["actor_id"]), str(row["subject_id"]), row["before"]) == (flat.owner_id, guest, None)
    assert json.loads(row["after"])["name"] == "Grandma"


async def test_it_takes_an_account_back_as_the_member_it_was(bob, flat, db):
    member_id = await flat.add(bob, "admin")
    await flat.spend(1000)
    await flat.owner.delete(f"{flat.path}/members/{member_id}?keep_balance=true")
    answer = await flat.owner.post(f"{flat.path}/members", {"email": bob.email, "role": "viewer"})
    assert answer.status == 201
    assert (answer.body["member_id"], answer.body["role"], answer.body["left_at"]) == (member_id, "viewer", None)
    assert (await flat.nets())[member_id] == -500
    assert await db.fetchval("select count(*) from members where user_id = $1", bob.user_id) == 1
    assert (await bob.get(flat.path)).status == 200


@pytest.mark.parametrize(
    ("role", "added", "status"),
    [
        ("admin", "admin", 201),
        ("admin", "owner", 403),
        ("member", "viewer", 403),
        ("viewer", "viewer", 403),
        (None, "viewer", 404),
    ],
)
async def test_it_lets_admins_add_all_but_owners(served, bob, flat, db, *, role, added, status):
    carol = await served.person("Carol")
    if role:
        await flat.add(bob, role)
    members = await db.fetchval("select count(*) from members")
    revision = await db.fetchval("select revision from teams")
    answer = await bob.post(f"{flat.path}/members", {"email": carol.email, "role": added})
    assert answer.status == status
    assert await db.fetchval("select count(*) from members") == members + (status == 201)
    assert await db.fetchval("select revision from teams") == revision + (status == 201)


async def test_it_lets_an_owner_add_an_owner(bob, flat):
    await flat.add(bob, "owner")
    assert (await bob.get(flat.path)).body["role"] == "owner"


async def test_it_refuses_an_account_that_is_in_the_team(bob, flat, db):
    await flat.add(bob, "viewer")
    for email in (bob.email, flat.owner.email):
        answer = await flat.owner.post(f"{flat.path}/members", {"email": email, "role": "admin"})
        assert (answer.status, answer.body["type"]) == (409, "/problems/already-member")
    rows = await db.fetch("select role from members order by member_id")
    assert [row["role"] for row in rows] == ["owner", "viewer"]
    assert await db.fetchval("select revision from teams") == 2


async def test_it_refuses_an_address_without_an_account(flat, db):
    answer = await flat.owner.post(f"{flat.path}/members", {"email": "nobody@example.com"})
    assert answer.status == 422
    assert (answer.body["errors"][0]["pointer"], answer.body["errors"][0]["code"]) == ("/email", "no_account")
    assert await db.fetchval("select revision from teams") == 1


async def test_it_refuses_a_member_beyond_two_hundred(bob, flat, db):
    other = await bob.team("Trip")
    await guests(db, other.team_id, 150)
    await guests(db, flat.team_id, 198)
    await flat.guest("The last")
    for body in ({"name": "One more"}, {"email": bob.email}):
        answer = await flat.owner.post(f"{flat.path}/members", body)
        assert (answer.status, answer.body["type"]) == (409, "/problems/team-full")
        assert "200 members" in answer.body["detail"]
    assert await db.fetchval("select count(*) from members where team_id = $1", flat.team_id) == 200
    await other.guest("There is room here")


async def test_it_does_not_count_former_members(bob, flat, db):
    await guests(db, (await bob.team("Trip")).team_id, 150)
    await guests(db, flat.team_id, 199)
    await db.execute("update members set left_at = now() where team_id = $1 and name = 'Guest 7'", flat.team_id)
    await flat.add(bob)
    answer = await flat.owner.post(f"{flat.path}/members", {"name": "One more"})
    assert answer.body["type"] == "/problems/team-full"


async def test_it_adds_an_account_once_when_it_is_asked_at_once(bob, flat, db):
    body = {"email": bob.email}
    answers = await asyncio.gather(*(flat.owner.post(f"{flat.path}/members", body) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409, 409]
    assert await db.fetchval("select count(*) from members") == 2


async def test_it_refuses_what_is_no_member(flat, db, subtests):
    for body, pointer, code in [
        ({}, "", "one_of"),
        ({"email": "bob@example.com", "name": "Bob"}, "", "one_of"),
        ({"name": "Bob", "role": "admin"}, "/role", "guest"),
        ({"email": "bob"}, "/email", "not_email"),
        ({"email": "bob@example.com", "role": "guest"}, "/role", "invalid"),
        ({"name": ""}, "/name", "too_short"),
        ({"name": "Bob", "user_id": None}, "/user_id", "unknown"),
    ]:
        with subtests.test(str(body)):
            answer = await flat.owner.post(f"{flat.path}/members", body)
            assert answer.status == 422, body
            assert (answer.body["errors"][0]["pointer"], answer.body["errors"][0]["code"]) == (pointer, code)
    assert await db.fetchval("select count(*) from members") == 1


async def test_it_refuses_an_archived_team_and_finds_no_deleted_one(flat):
    await flat.owner.patch(flat.path, {"archived": True})
    answer = await flat.owner.post(f"{flat.path}/members", {"name": "Guest"})
    assert (answer.status, answer.body["type"]) == (409, "/problems/team-archived")
    await flat.owner.delete(flat.path)
    assert (await flat.owner.post(f"{flat.path}/members", {"name": "Guest"})).status == 404


async def test_a_busy_team_leaves_connections_to_the_others(served, ann, bob, flat, db):
    """While writes of one team wait for its lock, others are answered."""
    other = await bob.team()
    async with db.transaction():
        await db.execute("select from teams where team_id = $1 for update", flat.team_id)
        writes = [asyncio.create_task(ann.post(f"{flat.path}/members", {"name": f"Guest {n}"})) for n in range(20)]
        async with asyncio.timeout(30):
            # Two of them have got a turn, and the others stand in line for one.
            while len(served.app[DB].turns.lines.get(flat.team_id, ())) < 18:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert served.app[DB].connections.in_use() <= 2
        assert (await bob.get(other.path)).status == 200
        # Those who waited too long are told so; nothing of them is stored.
        assert {answer.status for answer in await asyncio.gather(*writes[2:])} == {503}
    assert [(await write).status for write in writes[:2]] == [201, 201]
    assert await db.fetchval("select count(*) from members where role = 'guest'") == 2


async def test_it_takes_back_a_guest_with_their_past(flat, db):
    kim = await flat.guest("Kim")
    await flat.spend(900)
    await flat.owner.delete(f"{flat.path}/members/{kim}?keep_balance=true")
    answer = await flat.owner.post(f"{flat.path}/members", {"member_id": kim})
    assert answer.status == 201
    assert answer.headers["Location"] == f"{flat.path}/members/{kim}"
    assert (answer.body["member_id"], answer.body["name"], answer.body["role"]) == (kim, "Kim", "guest")
    assert (answer.body["left_at"], answer.body["version"]) == (None, 3)
    assert await flat.nets() == {flat.owner_id: 450, kim: -450}
    assert [each["amount"] for each in (await flat.spend(900))["participants"]] == [450, 450]
    assert await db.fetchval("select count(*) from members") == 2
    assert await db.fetchval("select action from revisions where revision = 5") == "members.create"


@pytest.mark.parametrize("role", [None, "admin"])
async def test_it_takes_back_an_account_by_its_member_id(bob, flat, role):
    bob_id = await flat.add(bob, "viewer")
    await flat.owner.delete(f"{flat.path}/members/{bob_id}")
    answer = await flat.owner.post(f"{flat.path}/members", {"member_id": bob_id} | ({"role": role} if role else {}))
    assert (answer.status, answer.body["member_id"], answer.body["role"]) == (201, bob_id, role or "member")
    assert (await bob.get(flat.path)).status == 200


async def test_it_takes_back_nobody_who_is_no_former_member(bob, flat, db, subtests):
    other = await bob.team("Trip")
    theirs = await other.guest()
    await other.owner.delete(f"{other.path}/members/{theirs}")
    active, gone = await flat.guest("Kim"), await flat.guest("Lee")
    await flat.owner.delete(f"{flat.path}/members/{gone}")
    before = await all_rows(db)
    for body, status in [
        ({"member_id": active}, 404),
        ({"member_id": theirs}, 404),
        ({"member_id": flat.team_id}, 404),
        ({"member_id": gone, "role": "admin"}, 422),
        ({"member_id": gone, "name": "Lee"}, 422),
        ({"member_id": gone, "email": bob.email}, 422),
    ]:
        with subtests.test(str(body)):
            assert (await flat.owner.post(f"{flat.path}/members", body)).status == status
    assert await all_rows(db) == before
