"""POST /v1/auth/login."""

import asyncio
import dataclasses
import socket

import aiohttp
import pytest
from aiohttp import web
from argon2 import PasswordHasher, extract_parameters

from service.app import create_app
from service.auth.keys import SECURITY
from service.auth.passwords import hash_queue_max
from service.ops import monitor
from service.web.keys import DB, DOCUMENT
from service.web.runner import runner
from tests.conftest import PASSWORD, Service, running
from tests.contract import Contract
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


PLACES = {
    "IPv4 with ports": ["192.0.2.1", "192.0.2.1:5678", "192.0.2.1:1", "[::ffff:192.0.2.1]:80", "::FFFF:c000:201"],
    "IPv6 with ports": [
        "2001:db8::1",
        "[2001:db8::1]",
        "[2001:db8::1]:5678",
        "2001:DB8:0:0::0001",
        "[2001:db8::1%e0]:1",
    ],
    "IPv6 of one network": [f"2001:db8:5:6:{each:x}::{each}" for each in range(1, 6)],
    "IPv6 zones": [f"fe80::1%{each}" for each in ("eth0", "eth1", "7", "x:y", "💥")],
}


async def test_it_knows_a_place_in_every_spelling(proxied, subtests):
    for name, spellings in PLACES.items():
        with subtests.test(name):
            person = await proxied.person()
            for each in spellings * 2:
                failed = await login(proxied, person.email, wrong_password, headers={"X-Forwarded-For": each})
                assert (each, failed.status) == (each, 401)
            for each in spellings:
                limited = await login(proxied, person.email, headers={"X-Forwarded-For": each})
                assert (each, limited.status) == (each, 429)


@pytest.mark.parametrize(
    ("place", "one", "other"),
    [
        ("192.0.2.1", "192.0.2.1:5678", "192.0.2.2:5678"),
        ("2001:db8:5:6::/64", "2001:db8:5:6::1", "2001:db8:5:7::1"),
        ("192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.2"),
    ],
)
async def test_it_tells_places_apart(proxied, db, place, one, other):
    person = await proxied.person()
    await fail(db, person.email, place, 10)
    assert (await login(proxied, person.email, headers={"X-Forwarded-For": one})).status == 429
    assert (await login(proxied, person.email, headers={"X-Forwarded-For": other})).status == 200


NO_PLACES = [
    *("unknown", "_hidden", "x" * 4000, "192.0.2", "192.0.2.300", "192.0.2.1:", "192.0.2.1:x", "192.0.2.1 192.0.2.2"),
    *("[192.0.2.1", "2001:db8::1]", "[]:1", "1:2:3", "3232235777", "0300.0.2.1", "192.0.2.1/32", "a@192.0.2.1"),
]


async def test_it_takes_what_is_no_address_for_the_peer_s(proxied, db, subtests):
    for sent in NO_PLACES:
        with subtests.test(sent[:20]):
            person = await proxied.person()
            await fail(db, person.email, here, 9)
            assert (await login(proxied, person.email, wrong_password, headers={"X-Forwarded-For": sent})).status == 401
            assert (await login(proxied, person.email)).status == 429


async def test_a_place_is_the_same_for_the_form_of_oauth(proxied):
    person = await proxied.person()
    for port in range(10):
        headers = {"X-Forwarded-For": f"192.0.2.1:{port}"}
        form = {"grant_type": "password", "username": person.email, "password": wrong_password}
        assert (await proxied.call("POST", "/v1/auth/token", data=form, headers=headers)).status == 401
    assert (await login(proxied, person.email, headers={"X-Forwarded-For": "192.0.2.1"})).status == 429


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="needs IPv6")
async def test_it_takes_a_peer_s_address_as_it_takes_a_hop_s(config, db):
    app = create_app(config)
    serving = runner(app)
    await serving.setup()
    try:
        # Such a socket shows an IPv4 peer as ::ffff:127.0.0.1.
        both = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        await web.SockSite(serving, both).start()
        async with aiohttp.ClientSession() as http:
            service = Service(f"http://127.0.0.1:{both.getsockname()[1]}", app, http, Contract(app[DOCUMENT]))
            person = await service.person()
            await fail(db, person.email, here, 10)
            assert (await login(service, person.email)).status == 429
        await asyncio.sleep(0)
    finally:
        await serving.cleanup()


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
