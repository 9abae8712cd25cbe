"""HTTP itself: bodies, methods, headers, conditional requests, and what is not HTTP at all."""

import asyncio
import gzip
import json
import logging
import re
import time
import zlib
from dataclasses import replace

import pytest
import yarl
from aiohttp.http_parser import DeflateBuffer

from service.web import connection
from service.web import request as body
from service.web.keys import LIFECYCLE
from tests.conftest import PASSWORD, running

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
MISSING_ID = "01890000-0000-7000-8000-000000000000"
JSON = {"Content-Type": "application/json"}
GZIP = JSON | {"Content-Encoding": "gzip"}
KIBIBYTE = 1024


@pytest.fixture(autouse=True)
def _nothing_crashes(caplog):
    yield
    records = [each for each in caplog.get_records("call") if each.name.startswith("service")]
    assert [each.getMessage() for each in records if each.levelno >= logging.ERROR] == []


async def exchange(url, sent, *, seconds=30.0):
    """Send bytes, and return the status, the headers and the body of the answer, after which it must close."""
    reader, writer = await asyncio.open_connection(yarl.URL(url).host, yarl.URL(url).port)
    try:
        writer.write(sent)
        received = await asyncio.wait_for(reader.read(), seconds)
    finally:
        writer.close()
    head, _, body = received.partition(b"\r\n\r\n")
    status_line, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(status_line.split()[1]), headers, body


async def fetch(person, method, path, headers=None, **options):
    """Return the status, the headers and the body of any page, also one whose media type varies."""
    sent = {"Authorization": f"Bearer {person.token}"} | (headers or {})
    async with person.service.http.request(method, person.service.url + path, headers=sent, **options) as response:
        return response.status, response.headers, await response.read()


def request_head(target, *headers, method="POST", close=True):
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *headers, *(["Connection: close"] if close else [])]
    return "\r\n".join([*lines, "", ""]).encode()


NOT_JSON = [
    ("empty; send a JSON object", b""),
    ("Expecting value", b" "),
    ("Expecting value", b"name=Trip&currency=EUR"),
    ("Expecting", b'{"name": "Trip", "currency": "EUR"'),
    ("Expecting", b"{'name': 'Trip'}"),
    ("Extra data", b'{"name": "Trip", "currency": "EUR"} {}'),
    ("line 1", b'{"name": "Trip", "currency": "EUR",}'),
    ("line 1", b'{"name": "a\nb", "currency": "EUR"}'),
    ("Unexpected UTF-8 BOM", b'\xef\xbb\xbf{"name": "Trip", "currency": "EUR"}'),
    ("codec can't decode", '{"name": "Trip", "currency": "EUR"}'.encode("utf-16")),
    ("codec can't decode", b'{"name": "Tr\xffip", "currency": "EUR"}'),
    ("a name appears twice in the object", b'{"name": "Trip", "currency": "EUR", "name": "Trap"}'),
    ("a name appears twice in the object", b'{"name": {"a": 1, "a": 2}, "currency": "EUR"}'),
    ("NaN is not", b'{"name": NaN, "currency": "EUR"}'),
    ("Infinity is not", b'{"name": [-Infinity], "currency": "EUR"}'),
    ("", b'{"name": 01, "currency": "EUR"}'),
    ("", b'{"name": 1_000, "currency": "EUR"}'),
    ("cannot be printed", b'{"a\\u0000b": 1}'),
    ("cannot be printed", b'{"\\ud800": 1}'),
    ("nested too deeply", b"[" * 60_000),
    ("nested too deeply", b'{"name": ' + b"[" * 30_000 + b"]" * 30_000 + b', "currency": "EUR"}'),
    ("nested too deeply", b'{"a":' * 13_000),
]


async def test_it_refuses_what_is_not_json(ann, subtests):
    for reason, sent in NOT_JSON:
        with subtests.test(str(sent[:80])):
            answer = await ann.call("POST", "/v1/teams", headers=JSON, data=sent)
            assert answer.status == 400, sent[:80]
            assert answer.body["type"] == "/problems/malformed"
            assert answer.body["detail"].startswith("The body is ")
            assert reason in answer.body["detail"], sent[:80]
            assert (await ann.get("/v1/teams")).body["items"] == []


NOT_A_FORM = [
    "grant_type=password&grant_type=password",
    "grant_type=%ff",
    "&".join(f"a{n}=1" for n in range(21)),
    "\0=1",
]


async def test_it_refuses_what_is_not_a_form(served, subtests):
    for sent in NOT_A_FORM:
        with subtests.test(ascii(sent[:80])):
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = await served.call("POST", "/v1/auth/token", headers=headers, data=sent)
            assert answer.status == 400, sent[:80]
            assert answer.body["detail"].startswith("The body is not a form: ")


async def test_it_takes_json_of_its_two_media_types_only(ann, subtests):
    body = json.dumps({"name": "Trip", "currency": "EUR"})
    for accepted in (
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON;charset=UTF-8",
        "application/merge-patch+json",
    ):
        with subtests.test(accepted):
            answer = await ann.call("POST", "/v1/teams", headers={"Content-Type": accepted}, data=body)
            assert answer.status == 201, accepted
    for refused in (
        "text/plain",
        "application/json5",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "json",
        "garbage;;;",
        "",
    ):
        with subtests.test(refused):
            answer = await ann.call("POST", "/v1/teams", headers={"Content-Type": refused}, data=body)
            assert answer.status == 415, refused
            assert answer.headers["Accept"] == "application/json"
            assert answer.body["detail"] == "The body must be application/json, without a Content-Encoding."
    answer = await ann.call("POST", "/v1/teams", data=body.encode(), skip_auto_headers=["Content-Type"])
    assert answer.status == 415
    assert len((await ann.get("/v1/teams")).body["items"]) == 4


async def test_it_takes_a_form_where_it_says_so_only(served):
    answer = await served.call("POST", "/v1/auth/token", headers=JSON, data="{}")
    assert answer.status == 415
    assert answer.headers["Accept"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    "sent",
    [gzip.compress(b"{}"), gzip.compress(b" " * 30_000_000, 1), gzip.compress(b"") * 50_000, b"not gzip"],
    ids=["small", "bomb", "members", "garbage"],
)
async def test_it_refuses_compressed_bodies_without_a_look_inside(served, sent, monkeypatch, subtests):
    looked_inside = []
    monkeypatch.setattr(DeflateBuffer, "__init__", lambda *_: looked_inside.append("aiohttp"))
    monkeypatch.setattr(zlib, "decompressobj", lambda *_, **__: looked_inside.append("zlib"))
    for encoding in ("gzip", "deflate", "br", "zstd", "identity"):
        with subtests.test(encoding):
            headers = JSON | {"Content-Encoding": encoding}
            answer = await served.call("POST", "/v1/auth/login", headers=headers, data=sent)
            assert answer.status == 415
    assert looked_inside == []


async def test_it_refuses_bodies_larger_than_64_kibibytes(ann):
    async def chunks(size):
        yield b'{"name": "'
        for _ in range(0, size, KIBIBYTE):
            yield b"x" * KIBIBYTE
        yield b'", "currency": "EUR"}'

    for data in (b"x" * (64 * KIBIBYTE + 1), chunks(65 * KIBIBYTE), b"[" * 100_000, chunks(2_000 * KIBIBYTE)):
        answer = await ann.call("POST", "/v1/teams", headers=JSON, data=data)
        assert answer.status == 413
        assert answer.body["type"] == "/problems/too-large"
    for data in (b'"' + b"x" * (64 * KIBIBYTE - 3) + b'"', chunks(60 * KIBIBYTE)):
        answer = await ann.call("POST", "/v1/teams", headers=JSON, data=data)
        assert answer.status == 422


async def test_it_refuses_a_huge_body_before_it_has_come(served):
    head = request_head("/v1/auth/login", "Content-Type: application/json", f"Content-Length: {10**10}")
    reader, writer = await asyncio.open_connection("127.0.0.1", yarl.URL(served.url).port)
    writer.write(head + b" " * 70_000)
    answer = await asyncio.wait_for(reader.readuntil(b"}"), 30)
    assert b" 413 " in answer
    assert b"/problems/too-large" in answer
    writer.close()


async def test_a_body_that_comes_too_slowly_is_cut_off(served, monkeypatch):
    monkeypatch.setattr(body, "body_seconds_max", 0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", yarl.URL(served.url).port)
    writer.write(request_head("/v1/auth/login", "Content-Type: application/json", "Content-Length: 10000"))
    started = time.perf_counter()

    async def dribble():
        while True:
            writer.write(b" ")
            await asyncio.sleep(0.05)

    dribbling = asyncio.create_task(dribble())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
    dribbling.cancel()
    assert b" 408 " in head
    # After its time, which was made shorter, and not at an end, which at this pace is minutes away.
    assert 0.2 < time.perf_counter() - started < 10
    assert json.loads(await reader.readuntil(b"}"))["type"] == "/problems/request-timeout"
    writer.close()


@pytest.mark.parametrize("body", [b'{"email": ', b""], ids=["in mid-body", "before the body"])
@pytest.mark.parametrize("length", ["Content-Length: 100", "Transfer-Encoding: chunked"])
async def test_a_client_that_goes_away_does_not_disturb(served, length, body):
    _, writer = await asyncio.open_connection("127.0.0.1", yarl.URL(served.url).port)
    chunk = b"%x\r\n%b\r\n" % (len(body), body) if body and "chunked" in length else body
    writer.write(request_head("/v1/auth/login", "Content-Type: application/json", length) + chunk)
    await writer.drain()
    lifecycle = served.app[LIFECYCLE]
    async with asyncio.timeout(30):
        while lifecycle.idle.is_set():  # noqa: ASYNC110 -- there is an event for the end of requests only.
            await asyncio.sleep(0.01)
        writer.transport.abort()
        await lifecycle.idle.wait()
    assert (await served.call("GET", "/livez")).status == 200


BROKEN_CHUNKS = [b"ZZ\r\n{}\r\n0\r\n\r\n", b"2\r\n{}X\r\n0\r\n\r\n", b"-1\r\n{}\r\n", b"\r\n\r\n"]


async def test_a_broken_chunk_is_a_bad_request(served, subtests):
    for chunk in BROKEN_CHUNKS:
        with subtests.test(str(chunk)):
            head = request_head("/v1/auth/login", "Content-Type: application/json", "Transfer-Encoding: chunked")
            status, _, _ = await exchange(served.url, head + chunk)
            assert status == 400, chunk


NOT_HTTP = [
    (request_head("/v1/auth/login", "Content-Length: 2", "Content-Length: 3") + b"{}", 400),
    (request_head("/v1/auth/login", "Content-Length: 2", "Transfer-Encoding: chunked") + b"0\r\n\r\n", 400),
    (request_head("/v1/auth/login", "Content-Length: -2"), 400),
    (request_head("/v1/auth/login", "Content-Length: +2") + b"{}", 400),
    (request_head("/v1/auth/login", "Content-Length: 2_0") + b"{}", 400),
    (request_head("/livez", "X Y: z", method="GET"), 400),
    (request_head("/livez", "X: a\0b", method="GET"), 400),
    (request_head("/livez", "X: a\nb", method="GET"), 400),
    (request_head("/livez", "Host: another", method="GET"), 400),
    (request_head("/livez", *(f"X{n}: y" for n in range(200)), method="GET"), 431),
    (request_head("/livez", "X: " + "y" * 20_000, method="GET"), 431),
    (request_head("/livez", "y" * 20_000 + ": x", method="GET"), 431),
    (request_head("/livez", *(f"X{n}: {'y' * 8000}" for n in range(5)), method="GET")[:-4], 431),
    (request_head("/livez?" + "y" * 20_000, method="GET"), 431),
    (b"GET /" + b"y" * 20_000, 431),
    (request_head("/livez", method="NONSENSE"), 400),
    (b"y" * 20_000, 400),
    (b"GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
    (b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    (b"GET /livez HTTP/7.1\r\nHost: localhost\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    (b"\r\n\r\n\0\0\0\0\r\n\r\n", 400),
    (request_head("/livez", "Expect: nonsense", method="GET", close=False), 417),
    (request_head("/nothing", "Expect: nonsense", method="GET", close=False), 417),
    (request_head("/v1/teams", "Expect: nonsense", method="GET", close=False), 417),
]


async def test_what_is_not_http_is_a_problem_that_is_logged_and_counted(served, lines, subtests):
    for sent, expected in NOT_HTTP:
        with subtests.test(str(sent[:80])):
            before = await served.metrics()
            lines()
            status, headers, body = await exchange(served.url, sent)
            assert status == expected
            problem = json.loads(body)
            assert problem["status"] == expected
            assert headers["content-type"] == "application/problem+json"
            assert headers["server"] == "expenses"
            assert b"aiohttp" not in body
            [line] = lines()
            assert (line["status"], line["refusal"]) == (expected, problem["type"].removeprefix("/problems/"))
            assert line["request_id"] == problem["instance"] == headers["x-request-id"]
            after = await served.metrics()
            refusals = f'refusals_total{{type="{line["refusal"]}"}}'
            assert after[refusals] == before.get(refusals, 0) + 1
            assert (await served.call("GET", "/livez")).status == 200


async def test_a_head_that_does_not_come_is_not_waited_for(served, lines, monkeypatch, subtests):
    monkeypatch.setattr(connection, "head_seconds_max", 0.2)
    whole = request_head("/livez", method="GET", close=False)
    for about, sent, expected in (
        ("half of the first", whole[:20], [408]),
        ("half of the second", whole + whole[:20], [200]),
        ("half of the second, after a while", whole + b"|" + whole[:20], [200, 408]),
        ("nothing", b"", []),
        ("a whole one", whole + b"|", [200]),
    ):
        with subtests.test(about):
            lines()
            reader, writer = await asyncio.open_connection(yarl.URL(served.url).host, yarl.URL(served.url).port)
            parts = sent.split(b"|")
            writer.write(parts[0])
            received = b""
            if len(parts) > 1:
                received = await reader.readuntil(b'{"status":"ok"}')
                writer.write(parts[1])
            if about == "a whole one":
                # Idle, which may last longer.
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(reader.read(), 0.6)
            elif about != "half of the second":
                received += await asyncio.wait_for(reader.read(), 30)
            else:
                received += await reader.readuntil(b'{"status":"ok"}')
            writer.close()
            assert [int(each) for each in re.findall(rb"HTTP/1\.\d (\d+)", received)] == expected
            assert [line["status"] for line in lines()] == expected


ODD = [
    (request_head("http://evil.example/livez", method="GET"), 200),
    (request_head("http://evil.example:99999/livez", method="GET"), 400),
    (request_head("//evil.example/livez", method="GET"), 404),
    (request_head("*", method="OPTIONS"), 404),
    (request_head("/livez", "Upgrade: websocket", method="GET"), 200),
    (request_head("/livez", "Content-Length: 0", method="GET"), 200),
    (request_head("/livez", "Content-Type: a\xffb", "Authorization: Bearer \xff", method="GET"), 200),
    (request_head("/v1/me", "Authorization: Bearer \xff\xfe", method="GET"), 401),
    (request_head("/v1/me", "Authorization: Bearer", method="GET"), 401),
    (request_head("/v1/me", "Authorization: Bearer " + "x" * 8000, method="GET"), 401),
]


async def test_what_is_odd_but_http_is_answered(served, subtests):
    for sent, expected in ODD:
        with subtests.test(str(sent[:80])):
            status, _, _ = await exchange(served.url, sent)
            assert status == expected, sent[:80]


async def test_every_route_refuses_the_methods_it_does_not_take(ann, flat, subtests):
    ids = {"team_id": flat.team_id, "member_id": flat.owner_id, "expense_id": MISSING_ID, "settlement_id": MISSING_ID}
    ids |= {"file": "x", "slug": "x"}
    for template, operations in ann.service.contract.document["paths"].items():
        allowed = {method.upper() for method in operations}
        allowed |= {"HEAD"} if "GET" in allowed else set()
        for method in set(METHODS) - allowed:
            for token in (ann.token, ""):
                with subtests.test(f"{method} {template}"):
                    answer = await ann.service.call(method, template.format(**ids), token=token)
                    assert answer.status == 405, (method, template)
                    assert set(answer.headers["Allow"].split(",")) == allowed
                    assert (
                        answer.body == b""
                        if method == "HEAD"
                        else answer.body["type"] == "/problems/method-not-allowed"
                    )


async def test_head_answers_as_get_does_without_the_body(ann, flat):
    await flat.spend()
    expense_id = (await flat.spend())["expense_id"]
    ids = {"team_id": flat.team_id, "member_id": flat.owner_id, "expense_id": expense_id}
    ids["settlement_id"] = (await flat.settle(flat.owner_id, await flat.guest(), 1))["settlement_id"]
    ids |= {"file": "docs.js", "slug": "invalid"}
    for template, operations in ann.service.contract.document["paths"].items():
        if "get" in operations:
            path = template.format(**ids)
            got_status, got, _ = await fetch(ann, "GET", path)
            status, headed, body = await fetch(ann, "HEAD", path)
            assert (status, got_status, body) == (200, 200, b"")
            assert set(headed) == set(got)
            varying = {"date", "x-request-id", "content-length" if path == "/metrics" else ""}
            assert all(headed[name] == got[name] for name in got if name.lower() not in varying)


NOT_THERE = [
    *["/v1", "/v1/", "/v1/teams/", "//v1/teams", "/v2/teams", "/V1/teams", "/nonsense", "/v1/me/x", "/livez/"],
    *[
        "/docs/",
        "/docs/nonsense.js",
        "/docs/..%2Fapp.py",
        "/docs/%00.js",
        "/docs/docs.html",
        "/docs/.",
        "/problems/",
    ],
    *["/docs/" + "x" * 300 + ".js", "/docs/%ED%A0%80.js", "/problems/%00", "/problems/nonsense", "/%ff/%ed%a0%80"],
]


async def test_what_is_not_there_is_a_problem(ann, subtests):
    for path in NOT_THERE:
        for token in (ann.token, ""):
            with subtests.test(path[:80]):
                answer = await ann.service.call("GET", yarl.URL(path, encoded=True).raw_path, token=token)
                assert answer.status == 404, path
                assert answer.body["type"] == "/problems/not-found"


async def test_a_malformed_id_is_not_found(ann, flat, subtests):
    own = {"team_id": flat.team_id, "member_id": flat.owner_id, "expense_id": MISSING_ID, "settlement_id": MISSING_ID}
    paid = {"from": MISSING_ID, "to": flat.owner_id, "amount": 1, "currency": "EUR"}
    bodies = {
        "members.create": {"name": "x"},
        "expenses.create": {"description": "x", "amount": 1},
        "expenses.update": {"amount": 1},
        "settlements.create": paid,
        "settlements.update": {"amount": 1},
        "settlements.transfer": paid,
    }
    for template, operations in ann.service.contract.document["paths"].items():
        for method, operation in operations.items():
            for name in re.findall(r"{(\w+_id)}", template):
                for bad in (
                    "x",
                    "0",
                    "%00",
                    "null",
                    MISSING_ID[1:],
                    MISSING_ID + "0",
                    "%ED%A0%80",
                    "٣",
                    "%27%20or%201",
                ):
                    with subtests.test(f"{method} {template} {name} {bad}"):
                        path = template.format(**own | {name: bad})
                        body = (
                            bodies.get(operation["operationId"], {"name": "x"}) if "requestBody" in operation else None
                        )
                        answer = await ann.call(method.upper(), path, body, headers={"If-Match": "*"})
                        assert answer.status == 404, (method, path)


async def test_an_id_may_be_in_capitals(ann, flat):
    assert (await ann.get(f"/v1/teams/{flat.team_id.upper()}")).body["team_id"] == flat.team_id


async def test_every_answer_has_the_headers_of_all(ann, flat, subtests):
    expense = await flat.spend()
    path = f"{flat.path}/expenses/{expense['expense_id']}"
    small = {"name": "Trip", "currency": "EUR"}
    statuses = set()
    for method, target, options in (
        ("GET", "/v1/me", {}),
        ("POST", "/v1/teams", {"json": small}),
        ("DELETE", path, {"headers": {"If-Match": '"7"'}}),
        ("DELETE", path, {}),
        ("GET", path, {"headers": {"If-None-Match": '"1"'}}),
        ("DELETE", path, {"headers": {"If-Match": "*"}}),
        ("POST", "/v1/teams", {"headers": JSON, "data": "{"}),
        ("POST", "/v1/teams", {"headers": JSON, "data": b" " * 70_000}),
        ("POST", "/v1/teams", {"data": "{}"}),
        ("POST", "/v1/teams", {"json": {}}),
        ("PUT", "/v1/teams", {}),
        ("GET", "/v1/nonsense", {}),
        ("POST", "/v1/auth/login", {"json": {"email": "nobody@example.com", "password": PASSWORD}}),
        ("POST", "/v1/auth/register", {"json": {"email": ann.email, "password": PASSWORD, "name": "Ann"}}),
        *[("GET", each, {}) for each in ("/", "/livez", "/readyz", "/metrics", "/openapi.json", "/docs")],
        *[("GET", each, {}) for each in ("/docs/docs.js", "/problems/invalid", "/v1/teams")],
    ):
        with subtests.test(f"{method} {target}"):
            status, headers, _ = await fetch(ann, method, target, **options)
            statuses.add(status)
            assert re.fullmatch("[0-9a-f]{32}", headers["X-Request-Id"])
            assert headers["Cache-Control"] == ("public, max-age=3600" if "/docs/" in target else "no-store")
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Referrer-Policy"] == "no-referrer"
            policy = headers["Content-Security-Policy"].split("; ")
            assert {"default-src 'none'", "frame-ancestors 'none'"} <= set(policy)
            assert headers["Server"] == "expenses"
    assert statuses == {200, 201, 204, 304, 400, 401, 404, 405, 409, 412, 413, 415, 422, 428}


HARMLESS_IDS = ["a", "0-9.A_z", "x" * 64]


async def test_it_keeps_the_request_id_of_a_caller(served, subtests):
    for sent in HARMLESS_IDS:
        with subtests.test(sent):
            answer = await served.call("GET", "/v1/me", headers={"X-Request-Id": sent})
            assert answer.headers["X-Request-Id"] == sent == answer.body["instance"]


HARMFUL_IDS = ["", " ", "x" * 65, "a b", "a;b", "<b>", "ä", "٣", "a\tb", '"a"', "a,b"]


async def test_it_replaces_a_request_id_that_could_do_harm(served, subtests):
    for sent in HARMFUL_IDS:
        with subtests.test(ascii(sent)):
            answer = await served.call("GET", "/v1/me", headers={"X-Request-Id": sent})
            assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-Id"])
            assert answer.headers["X-Request-Id"] == answer.body["instance"]


BREAKING_IDS = ["a\r\n b", "a\n b", "a\rSet-Cookie: b", "a\r\n\tb", "a\0", "a\xff"]


async def test_a_request_id_cannot_break_out_of_its_header(served, subtests):
    for sent in BREAKING_IDS:
        with subtests.test(ascii(sent)):
            head = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Request-Id: " + sent.encode("latin-1")
            status, headers, _ = await exchange(served.url, head + b"\r\n\r\n")
            assert status in {200, 400}, sent
            assert "set-cookie" not in headers
            # What is no HTTP is refused before there is an id.
            assert status == 400 or re.fullmatch("[0-9a-f]{32}", headers["x-request-id"])


async def test_it_answers_304_to_who_has_the_current_version(ann, flat, subtests):
    expense = await flat.spend()
    for path in (f"{flat.path}/expenses/{expense['expense_id']}", f"{flat.path}/balances"):
        etag = (await ann.get(path)).headers["ETag"]
        assert re.fullmatch(r'"\d+"', etag)
        for method in ("GET", "HEAD"):
            for sent in (etag, f"W/{etag}", f'"x", {etag}', f'W/"x",W/{etag},"y"', "*", f" {etag} "):
                with subtests.test(f"{method} {path} {sent!a}"):
                    answer = await ann.call(method, path, headers={"If-None-Match": sent})
                    assert (answer.status, answer.body) == (304, b""), repr(sent)
                    assert answer.headers["ETag"] == etag
            for sent in ('"x"', '"999"', "", '""', 'W/"x", "y"', etag.strip('"') + "1", "\xff"):
                with subtests.test(f"{method} {path} {sent!a}"):
                    answer = await ann.call(method, path, headers={"If-None-Match": sent})
                    assert answer.status == 200, sent
    await flat.spend()
    assert (await ann.get(path, headers={"If-None-Match": etag})).status == 200


@pytest.mark.parametrize(
    "query", ["", "&sort=created_at", "&q=caf%C3%A9%20%26%20bar%3D%2B%22", "&category=a%2Fb%3Fc%23"]
)
async def test_the_link_header_leads_through_all_pages(ann, flat, query):
    for _ in range(5):
        await flat.spend(description='Café & bar=+"', category="a/b?c#")
    path = f"{flat.path}/expenses?limit=2{query}"
    found, pages = [], 0
    while path:
        answer = await ann.get(path)
        assert answer.status == 200
        found += [each["expense_id"] for each in answer.body["items"]]
        pages += 1
        link = answer.headers.get("Link", "")
        assert bool(link) == (answer.body["next"] is not None)
        path = re.fullmatch(r'<(/v1/[^>]+)>; rel="next"', link)[1] if link else ""
    whole = await ann.get(f"{flat.path}/expenses?limit=200{query}")
    assert found == [each["expense_id"] for each in whole.body["items"]]
    assert (len(found), pages) == (5, 3)


async def test_it_survives_a_forwarded_address_that_is_no_text(config, subtests):
    async with running(replace(config, trusted_proxies=1)) as service:
        sent = json.dumps({"email": "nobody@example.com", "password": PASSWORD}).encode()
        lengths = ["Content-Type: application/json", f"Content-Length: {len(sent)}"]
        for hop in (b"\xff\xfe", b"<b>", b",,,", b"x" * 4000):
            with subtests.test(str(hop[:80])):
                head = request_head("/v1/auth/login", "X-Forwarded-For: @", *lengths).replace(b"@", hop)
                status, _, _ = await exchange(service.url, head + sent)
                assert status == 401, hop
