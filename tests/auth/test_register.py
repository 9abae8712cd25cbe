"""POST /v1/auth/register."""

import asyncio

import pytest

from service.keys import SECURITY
from service.security import hash_queue_max
from tests.conftest import PASSWORD

path = "/v1/auth/register"
full_width_domain = "\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45.com"


def registration(**fields):
    return {"email": "ann@example.com", "password": PASSWORD, "name": "Ann"} | fields


async def is_empty(db):
    return not await db.fetchval("select exists (select from users) or exists (select from sessions)")


async def test_it_makes_an_account_and_logs_in(served):
    answer = await served.call("POST", path, registration())
    assert answer.status == 201
    assert answer.headers["Location"] == "/v1/me"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.body["user"]["email"] == "ann@example.com"
    assert answer.body["user"]["name"] == "Ann"
    assert (answer.body["token_type"], answer.body["expires_in"]) == ("Bearer", 900)
    me = await served.call("GET", answer.headers["Location"], token=answer.body["access_token"])
    assert (me.status, me.body) == (200, answer.body["user"])
    refreshed = await served.call("POST", "/v1/auth/refresh", {"refresh_token": answer.body["refresh_token"]})
    assert refreshed.status == 200


async def test_it_needs_nobody_logged_in_and_minds_no_token(served):
    answer = await served.call("POST", path, registration(), token="not.a.token")
    assert answer.status == 201


async def test_it_remembers_what_the_client_calls_itself(served, db):
    await served.call("POST", path, registration(), headers={"User-Agent": "Phone/1 " + "x" * 300})
    assert await db.fetchval("select client from sessions") == ("Phone/1 " + "x" * 300)[:200]


@pytest.mark.parametrize(
    "email", ["ann@example.com", "ANN@Example.Com", f"ann@{full_width_domain}", "ann@example\u3002com"]
)
async def test_it_refuses_an_address_that_has_an_account(served, db, email):
    await served.person(email="Ann@example.com")
    answer = await served.call("POST", path, registration(email=email))
    assert answer.status == 409
    assert answer.body["type"] == "/problems/email-taken"
    assert await db.fetchval("select (select count(*) from users) + (select count(*) from sessions)") == 2


@pytest.mark.parametrize(
    ("email", "kept"),
    [
        ("Ann+Tag@Example.COM", "ann+tag@example.com"),
        (f"ann@{full_width_domain}", "ann@example.com"),
        ("ann@BÜCHER.com", "ann@xn--bcher-kva.com"),
        ("ann@XN--BCHER-KVA.com", "ann@xn--bcher-kva.com"),
        ("ann@faß.com", "ann@xn--fa-hia.com"),
    ],
)
async def test_it_keeps_an_address_in_its_normal_form(served, db, email, kept):
    answer = await served.call("POST", path, registration(email=email))
    assert answer.status == 201
    assert answer.body["user"]["email"] == kept
    assert await db.fetchval("select email from users") == kept


@pytest.mark.parametrize(
    "email",
    [
        "\uff41nn@example.com",
        "İ@example.com",
        "ß@example.com",
        "\u212aim@example.com",
        "ann@example.com ",
        " ann@example.com",
        "ann@example.com\n",
        "ann@example.com\u200b",
        "ann\uff20example.com",
        "Ann <ann@example.com>",
        '"ann ann"@example.com',
        "ann@[127.0.0.1]",
        "ann@localhost",
        "ann@exa\u0000mple.com",
        "ann@\ud800.com",
        "\ud800@example.com",
        "a" * 243 + "@example.com",
        "ann",
        "",
    ],
)
async def test_it_refuses_an_address_without_a_normal_form(served, db, email):
    answer = await served.call("POST", path, registration(email=email))
    assert answer.status == 422
    assert [(error["pointer"], error["code"]) for error in answer.body["errors"]] == [("/email", "not_email")]
    assert await is_empty(db)


@pytest.mark.parametrize(
    ("password", "code", "detail"),
    [
        ("x" * 11, "too_short", "This has 11 characters; it must have at least 12."),
        ("", "too_short", "This has 0 characters; it must have at least 12."),
        ("x" * 257, "too_long", "This has 257 characters, 1 more than the 256 there may be."),
        (" " * 12, "too_short", None),
        ("battery\u0000horse", "unprintable", "This has the character U+0000, which text may not have."),
        ("battery\ud800horse", "unprintable", "This has the character U+D800, which text may not have."),
        (123456789012, "invalid", "This must be a string."),
        (None, "null", None),
    ],
)
async def test_it_says_what_is_wrong_with_a_password(served, db, password, code, detail):
    answer = await served.call("POST", path, registration(password=password))
    assert answer.status == 422
    (error,) = answer.body["errors"]
    assert (error["in"], error["pointer"], error["code"]) == ("body", "/password", code)
    assert detail in {None, error["detail"]}
    assert await is_empty(db)


@pytest.mark.parametrize("password", ["x" * 12, "🐎" * 256, "  twelve  chars  ", "пароль и ещё слово"])
async def test_it_takes_a_password_as_it_is(served, password):
    await served.call("POST", path, registration(password=password))
    answer = await served.call("POST", "/v1/auth/login", {"email": "ann@example.com", "password": password})
    assert answer.status == 200
    trimmed = await served.call("POST", "/v1/auth/login", {"email": "ann@example.com", "password": password.strip()})
    assert trimmed.status == (200 if password == password.strip() else 401)


@pytest.mark.parametrize(("name", "kept"), [("  Ann  ", "Ann"), ("e\u0301", "é"), ("x" * 100, "x" * 100), ("李", "李")])
async def test_it_keeps_a_name_trimmed_and_composed(served, name, kept):
    answer = await served.call("POST", path, registration(name=name))
    assert answer.body["user"]["name"] == kept


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "too_short"),
        ("   ", "too_short"),
        ("\u200b", "too_short"),
        ("x" * 101, "too_long"),
        ("Ann\nBob", "unprintable"),
        ("Ann\u0000", "unprintable"),
        (["Ann"], "invalid"),
        (None, "null"),
    ],
)
async def test_it_refuses_a_name_that_cannot_be_shown(served, db, name, code):
    answer = await served.call("POST", path, registration(name=name))
    assert answer.status == 422
    assert [(error["pointer"], error["code"]) for error in answer.body["errors"]] == [("/name", code)]
    assert await is_empty(db)


async def test_it_names_all_that_is_missing(served):
    answer = await served.call("POST", path, {})
    assert answer.status == 422
    assert {(error["pointer"], error["code"]) for error in answer.body["errors"]} == {
        ("/email", "required"),
        ("/password", "required"),
        ("/name", "required"),
    }


@pytest.mark.parametrize("field", ["user_id", "password_hash", "created_at", "deleted_at", "role", "Email"])
async def test_it_refuses_a_field_that_is_not_for_the_client(served, db, field):
    answer = await served.call("POST", path, registration(**{field: "x"}))
    assert answer.status == 422
    assert [(error["pointer"], error["code"]) for error in answer.body["errors"]] == [(f"/{field}", "unknown")]
    assert await is_empty(db)


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"name": "Ann", "name": "Bob"}', "application/json", 400),
        (b"[]", "application/json", 422),
        (b'{"name": "Ann"}', "text/plain", 415),
        (b"name=Ann", "application/x-www-form-urlencoded", 415),
        (b'{"name": "' + b"x" * 70_000 + b'"}', "application/json", 413),
    ],
)
async def test_it_refuses_a_body_that_is_not_one_json_object(served, content, content_type, status):
    answer = await served.call("POST", path, data=content, headers={"Content-Type": content_type})
    assert answer.status == status


async def test_it_stores_a_hash_that_meets_the_owasp_minimum(served, db):
    await served.call("POST", path, registration())
    assert await db.fetchval(
        r"""
        select bool_and((parts)[1]::int >= 19456 and (parts)[2]::int >= 2 and (parts)[3]::int = 1)
        from users
        cross join regexp_match(
            password_hash, '^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$'
        ) as parts
        """
    )


async def test_it_salts_each_hash(served, db):
    await served.person()
    await served.person()
    assert await db.fetchval("select count(distinct password_hash) from users") == 2


async def test_it_gives_an_address_to_one_of_ten_at_once(served, db):
    answers = await asyncio.gather(*(served.call("POST", path, registration()) for _ in range(10)))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 9
    assert await db.fetchval("select (select count(*) from users) + (select count(*) from sessions)") == 2


async def test_it_asks_to_come_back_when_too_many_hashes_wait(served, db):
    served.app[SECURITY].passwords.pending = hash_queue_max
    answer = await served.call("POST", path, registration())
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert await is_empty(db)
    served.app[SECURITY].passwords.pending = 0
    assert (await served.call("POST", path, registration())).status == 201
