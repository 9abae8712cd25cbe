"""POST /v1/auth/logout."""

import hashlib

import pytest

from service.auth import sessions as revocation
from service.auth.keys import REVOCATIONS
from tests.conftest import PASSWORD, running
from tests.rows import login_failures

path = "/v1/auth/logout"


async def test_it_ends_both_tokens_at_once(served, ann):
    answer = await ann.call("POST", path)
    assert (answer.status, answer.body) == (204, b"")
    me = await ann.get("/v1/me")
    assert me.status == 401
    assert me.headers["WWW-Authenticate"].startswith("Bearer")
    assert me.body["detail"] == "This session has ended. Log in again."
    assert (await served.call("POST", "/v1/auth/refresh", {"refresh_token": ann.refresh_token})).status == 401


async def test_it_ends_every_access_token_of_the_session(served, ann):
    refreshed = await served.call("POST", "/v1/auth/refresh", {"refresh_token": ann.refresh_token})
    assert (await served.call("POST", path, token=refreshed.body["access_token"])).status == 204
    assert (await ann.get("/v1/me")).status == 401
    body = {"refresh_token": refreshed.body["refresh_token"]}
    assert (await served.call("POST", "/v1/auth/refresh", body)).status == 401


async def test_it_ends_the_session_in_every_process_within_a_second(config, ann):
    async with running(config) as other:
        assert (await other.call("GET", "/v1/me", token=ann.token)).status == 200
        await ann.call("POST", path)
        await other.until_refused(ann.token)
        assert (await other.call("POST", "/v1/auth/refresh", {"refresh_token": ann.refresh_token})).status == 401


async def test_it_stays_in_force_after_a_restart(config, ann):
    await ann.call("POST", path)
    async with running(config) as restarted:
        assert (await restarted.call("GET", "/v1/me", token=ann.token)).status == 401


async def test_it_leaves_other_sessions_alone(served, ann, bob):
    login = await served.call("POST", "/v1/auth/login", {"email": ann.email, "password": PASSWORD})
    await ann.call("POST", path)
    assert (await served.call("GET", "/v1/me", token=login.body["access_token"])).status == 200
    body = {"refresh_token": login.body["refresh_token"]}
    assert (await served.call("POST", "/v1/auth/refresh", body)).status == 200
    assert (await bob.get("/v1/me")).status == 200


async def test_it_needs_a_session_that_has_not_ended(served, ann):
    assert (await served.call("POST", path)).status == 401
    assert (await ann.call("POST", path)).status == 204
    assert (await ann.call("POST", path)).status == 401


async def test_it_does_not_keep_from_logging_in_again(served, ann):
    await ann.call("POST", path)
    login = await served.call("POST", "/v1/auth/login", {"email": ann.email, "password": PASSWORD})
    assert (await served.call("GET", "/v1/me", token=login.body["access_token"])).status == 200


# The second is what there is time for in one statement.
@pytest.mark.parametrize("rows_max", [10_000, 2])
async def test_sessions_that_ended_long_ago_are_purged_and_others_are_not(
    served, ann, bob, db, monkeypatch, *, rows_max
):
    monkeypatch.setattr(revocation, "purge_rows_max", rows_max)
    for _ in range(4):
        await served.call("POST", "/v1/auth/login", {"email": ann.email, "password": PASSWORD})
    await db.execute("update sessions set revoked_at = now() where user_id = $1", ann.user_id)
    await db.execute("update ended_sessions set ended_at = now() - interval '49 hours'")
    await db.execute("update sessions set expires_at = now() - interval '8 days' where user_id = $1", ann.user_id)
    await db.execute("update login_places set seen_at = now() - interval '91 days' where user_id = $1", ann.user_id)
    ended = await served.person()
    await ended.call("POST", path)
    for number in range(3):
        await login_failures(db, f"old {number}", failures=3, seconds_ago=16 * 60)
    await login_failures(db, "new", failures=3)
    await served.app[REVOCATIONS].purge()
    kept = {(bob.user_id,), (ended.user_id,)}
    assert set(await db.fetch("select user_id::text from sessions")) == kept
    assert set(await db.fetch("select user_id::text from login_places")) == kept
    assert await db.fetchval("select count(*) from ended_sessions") == 1
    assert await db.fetch("select key_hash from login_failures") == [(hashlib.sha256(b"new").digest(),)]
