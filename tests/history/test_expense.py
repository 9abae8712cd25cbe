"""GET /v1/teams/{team_id}/expenses/{expense_id}/history."""

import base64
import json

import pytest

from tests.access import READ

ACCESS = READ


async def sentences(team, path, query=""):
    answer = await team.owner.get(f"{team.path}{path}{query}")
    assert answer.status == 200, answer.body
    return [each["sentence"] for each in answer.body["items"]]


@pytest.fixture
async def spent(flat):
    bob, cleo = await flat.guest("Bob"), await flat.guest("Cleo")
    expense = await flat.spend(9000)
    path = f"{flat.path}/expenses/{expense['expense_id']}"
    stay = [{"member_id": each} for each in (flat.owner_id, cleo)]
    assert (await flat.owner.patch(path, {"amount": 9500, "participants": stay}, '"1"')).status == 200
    assert (await flat.owner.patch(path, {"description": "Lunch"}, '"2"')).status == 200
    assert (await flat.owner.delete(path, '"3"')).status == 204
    return {"path": f"/expenses/{expense['expense_id']}/history", "bob": bob, "cleo": cleo} | expense


async def test_it_tells_each_version_also_of_what_was_deleted(flat, spent):
    assert await sentences(flat, spent["path"]) == [
        'Ann deleted the expense "Lunch" of 95.00 EUR',
        'Ann changed the description from "Dinner" to "Lunch"',
        "Ann changed the amount from 90.00 EUR to 95.00 EUR and took Bob out",
        'Ann added the expense "Dinner" of 90.00 EUR, paid by Ann',
    ]


async def test_an_item_has_who_when_and_what_as_the_api_shows_it(flat, spent, db):
    items = (await flat.owner.get(flat.path + spent["path"])).body["items"]
    assert [each["version"] for each in items] == [4, 3, 2, 1]
    assert [each["revision"] for each in items] == [7, 6, 5, 4]
    at = await db.fetchval("select at from revisions where revision = 5")
    changes = {each["field"]: each for each in items[2].pop("changes")}
    assert items[2] == {
        "revision": 5,
        "at": at.isoformat().replace("+00:00", "Z"),
        "actor_id": flat.owner_id,
        "actor_name": "Ann",
        "action": "expenses.update",
        "subject": "expense",
        "subject_id": spent["expense_id"],
        "subject_name": "Dinner",
        "version": 2,
        "sentence": "Ann changed the amount from 90.00 EUR to 95.00 EUR and took Bob out",
    }
    assert changes.keys() == {"amount", "payers", "participants"}
    assert changes["amount"] == {"field": "amount", "before": 9000, "after": 9500}
    assert changes["participants"]["before"] == sorted(spent["participants"], key=lambda part: part["member_id"])
    recorded = {each["field"]: (each["before"], each["after"]) for each in items[3]["changes"]}
    assert recorded["description"] == (None, "Dinner")
    assert "notes" not in recorded
    assert {each["field"]: each["after"] for each in items[0]["changes"]}["description"] is None


async def test_names_are_those_of_today_and_stay_with_who_left(flat, spent):
    await flat.owner.patch(f"{flat.path}/members/{spent['bob']}", {"name": "Robert"})
    assert (await flat.owner.delete(f"{flat.path}/members/{spent['bob']}")).status == 204
    told = await sentences(flat, spent["path"])
    assert "Ann changed the amount from 90.00 EUR to 95.00 EUR and took Robert out" in told


async def test_pages_are_all_of_it_once(flat, spent):
    found, after = [], ""
    while after is not None:
        answer = await flat.owner.get(f"{flat.path}{spent['path']}?limit=3{after}")
        found += [each["revision"] for each in answer.body["items"]]
        after = answer.body["next"] and f"&after={answer.body['next']}"
    assert found == [7, 6, 5, 4]


@pytest.mark.parametrize("key", [-1, 2**63, "7", True, None, 1.5, [7]])
async def test_a_cursor_has_a_revision(flat, spent, key):
    position = json.dumps(["revision", key, spent["expense_id"]]).encode()
    after = base64.urlsafe_b64encode(position).rstrip(b"=").decode()
    answer = await flat.owner.get(f"{flat.path}{spent['path']}?after={after}")
    assert (answer.status, answer.body["errors"][0]["code"]) == (422, "not_a_cursor")


async def test_there_is_none_of_what_there_never_was_or_is_something_else(bob, flat, spent):
    other = await bob.team("Trip")
    foreign = await other.spend()
    settled = await flat.settle(spent["bob"], flat.owner_id, 100)
    for each in (foreign["expense_id"], settled["settlement_id"], spent["bob"], flat.team_id):
        answer = await flat.owner.get(f"{flat.path}/expenses/{each}/history")
        assert (answer.status, answer.body["detail"]) == (404, "There is no such expense.")
    answer = await bob.get(flat.path + spent["path"])
    assert (answer.status, answer.body["detail"]) == (404, "There is no such team, or you are not in it.")
