"""POST /v1/auth/token."""

from service.auth.keys import SECURITY
from service.auth.passwords import hash_queue_max
from tests.conftest import PASSWORD

path = "/v1/auth/token"


def password_grant(person, **fields):
    return {"grant_type": "password", "username": person.email, "password": PASSWORD} | fields


async def test_it_logs_in(served, ann):
    answer = await served.call("POST", path, data=password_grant(ann))
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert (answer.body["token_type"], answer.body["expires_in"]) == ("Bearer", 900)
    me = await served.call("GET", "/v1/me", token=answer.body["access_token"])
    assert (me.status, me.body["user_id"]) == (200, ann.user_id)


async def test_it_refreshes(served, ann):
    form = {"grant_type": "refresh_token", "refresh_token": ann.refresh_token}
    answer = await served.call("POST", path, data=form)
    assert answer.status == 200
    assert answer.body["refresh_token"] != ann.refresh_token
    assert (await served.call("GET", "/v1/me", token=answer.body["access_token"])).status == 200


async def test_it_reads_what_a_form_escapes(served):
    person = await served.person(email="ann+tag@example.com")
    content = b"grant_type=password&username=ann%2Btag%40example.com&password=correct+horse%20battery"
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    answer = await served.call("POST", path, data=content, headers=headers)
    assert (answer.status, answer.body["user"]["user_id"]) == (200, person.user_id)


async def test_it_takes_what_oauth_clients_send_besides(served, ann):
    empty = {"scope": "", "client_id": "", "client_secret": "", "refresh_token": ""}
    assert (await served.call("POST", path, data=password_grant(ann, **empty))).status == 200
    headers = {"Authorization": "Basic Y2xpZW50OnNlY3JldA=="}
    filled = password_grant(ann, scope="all", client_id="docs", client_secret="x")
    assert (await served.call("POST", path, data=filled, headers=headers)).status == 200
    form = {"grant_type": "refresh_token", "refresh_token": ann.refresh_token, "username": "", "password": ""}
    assert (await served.call("POST", path, data=form)).status == 200


async def test_it_refuses_a_wrong_password_and_an_unknown_address_alike(served, ann, bob):
    wrong = await served.call("POST", path, data=password_grant(ann, password="wrong horse battery"))
    unknown = await served.call("POST", path, data=password_grant(bob, username="nobody@example.com"))
    assert (wrong.status, unknown.status) == (401, 401)
    assert wrong.body | {"instance": ""} == unknown.body | {"instance": ""}


async def test_it_refuses_a_refresh_token_that_is_not_good(served, ann):
    form = {"grant_type": "refresh_token", "refresh_token": ann.token[:200]}
    assert (await served.call("POST", path, data=form)).status == 401


async def test_it_counts_failures_with_those_of_the_log_in(served, ann, db):
    await served.call("POST", path, data=password_grant(ann, password="wrong horse battery"))
    await db.execute("update login_failures set failures = 10")
    answer = await served.call("POST", path, data=password_grant(ann))
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) > 0
    body = {"email": ann.email, "password": PASSWORD}
    assert (await served.call("POST", "/v1/auth/login", body)).status == 429


async def test_it_asks_to_come_back_when_too_many_hashes_wait(served, ann):
    served.app[SECURITY].passwords.pending = hash_queue_max
    answer = await served.call("POST", path, data=password_grant(ann))
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0
    served.app[SECURITY].passwords.pending = 0


async def test_it_says_what_is_wrong_with_the_form(served, subtests):
    for form, pointer, code in (
        ({"username": "ann@example.com", "password": PASSWORD}, "/grant_type", "required"),
        ({"grant_type": "client_credentials"}, "/grant_type", "invalid"),
        ({"grant_type": "password", "password": PASSWORD}, "/username", "required"),
        ({"grant_type": "password", "username": "", "password": PASSWORD}, "/username", "required"),
        ({"grant_type": "password", "username": "ann@example.com"}, "/password", "required"),
        ({"grant_type": "password", "username": "ann", "password": PASSWORD}, "/username", "not_email"),
        ({"grant_type": "refresh_token"}, "/refresh_token", "required"),
        ({"grant_type": "refresh_token", "refresh_token": "x" * 201}, "/refresh_token", "too_long"),
        ({"grant_type": "refresh_token", "refresh_token": "x", "user_id": "x"}, "/user_id", "unknown"),
    ):
        with subtests.test(str(form)[:80]):
            answer = await served.call("POST", path, data=form)
            assert answer.status == 422
            (error,) = answer.body["errors"]
            assert (error["in"], error["pointer"], error["code"]) == ("body", pointer, code)


async def test_it_refuses_what_is_not_a_form(served, subtests):
    for content in (
        b"grant_type=password&grant_type=refresh_token",
        b"grant_type=%ff",
        b"grant_type=\xff",
        b"grant%00type=password",
        b"&".join(b"x%d=1" % number for number in range(21)),
    ):
        with subtests.test(str(content[:80])):
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = await served.call("POST", path, data=content, headers=headers)
            assert (content, answer.status) == (content, 400)


async def test_it_refuses_another_content_type(served, subtests):
    for content_type in ("application/json", "text/plain", "multipart/form-data; boundary=x"):
        with subtests.test(content_type):
            answer = await served.call("POST", path, data=b"{}", headers={"Content-Type": content_type})
            assert answer.status == 415
            assert answer.headers["Accept"] == "application/x-www-form-urlencoded"


async def test_it_refuses_credentials_in_the_query(served, ann):
    answer = await served.call("POST", f"{path}?grant_type=password", data=password_grant(ann))
    assert answer.status == 422
