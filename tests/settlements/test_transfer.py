"""POST /v1/teams/{team_id}/settlement-plan/transfers."""

import asyncio

import pytest

from tests.rows import all_rows

# Who may record is told that the plan does not have it.
ACCESS = (401, 401, 404, 404, 403, 409, 409, 409, 409, 404)


def body(world):
    """Return a transfer that the plan does not have."""
    return {"from": world.members["owner"], "to": world.members["recorder"], "amount": 9, "currency": "EUR"}


@pytest.fixture
async def plan(flat):
    await flat.spend(100, participants=[{"member_id": await flat.guest("Kim")}])
    answer = await flat.owner.get(f"{flat.path}/settlement-plan")
    [transfer] = answer.body["items"]
    return transfer, answer.headers["ETag"]


def post(team, sent, etag, query=""):
    headers = {"If-Match": etag} if etag else {}
    return team.owner.post(f"{team.path}/settlement-plan/transfers{query}", sent, headers=headers)


async def test_it_records_a_suggestion(flat, plan):
    transfer, etag = plan
    answer = await post(flat, transfer | {"notes": "By bank", "external_id": "t1", "metadata": {"a": "b"}}, etag)
    assert answer.status == 201
    assert {name: answer.body[name] for name in transfer} == transfer
    assert (answer.body["notes"], answer.body["external_id"], answer.body["metadata"]) == ("By bank", "t1", {"a": "b"})
    settlement = (await flat.owner.get(answer.headers["Location"])).body
    assert settlement == answer.body
    assert set((await flat.nets()).values()) == {0}
    assert (await flat.owner.get(f"{flat.path}/settlement-plan")).body["items"] == []


async def test_it_refuses_an_outdated_plan_and_what_is_not_in_it(flat, plan, db, subtests):
    transfer, etag = plan
    before = await all_rows(db)
    for change, sent_etag, status, kind in [
        ({}, "", 428, "precondition-required"),
        ({}, '"1"', 412, "precondition-failed"),
        ({"amount": 99}, etag, 409, "not-in-plan"),
        ({"amount": 101}, "*", 409, "not-in-plan"),
        ({"currency": "USD"}, etag, 409, "not-in-plan"),
        ({"from": transfer["to"], "to": transfer["from"]}, etag, 409, "not-in-plan"),
        ({"to": transfer["from"]}, etag, 409, "not-in-plan"),
        ({"amount": 0}, etag, 422, "invalid"),
    ]:
        with subtests.test(f"{change} {sent_etag}"):
            answer = await post(flat, transfer | change, sent_etag)
            assert (answer.status, answer.body["type"]) == (status, f"/problems/{kind}")
    assert (await post(flat, transfer, etag, "?dry_run=true")).status == 200
    assert await all_rows(db) == before


async def test_of_two_at_once_one_is_recorded(flat, plan, db):
    transfer, etag = plan
    answers = await asyncio.gather(*(post(flat, transfer, etag) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [201, 412, 412, 412, 412]
    assert set((await flat.nets()).values()) == {0}
    assert await db.fetchval("select count(*) from expenses where kind = 'settlement'") == 1
