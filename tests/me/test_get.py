"""GET /v1/me."""

import datetime


async def test_it_shows_the_account(ann, db):
    answer = await ann.get("/v1/me")
    assert answer.status == 200
    row = await db.fetchrow("select user_id::text, email, name, version, created_at from users")
    created_at = datetime.datetime.fromisoformat(answer.body["created_at"])
    assert answer.body | {"created_at": created_at} == dict(row)
    assert answer.body["created_at"].endswith("Z")


async def test_it_shows_nobody_else(ann, bob):
    assert (await ann.get("/v1/me")).body["user_id"] == ann.user_id
    assert (await bob.get("/v1/me")).body["user_id"] == bob.user_id


async def test_it_needs_a_log_in(served):
    answer = await served.call("GET", "/v1/me")
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_it_refuses_an_account_that_was_deleted(ann, db):
    await db.execute("update users set deleted_at = now()")
    assert (await ann.get("/v1/me")).status == 401


async def test_it_takes_no_query(ann):
    answer = await ann.get("/v1/me?user_id=x")
    assert answer.status == 422
    assert [(error["in"], error["pointer"]) for error in answer.body["errors"]] == [("query", "/user_id")]
