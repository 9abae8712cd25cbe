"""Whose failures to log in lock out whom: strangers each other, and nobody the people of a place the account knows."""

import dataclasses

import pytest

from service.auth import attempts
from tests.conftest import PASSWORD, running
from tests.rows import login_failures

HOME, OFFICE, ELSEWHERE = "198.51.100.1", "198.51.100.2", "203.0.113.99"
WRONG = "wrong horse battery"


@pytest.fixture
def config(config):
    return dataclasses.replace(config, trusted_proxies=1)


def at(place):
    return {"X-Forwarded-For": place}


async def login(served, email, place, password=PASSWORD):
    return await served.call("POST", "/v1/auth/login", {"email": email, "password": password}, headers=at(place))


@pytest.fixture
async def owner(served, ann):
    """Ann, who has logged in at home as well."""
    assert (await login(served, ann.email, HOME)).status == 200
    return ann


async def lock_out_strangers(db, email, failures=100):
    await login_failures(db, email, failures)


async def places_of(db, person):
    sql = "select count(*) from login_places where user_id = $1"
    return await db.fetchval(sql, person.user_id)


async def test_a_hundred_wrong_passwords_from_twelve_addresses_lock_out_strangers_alone(config, served, owner):
    async with running(config) as other:
        answers = [
            (await login((served, other)[number % 2], owner.email, f"203.0.113.{number % 12}", WRONG)).status
            for number in range(120)
        ]
        assert answers == [401] * 100 + [429] * 20
        for process in (served, other):
            # From where nobody has tried: it takes no more than to be strange.
            answer = await login(process, owner.email, ELSEWHERE)
            assert answer.status == 429
            assert int(answer.headers["Retry-After"]) > 0
            assert (await login(process, owner.email, HOME, WRONG)).status == 401
            assert (await login(process, owner.email, HOME)).status == 200
        change = {"password": "another horse battery", "current_password": PASSWORD}
        answer = await other.call("PATCH", "/v1/me", change, token=owner.token, headers=at(ELSEWHERE))
        assert answer.status == 200
        assert (await login(served, owner.email, HOME, change["password"])).status == 200


async def test_others_accounts_are_not_locked(served, owner, bob, db):
    await lock_out_strangers(db, owner.email)
    assert (await login(served, owner.email, ELSEWHERE)).status == 429
    assert (await login(served, bob.email, ELSEWHERE)).status == 200


async def test_who_guesses_at_a_known_place_is_limited_by_its_own_count(served, owner):
    await login(served, owner.email, OFFICE)
    for _ in range(10):
        assert (await login(served, owner.email, OFFICE, WRONG)).status == 401
    assert (await login(served, owner.email, OFFICE)).status == 429
    assert (await login(served, owner.email, HOME)).status == 200
    assert (await login(served, owner.email, ELSEWHERE)).status == 200


async def test_failures_at_a_known_place_do_not_count_as_strangers(served, owner, db):
    await lock_out_strangers(db, owner.email, failures=99)
    for _ in range(3):
        await login(served, owner.email, HOME, WRONG)
    assert (await login(served, owner.email, ELSEWHERE)).status == 200


async def test_a_success_gives_strangers_no_more_tries(served, owner, db):
    await lock_out_strangers(db, owner.email, failures=99)
    for place in (HOME, ELSEWHERE):
        assert (await login(served, owner.email, place)).status == 200
    assert (await login(served, owner.email, "203.0.113.1", WRONG)).status == 401
    assert (await login(served, owner.email, "203.0.113.2")).status == 429


async def test_a_place_is_known_after_a_log_in_and_not_after_a_failure(served, owner, db):
    await login(served, owner.email, OFFICE)
    await login(served, owner.email, ELSEWHERE, WRONG)
    await db.execute("update login_failures set failures = 100 where key_hash = sha256($1)", owner.email.encode())
    assert (await login(served, owner.email, OFFICE)).status == 200
    assert (await login(served, owner.email, ELSEWHERE)).status == 429


async def test_the_place_of_the_registration_is_known(served, db):
    account = {"email": "cem@example.com", "password": PASSWORD, "name": "Cem"}
    assert (await served.call("POST", "/v1/auth/register", account, headers=at(HOME))).status == 201
    await lock_out_strangers(db, "cem@example.com")
    assert (await login(served, "cem@example.com", HOME)).status == 200
    assert (await login(served, "cem@example.com", OFFICE)).status == 429


@pytest.mark.parametrize("path", ["/v1/auth/refresh", "/v1/auth/token"])
async def test_a_place_is_known_where_a_session_is_refreshed(served, owner, db, path):
    # At home the address changes every night, and the devices there are logged in.
    await lock_out_strangers(db, owner.email)
    assert (await login(served, owner.email, OFFICE)).status == 429
    sent = {"refresh_token": owner.refresh_token}
    if path.endswith("token"):
        answer = await served.call("POST", path, data=sent | {"grant_type": "refresh_token"}, headers=at(OFFICE))
    else:
        answer = await served.call("POST", path, sent, headers=at(OFFICE))
    assert answer.status == 200
    assert (await login(served, owner.email, OFFICE)).status == 200


async def test_a_place_that_another_account_knows_is_strange(served, owner, bob, db):
    await login(served, bob.email, OFFICE)
    await lock_out_strangers(db, owner.email)
    assert (await login(served, owner.email, OFFICE)).status == 429


async def test_the_places_stay_known_when_the_address_is_changed(served, owner, db):
    change = {"email": "anna@example.com", "current_password": PASSWORD}
    assert (await owner.patch("/v1/me", change)).status == 200
    await lock_out_strangers(db, "anna@example.com")
    assert (await login(served, "anna@example.com", HOME)).status == 200


async def test_a_place_is_forgotten_after_ninety_days(served, owner, db):
    await lock_out_strangers(db, owner.email)
    await db.execute("update login_places set seen_at = now() - interval '90 days 1 second'")
    assert (await login(served, owner.email, HOME)).status == 429
    await db.execute("update login_places set seen_at = now() - interval '89 days 23 hours'")
    assert (await login(served, owner.email, HOME)).status == 200
    # It was noted again.
    assert await db.fetchval("select max(seen_at) > now() - interval '1 hour' from login_places")


async def test_a_place_is_noted_once_a_day(served, owner, db):
    await db.execute("update login_places set seen_at = now() - interval '23 hours'")
    before = await db.fetch("select place_hash, seen_at from login_places order by 1")
    assert (await login(served, owner.email, HOME)).status == 200
    assert await db.fetch("select place_hash, seen_at from login_places order by 1") == before


async def test_an_account_knows_so_many_places_those_seen_last(served, owner, bob, db, monkeypatch):
    monkeypatch.setattr(attempts, "places_max", 3)
    await login(served, bob.email, HOME)
    for number in range(4):
        assert (await login(served, owner.email, f"192.0.2.{number}")).status == 200
    assert (await places_of(db, owner), await places_of(db, bob)) == (3, 2)
    await lock_out_strangers(db, owner.email)
    found = [(await login(served, owner.email, f"192.0.2.{number}")).status for number in range(4)]
    assert found == [429, 200, 200, 200]


async def test_a_stranger_is_answered_alike_whether_there_is_an_account(served, owner, db):
    for failures, status in ((9, 401), (10, 429), (99, 401), (100, 429)):
        answers = []
        for email in (owner.email, "nobody@example.com"):
            await db.execute("delete from login_failures")
            await login_failures(db, f"{email} {ELSEWHERE}" if failures <= 10 else email, failures)
            answer = await login(served, email, ELSEWHERE, WRONG)
            counted = await db.fetch("select failures from login_failures order by 1")
            answers.append((answer.status, answer.body["type"], answer.body["detail"][:40], counted))
        assert answers[0] == answers[1]
        assert answers[0][0] == status
