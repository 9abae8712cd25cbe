"""Who is told of an alert: Alertmanager's own view of what fires, with the configuration that the stack runs."""

import json
import re
import shutil
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from service.config import Config
from service.ops import monitor
from tests.process import free_port

ROOT = Path(__file__).parents[1]
FILE = ROOT / "deploy/alertmanager/alertmanager.yml"
CONFIGURATION = yaml.safe_load(FILE.read_text())
PROMETHEUS = ROOT / "deploy/prometheus"
IMAGE = re.search(r"image: (prom/alertmanager\S+)", (ROOT / "docker-compose.yml").read_text())[1]
GROUPS = yaml.safe_load((PROMETHEUS / "rules/alerts.yml").read_text())["groups"]
ALERTS = [{"alertname": rule["alert"], **rule["labels"]} for group in GROUPS for rule in group["rules"]]
NAMES = {alert["alertname"] for alert in ALERTS}
(OUTAGE,) = yaml.safe_load((PROMETHEUS / "tests/outage.yml").read_text())["tests"]
SECONDS_MAX = 20


def firing(check):
    """Return the labels of what fires at one of the times of the rules' test of an outage."""
    found = [dict(re.findall(r'(\w+)="([^"]*)"', sample["labels"])) for sample in check["exp_samples"]]
    return [{name: value for name, value in labels.items() if name != "alertstate"} for labels in found]


OUTAGE_CHECKS = {check["eval_time"]: firing(check) for check in OUTAGE["promql_expr_test"]}


def image_is_there():
    return (
        bool(shutil.which("docker"))
        and not subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True).returncode
    )


@pytest.fixture
def amtool():
    """Run amtool: from the path, or from the image of the compose file."""
    if shutil.which("amtool"):
        command = ["amtool"]
    elif image_is_there():
        command = ["docker", "run", "--rm", "--interactive", "--entrypoint=amtool", IMAGE]
    else:
        pytest.skip(f"amtool is not installed, and there is no image {IMAGE}")

    def run(*arguments, configuration=FILE):
        done = subprocess.run([*command, *arguments], input=configuration.read_text(), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


class Alertmanager:
    """A running Alertmanager that has the stack's configuration, and has seen nothing yet."""

    def __init__(self, port):
        self.address = f"http://127.0.0.1:{port}/api/v2"

    def ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    def tell(self, alerts):
        self.ask("/alerts", [{"labels": labels} for labels in alerts])

    def known(self):
        """Return all alerts: labels, receiver, and whether another one inhibits it."""
        return [
            (each["labels"], each["receivers"][0]["name"], bool(each["status"]["inhibitedBy"]))
            for each in self.ask("/alerts")
        ]

    def told(self):
        """Return the names of the alerts that somebody is told of."""
        return {
            labels["alertname"]
            for labels, receiver, is_inhibited in self.known()
            if receiver != "nobody" and not is_inhibited
        }

    def answers(self):
        try:
            return bool(self.ask("/status"))
        except OSError:
            return False


@contextmanager
def serving(tmp_path):
    port = free_port()
    options = ["--cluster.listen-address=", f"--storage.path={tmp_path}"]
    binary = shutil.which("alertmanager") or shutil.which("prometheus-alertmanager")
    if binary:
        options += [f"--config.file={FILE}", f"--web.listen-address=127.0.0.1:{port}"]
        command = [binary, *options]
    elif image_is_there():
        mount = f"--volume={FILE}:/etc/alertmanager/alertmanager.yml:ro"
        options = ["--cluster.listen-address=", "--config.file=/etc/alertmanager/alertmanager.yml"]
        command = ["docker", "run", "--rm", f"--publish=127.0.0.1:{port}:9093", mount, IMAGE, *options]
    else:
        pytest.skip(f"Alertmanager is not installed, and there is no image {IMAGE}")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            started = Alertmanager(port)
            eventually(started.answers)
            yield started
        finally:
            process.terminate()


@pytest.fixture
def alertmanager(tmp_path):
    with serving(tmp_path) as started:
        yield started


def eventually(look):
    """Wait until `look` says yes: Alertmanager takes what it is told in the background."""
    deadline = time.monotonic() + SECONDS_MAX
    while not look():
        assert time.monotonic() < deadline, f"not within {SECONDS_MAX} s"
        time.sleep(0.1)


def test_alertmanager_takes_the_configuration(amtool):
    said = amtool("check-config", "/dev/stdin")
    assert "SUCCESS" in said
    assert f"{len(CONFIGURATION['inhibit_rules'])} inhibit rules" in said


def test_alertmanager_takes_the_receivers_that_the_runbooks_show(amtool, tmp_path):
    (shown,) = re.findall(r"^    receivers:\n(?:    .*\n|\n)+", (ROOT / "docs/runbooks.md").read_text(), re.MULTILINE)
    receivers = yaml.safe_load(shown)["receivers"]
    assert {each["name"] for each in receivers} == {each["name"] for each in CONFIGURATION["receivers"]}
    assert all(len(each) > 1 for each in receivers if each["name"] != "nobody")
    changed = tmp_path / "alertmanager.yml"
    changed.write_text(yaml.safe_dump(CONFIGURATION | {"receivers": receivers}))
    assert "SUCCESS" in amtool("check-config", "/dev/stdin", configuration=changed)


def test_who_is_told_goes_by_the_alert_s_severity(alertmanager):
    alertmanager.tell(ALERTS)
    receivers = {"page": "page", "ticket": "ticket", "none": "nobody"}
    told = {(labels["alertname"], labels.get("window")): receiver for labels, receiver, _ in alertmanager.known()}
    assert told == {(alert["alertname"], alert.get("window")): receivers[alert["severity"]] for alert in ALERTS}


def test_the_outage_that_is_tried_has_all_of_its_followers():
    assert {"AvailabilityBurnsFast", "ReplicaDown", "PoolSaturated", "PostgresExporterDown", "LedgerAuditStale"} < {
        alert["alertname"] for alerts in OUTAGE_CHECKS.values() for alert in alerts
    }


@pytest.mark.parametrize("at", OUTAGE_CHECKS)
def test_of_all_that_a_dead_database_sets_off_it_alone_is_told(alertmanager, at):
    alerts = OUTAGE_CHECKS[at]
    alertmanager.tell(alerts)
    expected = {alert["alertname"] for alert in alerts} & {"DatabaseDown"}
    eventually(lambda: alertmanager.told() == expected)
    assert len(alertmanager.known()) == len(alerts)


def test_what_has_another_cause_is_told_all_the_same(alertmanager):
    others = {"LedgerUnbalanced", "DiskAlmostFull", "LoginFailuresHigh", "MigrationsPending", "PasswordHashQueue"}
    alertmanager.tell([*OUTAGE_CHECKS["25m"], *(alert for alert in ALERTS if alert["alertname"] in others)])
    eventually(lambda: alertmanager.told() == {"DatabaseDown", *others})


def test_requests_that_fail_after_an_outage_is_over_are_told(alertmanager):
    outage_of_an_hour_ago = [
        {"alertname": "DatabaseWasDown", "severity": "none", "window": each} for each in ("1d", "3d")
    ]
    fails_again = {"alertname": "AvailabilityBurnsFast", "severity": "page", "window": "1h", "job": "expenses"}
    follows = fails_again | {"alertname": "AvailabilityBurnsSlowly", "severity": "ticket", "window": "1d"}
    alertmanager.tell([*outage_of_an_hour_ago, fails_again, follows])
    eventually(lambda: alertmanager.told() == {"AvailabilityBurnsFast"})


@pytest.mark.parametrize(
    ("cause", "follower"),
    [
        ({"alertname": "ServiceDown"}, {"alertname": "ReplicaDown", "instance": "a:8080"}),
        ({"alertname": "DatabaseDown"}, {"alertname": "WorkerBehind"}),
        ({"alertname": "WorkerDown"}, {"alertname": "WorkerBehind"}),
        ({"alertname": "LedgerUnbalanced"}, {"alertname": "LedgerTotalsWrong"}),
        (
            {"alertname": "DiskAlmostFull", "instance": "a", "mountpoint": "/one"},
            {"alertname": "DiskFillingUp", "instance": "a", "mountpoint": "/one"},
        ),
    ],
    ids=lambda labels: labels["alertname"],
)
def test_other_causes_inhibit_what_follows_from_them(alertmanager, cause, follower):
    alertmanager.tell([follower | {"severity": "page"}, cause | {"severity": "page"}])
    eventually(lambda: alertmanager.told() == {cause["alertname"]})


def test_a_disk_does_not_inhibit_another(alertmanager):
    disk = {"severity": "page", "instance": "a"}
    full, fills = disk | {"mountpoint": "/one"}, disk | {"mountpoint": "/two"}
    alertmanager.tell([full | {"alertname": "DiskAlmostFull"}, fills | {"alertname": "DiskFillingUp"}])
    eventually(lambda: alertmanager.told() == {"DiskAlmostFull", "DiskFillingUp"})


def test_every_name_in_the_configuration_is_that_of_an_alert(subtests):
    routes = [matcher for route in CONFIGURATION["route"]["routes"] for matcher in route["matchers"]]
    rules = [
        matcher
        for rule in CONFIGURATION["inhibit_rules"]
        for side in ("source", "target")
        for matcher in rule[f"{side}_matchers"]
    ]
    names = [re.fullmatch(r'alertname=~?"(.+)"', matcher) for matcher in routes + rules]
    for pattern in {found[1] for found in names if found}:
        # `A|B` has two names in it, `(A|B)C` has one.
        for name in [pattern] if "(" in pattern else pattern.split("|"):
            with subtests.test(name):
                assert any(re.fullmatch(name, alert) for alert in NAMES)


def seconds(text):
    amount, unit = re.fullmatch(r"(\d+)(s|m|h|d)", text).groups()
    return int(amount) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit]


def test_what_follows_from_a_dead_database_is_told_no_sooner_than_it_can_be_inhibited():
    every = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["global"]
    (rule,) = [rule for group in GROUPS for rule in group["rules"] if rule["alert"] == "DatabaseDown"]
    defaults = Config(database_url="", jwt_secret="")
    answer_seconds = defaults.pool_wait_seconds + defaults.statement_seconds
    waits = [every["scrape_interval"], every["evaluation_interval"], rule["for"]]
    latest_seconds = monitor.look_every_seconds + answer_seconds + sum(map(seconds, waits))
    route = CONFIGURATION["route"]
    _, symptoms, _ = route["routes"]
    assert f"up to {latest_seconds:.0f} s after" in FILE.read_text()
    assert latest_seconds < seconds(symptoms["group_wait"]) < seconds(route["group_wait"])
