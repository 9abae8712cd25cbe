"""POST /v1/auth/login."""

import asyncio
import dataclasses

import pytest
from argon2 import PasswordHasher, extract_parameters

from service.auth.keys import SECURITY
from service.auth.passwords import hash_queue_max
from service.ops import monitor
from service.web.keys import DB
from tests.conftest import PASSWORD, running
from tests.rows import login_failures

path = "/v1/auth/login"
full_width_domain = "\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45.com"
here = "127.0.0.1"
wrong_password = "wrong horse battery"


async def login(served, email, password=PASSWORD, headers=None):
    return await served.call("POST", path, {"email": email, "password": password}, headers=headers)


async def fail(db, email, place, failures, seconds_ago=0):
    """Store failures from a place, or from anywhere when it is empty."""
    await login_failures(db, f"{email} {place}".strip(), failures, seconds_ago)


@pytest.fixture
async def proxied(config):
    """The service behind one proxy."""
    async with running(dataclasses.replace(config, trusted_proxies=1)) as service:
        yield service


async def test_it_gives_tokens_that_work(served, ann):
    answer = await login(served, ann.email)
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    me = await served.call("GET", "/v1/me", token=answer.body["access_token"])
    assert (me.status, me.body) == (200, answer.body["user"])
    refreshed = await served.call("POST", "/v1/auth/refresh", {"refresh_token": answer.body["refresh_token"]})
    assert refreshed.status == 200


async def test_it_leaves_other_sessions_alone(served, ann):
    await login(served, ann.email)
    assert (await ann.get("/v1/me")).status == 200


async def test_it_knows_an_address_in_another_spelling(served):
    await served.person(email="ann@example.com")
    assert (await login(served, f"ANN@{full_width_domain}")).status == 200


async def test_it_minds_no_token_that_is_sent_along(served, ann):
    assert (await login(served, ann.email, headers={"Authorization": "Bearer x"})).status == 200


async def test_it_answers_an_unknown_address_as_it_does_a_wrong_password(served, ann):
    answers = [
        await login(served, email, wrong_password, headers={"X-Request-Id": "same"})
        for email in (ann.email, "nobody@example.com")
    ]
    assert [answer.status for answer in answers] == [401, 401]
    assert answers[0].headers["WWW-Authenticate"].startswith("Bearer")
    assert answers[0].body == answers[1].body
    headers = [
        [(name, value) for name, value in answer.headers.items() if name not in {"Date", "X-Request-Id"}]
        for answer in answers
    ]
    assert headers[0] == headers[1]


async def test_it_does_the_same_work_for_an_unknown_address(config, monkeypatch):
    # It would look at the database in between, on the only connection.
    monkeypatch.setattr(monitor, "first_look_seconds", 3600)
    async with running(dataclasses.replace(config, pool_size=1)) as served:
        person = await served.person()
        work = []
        verify = PasswordHasher.verify

        def watched(self, password_hash, password):
            work.append(extract_parameters(password_hash))
            return verify(self, password_hash, password)

        monkeypatch.setattr(PasswordHasher, "verify", watched)
        async with served.app[DB].connections.use() as connection:
            connection.add_query_logger(lambda record: work.append(record.query))
        done = []
        # A connection's first statement with an array asks PostgreSQL about its type.
        for email in ("first@example.com", person.email, "nobody@example.com"):
            work.clear()
            assert (await login(served, email, wrong_password)).status == 401
            # A statement is told of on the loop's next turn, so not in the order in which a thread tells of its hash.
            await asyncio.sleep(0)
            # The sessions that have ended are read all the time.
            done.append(sorted(str(each) for each in work if "ended_sessions" not in str(each)))
    assert done[1] == done[2]
    assert len(done[1]) == 4  # The account, the failures before, one password, and one more failure.


async def test_it_refuses_an_account_that_was_deleted(served, ann, db):
    await db.execute("update users set deleted_at = now()")
    assert (await login(served, ann.email)).status == 401


async def test_it_refuses_a_stored_hash_that_is_none(served, ann, db):
    await db.execute("update users set password_hash = '!'")
    assert (await login(served, ann.email)).status == 401


async def test_it_does_not_hold_a_password_against_the_rules_for_new_ones(served, ann):
    for password in ("x", "x" * 256):
        assert (await login(served, ann.email, password)).status == 401


async def test_it_says_what_is_wrong_with_the_body(served, subtests):
    for body, pointer, code in (
        ({"email": "ann@example.com"}, "/password", "required"),
        ({"password": PASSWORD}, "/email", "required"),
        ({"email": "ann", "password": PASSWORD}, "/email", "not_email"),
        ({"email": "ann@example.com", "password": ""}, "/password", "too_short"),
        ({"email": "ann@example.com", "password": "x" * 257}, "/password", "too_long"),
        ({"email": "ann@example.com", "password": PASSWORD, "name": "Ann"}, "/name", "unknown"),
        ({"email": ["ann@example.com"], "password": PASSWORD}, "/email", "invalid"),
    ):
        with subtests.test(str(body)):
            answer = await served.call("POST", path, body)
            assert answer.status == 422
            assert [(error["pointer"], error["code"]) for error in answer.body["errors"]] == [(pointer, code)]


async def test_it_hashes_anew_when_the_parameters_rise(config, db):
    async with running(config) as served:
        person = await served.person()
        before = await db.fetchval("select password_hash from users")
        assert (await login(served, person.email)).status == 200
        assert await db.fetchval("select password_hash from users") == before
    async with running(dataclasses.replace(config, argon2_passes=3)) as served:
        assert (await login(served, person.email, wrong_password)).status == 401
        assert await db.fetchval("select password_hash from users") == before
        assert (await login(served, person.email)).status == 200
        risen = await db.fetchval("select password_hash from users")
        assert ",t=3," in risen
        assert (await login(served, person.email)).status == 200
        assert await db.fetchval("select password_hash from users") == risen


async def test_it_makes_a_place_wait_after_ten_failures(served, ann, bob, monkeypatch):
    for _ in range(10):
        assert (await login(served, ann.email, wrong_password)).status == 401
    monkeypatch.setattr(PasswordHasher, "verify", None)
    answer = await login(served, ann.email)
    monkeypatch.undo()
    assert answer.status == 429
    assert answer.body["type"] == "/problems/too-many-attempts"
    assert 800 <= int(answer.headers["Retry-After"]) <= 900
    assert f"in {answer.headers['Retry-After']} seconds" in answer.body["detail"]
    assert (await login(served, bob.email)).status == 200


async def test_it_makes_a_place_wait_for_an_unknown_address_too(served, db):
    await fail(db, "nobody@example.com", here, 10)
    assert (await login(served, "nobody@example.com")).status == 429


async def test_it_counts_a_spelling_as_the_same_address(served, ann, db):
    await fail(db, ann.email, here, 10)
    assert (await login(served, ann.email.upper())).status == 429


async def test_it_forgets_the_failures_after_a_success(served, ann, db):
    await fail(db, ann.email, here, 9)
    assert (await login(served, ann.email)).status == 200
    assert await db.fetchval("select count(*) from login_failures") == 0


async def test_it_lets_a_place_try_again_when_the_window_ends(served, ann, db):
    await fail(db, ann.email, here, 10)
    await db.execute("update login_failures set window_started_at = now() - interval '14 minutes 50 seconds'")
    answer = await login(served, ann.email)
    assert answer.status == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 10
    await db.execute("update login_failures set window_started_at = now() - interval '15 minutes 1 second'")
    assert (await login(served, ann.email, wrong_password)).status == 401
    counted = await db.fetch("select failures, now() - window_started_at < interval '1 minute' from login_failures")
    assert counted == [(1, True)]
    assert (await login(served, ann.email)).status == 200


async def test_it_does_not_lengthen_the_wait_for_tries_in_it(served, ann, db):
    await fail(db, ann.email, here, 10, seconds_ago=600)
    answers = [await login(served, ann.email) for _ in range(3)]
    assert all(int(answer.headers["Retry-After"]) <= 300 for answer in answers)


async def test_it_does_not_let_one_place_keep_the_others_out(proxied, db):
    person = await proxied.person()
    await fail(db, person.email, "192.0.2.1", 10)
    await fail(db, person.email, "", 99)
    for _ in range(3):
        assert (await login(proxied, person.email, headers={"X-Forwarded-For": "192.0.2.1"})).status == 429
    assert (await login(proxied, person.email, headers={"X-Forwarded-For": "192.0.2.2"})).status == 200


async def test_it_believes_no_forwarded_address_without_a_trusted_proxy(served, ann, db):
    await fail(db, ann.email, here, 10)
    assert (await login(served, ann.email, headers={"X-Forwarded-For": "192.0.2.2"})).status == 429


@pytest.mark.parametrize(
    ("proxies", "sent", "place"),
    [
        (1, ["192.0.2.1"], "192.0.2.1"),
        (1, ["198.51.100.9, 192.0.2.1"], "192.0.2.1"),
        (1, ["198.51.100.9", "192.0.2.1"], "192.0.2.1"),
        (2, ["198.51.100.9, 192.0.2.1, 10.0.0.1"], "192.0.2.1"),
        (2, ["198.51.100.9"], here),
        (1, ["198.51.100.9, "], here),
        (1, [], here),
    ],
)
async def test_it_takes_the_hop_before_the_trusted_proxies_as_the_place(config, db, proxies, sent, place):
    async with running(dataclasses.replace(config, trusted_proxies=proxies)) as served:
        person = await served.person()
        await fail(db, person.email, place, 10)
        headers = [("X-Forwarded-For", each) for each in sent]
        body = {"email": person.email, "password": PASSWORD}
        async with served.http.post(served.url + path, json=body, headers=headers) as response:
            assert response.status == 429


async def test_it_asks_to_come_back_when_too_many_hashes_wait(served, ann):
    served.app[SECURITY].passwords.pending = hash_queue_max
    answer = await login(served, ann.email)
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0
    served.app[SECURITY].passwords.pending = 0
    assert (await login(served, ann.email)).status == 200


async def test_an_overload_is_not_counted_as_failures(served, ann, db):
    served.app[SECURITY].passwords.pending = hash_queue_max
    assert {(await login(served, ann.email)).status for _ in range(11)} == {503}
    assert await db.fetchval("select count(*) from login_failures") == 0


async def test_right_passwords_at_once_do_not_stand_in_each_other_s_way(served, ann):
    answers = await asyncio.gather(*(login(served, ann.email) for _ in range(15)))
    assert [answer.status for answer in answers] == [200] * 15
