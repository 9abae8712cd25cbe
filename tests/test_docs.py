"""The pages for people: they lead somewhere, they show nothing else, and the API can be tried in a browser."""

import asyncio
import contextlib
import json
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urljoin

import pytest
from playwright.async_api import Locator, Page, Request, async_playwright, expect
from yarl import URL

from service import errors
from service.routes import routes
from service.teams.schemas import NewTeam
from service.web import openapi
from tests.conftest import PASSWORD, running

PAGES = ["/", "/docs", "/problems/not-found"]
expect.set_options(timeout=30_000)
BROWSERS = ["chromium", "chromium-browser", "google-chrome"]
BROWSER_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


async def read(served, path):
    """Get a path as it is written: no dots resolved, and not held against the document, which knows no file types."""
    async with served.http.get(URL(served.url + path, encoded=True)) as response:
        return response.status, await response.text(), response.headers


@dataclass
class Opened:
    """A page in a browser, with all that it asked for and all that it complained about."""

    page: Page
    requested: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    under_way: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self):
        self.page.on("request", self.begin)
        self.page.on("requestfinished", self.end)
        self.page.on("requestfailed", self.end)
        self.page.on("requestfailed", lambda request: self.complaints.append(f"failed: {request.url}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console", lambda message: message.type in {"error", "warning"} and self.complaints.append(message.text)
        )

    def begin(self, request: Request) -> None:
        self.requested.append(request.url)
        self.under_way += 1
        self.idle.clear()

    def end(self, _: Request) -> None:
        self.under_way -= 1
        if not self.under_way:
            self.idle.set()

    async def log_in(self, email: str, password: str) -> None:
        await self.page.get_by_role("button", name="Authorize").click()
        await self.page.get_by_label("username:").fill(email)
        await self.page.get_by_label("password:").fill(password)
        await self.page.get_by_label("Apply given OAuth2 credentials").click()
        await expect(self.page.get_by_text("Authorized", exact=True)).to_be_visible()
        await self.page.locator("button.close-modal").click()

    async def try_out(self, name: str, **path_parameters: str) -> Locator:
        """Send an operation with the example it offers; return the block of the answer."""
        operation = self.page.locator(".opblock").filter(has=self.page.locator(f'a[href$="/{name}"]'))
        await operation.locator(".opblock-summary-control").click()
        for parameter, value in path_parameters.items():
            await operation.get_by_placeholder(parameter).fill(value)
        await operation.get_by_role("button", name="Execute").click()
        return operation.locator(".live-responses-table .response")


@contextlib.asynccontextmanager
async def browser_page(**options: Any) -> AsyncIterator[Opened]:
    """A fresh browser for one page, which in the end must have had nothing to complain about."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    async with (
        async_playwright() as playwright,
        await playwright.chromium.launch(executable_path=executable, args=BROWSER_FLAGS) as browser,
        await browser.new_page(**options) as page,
    ):
        opened = Opened(page)
        yield opened
        # To leave a page cuts off what it still asks for, such as its icon, which no event of a page waits for.
        await asyncio.wait_for(opened.idle.wait(), 30)
        assert opened.complaints == []


async def test_records_an_expense_from_swagger_ui(served, ann, flat):
    async with browser_page() as opened:
        await opened.page.goto(f"{served.url}/docs")
        await opened.log_in(ann.email, PASSWORD)
        answer = await opened.try_out("expenses.create", team_id=flat.team_id)

        await expect(answer.locator(".response-col_status")).to_have_text("201")
        await expect(answer.locator(".response-col_description")).to_contain_text('"amount": 9000')
    listed = await ann.get(f"{flat.path}/expenses")
    assert [each["amount"] for each in listed.body["items"]] == [9000]
    assert f"{served.url}/openapi.json" in opened.requested
    assert [url for url in opened.requested if not url.startswith(f"{served.url}/")] == []


async def test_makes_a_team_from_swagger_ui(served, ann):
    async with browser_page() as opened:
        await opened.page.goto(f"{served.url}/docs")
        await opened.log_in(ann.email, PASSWORD)
        answer = await opened.try_out("teams.create")

        await expect(answer.locator(".response-col_status")).to_have_text("201")
    listed = await ann.get("/v1/teams")
    assert [each["name"] for each in listed.body["items"]] == [NewTeam.example["name"]]


async def test_shows_no_document_that_the_address_names(served):
    status, _, _ = await read(served, "/docs?url=https://example.com/openapi.json")
    assert status == 422


@pytest.mark.parametrize("path", ["/", "/problems/open-balance"])
async def test_renders_a_page_without_complaints(served, path):
    async with browser_page() as opened:
        await opened.page.goto(served.url + path)
        await expect(opened.page.locator("main")).to_have_css("max-width", "928px")
    assert f"{served.url}{path}" in opened.requested
    assert [url for url in opened.requested if not url.startswith(f"{served.url}/")] == []


async def test_shows_an_example_with_the_address_that_the_browser_is_at(served):
    async with browser_page() as opened:
        await opened.page.goto(f"{served.url}/")
        await expect(opened.page.locator("#api")).to_have_text(served.url)


async def test_shows_an_example_with_the_public_address(config):
    async with running(replace(config, public_url="https://expenses.example.com")) as service, browser_page() as opened:
        await opened.page.goto(f"{service.url}/")
        await expect(opened.page.locator("#api")).to_have_text("https://expenses.example.com")


async def test_leads_from_home_to_everything(served):
    _, home, _ = await read(served, "/")
    assert {"docs", "openapi.json", "livez", "readyz", "metrics"} <= set(re.findall(r'<a\b[^>]* href="(.+?)"', home))


@pytest.mark.parametrize("path", PAGES)
async def test_names_nothing_that_is_not_there(served, path):
    _, page, _ = await read(served, path)
    named = re.findall(r'(?:href|src)="(.*?)"', page)
    assert named
    # From the page on, so that they lead there under any path of a proxy.
    assert [each for each in named if each.startswith("/") or "://" in each] == []
    assert {each: (await read(served, urljoin(path, each)))[0] for each in named} == dict.fromkeys(named, 200)


@pytest.mark.parametrize("path", PAGES)
async def test_protects_its_pages(served, path):
    status, page, headers = await read(served, path)
    policy = dict(each.strip().split(" ", 1) for each in headers["Content-Security-Policy"].split(";"))
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert {policy[f"{each}-src"] for each in ("script", "style", "connect")} == {"'self'"}
    assert {policy[each] for each in ("default-src", "base-uri", "form-action", "frame-ancestors")} == {"'none'"}
    assert re.findall(r"<script(?![^>]* src=)|<style|\son\w+=", page) == []


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("docs.js", "text/javascript"),
        ("home.js", "text/javascript"),
        ("swagger-ui-bundle.js", "text/javascript"),
        ("swagger-ui.css", "text/css"),
        ("style.css", "text/css"),
        ("icon.svg", "image/svg+xml"),
    ],
)
async def test_serves_the_files_of_its_pages(served, name, content_type):
    status, content, headers = await read(served, f"/docs/{name}")
    assert (status, headers["Content-Type"], headers["X-Content-Type-Options"]) == (200, content_type, "nosniff")
    assert headers["Cache-Control"] == "public, max-age=3600"
    assert content


@pytest.mark.parametrize(
    "path",
    [
        "/docs/unknown.js",
        "/docs/docs.html",
        "/docs/swagger-ui.LICENSE",
        "/docs/../config.py",
        "/docs/%2e%2e%2fconfig.py",
        "/docs/..%2f..%2f..%2fetc%2fpasswd",
        "/docs/%2fetc%2fpasswd",
        "/docs/docs.js%00",
        "/docs/" + "x" * 300 + ".js",
    ],
)
async def test_serves_no_other_file(served, path):
    status, content, _ = await read(served, path)
    assert (status, json.loads(content)["type"]) == (404, "/problems/not-found")


async def test_explains_every_refusal(served, subtests):
    for refusal in errors.refusals():
        with subtests.test(refusal.slug()):
            status, page, _ = await read(served, f"/problems/{refusal.slug()}")
            assert status == 200, refusal
            assert f"status {refusal.status.value}" in page
            assert f"<h1>{refusal.slug()}</h1>" in page


async def test_escapes_what_it_explains(served):
    _, page, _ = await read(served, "/problems/unauthenticated")
    assert "<code>Authorization: Bearer &lt;access_token&gt;</code>" in page


async def test_explains_no_problem_that_there_is_not(served):
    assert (await served.call("GET", "/problems/refusal")).status == 404


async def test_shows_an_example_on_the_home_page_that_works(served):
    _, home, _ = await read(served, "/")
    steps = re.findall(r"\$api(/\S+).*?--json '(.*?)'", home, re.DOTALL)
    paths, bodies = zip(*steps, strict=True)
    assert paths == ("/v1/auth/register", "/v1/teams", "/v1/teams/$team/expenses")
    register, team, expense = map(json.loads, bodies)
    token = (await served.call("POST", paths[0], register)).body["access_token"]
    team_id = (await served.call("POST", paths[1], team, token)).body["team_id"]
    answer = await served.call("POST", paths[2].replace("$team", team_id), expense, token)
    assert (answer.status, answer.body["amount"]) == (201, 9000)


async def test_offers_an_example_of_every_body_that_is_accepted(served, subtests):
    offered = set()
    for _, _, handler, name in routes:
        for each in handler.__apispec__["schemas"]:
            with subtests.test(name):
                if each["location"] in openapi.body_types:
                    assert each["schema"].example, name
                    assert each["schema"].validate(each["schema"].example) == {}, name
                    offered.add(name)
    assert {"auth.token", "teams.create", "expenses.update"} <= offered


async def test_takes_a_log_in_with_empty_credentials_of_a_client(served, ann):
    form = {"grant_type": "password", "username": ann.email, "password": PASSWORD}
    empty = dict.fromkeys(("scope", "client_id", "client_secret", "refresh_token"), "")
    answer = await served.call("POST", "/v1/auth/token", data=form | empty, headers={"Authorization": "Basic Og=="})
    assert (answer.status, answer.body["user"]["email"]) == (200, ann.email)


async def test_takes_an_empty_password_as_none(served, ann):
    form = {"grant_type": "password", "username": ann.email, "password": ""}
    answer = await served.call("POST", "/v1/auth/token", data=form)
    assert (answer.status, answer.body["errors"][0]["code"]) == (422, "required")
