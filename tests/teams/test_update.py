"""PATCH /v1/teams/{team_id}."""

import json

import pytest

ACCESS = (401, 401, 404, 404, 403, 403, 403, 200, 200, 404)
BODY = {"name": "House"}


@pytest.mark.parametrize("change", [{"name": "House"}, {"currency": "CHF"}, {"name": "House", "currency": "CHF"}])
async def test_it_changes_what_is_sent_and_nothing_else(bob, flat, db, change):
    other = await bob.team("Trip")
    answer = await flat.owner.patch(flat.path, change)
    expected = {"name": "Flat", "currency": "EUR"} | change
    assert answer.status == 200
    assert {name: answer.body[name] for name in expected} == expected
    assert (answer.body["revision"], answer.body["member_id"], answer.body["role"]) == (2, flat.owner_id, "owner")
    rows = await db.fetch("select team_id::text, name, currency, revision from teams order by team_id")
    assert [tuple(row) for row in rows] == [
        (flat.team_id, expected["name"], expected["currency"], 2),
        (other.team_id, "Trip", "EUR", 1),
    ]


async def test_it_writes_a_revision_with_before_and_after(bob, flat, db):
    bob_id = await flat.add(bob, "admin")
    await bob.patch(flat.path, {"name": "House"})
    row = await db.fetchrow("select * from revisions order by revision desc limit 1")
    assert (row["revision"], row["action"], str(row["actor_id"])) == (3, "teams.update", bob_id)
    assert str(row["subject_id"]) == flat.team_id
    assert (json.loads(row["before"])["name"], json.loads(row["after"])["name"]) == ("Flat", "House")


@pytest.mark.parametrize(
    ("role", "status"), [("owner", 200), ("admin", 200), ("member", 403), ("viewer", 403), (None, 404)]
)
async def test_it_takes_an_owner_or_an_admin(bob, flat, db, role, status):
    if role:
        await flat.add(bob, role)
    before = await db.fetchval("select revision from teams where team_id = $1", flat.team_id)
    answer = await bob.patch(flat.path, {"name": "Bob's"})
    assert answer.status == status
    row = await db.fetchrow("select name, revision from teams where team_id = $1", flat.team_id)
    assert tuple(row) == (("Bob's", before + 1) if status == 200 else ("Flat", before))
    if status == 403:
        assert f"your role here is {role}" in answer.body["detail"]


async def test_it_keeps_the_currency_of_past_expenses(flat, db):
    past = await flat.spend()
    await flat.owner.patch(flat.path, {"currency": "JPY"})
    future = await flat.spend()
    assert (past["currency"], future["currency"]) == ("EUR", "JPY")
    rows = await db.fetch("select currency from expenses order by expense_id")
    assert [row["currency"] for row in rows] == ["EUR", "JPY"]


async def test_it_archives_a_team_which_then_refuses_money_and_newcomers_but_can_be_read(flat, db, subtests):
    guest = await flat.guest()
    expense = await flat.spend()
    answer = await flat.owner.patch(flat.path, {"archived": True})
    assert answer.status == 200
    assert answer.body["archived_at"] is not None
    revision = await db.fetchval("select revision from teams")
    writes = [
        ("PATCH", "", {"name": "House"}),
        ("POST", "/members", {"name": "Another"}),
        ("POST", "/expenses", {"description": "Late", "amount": 1}),
        ("PATCH", f"/expenses/{expense['expense_id']}", {"amount": 1}),
        ("DELETE", f"/expenses/{expense['expense_id']}", None),
    ]
    for method, path, body in writes:
        with subtests.test(f"{method} {path}"):
            answer = await flat.owner.call(method, flat.path + path, body, headers={"If-Match": "*"})
            assert (answer.status, answer.body["type"]) == (409, "/problems/team-archived"), (method, path)
    for path in ("", "/members", f"/members/{guest}", "/expenses", f"/expenses/{expense['expense_id']}", "/balances"):
        with subtests.test(path):
            assert (await flat.owner.get(flat.path + path)).status == 200
    assert await db.fetchval("select revision from teams") == revision
    assert await db.fetchval("select count(*) from revisions") == revision


async def test_it_takes_an_archived_team_back(flat):
    await flat.owner.patch(flat.path, {"archived": True})
    answer = await flat.owner.patch(flat.path, {"archived": False, "name": "House"})
    assert (answer.status, answer.body["archived_at"], answer.body["name"]) == (200, None, "House")
    await flat.spend()


async def test_it_keeps_the_time_at_which_a_team_was_first_archived(flat):
    first = await flat.owner.patch(flat.path, {"archived": True})
    again = await flat.owner.patch(flat.path, {"archived": True})
    assert again.status == 200
    assert again.body["archived_at"] == first.body["archived_at"]


async def test_it_refuses_to_change_an_archived_team_while_it_stays_archived(flat, db):
    await flat.owner.patch(flat.path, {"archived": True})
    for change in ({"name": "House"}, {"archived": True, "currency": "CHF"}):
        answer = await flat.owner.patch(flat.path, change)
        assert (answer.status, answer.body["type"]) == (409, "/problems/team-archived")
    assert tuple(await db.fetchrow("select name, currency from teams")) == ("Flat", "EUR")


async def test_it_refuses_what_is_no_change(flat, db, subtests):
    for change, pointer, code in [
        ({}, "", "empty"),
        ({"name": None}, "/name", "null"),
        ({"name": ""}, "/name", "too_short"),
        ({"currency": "EURO"}, "/currency", "invalid"),
        ({"archived": 1.5}, "/archived", "invalid"),
        ({"deleted_at": None}, "", "empty"),
        ({"restored": True}, "/restored", "unknown"),
    ]:
        with subtests.test(str(change)):
            answer = await flat.owner.patch(flat.path, change)
            assert answer.status == 422, change
            assert [(each["pointer"], each["code"]) for each in answer.body["errors"]] == [(pointer, code)]
    assert await db.fetchval("select revision from teams") == 1


async def test_it_does_not_find_a_deleted_team(flat):
    await flat.owner.delete(flat.path)
    assert (await flat.owner.patch(flat.path, {"name": "House"})).status == 404
