"""PATCH /v1/teams/{team_id}/settlements/{settlement_id}."""

import json

import pytest

from tests.rows import all_rows

ACCESS = (401, 401, 404, 404, 403, 403, 200, 200, 200, 404)
BODY = {"amount": 10}


def path(team, settlement):
    return f"{team.path}/settlements/{settlement['settlement_id']}"


@pytest.fixture
async def settlement(flat):
    return await flat.settle(await flat.guest("Kim"), flat.owner_id, 4500, metadata={"bank": "a"})


async def test_it_changes_the_ledger_and_keeps_what_is_not_sent(flat, settlement, db):
    lee = await flat.guest("Lee")
    answer = await flat.owner.patch(path(flat, settlement), {"amount": 500, "from": lee}, '"1"')
    assert (answer.status, answer.headers["ETag"]) == (200, '"2"')
    changed = {"amount": 500, "from": lee, "version": 2, "updated_at": answer.body["updated_at"]}
    assert answer.body == settlement | changed
    assert await flat.nets() == {settlement["from"]: 0, lee: 500, flat.owner_id: -500}
    row = await db.fetchrow("select action, before, after from revisions order by revision desc limit 1")
    assert row["action"] == "settlements.update"
    assert [json.loads(row[name])["amount"] for name in ("before", "after")] == [4500, 500]


async def test_it_takes_what_was_read(flat, settlement):
    for sent in (settlement, {"settles": {"amount": 5400, "currency": "USD"}}, {"settles": None}):
        read = (await flat.owner.get(path(flat, settlement))).body
        answer = await flat.owner.patch(path(flat, settlement), read | sent | {"version": read["version"]}, "*")
        assert answer.status == 200, answer.body
        again = await flat.owner.patch(path(flat, settlement), answer.body, "*")
        assert again.status == 200, again.body
        for name in ("from", "to", "amount", "currency", "settles", "metadata"):
            assert again.body[name] == answer.body[name]


async def test_metadata_is_merged(flat, settlement, subtests):
    for sent, expected in [
        ({"day": "1"}, {"bank": "a", "day": "1"}),
        ({"bank": None}, {"day": "1"}),
        ({}, {"day": "1"}),
        (None, {}),
    ]:
        with subtests.test(str(sent)):
            answer = await flat.owner.patch(path(flat, settlement), {"metadata": sent}, "*")
            assert (answer.status, answer.body["metadata"]) == (200, expected)


async def test_it_refuses_and_changes_nothing(flat, settlement, db, subtests):
    other = await flat.settle(await flat.guest("Max"), flat.owner_id, 1, external_id="taken")
    before = await all_rows(db)
    for sent, status, kind in [
        ({"to": settlement["from"]}, 422, "invalid"),
        ({"from": flat.owner_id}, 422, "invalid"),
        ({"to": flat.team_id}, 422, "not-a-member"),
        ({"version": 7, "amount": 5}, 422, "invalid"),
        ({"kind": "expense", "amount": 5}, 422, "invalid"),
        ({"amount": None}, 422, "invalid"),
        ({}, 422, "invalid"),
        ({"external_id": "taken"}, 409, "external-id-taken"),
    ]:
        with subtests.test(str(sent)):
            answer = await flat.owner.patch(path(flat, settlement), sent, "*")
            assert (answer.status, answer.body["type"]) == (status, f"/problems/{kind}")
    assert (await flat.owner.patch(path(flat, settlement), {"amount": 5})).status == 428
    assert (await flat.owner.patch(path(flat, settlement), {"amount": 5}, '"9"')).status == 412
    assert (await flat.owner.patch(f"{path(flat, settlement)}?dry_run=true", {"amount": 5}, "*")).status == 200
    expense_path = f"{flat.path}/expenses/{other['settlement_id']}"
    assert (await flat.owner.patch(expense_path, {"amount": 5}, "*")).status == 409
    assert await all_rows(db) == before
