"""The stack as `docker compose up --build` starts it: from a request to the dashboards, and through a dead database."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.grafana.queries import ask
from tests.process import ROOT, clean, free_port

PROJECT = f"expenses-test-{os.getpid()}"
# Two scrapes, and the evaluation of the rules on them.
PROMETHEUS_SECONDS_MAX = 90
RECOVERY_SECONDS_MAX = 15
# What deploy/alertmanager/alertmanager.yml says how late DatabaseDown can be, twice, as the machine may be busy.
ALERT_SECONDS_MAX = 240
# A small machine gets no more.
SMALL = {"postgres", "migrate", "api"}
BESIDE = {"worker", "prometheus", "alertmanager", "grafana", "postgres-exporter", "node-exporter"}


class Stack:
    """A running stack, in a project of its own."""

    def __init__(self, receivers: Path) -> None:
        ports = {name: free_port() for name in ("API", "GRAFANA", "PROMETHEUS", "ALERTMANAGER")}
        self.api, self.grafana, self.prometheus, self.alertmanager = (
            f"http://127.0.0.1:{port}" for port in ports.values()
        )
        self.receivers = receivers
        settings = {f"{name}_PORT": str(port) for name, port in ports.items()}
        # The first audit sees an empty ledger; the second is not to be waited for.
        settings |= {"EXPENSES_AUDIT_SECONDS": "10", "ALERTMANAGER_CONFIG": str(receivers)}
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

    def services(self) -> dict[str, dict[str, Any]]:
        lines = self.compose("ps", "--all", "--format", "json").splitlines()
        return {each["Service"]: each for each in map(json.loads, lines)}

    def told(self) -> list[str]:
        """Return the names of the alerts that Alertmanager would tell somebody of."""
        with urllib.request.urlopen(f"{self.alertmanager}/api/v2/alerts?inhibited=false", timeout=10) as answer:
            return [
                each["labels"]["alertname"] for each in json.load(answer) if each["receivers"] != [{"name": "nobody"}]
            ]

    def notify(self, port: int) -> None:
        """Let Alertmanager tell everything to a port of this machine."""
        configuration = yaml.safe_load(self.receivers.read_text())
        form = "{{(index .IPAM.Config 0).Gateway}}"
        command = ["docker", "network", "inspect", f"{PROJECT}_front", "--format", form]
        here = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        for receiver in configuration["receivers"]:
            receiver["webhook_configs"] = [{"url": f"http://{here}:{port}/"}] if receiver["name"] != "nobody" else []
        self.receivers.write_text(yaml.safe_dump(configuration))
        urllib.request.urlopen(f"{self.alertmanager}/-/reload", b"", timeout=10).close()


class Pager(ThreadingHTTPServer):
    """Keeps the notifications that it gets."""

    def __init__(self) -> None:
        super().__init__(("0.0.0.0", 0), Notified)  # noqa: S104 - a container reaches it.
        self.notifications: list[dict[str, Any]] = []


class Notified(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.server.notifications.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True).returncode:
        pytest.skip("needs Docker, and there is none that answers")
    receivers = tmp_path_factory.mktemp("alertmanager") / "alertmanager.yml"
    receivers.write_text((ROOT / "deploy/alertmanager/alertmanager.yml").read_text())
    for readable in (receivers, receivers.parent, receivers.parent.parent):
        readable.chmod(0o755)
    started = Stack(receivers)
    try:
        started.compose("up", "--build", "--wait", "api")
        assert set(started.services()) == SMALL
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
    series = ask(stack.prometheus, "query", query=query)
    return float(series[0]["value"][1]) if series else 0.0


def test_all_services_are_healthy_or_have_done_their_work(stack):
    states = {name: (each["State"], each["Health"], each["ExitCode"]) for name, each in stack.services().items()}
    assert states.pop("migrate") == ("exited", "", 0)
    assert set(states) | {"migrate"} == SMALL | BESIDE
    assert set(states.values()) == {("running", "healthy", 0)}


def test_only_what_people_look_at_is_published_and_only_to_this_machine(stack):
    published = {name: each["Publishers"] or [] for name, each in stack.services().items()}
    open_to = {(name, port["URL"]) for name, ports in published.items() for port in ports if port["PublishedPort"]}
    assert open_to == {(name, "127.0.0.1") for name in ("api", "grafana", "prometheus", "alertmanager")}


def test_prometheus_watches_all_that_there_is_to_watch_and_tells_alertmanager(stack):
    eventually(PROMETHEUS_SECONDS_MAX, lambda: value(stack, "count(up == 1)") == 6)
    disk = 'node_filesystem_avail_bytes{mountpoint="/volumes/postgres"} / node_filesystem_size_bytes'
    assert 0 < value(stack, disk) < 1
    assert value(stack, "count(node_filesystem_avail_bytes)") == 1
    assert value(stack, "prometheus_notifications_alertmanagers_discovered") == 1


def test_postgresql_logs_what_was_slow_without_what_people_typed_and_counts_statements(stack):
    def ask_database(statement: str) -> str:
        return stack.compose("exec", "-T", "postgres", "psql", "-U", "postgres", "-Atqc", statement, "postgres").strip()

    settings = "select name || '=' || setting from pg_settings where name = any(string_to_array('{}', ',')) order by 1"
    names = "log_lock_waits,log_min_duration_statement,log_parameter_max_length,shared_preload_libraries"
    assert ask_database(settings.format(names)).splitlines() == [
        "log_lock_waits=on",
        "log_min_duration_statement=250",
        "log_parameter_max_length=0",
        "shared_preload_libraries=pg_stat_statements",
    ]
    of_the_service = "from pg_stat_statements join pg_database on oid = dbid where datname = 'expenses'"
    assert int(ask_database(f"select count(*) {of_the_service}")) > 0
    eventually(
        PROMETHEUS_SECONDS_MAX, lambda: value(stack, 'sum(pg_stat_statements_calls_total{datname="expenses"})') > 0
    )
    assert value(stack, "min(pg_scrape_collector_success)") == 1


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
    command = [sys.executable, "deploy/grafana/queries.py", "--prometheus", stack.prometheus]

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


def test_while_its_database_is_dead_it_says_so_and_tells_once_and_recovers_on_its_own(stack, used):
    path, token = used
    started = stack.compose("ps", "--format", "{{.ID}}", "api")
    with Pager() as pager:
        threading.Thread(target=pager.serve_forever, daemon=True).start()
        stack.notify(pager.server_port)
        stack.compose("kill", "postgres")
        status, body, headers = stack.call("GET", f"{path}/expenses", token=token)
        assert (status, body["type"]) == (503, "/problems/unavailable")
        assert int(headers["Retry-After"]) > 0
        assert stack.call("GET", "/livez")[0] == 200
        assert stack.call("GET", "/readyz")[0] == 503

        def fails() -> bool:
            stack.call("GET", f"{path}/expenses", token=token)
            firing = value(stack, 'count(ALERTS{alertname="AvailabilityBurnsFast", alertstate="firing"})')
            return bool(pager.notifications) and firing > 0 and stack.told() == ["DatabaseDown"]

        eventually(ALERT_SECONDS_MAX, fails)
        told = [alert["labels"]["alertname"] for each in pager.notifications for alert in each["alerts"]]
        pager.shutdown()
    assert told == ["DatabaseDown"]
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
    # The API warns of the one that is none: it has to see it.
    assert (settings["EXPENSES_POOL_SIZE"], settings["EXPENSES_LOG_LEVL"]) == ("5", "x")
    assert (settings["EXPENSES_HOST"], settings["EXPENSES_PORT"]) == ("0.0.0.0", "8080")  # noqa: S104
