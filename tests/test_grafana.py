"""The dashboards: the rules of Grafana's dashboard-linter, each under its name, and that they show what there is."""

import json
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from deploy.grafana.queries import concrete, dashboards, panels, queries

root = Path(__file__).parents[1]
grafana = root / "deploy/grafana"
all_dashboards = pytest.mark.parametrize("dashboard", dashboards(), ids=lambda dashboard: dashboard["uid"])
# Of those that Grafana knows, the ones that we use.
units = {"none", "locale", "reqps", "ops", "s", "percentunit", "bytes"}
not_metrics = {"or", "and", "unless"}
# As scraped from postgres_exporter 0.17 with --collector.stat_checkpointer, --collector.postmaster and
# --collector.stat_statements.
exported = {
    "pg_database_size_bytes",
    "pg_locks_count",
    "pg_postmaster_start_time_seconds",
    "pg_settings_max_connections",
    "pg_settings_reserved_connections",
    "pg_settings_superuser_reserved_connections",
    "pg_stat_activity_count",
    "pg_stat_activity_max_tx_duration",
    "pg_stat_checkpointer_num_requested_total",
    "pg_stat_checkpointer_num_timed_total",
    "pg_stat_database_blks_hit",
    "pg_stat_database_blks_read",
    "pg_stat_database_deadlocks",
    "pg_stat_database_tup_deleted",
    "pg_stat_database_tup_fetched",
    "pg_stat_database_tup_inserted",
    "pg_stat_database_tup_returned",
    "pg_stat_database_tup_updated",
    "pg_stat_database_xact_commit",
    "pg_stat_database_xact_rollback",
    "pg_stat_statements_calls_total",
    "pg_stat_statements_seconds_total",
    "pg_up",
    "pg_wal_size_bytes",
}
# As the exporter, the default queries of CloudNativePG 1.28, and its Barman Cloud plugin name them.
of_cloudnativepg = {
    "barman_cloud_cloudnative_pg_io_first_recoverability_point",
    "barman_cloud_cloudnative_pg_io_last_available_backup_timestamp",
    "barman_cloud_cloudnative_pg_io_last_failed_backup_timestamp",
    "cnpg_collector_manual_switchover_required",
    "cnpg_collector_pg_wal",
    "cnpg_collector_pg_wal_archive_status",
    "cnpg_collector_up",
    "cnpg_pg_database_size_bytes",
    "cnpg_pg_postmaster_start_time",
    "cnpg_pg_replication_in_recovery",
    "cnpg_pg_replication_lag",
    "cnpg_pg_replication_streaming_replicas",
    "cnpg_pg_stat_archiver_archived_count",
    "cnpg_pg_stat_archiver_failed_count",
    "cnpg_pg_stat_archiver_seconds_since_last_archival",
    "cnpg_pg_stat_replication_flush_lag_seconds",
    "cnpg_pg_stat_replication_replay_lag_seconds",
    "cnpg_pg_stat_replication_write_lag_seconds",
}


def variables(dashboard, kind):
    return [variable for variable in dashboard["templating"]["list"] if variable["type"] == kind]


def targets(dashboard):
    return [(panel["title"], target) for panel in panels(dashboard) for target in panel["targets"]]


def metrics(query):
    """The names of metrics in a query, whether they have matchers or not."""
    query = re.sub(r'"[^"]*"', '""', query)
    query = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(by|on|ignoring) ?\([^)]*\)", " ", query)
    return [name for name in re.findall(r"[a-zA-Z_:][\w:]*(?![\w:]*\s*\()", query) if name not in not_metrics]


def without_matcher(dashboard, rule, matcher):
    """Titles of the panels of which a selector has not the matcher; those that .lint excludes are left out."""
    excluded = {entry["panel"] for entry in exclusions().get(rule, {"entries": []})["entries"]}
    return [
        title
        for title, target in targets(dashboard)
        if title not in excluded and not has_matcher(target["expr"], matcher)
    ]


def has_matcher(query, matcher):
    selectors = re.findall(r"[\w:]+\{([^}]*)\}", query)
    return len(selectors) == len(metrics(query)) and all(matcher in selector for selector in selectors)


def exclusions():
    return yaml.safe_load((grafana / "dashboards/.lint").read_text())["exclusions"]


def check_variable(dashboard, name):
    (variable,) = [each for each in variables(dashboard, "query") if each["name"] == name]
    assert variable["datasource"]["uid"] == "${datasource}"
    assert (variable["label"], variable["multi"], variable["allValue"]) == (name.title(), True, ".+")


@all_dashboards
def test_template_datasource_rule(dashboard):
    (variable,) = variables(dashboard, "datasource")
    assert (variable["name"], variable["label"], variable["query"]) == ("datasource", "Data source", "prometheus")


@all_dashboards
def test_template_job_rule(dashboard):
    check_variable(dashboard, "job")


@all_dashboards
def test_template_instance_rule(dashboard):
    check_variable(dashboard, "instance")


@all_dashboards
def test_template_label_promql_rule(dashboard, tmp_path):
    for variable in variables(dashboard, "query"):
        selector, label = re.fullmatch(r"label_values\((\{.+\}), (\w+)\)", variable["query"]).groups()
        assert label == variable["name"]
        check_promql(tmp_path, [selector])


@all_dashboards
def test_template_on_time_change_reload_rule(dashboard):
    assert {variable["refresh"] for variable in variables(dashboard, "query")} == {2}


@all_dashboards
def test_panel_datasource_rule(dashboard):
    assert {panel["datasource"]["uid"] for panel in panels(dashboard)} == {"${datasource}"}


@all_dashboards
def test_panel_title_description_rule(dashboard):
    for panel in panels(dashboard):
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]


@all_dashboards
def test_panel_units_rule(dashboard):
    for panel in panels(dashboard):
        assert panel["fieldConfig"]["defaults"]["unit"] in units, panel["title"]


@all_dashboards
def test_panel_no_targets_rule(dashboard):
    for panel in panels(dashboard):
        queries_of_panel = [target["expr"] for target in panel["targets"]]
        assert queries_of_panel, panel["title"]
        assert all(queries_of_panel), panel["title"]


# That no target is LogQL makes the linter's rules for those, target-logql-rule and target-logql-auto-rule, pointless.
@all_dashboards
def test_every_target_asks_the_data_source_of_its_panel(dashboard):
    for panel in panels(dashboard):
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@all_dashboards
def test_target_promql_rule(dashboard, tmp_path):
    check_promql(tmp_path, [query for _, query in queries(dashboard)])


@all_dashboards
def test_target_rate_interval_rule(dashboard):
    for title, target in targets(dashboard):
        ranges = re.findall(r"rate\([^()]*\[([^\]]*)\]", target["expr"])
        assert set(ranges) <= {"$__rate_interval"}, title
        assert len(ranges) == target["expr"].count("rate("), title


@all_dashboards
def test_target_job_rule(dashboard):
    assert not without_matcher(dashboard, "target-job-rule", 'job=~"$job"')


@all_dashboards
def test_target_instance_rule(dashboard):
    assert not without_matcher(dashboard, "target-instance-rule", 'instance=~"$instance"')


@all_dashboards
def test_target_counter_agg_rule(dashboard):
    for title, target in targets(dashboard):
        counters = re.findall(r"\w+_total\b", target["expr"])
        counted = re.findall(r"(?:rate|increase)\((\w+_total)\b", target["expr"])
        assert counters == counted, title


@all_dashboards
def test_uneditable_dashboard(dashboard):
    assert dashboard["editable"] is False


def of_a_panel(change):
    return lambda dashboard: change(next(panels(dashboard)))


def of_a_target(change):
    return of_a_panel(lambda panel: change(panel["targets"][0]))


def of_a_variable(name, change):
    return lambda dashboard: change(next(each for each in dashboard["templating"]["list"] if each["name"] == name))


BROKEN = {
    test_template_datasource_rule: of_a_variable("datasource", lambda variable: variable.update(query="loki")),
    test_template_job_rule: of_a_variable("job", lambda variable: variable.update(multi=False)),
    test_template_instance_rule: of_a_variable("instance", lambda variable: variable.update(allValue=None)),
    test_template_on_time_change_reload_rule: of_a_variable("job", lambda variable: variable.update(refresh=1)),
    test_panel_datasource_rule: of_a_panel(lambda panel: panel.update(datasource={"uid": "prometheus"})),
    test_panel_title_description_rule: of_a_panel(lambda panel: panel.update(description="")),
    test_panel_units_rule: of_a_panel(lambda panel: panel["fieldConfig"]["defaults"].update(unit="bananas")),
    test_panel_no_targets_rule: of_a_panel(lambda panel: panel["targets"].append({"expr": ""})),
    test_every_target_asks_the_data_source_of_its_panel: of_a_target(
        lambda target: target.update(datasource={"type": "loki", "uid": "${datasource}"})
    ),
    test_target_rate_interval_rule: of_a_target(lambda target: target.update(expr='rate(up{job=~"$job"}[5m])')),
    test_target_job_rule: of_a_target(lambda target: target.update(expr="up")),
    test_target_instance_rule: of_a_target(lambda target: target.update(expr='up{job=~"$job"}')),
    test_target_counter_agg_rule: of_a_target(lambda target: target.update(expr="sum(http_requests_total)")),
    test_uneditable_dashboard: lambda dashboard: dashboard.update(editable=True),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_rule_notices_what_breaks_it(rule):
    dashboard = next(each for each in dashboards() if each["uid"].endswith("service"))
    rule(dashboard)
    BROKEN[rule](dashboard)
    with pytest.raises((AssertionError, ValueError)):
        rule(dashboard)


def test_a_panel_is_excluded_from_a_rule_only_where_recorded_rules_or_alerts_leave_it_no_choice():
    found = {
        panel["title"]: [target["expr"] for target in panel["targets"]]
        for each in dashboards()
        for panel in panels(each)
    }
    matchers = {"target-instance-rule": 'instance=~"$instance"', "target-job-rule": 'job=~"$job"'}
    for rule, exclusion in exclusions().items():
        assert exclusion["entries"], rule
        for title in [entry["panel"] for entry in exclusion["entries"]]:
            names = [name for query in found[title] for name in metrics(query)]
            assert names, title
            assert all(":" in name or name == "ALERTS" for name in names), title
            assert not any(matchers[rule] in query for query in found[title]), f"{title} needs no exclusion"


@all_dashboards
def test_every_metric_in_a_query_is_documented_recorded_or_exported(dashboard):
    contract = set(re.findall(r"^\| `(\w+)` \|", (root / "docs/metrics.md").read_text(), re.MULTILINE))
    recorded = set(re.findall(r"record: (\S+)", (root / "deploy/prometheus/rules/recording.yml").read_text()))
    known = contract | recorded | exported | of_cloudnativepg | {"up", "ALERTS"}
    used = {name for _, target in targets(dashboard) for name in metrics(target["expr"])}
    assert used
    assert contract
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in used - known} <= contract


def test_the_ledgers_numbers_are_never_added_up():
    # All replicas show the same ones.
    found = [(title, target["expr"]) for each in dashboards() for title, target in targets(each)]
    asked = [(title, before) for title, query in found for before in re.findall(r"(.{,30})ledger_", query)]
    assert len(asked) == sum(query.count("ledger_") for _, query in found) > 0
    for title, before in asked:
        assert re.search(r"max (by \(currency\) )?\($|max\($", before), title


@all_dashboards
def test_no_two_panels_overlap_and_none_leaves_the_page(dashboard):
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        assert (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )


def test_no_two_dashboards_have_the_same_uid_and_no_two_panels_of_one_the_same_title():
    assert len({dashboard["uid"] for dashboard in dashboards()}) == len(dashboards()) == 5
    for dashboard in dashboards():
        titles = [panel["title"] for panel in panels(dashboard)]
        assert len(set(titles)) == len(titles)


@all_dashboards
def test_dashboards_link_to_each_other(dashboard):
    (link,) = dashboard["links"]
    # Without a tag it would lead to all dashboards of the Grafana.
    assert link["tags"]
    assert all(set(link["tags"]) <= set(each["tags"]) for each in dashboards())
    assert (link["includeVars"], link["keepTime"]) == (True, True)


def test_the_variables_that_a_link_keeps_are_the_same_on_every_dashboard():
    one, *others = [dashboard["templating"] for dashboard in dashboards()]
    assert all(other == one for other in others)
    (job,) = [each for each in one["list"] if each["name"] == "job"]
    prometheus = yaml.safe_load((root / "deploy/prometheus/prometheus.yml").read_text())
    assert {"expenses", "expenses-worker", "postgres"} == set(job["current"]["value"]) & {
        each["job_name"] for each in prometheus["scrape_configs"]
    }


# What other jobs have as well: of ours that would be counted or drawn with the service's processes.
@all_dashboards
def test_what_every_process_has_is_shown_of_the_service_alone(dashboard):
    for title, target in targets(dashboard):
        shared = [name for name in metrics(target["expr"]) if name == "up" or name.startswith("process_")]
        of_the_service = target["expr"].count("and on (job, instance) build_info{")
        assert bool(shared) == bool(of_the_service), title


@all_dashboards
def test_an_instance_is_named_by_its_pod_where_it_has_one(dashboard):
    for title, target in targets(dashboard):
        is_named = "{{instance}}" in target["legendFormat"]
        assert is_named == ('"instance", "$1", "pod", "(.+)")' in target["expr"]), title


@all_dashboards
def test_deploys_and_starts_are_marked(dashboard, tmp_path):
    marks = dashboard["annotations"]["list"]
    assert [mark["name"] for mark in marks] == ["Deploys", "Starts of the service", "Starts of PostgreSQL"]
    assert all(mark["enable"] and mark["datasource"]["uid"] == "${datasource}" for mark in marks)
    assert all("{{" in mark["titleFormat"] for mark in marks)
    check_promql(tmp_path, [concrete(mark["expr"], dashboard) for mark in marks])


def test_the_panels_of_what_alerts_are_about_lead_to_their_runbooks():
    alerts = yaml.safe_load((root / "deploy/prometheus/rules/alerts.yml").read_text())["groups"]
    sections = {rule["alert"]: rule["annotations"]["runbook_url"] for group in alerts for rule in group["rules"]}
    links = [link for dashboard in dashboards() for panel in panels(dashboard) for link in panel.get("links", [])]
    assert {link["url"] for link in links} <= set(sections.values())
    assert all(
        link["title"] == f"Runbook: {name}" for link in links for name, url in sections.items() if url == link["url"]
    )
    # What the dashboards show nothing of has its section alone.
    assert set(sections) - {link["title"].removeprefix("Runbook: ") for link in links} == {
        "AlertsUndelivered",
        "DatabaseWasDown",
        "DiskUnwatched",
        "PostgresReplicationLag",
        "PostgresTransactionIdWraparound",
    }


def test_each_line_of_an_alert_that_fires_leads_to_its_runbook():
    (panel,) = [each for board in dashboards() for each in panels(board) if each["title"] == "Alerts firing, by name"]
    overrides = {
        each["matcher"]["options"]: each["properties"][0]["value"] for each in panel["fieldConfig"]["overrides"]
    }
    alerts = yaml.safe_load((root / "deploy/prometheus/rules/alerts.yml").read_text())["groups"]
    for rule in [rule for group in alerts for rule in group["rules"]]:
        (found,) = [
            links for pattern, links in overrides.items() if re.search(pattern.strip("/"), f"{rule['alert']} page")
        ]
        assert [link["url"] for link in found] == [rule["annotations"]["runbook_url"]]


# What is not made from counts of requests: those of none are not 0 but nothing.
def test_what_counts_money_or_failures_has_data_before_there_is_any():
    found = {title: target["expr"] for each in dashboards() for title, target in targets(each)}
    for title in ("Expenses by currency", "Errors by route and status", "Slow answers by route", "Waiting for locks"):
        assert "or on() label_replace(vector(0)," in found[title]


def test_the_dashboards_are_what_the_tables_say():
    check = subprocess.run([sys.executable, grafana / "build.py", "--check"], capture_output=True, text=True)
    assert (check.returncode, check.stderr) == (0, "")


def test_a_dashboard_that_was_changed_by_hand_is_not_current(tmp_path):
    for part in ("grafana", "prometheus"):
        shutil.copytree(root / "deploy" / part, tmp_path / part)
    (tmp_path / "grafana/dashboards/slo.json").write_text("{}")
    check = subprocess.run([sys.executable, tmp_path / "grafana/build.py", "--check"], capture_output=True, text=True)
    assert (check.returncode, "slo.json not current" in check.stderr) == (1, True)


def test_grafana_finds_its_data_source_and_its_dashboards():
    (source,) = yaml.safe_load((grafana / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    assert (source["uid"], source["type"], source["url"]) == ("prometheus", "prometheus", "http://prometheus:9090")
    for dashboard in dashboards():
        (variable,) = variables(dashboard, "datasource")
        assert variable["current"]["value"] == source["uid"]
    (provider,) = yaml.safe_load((grafana / "provisioning/dashboards/dashboards.yml").read_text())["providers"]
    assert (provider["allowUiUpdates"], provider["options"]["path"]) == (False, "/var/lib/grafana/dashboards")


def test_grafana_knows_how_often_prometheus_scrapes():
    (source,) = yaml.safe_load((grafana / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    prometheus = yaml.safe_load((root / "deploy/prometheus/prometheus.yml").read_text())
    assert source["jsonData"]["timeInterval"] == prometheus["global"]["scrape_interval"]


@all_dashboards
def test_queries_have_no_variables_left(dashboard):
    # $1 is PromQL's: what label_replace has found.
    assert not [query for _, query in queries(dashboard) if "$" in query.replace('"$1"', "")]


def test_queries_names_each_panel_that_has_no_data_and_fails(prometheus):
    prometheus.series = []
    run = tool("queries.py", "--prometheus", prometheus.address)
    assert (run.returncode, "    0  Service / Replicas" in run.stdout) == (1, True)
    assert run.stderr == f"{sum(len(queries(each)) for each in dashboards('dashboards'))} queries have no data\n"


def test_queries_asks_for_cloudnativepg_only_when_told(prometheus):
    prometheus.series = []
    assert "CloudNativePG" not in tool("queries.py", "--prometheus", prometheus.address).stdout
    assert (
        "    0  CloudNativePG / Instances up"
        in tool("queries.py", "--kubernetes", "--prometheus", prometheus.address).stdout
    )


def test_queries_passes_where_every_panel_has_data(prometheus):
    run = tool("queries.py", "--prometheus", prometheus.address)
    assert (run.returncode, run.stderr, "    1  Service / Replicas" in run.stdout) == (0, "", True)


def check_promql(folder, expressions):
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    rules = [{"record": f"query_{number}", "expr": expression} for number, expression in enumerate(expressions)]
    file = folder / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    check = subprocess.run(["promtool", "check", "rules", file], capture_output=True, text=True)
    assert check.returncode == 0, check.stderr


def tool(name, *arguments):
    return subprocess.run([sys.executable, grafana / name, *arguments], capture_output=True, text=True)


class Prometheus(ThreadingHTTPServer):
    """Answers every query alike."""

    series = [{"metric": {"currency": "EUR"}, "value": [1000, "1"]}]  # noqa: RUF012

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"data": {"result": self.server.series}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_): ...


@pytest.fixture
def prometheus():
    with Prometheus(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever).start()
        yield server
        server.shutdown()
