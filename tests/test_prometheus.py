"""Prometheus' configuration, its rules with their own tests, and the runbooks that its alerts lead to."""

import os
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest
import yaml

from service.auth import passwords

ROOT = Path(__file__).parent.parent
PROMETHEUS = ROOT / "deploy" / "prometheus"
RUNBOOKS = (ROOT / "docs" / "runbooks.md").read_text()
SECTIONS = re.findall(r"^## (\w+)$", RUNBOOKS, re.MULTILINE)
RULE_TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))

# Metrics that are not the service's: of the exporters, of Kubernetes, and of Prometheus itself.
FOREIGN = ("pg_", "up", "kubelet_volume_stats_", "node_filesystem_", "alertmanager_", "container_cpu_cfs_", "ALERTS")
FOREIGN += ("cnpg_", "barman_")
KEYWORDS = {"and", "or", "unless", "bool", "on", "by"}


def rules(name):
    groups = yaml.safe_load((PROMETHEUS / "rules" / name).read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


RECORDED = rules("recording.yml")
ALERT_FILES = ("alerts.yml", "cloudnativepg.yml")
ALERTS = [rule for file in ALERT_FILES for rule in rules(file)]


def title(alert):
    return " ".join([alert["alert"], alert["labels"].get("window", "")]).strip()


def each(alerts):
    return pytest.mark.parametrize("alert", alerts, ids=title)


def metrics(expression):
    """Return the names of the metrics in a PromQL expression."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(by|on)\s*\([^)]*\)', " ", expression)
    return set(re.findall(r"\b[a-zA-Z_][\w:]*\b(?!\s*\()", bare)) - KEYWORDS


def documented():
    """Return the names of docs/metrics.md, with those of the series that a histogram comes as."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE)
    histograms = [name for name, kind in rows if kind == "histogram"]
    return {name for name, _ in rows} | {f"{name}_{part}" for name in histograms for part in ("bucket", "count", "sum")}


@pytest.fixture(scope="session")
def promtool():
    """The command that runs promtool: from the path, or from the image of the compose file."""
    if shutil.which("promtool"):
        return ["promtool"]
    image = re.search(r"image: (prom/prometheus\S+)", (ROOT / "docker-compose.yml").read_text())[1]
    temporary = tempfile.gettempdir()
    options = ["--rm", f"--user={os.getuid()}", f"--volume={temporary}:{temporary}", "--entrypoint=promtool"]
    command = ["docker", "run", *options, image]
    if shutil.which("docker") and subprocess.run([*command, "--version"], capture_output=True).returncode == 0:
        return command
    pytest.skip(f"promtool is neither installed, nor can Docker run the image {image}")


@pytest.fixture
def folder(tmp_path):
    """A copy of deploy/prometheus whose configuration finds its rules there."""
    shutil.copytree(PROMETHEUS, tmp_path, dirs_exist_ok=True)
    configuration = tmp_path / "prometheus.yml"
    configuration.write_text(configuration.read_text().replace("/etc/prometheus/", f"{tmp_path}/"))
    return tmp_path


def passes(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_prometheus_takes_the_configuration_and_finds_all_rules(promtool, folder):
    said = passes([*promtool, "check", "config", folder / "prometheus.yml"])
    assert f"{len(RECORDED)} rules found" in said
    for file in ALERT_FILES:
        assert f"{len(rules(file))} rules found" in said


@pytest.mark.parametrize("file", RULE_TESTS, ids=lambda file: file.stem)
def test_the_rules_compute_and_alert_as_their_tests_say(promtool, folder, file):
    passes([*promtool, "test", "rules", folder / "tests" / file.name])


@cache
def rule_tests():
    return [test for file in RULE_TESTS for test in yaml.safe_load(file.read_text())["tests"]]


def checks(alert):
    """Return, for each time at which an alert is looked at in the rules' tests, the windows with which it fires."""
    all_checks = [check for test in rule_tests() for check in test.get("alert_rule_test", [])]
    return [
        {fired["exp_labels"].get("window") for fired in check["exp_alerts"]}
        for check in all_checks
        if check["alertname"] == alert["alert"]
    ]


@each(ALERTS)
def test_an_alert_has_a_test_in_which_it_fires_and_one_in_which_it_stays_silent(alert):
    window = alert["labels"].get("window")
    assert {window in windows for windows in checks(alert)} == {True, False}


@pytest.mark.parametrize("rule", RECORDED, ids=lambda rule: rule["record"])
def test_a_recorded_ratio_or_rate_has_a_test_of_its_value(rule):
    assert any(rule["record"] in check["expr"] for test in rule_tests() for check in test.get("promql_expr_test", []))


@each(ALERTS)
def test_an_alert_says_how_urgent_it_is_what_it_is_and_what_to_do(alert):
    assert alert["labels"]["severity"] in {"page", "ticket", "none"}
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    assert alert["alert"] in SECTIONS
    assert alert["annotations"]["runbook_url"].endswith(f"/docs/runbooks.md#{alert['alert'].lower()}")


# Whose value is a time, or whose metric is scraped as often as somebody else likes, as all of CloudNativePG's are.
AT_ANY_AGE = {"LedgerAuditStale", "DiskAlmostFull", "DiskFillingUp"}
AT_ANY_AGE |= set(re.findall(r"alert: (\w+)", (PROMETHEUS / "rules" / "cloudnativepg.yml").read_text()))


@each([alert for alert in ALERTS if alert["alert"] not in AT_ANY_AGE])
def test_an_alert_leaves_out_what_has_vanished_and_nothing_that_is_scraped(alert):
    scrape = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["global"]["scrape_interval"]
    without_ranges = re.sub(r"[\w:]+(\{[^}]*\})?\[\w+\]", " ", alert["expr"])
    present = {name for name in metrics(without_ranges) if ":" not in name}
    ages = {int(seconds) for seconds in re.findall(r"and timestamp\(\w+\) > time\(\) - (\d+)", alert["expr"])}
    assert bool(ages) == bool(present)
    assert all(seconds >= 2 * int(scrape.removesuffix("s")) for seconds in ages)


def test_all_runbooks_are_at_one_address_so_that_one_line_replaces_it():
    addresses = {alert["annotations"]["runbook_url"].partition("#")[0] for alert in ALERTS}
    assert len(addresses) == 1
    replaced, files = re.search(
        r"sed -i 's#(\S+?)#.*' (\S+)", (PROMETHEUS / "rules" / "alerts.yml").read_text()
    ).groups()
    assert addresses.pop().startswith(replaced)
    assert {PROMETHEUS / "rules" / file for file in ALERT_FILES} <= set(ROOT.glob(files))


def test_every_section_of_the_runbooks_is_of_an_alert_and_says_what_it_has_to(subtests):
    assert sorted(SECTIONS) == sorted({alert["alert"] for alert in ALERTS})
    for section in re.split(r"^## ", RUNBOOKS, flags=re.MULTILINE)[1:]:
        for part in ("**For users:**", "**Look", "auses", "**Do", "**Over:**"):
            with subtests.test(f"{section.split()[0]} {part}"):
                assert part in section, f"{section.split()[0]} lacks {part}"


def test_every_link_inside_the_runbooks_leads_to_a_section():
    links = set(re.findall(r"\]\(#([\w-]+)\)", RUNBOOKS))
    assert links
    assert links <= {section.lower() for section in SECTIONS}


def test_the_rules_and_the_runbooks_ask_for_metrics_that_exist():
    asked = [rule["expr"] for rule in RECORDED + ALERTS]
    asked += re.findall(r"query '([^']+)'", RUNBOOKS) + re.findall(r"query (\w+)`", RUNBOOKS)
    known = documented() | {rule["record"] for rule in RECORDED}
    unknown = {name for expression in asked for name in metrics(expression) if not name.startswith(FOREIGN)} - known
    assert unknown == set()


async def test_the_latency_objective_is_the_bound_of_a_bucket(served):
    await served.call("GET", "/v1/me")
    async with served.http.get(f"{served.url}/metrics") as response:
        series = await response.text()
    assert re.search(r'http_request_duration_seconds_bucket\{[^}]*le="0\.25"', series)
    assert 'status_class="4xx"' in series


def test_the_alert_on_waiting_passwords_comes_before_log_ins_are_refused():
    alert = next(alert for alert in ALERTS if alert["alert"] == "PasswordHashQueue")
    assert f"> {passwords.hash_queue_max // 2} and" in alert["expr"]
    assert f"at {passwords.hash_queue_max} log-ins" in alert["annotations"]["description"]
