"""The samples of deploy/proxy/ in front of the service: nginx and Caddy themselves, with and without a path."""

import asyncio
import contextlib
import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import expect

from service.config import Config
from service.web import request as body
from tests.conftest import PASSWORD, Service, running
from tests.process import ANSWER_SECONDS_MAX, ROOT, free_port
from tests.rows import login_failures
from tests.test_docs import browser_page

SAMPLES = ROOT / "deploy" / "proxy"
HOST = "expenses.example.com"
HSTS = "max-age=31536000"
FORGED = {"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=192.0.2.1", "X-Real-IP": "192.0.2.1"}
NGINX = """
daemon off;
user root;
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/sample;
}}
"""


@dataclass
class Sample:
    """A sample, of which a test may replace only what it is documented to be replaced by an operator."""

    text: str

    @classmethod
    def of(cls, name: str) -> "Sample":
        return cls((SAMPLES / name).read_text())

    def put(self, pattern: str, text: str) -> None:
        """Replace all that a pattern finds, which must be something."""
        self.text, count = re.subn(pattern, lambda found: found.expand(text), self.text, flags=re.MULTILINE)
        assert count, pattern


@dataclass
class Front:
    """A proxy that is running: its ports, and its address with the path that the API has behind it."""

    name: str
    path: str
    api_port: int
    tls_port: int
    plain_port: int
    certificate: Path

    @property
    def url(self) -> str:
        return f"https://localhost:{self.tls_port}{self.path}"

    @property
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory) -> Path:
    """A certificate for localhost, with its key beside it."""
    folder = tmp_path_factory.mktemp("certificate")
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    command = "openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -days 2 -subj /CN=localhost"
    command += " -addext subjectAltName=DNS:localhost -keyout key.pem -out certificate.pem"
    subprocess.run(command.split(), cwd=folder, capture_output=True, check=True)
    return folder / "certificate.pem"


def nginx(front: Front, folder: Path) -> list[str | Path]:
    """Write nginx' configuration; return its command."""
    sample = Sample.of("nginx.conf")
    sample.put(r"127\.0\.0\.1:8080", f"127.0.0.1:{front.api_port}")
    sample.put(r"^ *listen \[::\].*\n", "")
    sample.put("listen 443", f"listen 127.0.0.1:{front.tls_port}")
    sample.put("listen 80", f"listen 127.0.0.1:{front.plain_port}")
    sample.put(r"ssl_certificate .*;", f"ssl_certificate {front.certificate};")
    sample.put(r"ssl_certificate_key .*;", f"ssl_certificate_key {front.certificate.with_name('key.pem')};")
    sample.put(r"^( *location (?:= )?)/", rf"\1{front.path}/")
    sample.put(f"https://{HOST}(?=/)", front.url)
    sample.put(r"(return 301 https://)[^$]*", rf"\1localhost:{front.tls_port}")
    sample.put(f"server_name {HOST}", "server_name localhost")
    (folder / "sample").write_text(sample.text)
    (folder / "configuration").write_text(NGINX.format(folder=folder))
    return ["nginx", "-p", folder, "-c", folder / "configuration"]


def caddy(front: Front, folder: Path) -> list[str | Path]:
    """Write Caddy's configuration; return its command."""
    sample = Sample.of("Caddyfile")
    sample.put(r"127\.0\.0\.1:8080", f"127.0.0.1:{front.api_port}")
    sample.put(r"^\{\n", f"{{\n\tadmin off\n\thttp_port {front.plain_port}\n\thttps_port {front.tls_port}\n")
    key = front.certificate.with_name("key.pem")
    sample.put(rf"^{HOST} \{{", rf"localhost {{\n\tbind 127.0.0.1\n\ttls {front.certificate} {key}")
    if front.path:
        sample.put(r"(?<= )/(?=v1/\*|docs |docs/\*|openapi\.json |problems/\*)", f"{front.path}/")
        sample.put(r"^(\s*redir )/", rf"\1{front.path}/")
        sample.put(r"# uri strip_prefix /expenses", f"uri strip_prefix {front.path}")
    sample.put(f"https://{HOST}(?=/)", front.url)
    (folder / "sample").write_text(sample.text)
    return ["caddy", "run", "--config", folder / "sample", "--adapter", "caddyfile"]


@contextlib.contextmanager
def started(front: Front, folder: Path, configure: Any) -> Iterator[None]:
    """Run a proxy until the end of the block."""
    command = configure(front, folder)
    surroundings = os.environ | {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "HOME": str(folder)}
    with (folder / "log").open("w+b") as log:
        process = subprocess.Popen(command, env=surroundings, stdout=log, stderr=log)
        try:
            _wait(front, process, folder / "log")
            yield
        finally:
            process.terminate()
            process.wait(ANSWER_SECONDS_MAX)


def _wait(front: Front, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for port in (front.tls_port, front.plain_port):
        while True:
            assert process.poll() is None, log.read_text()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break


@contextlib.asynccontextmanager
async def behind(
    config: Config, certificate: Path, folder: Path, name: str, path: str
) -> AsyncIterator[tuple[Service, Front]]:
    """Run the service behind a sample; the calls go through the proxy."""
    if not shutil.which(name):
        pytest.skip(f"needs {name}")
    tls_port = free_port()
    public_url = f"https://localhost:{tls_port}{path}"
    async with running(replace(config, public_url=public_url, trusted_proxies=1)) as service:
        api_port = int(service.url.rpartition(":")[2])
        front = Front(name, path, api_port, tls_port, free_port(), certificate)
        with started(front, folder, {"nginx": nginx, "caddy": caddy}[name]):
            connector = aiohttp.TCPConnector(ssl=front.context)
            async with aiohttp.ClientSession(connector=connector) as http:
                yield Service(public_url, service.app, http, service.contract), front
                # The connections are closed on the loop's next turns.
                await asyncio.sleep(0.1)


@pytest.fixture(params=["nginx", "caddy"])
def name(request) -> str:
    return request.param


@pytest.fixture(params=["", "/expenses"], ids=["root", "path"])
def path(request) -> str:
    return request.param


@pytest.fixture
async def fronted(config, certificate, tmp_path, name, path):
    async with behind(config, certificate, tmp_path, name, path) as found:
        yield found


@pytest.fixture
async def under_a_path(config, certificate, tmp_path, name):
    async with behind(config, certificate, tmp_path, name, "/expenses") as found:
        yield found


async def test_all_addresses_lead_back_through_the_proxy(fronted):
    service, front = fronted
    ann = await service.person()
    flat = await ann.team()
    for _ in range(2):
        created = await ann.post(f"{flat.path}/expenses", {"description": "Dinner", "amount": 9000})
        assert created.headers["Strict-Transport-Security"] == HSTS
        location = created.headers["Location"]
        assert location.startswith(front.url + flat.path)
        assert (await ann.get(location.removeprefix(front.url))).body == created.body
    page = await ann.get(f"{flat.path}/expenses?limit=1&q=din%20ner%2F%3F")
    assert (page.status, page.body["items"]) == (200, [])
    page = await ann.get(f"{flat.path}/expenses?limit=1")
    following = re.fullmatch(r'<(.+)>; rel="next"', page.headers["Link"])[1]
    assert following.startswith(front.url + flat.path)
    assert len((await ann.get(following.removeprefix(front.url))).body["items"]) == 1
    problem = (await service.call("GET", "/v1/me")).body
    assert problem["type"] == f"{front.url}/problems/unauthenticated"
    assert (await service.call("GET", problem["type"].removeprefix(front.url))).status == 200
    document = (await service.call("GET", "/openapi.json")).body
    assert document["servers"] == [{"url": front.url}]
    async with service.http.get(f"{front.url}/", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, f"{front.url}/docs")


async def test_what_is_for_operators_is_not_for_the_public(fronted):
    service, front = fronted
    for each in ("/metrics", "/livez", "/readyz", "/nothing", "/v1"):
        async with service.http.get(front.url + each) as answer:
            problem = await answer.json(content_type="application/problem+json")
        assert (answer.status, problem["status"]) == (404, 404), each
        assert problem["type"] == f"{front.url}/problems/not-found"
        assert answer.headers["Strict-Transport-Security"] == HSTS
        assert set(problem) == {"type", "title", "status", "detail", "instance"}


async def test_a_client_s_own_forwarded_address_is_not_believed(under_a_path, db):
    service, _ = under_a_path
    ann = await service.person()
    sent = {"email": ann.email, "password": PASSWORD}
    await login_failures(db, f"{ann.email} 192.0.2.1", 10)
    assert (await service.call("POST", "/v1/auth/login", sent, headers=FORGED)).status == 200
    await login_failures(db, f"{ann.email} 127.0.0.1", 10)
    assert (await service.call("POST", "/v1/auth/login", sent, headers=FORGED)).status == 429


async def test_a_body_that_is_too_large_is_refused_with_a_problem(under_a_path):
    service, front = under_a_path
    for size in (65_537, 1_000_000):
        # Of another type, the service may refuse it before the proxy has read it.
        json = {"Content-Type": "application/json"}
        async with service.http.post(f"{front.url}/v1/auth/login", data=b"{" + b" " * size, headers=json) as answer:
            problem = await answer.json(content_type="application/problem+json")
        assert (answer.status, problem["type"]) == (413, f"{front.url}/problems/too-large"), size


async def test_a_service_that_is_not_there_is_a_problem_to_try_again(config, certificate, tmp_path, name):
    if not shutil.which(name):
        pytest.skip(f"needs {name}")
    front = Front(name, "/expenses", free_port(), free_port(), free_port(), certificate)
    with started(front, tmp_path, {"nginx": nginx, "caddy": caddy}[name]):
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=front.context)) as http,
            http.get(f"{front.url}/v1/me") as answer,
        ):
            problem = await answer.json(content_type="application/problem+json")
            assert (answer.status, problem["type"]) == (503, f"{front.url}/problems/unavailable")
            assert answer.headers["Retry-After"] == "1"
            assert answer.headers["Strict-Transport-Security"] == HSTS
        await asyncio.sleep(0.1)


async def test_what_is_sent_in_the_clear_is_led_to_the_address_with_tls(under_a_path):
    service, front = under_a_path
    url = f"http://localhost:{front.plain_port}{front.path}/docs"
    # Caddy takes a port that it is told for one that a container publishes as 443.
    led = {"nginx": (301, f"{front.url}/docs"), "caddy": (308, f"https://localhost{front.path}/docs")}
    async with service.http.get(url, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == led[front.name]


HALVES = {
    "header": "GET {path}/v1/me HTTP/1.1\r\nHost: localhost\r\nX-",
    "body": "POST {path}/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    "Content-Length: 100\r\n\r\n[",
}


async def test_half_a_request_ends(config, certificate, tmp_path, name, monkeypatch):
    """Of the limits only the numbers are replaced, so that nobody waits for them here."""
    read = Sample.of

    def impatient(file: str) -> Sample:
        sample = read(file)
        sample.put(r"(client_header_timeout|client_body_timeout|read_header) 15s", r"\1 1s")
        if file == "Caddyfile":
            sample.put("read_body 20s", "read_body 10s")
        return sample

    monkeypatch.setattr(Sample, "of", impatient)
    monkeypatch.setattr(body, "body_seconds_max", 0.3)
    async with behind(config, certificate, tmp_path, name, "/expenses") as (_, front):
        ends = {}
        for part, half in HALVES.items():
            reader, writer = await asyncio.open_connection("localhost", front.tls_port, ssl=front.context)
            writer.write(half.format(path=front.path).encode())
            ends[part] = (await asyncio.wait_for(reader.readline(), ANSWER_SECONDS_MAX)).strip()
            writer.close()
    # nginx waits for the whole body before it asks the API; Caddy passes it on, and the API's own limit answers.
    assert (
        ends
        == {
            "nginx": {"header": b"", "body": b""},
            "caddy": {"header": b"HTTP/1.1 400 Bad Request", "body": b"HTTP/1.1 408 Request Timeout"},
        }[name]
    )


@pytest.mark.parametrize(
    "name",
    [
        "caddy",
        "nginx",
    ],
)
async def test_an_expense_is_changed_with_the_etag_that_came(under_a_path):
    service, front = under_a_path
    ann = await service.person()
    flat = await ann.team()
    expense = await flat.spend(notes="A long note, so that nginx compresses. " * 40)
    path = f"{flat.path}/expenses/{expense['expense_id']}"
    read = await ann.get(path)
    # nginx weakens the tag of what it compresses; Caddy's sample leaves these answers as they are.
    assert (read.headers.get("Content-Encoding"), read.headers["ETag"]) == (
        ("gzip", 'W/"1"') if front.name == "nginx" else (None, '"1"')
    )
    assert (await ann.get(path, headers={"If-None-Match": read.headers["ETag"]})).status == 304
    changed = await ann.patch(path, {"amount": 9001}, if_match=read.headers["ETag"])
    assert (changed.status, changed.body.get("amount")) == (200, 9001)
    assert (await ann.delete(path, if_match=changed.headers["ETag"])).status == 204


async def test_the_documentation_works_under_a_path(under_a_path):
    service, front = under_a_path
    ann = await service.person()
    flat = await ann.team()
    async with browser_page(ignore_https_errors=True) as opened:
        await opened.page.goto(f"{front.url}/")
        assert opened.page.url == f"{front.url}/docs"
        await opened.log_in(ann.email, PASSWORD)
        answer = await opened.try_out("expenses.create", team_id=flat.team_id)
        await expect(answer.locator(".response-col_status")).to_have_text("201")
        await expect(answer.locator(".response-col_description")).to_contain_text('"amount": 9000')
    assert [each["amount"] for each in (await ann.get(f"{flat.path}/expenses")).body["items"]] == [9000]
    assert f"{front.url}/openapi.json" in opened.requested
    assert [url for url in opened.requested if not url.startswith(f"{front.url}/")] == []


async def test_a_problem_s_page_works_under_a_path(under_a_path):
    _, front = under_a_path
    async with browser_page(ignore_https_errors=True) as opened:
        await opened.page.goto(f"{front.url}/problems/open-balance")
        await expect(opened.page.locator("main")).to_have_css("max-width", "928px")
        await opened.page.get_by_role("link", name="Documentation").click()
        await expect(opened.page.get_by_role("button", name="Authorize")).to_be_visible()
        assert opened.page.url == f"{front.url}/docs"
    assert [url for url in opened.requested if not url.startswith(f"{front.url}/")] == []
