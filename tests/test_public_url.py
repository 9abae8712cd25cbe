"""EXPENSES_PUBLIC_URL: every address that a client is told is the one it was given, and none is what a client sent."""

import re
from dataclasses import replace

import orjson
import pytest
from yarl import URL

from service import __main__ as command
from service.config import Config
from service.seed.fill import fill
from service.web.keys import DOCUMENT
from tests.conftest import PASSWORD, running
from tests.process import Process, on
from tests.test_http import exchange

PUBLIC_URL = "https://expenses.example.com:8443/money"
# A path of the service that begins where the public address does not end.
BARE_PATH = re.compile(r"(?:(?<![\w.])|:8443)/(?:v1|docs|problems|openapi\.json)\b")
FORGED = {
    "Host": "evil.example",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "evil",
    "X-Forwarded-Prefix": "/evil",
    "X-Original-URL": "/evil",
    "Forwarded": "host=evil.example;proto=evil",
    "Origin": "https://evil.example",
    "Referer": "https://evil.example/",
}


@pytest.fixture
async def public(config):
    """The service with a public address."""
    async with running(replace(config, public_url=PUBLIC_URL)) as service:
        yield service


def path_of(address):
    """Return the path that a proxy which takes the public address away asks for."""
    assert address.startswith(PUBLIC_URL + "/"), address
    return address.removeprefix(PUBLIC_URL)


async def test_what_was_created_is_at_the_public_address(public):
    body = {"email": "ann@example.com", "password": PASSWORD, "name": "Ann"}
    registered = await public.call("POST", "/v1/auth/register", body)
    assert registered.headers["Location"] == f"{PUBLIC_URL}/v1/me"
    ann = await public.person()
    flat = await ann.team()
    for path, sent in {
        "/v1/teams": {"name": "Flat", "currency": "EUR"},
        f"{flat.path}/members": {"name": "Guest"},
        f"{flat.path}/expenses": {"description": "Dinner", "amount": 9000},
    }.items():
        created = await ann.post(path, sent)
        found = await ann.get(path_of(created.headers["Location"]))
        assert (found.status, found.headers.get("ETag")) == (200, created.headers.get("ETag")), path
        assert sent.items() <= found.body.items()


async def test_the_next_page_is_at_the_public_address(public):
    ann = await public.person()
    flat = await ann.team()
    await ann.team()
    await flat.guest()
    for _ in range(2):
        await flat.spend(category="a/b?c#")
    for path in (
        "/v1/teams?limit=1",
        f"{flat.path}/members?limit=1",
        f"{flat.path}/expenses?limit=1&category=a/b?c%23",
    ):
        first = await ann.get(path)
        address = re.fullmatch(r'<(\S+)>; rel="next"', first.headers["Link"])[1]
        second = await ann.get(path_of(address))
        assert (second.status, second.body["next"], len(second.body["items"])) == (200, None, 1), path
        assert second.body["items"] != first.body["items"]


@pytest.mark.parametrize(
    ("method", "path", "body", "slug"),
    [
        ("GET", "/v1/nothing", None, "not-found"),
        ("GET", "/v1/me", None, "unauthenticated"),
        ("PUT", "/v1/me", None, "method-not-allowed"),
        ("POST", "/v1/auth/login", {}, "invalid"),
        ("POST", "/v1/auth/login", {"email": "x" * 70_000}, "too-large"),
        ("GET", "/problems/nonsense", None, "not-found"),
    ],
)
async def test_a_problem_s_type_is_the_public_address_of_its_page(public, method, path, body, slug):
    problem = (await public.call(method, path, body)).body
    assert problem["type"] == f"{PUBLIC_URL}/problems/{slug}"
    page = await public.call("GET", path_of(problem["type"]))
    assert (page.status, f"<h1>{slug}</h1>" in page.body.decode()) == (200, True)


async def test_without_it_a_type_resolves_to_what_it_is_with_it_at_the_host_s_root(served, config):
    async with running(replace(config, public_url="https://expenses.example.com")) as public:
        absolute = (await public.call("GET", "/v1/me")).body["type"]
    relative = (await served.call("GET", "/v1/me")).body["type"]
    assert relative == "/problems/unauthenticated"
    assert str(URL("https://expenses.example.com/v1/me").join(URL(relative))) == absolute


async def test_no_path_stands_for_itself(public):
    ann = await public.person()
    flat = await ann.team()
    for each in ("/", "/docs", "/docs/home.js", "/problems/not-found", "/v1/nothing", "/v1/teams", flat.path):
        async with public.http.get(public.url + each, headers={"Authorization": f"Bearer {ann.token}"}) as answer:
            assert BARE_PATH.findall(await answer.text() + str(answer.headers)) == [], each


async def test_the_document_names_the_public_address(public):
    document = (await public.call("GET", "/openapi.json")).body
    assert document["servers"] == [{"url": PUBLIC_URL}]
    flow = document["components"]["securitySchemes"]["login"]["flows"]["password"]
    assert flow["tokenUrl"] == flow["refreshUrl"] == f"{PUBLIC_URL}/v1/auth/token"
    # A server's address is put before the paths, which are keys.
    operations = orjson.dumps([list(document["paths"].values()), document["components"]]).decode()
    assert f'"{PUBLIC_URL}/problems/unauthenticated"' in operations
    assert BARE_PATH.findall(operations) == []


async def test_the_home_page_s_example_is_at_the_public_address(public):
    page = (await public.call("GET", "/")).body.decode()
    assert f'api=<span id="api">{PUBLIC_URL}</span>' in page
    assert "localhost" not in page


async def test_what_is_not_there_names_the_documentation(public, served):
    assert (await public.call("GET", "/v1/nothing")).body["detail"].endswith(f"; {PUBLIC_URL}/docs lists all paths.")
    assert (await served.call("GET", "/v1/nothing")).body["detail"].endswith("; /docs lists all paths.")


@pytest.mark.parametrize("public_url", ["", PUBLIC_URL])
async def test_no_address_is_what_a_client_sent(config, public_url):
    async with running(replace(config, public_url=public_url)) as service:
        ann = await service.person()
        flat = await ann.team()
        await flat.guest()
        for method, path, body in [
            ("GET", "/", None),
            ("GET", "/docs", None),
            ("GET", "/openapi.json", None),
            ("GET", "/problems/not-found", None),
            ("GET", "/nothing", None),
            ("GET", f"{flat.path}/members?limit=1", None),
            ("POST", "/v1/teams", {"name": "Flat", "currency": "EUR"}),
        ]:
            headers = FORGED | {"Authorization": f"Bearer {ann.token}"}
            async with service.http.request(method, service.url + path, json=body, headers=headers) as answer:
                assert "evil" not in await answer.text() + str(answer.headers), path


@pytest.mark.parametrize("public_url", ["", PUBLIC_URL])
async def test_no_address_is_of_an_absolute_request_target(config, public_url):
    async with running(replace(config, public_url=public_url)) as service:
        ann = await service.person()
        flat = await ann.team()
        await flat.guest()
        head = (
            f"GET http://evil.example{flat.path}/members?limit=1 HTTP/1.1\r\nHost: evil.example\r\n"
            f"Authorization: Bearer {ann.token}\r\nConnection: close\r\n\r\n"
        )
        status, headers, body = await exchange(service.url, head.encode())
        assert status == 200
        assert headers["link"].startswith(f"<{public_url}{flat.path}/members?limit=1&after=")
        assert b"evil" not in body + str(headers).encode()


async def test_the_command_line_and_the_service_have_one_document(capsys, public):
    command.print_document(Config(public_url=PUBLIC_URL))
    assert orjson.loads(capsys.readouterr().out) == orjson.loads(public.app[DOCUMENT])


async def test_the_sample_data_says_where_to_log_in(config, capsys):
    async with running(config) as service:
        await service.person(email="anna@example.com")
    await fill(replace(config, public_url=PUBLIC_URL))
    assert f"curl {PUBLIC_URL}/v1/auth/login --json" in capsys.readouterr().out


def test_the_log_says_where_the_documentation_is(tmp_path, database):
    with Process(tmp_path / "data", **on(database), EXPENSES_PUBLIC_URL=f"{PUBLIC_URL}/") as process:
        line = next(line for line in map(orjson.loads, process.output().splitlines()) if line["message"] == "serving")
        assert line["documentation"] == f"{PUBLIC_URL}/docs"
        assert line["address"] == process.url
