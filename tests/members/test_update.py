"""PATCH /v1/teams/{team_id}/members/{member_id}."""

import json

import pytest

ACCESS = (401, 401, 404, 404, 403, 403, 403, 200, 200, 404)
BODY = {"name": "Kim"}


async def rows(db, team):
    """Member ids to names and roles."""
    found = await db.fetch("select member_id::text, name, role from members where team_id = $1", team.team_id)
    return {row["member_id"]: (row["name"], row["role"]) for row in found}


async def test_it_changes_the_name_and_nothing_else(bob, flat, db):
    other = await bob.team("Trip")
    guest = await flat.guest("Kim")
    answer = await flat.owner.patch(f"{flat.path}/members/{guest}", {"name": "Kim B."})
    assert (answer.status, answer.body["name"], answer.body["role"]) == (200, "Kim B.", "guest")
    assert await rows(db, flat) == {flat.owner_id: ("Ann", "owner"), guest: ("Kim B.", "guest")}
    assert await rows(db, other) == {other.owner_id: ("Bob", "owner")}


async def test_it_changes_the_role_and_nothing_else(bob, flat, db):
    bob_id = await flat.add(bob, "viewer")
    answer = await flat.owner.patch(f"{flat.path}/members/{bob_id}", {"role": "admin"})
    assert (answer.status, answer.body["name"], answer.body["role"]) == (200, "Bob", "admin")
    assert await rows(db, flat) == {flat.owner_id: ("Ann", "owner"), bob_id: ("Bob", "admin")}
    assert (await bob.get(flat.path)).body["role"] == "admin"


async def test_it_writes_a_revision_with_before_and_after(flat, db):
    guest = await flat.guest("Kim")
    await flat.owner.patch(f"{flat.path}/members/{guest}", {"name": "Kim B."})
    row = await db.fetchrow("select * from revisions order by revision desc limit 1")
    assert (row["revision"], row["action"]) == (3, "members.update")
    assert (str(row["actor_id"]), str(row["subject_id"])) == (flat.owner_id, guest)
    assert (json.loads(row["before"])["name"], json.loads(row["after"])["name"]) == ("Kim", "Kim B.")


# Who acts, who is changed, what is sent, and what comes of it.
CASES = [
    ("owner", "member", {"role": "owner"}, 200),
    ("owner", "owner", {"role": "viewer"}, 200),
    ("owner", "self", {"role": "member"}, 200),
    ("admin", "member", {"role": "admin", "name": "Carol C."}, 200),
    ("admin", "admin", {"role": "viewer"}, 200),
    ("admin", "member", {"role": "owner"}, 403),
    ("admin", "owner", {"role": "viewer"}, 403),
    ("admin", "owner", {"name": "Carol C."}, 403),
    ("admin", "self", {"role": "owner"}, 403),
    ("admin", "self", {"role": "viewer"}, 200),
    ("member", "self", {"name": "Bob B."}, 200),
    ("member", "self", {"role": "admin"}, 403),
    ("member", "self", {"name": "Bob B.", "role": "member"}, 200),
    ("member", "self", {"name": "Bob B.", "role": "viewer"}, 403),
    ("member", "viewer", {"name": "Carol C."}, 403),
    ("viewer", "self", {"name": "Bob B."}, 200),
    ("viewer", "self", {"role": "member"}, 403),
    ("viewer", "member", {"name": "Carol C."}, 403),
    (None, "member", {"name": "Carol C."}, 404),
]


@pytest.mark.parametrize(("actor", "subject", "change", "status"), CASES)
async def test_it_keeps_to_the_roles(served, bob, flat, db, *, actor, subject, change, status):
    carol = await served.person("Carol")
    bob_id = await flat.add(bob, actor) if actor else None
    carol_id = await flat.add(carol, "viewer" if subject == "self" else subject)
    before, revision = await rows(db, flat), await db.fetchval("select revision from teams")
    subject_id = bob_id if subject == "self" else carol_id
    answer = await bob.patch(f"{flat.path}/members/{subject_id}", change)
    assert answer.status == status
    after = await rows(db, flat)
    if status == 200:
        name, role = before[subject_id]
        assert after == before | {subject_id: (change.get("name", name), change.get("role", role))}
        assert await db.fetchval("select revision from teams") == revision + 1
    else:
        assert after == before
        assert await db.fetchval("select revision from teams") == revision


async def test_it_keeps_the_last_owner(bob, flat, db, subtests):
    other = await bob.team("Trip")
    await other.add(flat.owner, "owner")
    await flat.add(bob, "admin")
    for role in ("admin", "member", "viewer"):
        with subtests.test(role):
            answer = await flat.owner.patch(f"{flat.path}/members/{flat.owner_id}", {"role": role})
            assert (answer.status, answer.body["type"]) == (409, "/problems/last-owner")
    assert (await rows(db, flat))[flat.owner_id] == ("Ann", "owner")
    assert await db.fetchval("select revision from teams where team_id = $1", flat.team_id) == 2
    answer = await flat.owner.patch(f"{flat.path}/members/{flat.owner_id}", {"role": "owner", "name": "Anna"})
    assert answer.status == 200


async def test_it_does_not_count_a_former_owner_as_one(bob, flat):
    bob_id = await flat.add(bob, "owner")
    await flat.owner.delete(f"{flat.path}/members/{bob_id}")
    answer = await flat.owner.patch(f"{flat.path}/members/{flat.owner_id}", {"role": "admin"})
    assert answer.body["type"] == "/problems/last-owner"


async def test_it_refuses_the_role_of_a_guest(flat, db):
    guest = await flat.guest("Kim")
    answer = await flat.owner.patch(f"{flat.path}/members/{guest}", {"role": "viewer", "name": "Kim B."})
    assert answer.status == 422
    assert (answer.body["errors"][0]["pointer"], answer.body["errors"][0]["code"]) == ("/role", "guest")
    assert (await rows(db, flat))[guest] == ("Kim", "guest")


async def test_it_finds_no_former_member_and_none_of_another_team(bob, flat, db):
    other = await bob.team("Trip")
    guest = await flat.guest("Kim")
    await flat.owner.delete(f"{flat.path}/members/{guest}")
    for member_id in (guest, other.owner_id):
        assert (await flat.owner.patch(f"{flat.path}/members/{member_id}", {"name": "Mine"})).status == 404
    assert (await rows(db, other))[other.owner_id] == ("Bob", "owner")
    assert (await rows(db, flat))[guest] == ("Kim", "guest")


async def test_it_refuses_what_is_no_change(flat, subtests):
    for body, pointer, code in [
        ({}, "", "empty"),
        ({"role": "guest"}, "/role", "invalid"),
        ({"role": None}, "/role", "null"),
        ({"name": "\u0000"}, "/name", "unprintable"),
        ({"left_at": None}, "", "empty"),
        ({"name": "Anna", "left_at": "2026-01-01T00:00:00Z"}, "/left_at", "read_only"),
        ({"deleted_at": None}, "/deleted_at", "unknown"),
    ]:
        with subtests.test(ascii(body)):
            answer = await flat.owner.patch(f"{flat.path}/members/{flat.owner_id}", body)
            assert answer.status == 422, body
            assert (answer.body["errors"][0]["pointer"], answer.body["errors"][0]["code"]) == (pointer, code)


async def test_the_last_owner_hands_over_an_archived_team_and_leaves(bob, flat, db):
    bob_id, path = await flat.add(bob), f"{flat.path}/members/{flat.owner_id}"
    await flat.owner.patch(flat.path, {"archived": True})
    assert (await flat.owner.delete(path)).body["type"] == "/problems/last-owner"
    assert (await flat.owner.patch(f"{flat.path}/members/{bob_id}", {"role": "owner"})).status == 200
    assert (await flat.owner.delete(path)).status == 204
    assert await rows(db, flat) == {flat.owner_id: ("Ann", "owner"), bob_id: ("Bob", "owner")}
    assert (await bob.get(flat.path)).body["role"] == "owner"


async def test_it_takes_a_name_in_an_archived_team_and_finds_no_deleted_one(bob, flat):
    path = f"{flat.path}/members/{await flat.add(bob, 'viewer')}"
    await flat.owner.patch(flat.path, {"archived": True})
    assert (await bob.patch(path, {"name": "Robert"})).body["name"] == "Robert"
    assert (await bob.patch(path, {"role": "admin"})).status == 403
    await flat.owner.delete(flat.path)
    assert (await flat.owner.patch(path, {"name": "Anna"})).status == 404
