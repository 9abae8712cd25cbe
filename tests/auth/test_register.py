"""POST /v1/auth/register."""

import asyncio

from service.auth.keys import SECURITY
from service.auth.passwords import hash_queue_max
from tests.conftest import PASSWORD

path = "/v1/auth/register"
full_width_domain = "\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45.com"


def registration(**fields):
    return {"email": "ann@example.com", "password": PASSWORD, "name": "Ann"} | fields


def found(answer):
    """Return the status, and what is said to be wrong where."""
    return answer.status, [(error["pointer"], error["code"]) for error in answer.body.get("errors", [])]


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


async def test_it_refuses_an_address_that_has_an_account(served, db, subtests):
    await served.person(email="Ann@example.com")
    for email in ("ann@example.com", "ANN@Example.Com", f"ann@{full_width_domain}", "ann@example\u3002com"):
        with subtests.test(email):
            answer = await served.call("POST", path, registration(email=email))
            assert (email, answer.status, answer.body["type"]) == (email, 409, "/problems/email-taken")
    assert await db.fetchval("select (select count(*) from users) + (select count(*) from sessions)") == 2


async def test_it_keeps_an_address_in_its_normal_form(served, db, subtests):
    normal_forms = {
        "Ann+Tag@Example.COM": "ann+tag@example.com",
        f"bob@{full_width_domain}": "bob@example.com",
        "ann@BÜCHER.com": "ann@xn--bcher-kva.com",
        " \ufeffcarl@example.com\n": "carl@example.com",
        "dora\u00ad@exam\u200bple.com\u200f": "dora@example.com",
        "ann@nas.home.arpa": "ann@nas.home.arpa",
        "ann@printer.local": "ann@printer.local",
        "ann@corp.test": "ann@corp.test",
        "ann@box.localhost": "ann@box.localhost",
        "ann@mail.internal": "ann@mail.internal",
        "bob@XN--BCHER-KVA.com": "bob@xn--bcher-kva.com",
        "ann@faß.com": "ann@xn--fa-hia.com",
    }
    for email, kept in normal_forms.items():
        with subtests.test(email):
            answer = await served.call("POST", path, registration(email=email))
            assert (email, answer.status, answer.body["user"]["email"]) == (email, 201, kept)
    assert {row["email"] for row in await db.fetch("select email from users")} == set(normal_forms.values())


async def test_it_refuses_an_address_without_a_normal_form(served, db, subtests):
    for email in (
        "\uff41nn@example.com",
        "İ@example.com",
        "ß@example.com",
        "\u212aim@example.com",
        "ann @example.com",
        "\u202eann@example.com",
        "ann@example.invalid",
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
    ):
        with subtests.test(ascii(email)[:80]):
            answer = await served.call("POST", path, registration(email=email))
            assert (email, found(answer)) == (email, (422, [("/email", "not_email")]))
    assert await is_empty(db)


async def test_it_says_what_is_wrong_with_a_password(served, db, subtests):
    for password, code, detail in (
        ("x" * 11, "too_short", "This has 11 characters; it must have at least 12."),
        ("", "too_short", "This has 0 characters; it must have at least 12."),
        ("x" * 257, "too_long", "This has 257 characters, 1 more than the maximum of 256."),
        ("battery\u0000horse", "unprintable", "This has the character U+0000, which is not allowed."),
        ("battery\ud800horse", "unprintable", "This has the character U+D800, which is not allowed."),
        (123456789012, "invalid", "This must be a string."),
        (None, "null", "This must not be null."),
    ):
        with subtests.test(ascii(password)[:80]):
            answer = await served.call("POST", path, registration(password=password))
            assert (password, found(answer)) == (password, (422, [("/password", code)]))
            assert answer.body["errors"][0]["detail"] == detail
    blank = await served.call("POST", path, registration(password=" " * 12))
    assert blank.status == 422
    assert await is_empty(db)


async def test_it_takes_a_password_as_it_is(served, subtests):
    for password in ("x" * 12, "🐎" * 256, "  twelve  chars  ", "пароль и ещё слово"):
        with subtests.test(password[:80]):
            person = (
                await served.call("POST", path, registration(email=f"{len(password)}@example.com", password=password))
            ).body
            body = {"email": person["user"]["email"], "password": password}
            assert (await served.call("POST", "/v1/auth/login", body)).status == 200
            trimmed = await served.call("POST", "/v1/auth/login", body | {"password": password.strip()})
            assert trimmed.status == (200 if password == password.strip() else 401)


async def test_it_keeps_a_name_trimmed_and_composed(served, subtests):
    for number, (name, kept) in enumerate(
        {"  Ann  ": "Ann", "e\u0301": "é", "x" * 100: "x" * 100, "李": "李", "Zoë O'Neil": "Zoë O'Neil"}.items()
    ):
        with subtests.test(ascii(name)[:80]):
            answer = await served.call("POST", path, registration(email=f"{number}@example.com", name=name))
            assert (answer.status, answer.body["user"]["name"]) == (201, kept)


async def test_it_refuses_a_name_that_cannot_be_shown(served, db, subtests):
    for name, code in (
        ("", "too_short"),
        ("   ", "too_short"),
        ("\u200b", "blank"),
        ("\ufeff \u200e", "blank"),
        ("\U000e0067\U000e007f", "blank"),
        ("\u202eevil", "unprintable"),
        ("\u2028", "too_short"),
        ("Ann\u2028Bob", "unprintable"),
        ("\u3164", "blank"),
        ("\u0301", "blank"),
        ("x" * 101, "too_long"),
        ("Ann\nBob", "unprintable"),
        ("Ann\u0000", "unprintable"),
        (["Ann"], "invalid"),
        (None, "null"),
    ):
        with subtests.test(ascii(name)[:80]):
            answer = await served.call("POST", path, registration(name=name))
            assert (name, found(answer)) == (name, (422, [("/name", code)]))
    assert await is_empty(db)


async def test_it_names_all_that_is_missing(served):
    answer = await served.call("POST", path, {})
    assert answer.status == 422
    assert {(error["pointer"], error["code"]) for error in answer.body["errors"]} == {
        ("/email", "required"),
        ("/password", "required"),
        ("/name", "required"),
    }


async def test_it_refuses_a_field_that_is_not_for_the_client(served, db, subtests):
    for field in ("user_id", "password_hash", "created_at", "deleted_at", "role", "Email"):
        with subtests.test(field):
            answer = await served.call("POST", path, registration(**{field: "x"}))
            assert found(answer) == (422, [(f"/{field}", "unknown")])
    assert await is_empty(db)


async def test_it_refuses_a_body_that_is_not_one_json_object(served, subtests):
    for content, content_type, status in (
        (b"{", "application/json", 400),
        (b'{"name": "Ann", "name": "Bob"}', "application/json", 400),
        (b"[]", "application/json", 422),
        (b'{"name": "Ann"}', "text/plain", 415),
        (b"name=Ann", "application/x-www-form-urlencoded", 415),
        (b'{"name": "' + b"x" * 70_000 + b'"}', "application/json", 413),
    ):
        with subtests.test(str(content[:80])):
            answer = await served.call("POST", path, data=content, headers={"Content-Type": content_type})
            assert (content[:20], answer.status) == (content[:20], status)


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
