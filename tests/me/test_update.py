"""PATCH /v1/me."""

import asyncio

import pytest

from service.auth.keys import SECURITY
from service.auth.passwords import hash_queue_max
from tests.conftest import PASSWORD
from tests.rows import login_failures

path = "/v1/me"
full_width_domain = "\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45.com"
new_password = "another horse battery"


async def login(person, password=PASSWORD, email=""):
    body = {"email": email or person.email, "password": password}
    return await person.service.call("POST", "/v1/auth/login", body)


async def account(db, person):
    return await db.fetchrow("select * from users where user_id = $1", person.user_id)


def found(answer):
    return [(error["pointer"], error["code"]) for error in answer.body["errors"]]


async def test_it_changes_the_name_alone(ann, bob, db):
    before, others = await account(db, ann), await account(db, bob)
    answer = await ann.patch(path, {"name": "  Anne\u0301 "})
    assert answer.status == 200
    assert answer.body["name"] == "Anné"
    assert (await ann.get(path)).body == answer.body
    assert dict(await account(db, ann)) == dict(before) | {"name": "Anné", "version": 2}
    assert await account(db, bob) == others


async def test_it_leaves_the_name_in_a_team_as_it_is(flat):
    await flat.owner.patch(path, {"name": "Anna"})
    items = (await flat.owner.get(f"{flat.path}/members")).body["items"]
    assert [item["name"] for item in items] == ["Ann"]


async def test_it_takes_a_merge_patch(ann):
    headers = {"Content-Type": "application/merge-patch+json"}
    answer = await ann.service.call("PATCH", path, token=ann.token, data=b'{"name": "Anna"}', headers=headers)
    assert answer.body["name"] == "Anna"


async def test_it_changes_the_address_with_the_current_password(ann):
    answer = await ann.patch(path, {"email": f"Anna@{full_width_domain}", "current_password": PASSWORD})
    assert answer.status == 200
    assert answer.body["email"] == "anna@example.com"
    assert (await login(ann, email="anna@example.com")).status == 200
    assert (await login(ann)).status == 401


async def test_it_changes_all_at_once(ann):
    body = {"name": "Anna", "email": "anna@example.com", "password": new_password, "current_password": PASSWORD}
    answer = await ann.patch(path, body)
    assert (answer.body["name"], answer.body["email"]) == ("Anna", "anna@example.com")
    assert (await login(ann, new_password, "anna@example.com")).status == 200


@pytest.mark.parametrize("change", [{"email": "anna@example.com"}, {"password": new_password}])
async def test_it_needs_the_current_password_for_an_address_or_a_password(ann, db, change):
    before = await account(db, ann)
    missing = await ann.patch(path, {"name": "Anna"} | change)
    assert (missing.status, found(missing)) == (422, [("/current_password", "required")])
    wrong = await ann.patch(path, {"name": "Anna", "current_password": new_password} | change)
    assert (wrong.status, found(wrong)) == (422, [("/current_password", "wrong")])
    assert await account(db, ann) == before


async def test_it_refuses_an_address_that_has_an_account(ann, bob, db):
    before = await account(db, ann)
    answer = await ann.patch(path, {"name": "Anna", "email": bob.email.upper(), "current_password": PASSWORD})
    assert answer.status == 409
    assert answer.body["type"] == "/problems/email-taken"
    assert await account(db, ann) == before


async def test_it_takes_ones_own_address_again(ann):
    answer = await ann.patch(path, {"email": ann.email.upper(), "current_password": PASSWORD})
    assert (answer.status, answer.body["email"]) == (200, ann.email)


async def test_it_ends_the_other_sessions_with_a_new_password(ann, bob):
    other = (await login(ann)).body
    answer = await ann.patch(path, {"password": new_password, "current_password": PASSWORD})
    assert answer.status == 200
    service = ann.service
    assert (await service.call("GET", path, token=other["access_token"])).status == 401
    body = {"refresh_token": other["refresh_token"]}
    assert (await service.call("POST", "/v1/auth/refresh", body)).status == 401
    assert (await ann.get(path)).status == 200
    body = {"refresh_token": ann.refresh_token}
    assert (await service.call("POST", "/v1/auth/refresh", body)).status == 200
    assert (await bob.get(path)).status == 200
    assert (await login(ann)).status == 401
    assert (await login(ann, new_password)).status == 200


async def test_it_leaves_the_other_sessions_with_a_new_address_or_name(ann, db):
    other = (await login(ann)).body
    await ann.patch(path, {"name": "Anna", "email": "anna@example.com", "current_password": PASSWORD})
    assert (await ann.service.call("GET", path, token=other["access_token"])).status == 200
    assert await db.fetchval("select count(*) from sessions where revoked_at is null") == 2


async def test_it_stores_a_new_password_as_strongly_as_the_first(ann, db):
    before = (await account(db, ann))["password_hash"]
    await ann.patch(path, {"password": new_password, "current_password": PASSWORD})
    after = (await account(db, ann))["password_hash"]
    assert after != before
    # All but the salt and the hash.
    assert after.split("$")[:4] == before.split("$")[:4]


async def test_it_changes_the_password_once_when_asked_twice_at_once(ann):
    passwords = [f"{number} horses and a battery" for number in range(2)]
    answers = await asyncio.gather(
        *(ann.patch(path, {"password": each, "current_password": PASSWORD}) for each in passwords)
    )
    statuses = [answer.status for answer in answers]
    # The later is a conflict, or finds that the current password is another when it is checked.
    assert sorted(statuses) in ([200, 409], [200, 422])
    assert [(await login(ann, each)).status == 200 for each in passwords] == [status == 200 for status in statuses]


async def test_it_makes_a_guesser_wait(ann, db):
    change = {"password": new_password}
    for _ in range(10):
        assert (await ann.patch(path, change | {"current_password": "wrong"})).status == 422
    answer = await ann.patch(path, change | {"current_password": PASSWORD})
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert (await ann.patch(path, {"name": "Anna"})).status == 200
    await db.execute("update login_failures set window_started_at = now() - interval '15 minutes 1 second'")
    assert (await ann.patch(path, change | {"current_password": PASSWORD})).status == 200


async def test_it_lets_no_stolen_session_keep_the_others_from_a_change(ann):
    change = {"password": new_password}
    for _ in range(11):
        stolen = await ann.patch(path, change | {"current_password": "wrong"})
    assert stolen.status == 429
    logged_in = await login(ann)
    assert logged_in.status == 200
    token = logged_in.body["access_token"]
    answer = await ann.service.call("PATCH", path, change | {"current_password": PASSWORD}, token=token)
    assert answer.status == 200
    assert (await ann.get(path)).status == 401


async def test_it_forgets_the_failures_after_a_success(ann, db):
    assert (await ann.patch(path, {"password": new_password, "current_password": "wrong"})).status == 422
    assert (await ann.patch(path, {"password": new_password, "current_password": PASSWORD})).status == 200
    assert await db.fetchval("select count(*) from login_failures") == 0


async def test_it_counts_apart_from_the_log_ins(ann, db):
    await login_failures(db, f"{ann.email} 127.0.0.1", failures=10)
    await login_failures(db, ann.email, failures=100)
    assert (await login(ann)).status == 429
    assert (await ann.patch(path, {"password": new_password, "current_password": PASSWORD})).status == 200


async def test_it_asks_to_come_back_when_too_many_hashes_wait(ann, db):
    before = await account(db, ann)
    ann.service.app[SECURITY].passwords.pending = hash_queue_max
    answer = await ann.patch(path, {"password": new_password, "current_password": PASSWORD})
    ann.service.app[SECURITY].passwords.pending = 0
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert await account(db, ann) == before


async def test_it_refuses_a_change_of_nothing(ann):
    answer = await ann.patch(path, {})
    assert (answer.status, found(answer)) == (422, [("", "empty")])


async def test_it_says_what_is_wrong_with_the_body(ann, db, subtests):
    before = await account(db, ann)
    good = {"name": "Anna", "email": "anna@example.com", "current_password": PASSWORD}
    for change, pointer, code in (
        ({"name": ""}, "/name", "too_short"),
        ({"name": "x" * 101}, "/name", "too_long"),
        ({"name": None}, "/name", "null"),
        ({"email": "ann"}, "/email", "not_email"),
        ({"email": None}, "/email", "null"),
        ({"password": "x" * 11}, "/password", "too_short"),
        ({"password": "x" * 257}, "/password", "too_long"),
        ({"password": None}, "/password", "null"),
        ({"current_password": ""}, "/current_password", "too_short"),
        ({"user_id": "00000000-0000-0000-0000-000000000000"}, "/user_id", "read_only"),
        ({"password_hash": "x"}, "/password_hash", "unknown"),
        ({"created_at": "2026-01-01T00:00:00Z"}, "/created_at", "read_only"),
        ({"deleted_at": None}, "/deleted_at", "unknown"),
        ({"role": "owner"}, "/role", "unknown"),
    ):
        with subtests.test(str(change)[:80]):
            answer = await ann.patch(path, good | change)
            assert (answer.status, found(answer)) == (422, [(pointer, code)])
    assert await account(db, ann) == before
    assert (await ann.patch(path, good)).status == 200


async def test_it_needs_a_log_in(served, ann, db):
    before = await account(db, ann)
    assert (await served.call("PATCH", path, {"name": "Anna"})).status == 401
    assert await account(db, ann) == before


async def test_the_current_password_alone_changes_nothing(ann):
    answer = await ann.patch("/v1/me", {"current_password": "whatever it is"})
    assert answer.status == 422
    assert answer.body["errors"][0]["code"] == "empty"
