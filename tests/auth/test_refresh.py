"""POST /v1/auth/refresh."""

import asyncio
import base64
import hashlib
import uuid

from tests.conftest import PASSWORD

path = "/v1/auth/refresh"


async def refresh(served, token):
    return await served.call("POST", path, {"refresh_token": token})


def forged(session_id, secret=b"x" * 32):
    return base64.urlsafe_b64encode(uuid.UUID(str(session_id)).bytes + secret).decode()


async def test_it_exchanges_a_token_for_the_next_pair(served, ann):
    first = await refresh(served, ann.refresh_token)
    assert first.status == 200
    assert first.headers["Cache-Control"] == "no-store"
    assert first.body["user"]["user_id"] == ann.user_id
    assert first.body["refresh_token"] != ann.refresh_token
    assert (await served.call("GET", "/v1/me", token=first.body["access_token"])).status == 200
    second = await refresh(served, first.body["refresh_token"])
    assert second.status == 200
    assert second.body["refresh_token"] not in {ann.refresh_token, first.body["refresh_token"]}


async def test_it_keeps_the_session_and_prolongs_it(served, ann, db):
    before = await db.fetchrow("update sessions set expires_at = now() + interval '1 minute' returning *")
    await refresh(served, ann.refresh_token)
    after = await db.fetchrow("select *, expires_at - now() > interval '29 days' as is_long from sessions")
    assert after["is_long"]
    assert after["session_id"] == before["session_id"]


async def test_it_stores_only_hashes(served, ann, db):
    answer = await refresh(served, ann.refresh_token)
    row = await db.fetchrow("select refresh_hash, previous_hash, sessions::text as everything from sessions")
    assert row["refresh_hash"] == hashlib.sha256(answer.body["refresh_token"].encode()).digest()
    assert row["previous_hash"] == hashlib.sha256(ann.refresh_token.encode()).digest()
    for token in (ann.refresh_token, answer.body["refresh_token"]):
        assert token not in row["everything"]
        assert base64.urlsafe_b64decode(token)[16:].hex() not in row["everything"]


async def test_it_repeats_its_answer_for_ten_seconds(served, ann, db):
    first = await refresh(served, ann.refresh_token)
    await db.execute("update sessions set refreshed_at = refreshed_at - interval '5 seconds'")
    again = await refresh(served, ann.refresh_token)
    assert again.status == 200
    assert again.body["refresh_token"] == first.body["refresh_token"]
    for answer in (first, again):
        assert (await served.call("GET", "/v1/me", token=answer.body["access_token"])).status == 200
    # To ask again does not make the ten seconds start again.
    await db.execute("update sessions set refreshed_at = refreshed_at - interval '5.1 seconds'")
    assert (await refresh(served, ann.refresh_token)).status == 401


async def test_it_ends_the_session_when_an_old_token_is_used(served, ann, db):
    login = await served.call("POST", "/v1/auth/login", {"email": ann.email, "password": PASSWORD})
    newer = await refresh(served, ann.refresh_token)
    await db.execute("update sessions set refreshed_at = refreshed_at - interval '10.1 seconds'")
    stolen = await refresh(served, ann.refresh_token)
    assert stolen.status == 401
    assert stolen.headers["WWW-Authenticate"].startswith("Bearer")
    assert (await refresh(served, newer.body["refresh_token"])).status == 401
    await served.until_refused(newer.body["access_token"])
    assert (await ann.get("/v1/me")).status == 401
    # The account's other session is not the one that was stolen.
    assert (await served.call("GET", "/v1/me", token=login.body["access_token"])).status == 200
    assert (await refresh(served, login.body["refresh_token"])).status == 200


async def test_it_ends_the_session_when_a_token_older_than_the_last_is_used(served, ann):
    second = await refresh(served, ann.refresh_token)
    third = await refresh(served, second.body["refresh_token"])
    assert (await refresh(served, ann.refresh_token)).status == 401
    assert (await refresh(served, third.body["refresh_token"])).status == 401


async def test_it_leaves_one_session_after_twenty_at_once(served, ann, db):
    answers = await asyncio.gather(*(refresh(served, ann.refresh_token) for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    (token,) = {answer.body["refresh_token"] for answer in answers}
    assert await db.fetchval("select count(*) from sessions where revoked_at is null") == 1
    assert (await refresh(served, token)).status == 200


async def test_it_refuses_a_session_that_has_expired(served, ann, db):
    await db.execute("update sessions set expires_at = now() - interval '1 second'")
    assert (await refresh(served, ann.refresh_token)).status == 401


async def test_it_refuses_a_session_that_has_ended(served, ann, db):
    await db.execute("update sessions set revoked_at = now()")
    assert (await refresh(served, ann.refresh_token)).status == 401


async def test_it_refuses_an_account_that_was_deleted(served, ann, db):
    await db.execute("update users set deleted_at = now()")
    assert (await refresh(served, ann.refresh_token)).status == 401


async def test_it_shows_the_account_as_it_is_now(served, ann):
    await ann.patch("/v1/me", {"name": "Anna"})
    assert (await refresh(served, ann.refresh_token)).body["user"]["name"] == "Anna"


async def test_it_refuses_garbage(served, ann, subtests):
    for token in (
        "x",
        "xxxx",
        "é" * 64,
        "=" * 64,
        "x" * 63,
        "x" * 60,
        "x" * 68,
        "x" * 200,
        "x" * 64,
        "x" * 32 + " " + "x" * 31,
        "../" * 20 + "x" * 4,
        "' or 1=1 --",
        forged(uuid.uuid4()),
        forged(uuid.UUID(int=0)),
    ):
        with subtests.test(token):
            answer = await refresh(served, token)
            assert (token, answer.status, answer.body["type"]) == (token, 401, "/problems/unauthenticated")
    assert (await refresh(served, ann.refresh_token)).status == 200


async def test_a_guess_at_the_secret_of_a_session_is_refused_and_does_not_end_it(served, db):
    person = await served.person()
    token = forged(await db.fetchval("select session_id from sessions"))
    assert (await refresh(served, token)).status == 401
    assert (await refresh(served, person.refresh_token)).status == 200


async def test_it_tells_nobody_which_sessions_there_are(served, db):
    await served.person()
    known = await refresh(served, forged(await db.fetchval("select session_id from sessions")))
    unknown = await refresh(served, forged(uuid.uuid4()))
    malformed = await refresh(served, "x")
    assert known.body | {"instance": ""} == unknown.body | {"instance": ""} == malformed.body | {"instance": ""}


async def test_it_refuses_an_access_token(served, ann):
    # An access token is longer than any refresh token; its beginning is as long as one.
    assert (await refresh(served, ann.token)).status == 422
    assert (await refresh(served, ann.token[:64])).status == 401


async def test_its_tokens_are_not_access_tokens(served, ann):
    assert (await served.call("GET", "/v1/me", token=ann.refresh_token)).status == 401


async def test_it_says_what_is_wrong_with_the_body(served, subtests):
    for body, pointer, code in (
        ({}, "/refresh_token", "required"),
        ({"refresh_token": ""}, "/refresh_token", "too_short"),
        ({"refresh_token": "x" * 201}, "/refresh_token", "too_long"),
        ({"refresh_token": None}, "/refresh_token", "null"),
        ({"refresh_token": 1}, "/refresh_token", "invalid"),
        ({"refresh_token": "x\u0000"}, "/refresh_token", "unprintable"),
        ({"refresh_token": "x", "user_id": "x"}, "/user_id", "unknown"),
    ):
        with subtests.test(str(body)[:80]):
            answer = await served.call("POST", path, body)
            assert answer.status == 422
            assert [(error["pointer"], error["code"]) for error in answer.body["errors"]] == [(pointer, code)]
