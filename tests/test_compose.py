"""The stack as `docker compose up --build` starts it: from a request to the dashboards, and through a dead database."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from deploy.grafana.queries import ask
from tests.process import ROOT, clean, free_port

PROJECT = f"expenses-test-{os.getpid()}"
# Two scrapes, and the evaluation of the rules on them.
PROMETHEUS_SECONDS_MAX = 90
RECOVERY_SECONDS_MAX = 15


class Stack:
    """A running stack, in a project of its own."""

    def __init__(self) -> None:
        self.api = f"http://127.0.0.1:{(api_port := free_port())}"
        self.grafana = f"http://127.0.0.1:{(grafana_port := free_port())}"
        # The first audit sees an empty ledger; the second is not to be waited for.
        settings = {"API_PORT": str(api_port), "GRAFANA_PORT": str(grafana_port), "EXPENSES_AUDIT_SECONDS": "10"}
        self.environment = clean() | settings

    def compose(self, *arguments: str, **environment: str) -> str:
        command = ["docker", "compose", "--project-name", PROJECT, *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment | environment, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, f"{arguments}: {done.stderr[-3000:]}"
        return done.stdout

    def call(self, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, Any, dict[str, str]]:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.api + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.loads(answer.read() or b"null"), dict(answer.headers)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null"), dict(error.headers)

    def prometheus(self) -> str:
        """Return its address: it publishes no port, but this machine reaches the containers' network."""
        container = self.compose("ps", "--quiet", "prometheus").strip()
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        done = subprocess.run(["docker", "inspect", "--format", form, container], capture_output=True, text=True)
        return f"http://{done.stdout.strip()}:9090"


@pytest.fixture(scope="module")
def stack():
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True).returncode:
        pytest.skip("needs Docker, and there is none that answers")
    started = Stack()
    try:
        started.compose("up", "--build", "--wait")
        yield started
    finally:
        started.compose("down", "--volumes", "--timeout", "5")


@pytest.fixture(scope="module")
def used(stack):
    """A stack with a team whose expenses are recorded, and requests of all kinds."""
    ann = {"email": "ann@example.com", "password": "correct horse battery", "name": "Ann"}
    status, body, _ = stack.call("POST", "/v1/auth/register", ann)
    assert status == 201
    token = body["access_token"]
    team = stack.call("POST", "/v1/teams", {"name": "Flat", "currency": "EUR"}, token)[1]["team_id"]
    path = f"/v1/teams/{team}"
    assert stack.call("POST", f"{path}/members", {"name": "Guest"}, token)[0] == 201
    for amount in range(1001, 1011):
        assert stack.call("POST", f"{path}/expenses", {"description": "Dinner", "amount": amount}, token)[0] == 201
    return path, token


def eventually(seconds_max: float, look):
    """Return what `look` returns as soon as that is something."""
    deadline = time.monotonic() + seconds_max
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds_max} s"
        time.sleep(1)
    return found


def value(stack, query: str) -> float:
    series = ask(stack.prometheus(), "query", query=query)
    return float(series[0]["value"][1]) if series else 0.0


def test_all_services_are_healthy_or_have_done_their_work(stack):
    lines = stack.compose("ps", "--all", "--format", "json").splitlines()
    states = {each["Service"]: (each["State"], each["Health"], each["ExitCode"]) for each in map(json.loads, lines)}
    assert states.pop("migrate") == ("exited", "", 0)
    assert set(states) == {"postgres", "api", "prometheus", "grafana", "postgres-exporter"}
    assert set(states.values()) == {("running", "healthy", 0)}


def test_only_the_api_and_grafana_are_published_and_only_to_this_machine(stack):
    lines = stack.compose("ps", "--format", "json").splitlines()
    published = {each["Service"]: each["Publishers"] or [] for each in map(json.loads, lines)}
    open_to = {(name, port["URL"]) for name, ports in published.items() for port in ports if port["PublishedPort"]}
    assert open_to == {("api", "127.0.0.1"), ("grafana", "127.0.0.1")}


def test_the_money_is_right(stack, used):
    path, token = used
    status, balances, _ = stack.call("GET", f"{path}/balances", token=token)
    assert status == 200
    assert sum(item["net"] for item in balances["items"]) == 0
    assert sum(item["paid"] for item in balances["items"]) == sum(range(1001, 1011))


def test_grafana_has_the_dashboards(stack):
    with urllib.request.urlopen(f"{stack.grafana}/api/health", timeout=10) as answer:
        assert json.load(answer)["database"] == "ok"


def test_the_requests_are_in_prometheus_and_every_panel_has_data(stack, used):
    path, token = used
    wrong = {"email": "ann@example.com", "password": "not the right one"}

    def recorded() -> bool:
        # Some traffic all the while: rates need it between two scrapes.
        stack.call("GET", f"{path}/expenses", token=token)
        stack.call("GET", f"{path}/balances", token=token)
        stack.call("POST", "/v1/auth/login", wrong)
        created = value(stack, 'sum(http_requests_total{route="expenses.create",status="201"})')
        # The audit has seen them too, and the slowest rules have been evaluated.
        return created == 10 and value(stack, "max(ledger_audit_timestamp_seconds)") > 0

    eventually(PROMETHEUS_SECONDS_MAX, recorded)
    command = [sys.executable, "deploy/grafana/queries.py", "--prometheus", stack.prometheus()]

    def shown() -> bool:
        recorded()
        nonlocal last
        last = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
        return last.returncode == 0

    last = None
    try:
        eventually(PROMETHEUS_SECONDS_MAX, shown)
    except AssertionError:
        pytest.fail(last.stdout + last.stderr)


def test_it_says_so_while_its_database_is_dead_and_recovers_on_its_own(stack, used):
    path, token = used
    started = stack.compose("ps", "--format", "{{.ID}}", "api")
    stack.compose("kill", "postgres")
    status, body, headers = stack.call("GET", f"{path}/expenses", token=token)
    assert (status, body["type"]) == (503, "/problems/unavailable")
    assert int(headers["Retry-After"]) > 0
    assert stack.call("GET", "/livez")[0] == 200
    assert stack.call("GET", "/readyz")[0] == 503
    stack.compose("start", "postgres")
    eventually(RECOVERY_SECONDS_MAX, lambda: stack.call("GET", "/readyz")[0] == 200)
    _, page, _ = stack.call("GET", f"{path}/expenses", token=token)
    assert len(page["items"]) == 10
    assert stack.compose("ps", "--format", "{{.ID}}", "api") == started


def test_the_data_survives_down_and_up(stack, used):
    path, token = used
    stack.compose("down", "--timeout", "20")
    stack.compose("up", "--build", "--wait")
    status, page, _ = stack.call("GET", f"{path}/expenses", token=token)
    assert status == 200
    assert len(page["items"]) == 10


def test_in_production_the_published_secrets_are_refused(stack):
    with pytest.raises(AssertionError, match="exit 3"):
        stack.compose("up", "--force-recreate", "--no-deps", "--wait", "migrate", "api", EXPENSES_PRODUCTION="true")
    assert "EXPENSES_PRODUCTION is true" in stack.compose("logs", "migrate")


def test_a_setting_in_env_reaches_the_api_but_not_its_address(tmp_path):
    if not shutil.which("docker"):
        pytest.skip("needs Docker's compose")
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    (tmp_path / ".env").write_text("EXPENSES_POOL_SIZE=5\nEXPENSES_LOG_LEVL=x\nEXPENSES_PORT=9\nEXPENSES_HOST=::1\n")
    command = ["docker", "compose", "config", "--format", "json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    settings = json.loads(done.stdout)["services"]["api"]["environment"]
    # The API refuses the one that is none: it has to see it.
    assert (settings["EXPENSES_POOL_SIZE"], settings["EXPENSES_LOG_LEVL"]) == ("5", "x")
    assert (settings["EXPENSES_HOST"], settings["EXPENSES_PORT"]) == ("0.0.0.0", "8080")  # noqa: S104
