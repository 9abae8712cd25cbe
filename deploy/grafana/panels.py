"""Panels, rows and dashboards as Grafana's JSON.

A query is PromQL, in which `$selected` stands for the matchers of the variables at the top of the dashboard. Units are
Grafana's: `reqps`, `s`, `percentunit` (0.5 is 50 %), `bytes`, `none`.

All dashboards have the same variables, which mean the same on each, so the links between them keep what was chosen.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

type_of_datasource = "prometheus"
datasource = {"type": type_of_datasource, "uid": "${datasource}"}
selected = 'job=~"$job", instance=~"$instance"'
# What Prometheus scrapes as jobs of ours: the service, its worker, postgres_exporter, and CloudNativePG's instances.
jobs = ["expenses", "expenses-worker", "postgres", "expenses/expenses-database"]
job_metrics = "database_up|worker_lag_seconds|pg_up|cnpg_collector_up"
columns = 24
stat_height, chart_height = 4, 8

rules = sorted((Path(__file__).parents[1] / "prometheus/rules").glob("*.yml"))
# The address of each alert's section in the runbooks.
runbooks: dict[str, str] = {
    rule["alert"]: rule["annotations"]["runbook_url"]
    for file in rules
    for group in yaml.safe_load(file.read_text("utf-8"))["groups"]
    for rule in group["rules"]
    if "alert" in rule
}

Panel = dict[str, Any]
# A colour from a value on: [("green", None), ("red", 1)] is red from 1 on.
Thresholds = list[tuple[str, float | None]]
neutral: Thresholds = [("blue", None)]


class Row(NamedTuple):
    """Panels side by side under a heading; `widths` are in columns, of which there are 24, and equal if not given."""

    title: str
    panels: list[Panel]
    widths: list[int] | None = None


def or_zero(query: str, label: str) -> str:
    """Return a query that is 0, with the label `none`, if nothing was counted yet."""
    return f'{query} or on() label_replace(vector(0), "{label}", "none", "", "")'


def by_pod(query: str) -> str:
    """Return a query whose label `instance` is the pod's name where there is one: on Kubernetes it is an address."""
    return f'label_replace({query}, "instance", "$1", "pod", "(.+)")'


def quantile(of: float, histogram: str, by: str = "", matchers: str = "") -> str:
    """Return the query of a histogram's quantile: over everything, or by labels ("route, method")."""
    labels = ", ".join(filter(None, ["le", by]))
    rate = f"rate({histogram}_bucket{{{', '.join(filter(None, ['$selected', matchers]))}}}[$__rate_interval])"
    return f"histogram_quantile({of}, sum by ({labels}) ({by_pod(rate) if 'instance' in by else rate}))"


def stat(
    title: str,
    description: str,
    unit: str,
    query: str,
    *,
    thresholds: Thresholds = neutral,
    words: dict[str, str] | None = None,
    decimals: int | None = None,
    alerts: Iterable[str] = (),
) -> Panel:
    """Return one big number; `words` are shown in place of values ({"1": "up"})."""
    panel = _panel("stat", title, description, unit, {title: query})
    panel["links"] = [_runbook(alert) for alert in alerts]
    if decimals is not None:
        panel["fieldConfig"]["defaults"]["decimals"] = decimals
    panel["fieldConfig"]["defaults"] |= {
        "color": {"mode": "thresholds"},
        "thresholds": {"mode": "absolute", "steps": [{"color": color, "value": value} for color, value in thresholds]},
        "mappings": _mappings(words or {}),
    }
    panel["options"] = {
        "colorMode": "value",
        "graphMode": "area",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    return panel


def chart(
    title: str,
    description: str,
    unit: str,
    queries: dict[str, str],
    *,
    limits: Iterable[str] = (),
    alerts: Iterable[str] = (),
) -> Panel:
    """Return lines over time: queries by legend; those whose legends are `limits` are dashed and not filled."""
    panel = _panel("timeseries", title, description, unit, queries)
    panel["links"] = [_runbook(alert) for alert in alerts]
    panel["fieldConfig"]["defaults"] |= {
        "color": {"mode": "palette-classic"},
        "custom": {"axisSoftMin": 0, "fillOpacity": 8, "showPoints": "never"},
    }
    panel["fieldConfig"]["overrides"] = [_dashed(limit) for limit in limits]
    panel["options"] = {
        "legend": {
            "displayMode": "table",
            "placement": "bottom",
            "calcs": ["lastNotNull", "max"],
            "sortBy": "Max",
            "sortDesc": True,
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return panel


def table(title: str, description: str, unit: str, queries: dict[str, str]) -> Panel:
    """Return the present values: a row for each combination of labels, a column for each query, named by its legend."""
    panel = _panel("table", title, description, unit, queries)
    for target in panel["targets"]:
        target |= {"format": "table", "instant": True, "range": False}
    names = {f"Value #{target['refId']}": target["legendFormat"] for target in panel["targets"]}
    names["Value"] = panel["targets"][0]["legendFormat"]
    panel["transformations"] = [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": {"Time": True}, "renameByName": names}},
    ]
    panel["options"] = {"sortBy": [{"displayName": list(queries)[-1], "desc": True}]}
    return panel


def linked_lines(panel: Panel) -> Panel:
    """Return a panel in which a line whose legend begins with an alert's name leads to its section in the runbooks."""
    panel["fieldConfig"]["overrides"] += [
        {
            "matcher": {"id": "byRegexp", "options": f"/^{alert}\\b/"},
            "properties": [{"id": "links", "value": [_runbook(alert)]}],
        }
        for alert in runbooks
    ]
    return panel


def dashboard(*, uid: str, title: str, description: str, period: str, rows: list[Row]) -> Panel:
    """Return a dashboard that shows the last `period`, and when something was started or deployed."""
    return {
        "annotations": {"list": _annotations()},
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["team-expense-tracker"],
        "editable": False,
        "graphTooltip": 1,
        "links": [_links()],
        "panels": _placed(rows),
        "refresh": "30s",
        "schemaVersion": 39,
        "templating": {"list": _variables()},
        "time": {"from": f"now-{period}", "to": "now"},
        "timezone": "browser",
        "version": 1,
    }


def _panel(kind: str, title: str, description: str, unit: str, queries: dict[str, str]) -> Panel:
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": datasource,
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": datasource,
                "expr": query.replace("$selected", selected),
                "legendFormat": legend,
            }
            for index, (legend, query) in enumerate(queries.items())
        ],
    }


def _mappings(words: dict[str, str]) -> list[dict[str, Any]]:
    no_value = {"type": "special", "options": {"match": "null+nan", "result": {"text": "no data"}}}
    return [no_value, {"type": "value", "options": {value: {"text": word} for value, word in words.items()}}]


def _dashed(legend: str) -> dict[str, Any]:
    properties = [
        {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [10, 10]}},
        {"id": "custom.fillOpacity", "value": 0},
        {"id": "color", "value": {"mode": "fixed", "fixedColor": "red"}},
    ]
    return {"matcher": {"id": "byName", "options": legend}, "properties": properties}


def _placed(rows: list[Row]) -> list[Panel]:
    placed: list[Panel] = []
    top = 0
    for row in rows:
        heading = {"type": "row", "title": row.title, "collapsed": False, "panels": []}
        placed.append(heading | {"gridPos": {"x": 0, "y": top, "w": columns, "h": 1}})
        height = stat_height if all(panel["type"] == "stat" for panel in row.panels) else chart_height
        left = 0
        for panel, width in zip(row.panels, row.widths or _equal(len(row.panels)), strict=True):
            placed.append(panel | {"gridPos": {"x": left, "y": top + 1, "w": width, "h": height}})
            left += width
        top += 1 + height
    return [{"id": number, **panel} for number, panel in enumerate(placed, start=1)]


def _equal(count: int) -> list[int]:
    return [columns // count] * count


def _runbook(alert: str) -> dict[str, Any]:
    return {"title": f"Runbook: {alert}", "url": runbooks[alert], "targetBlank": True}


def _annotations() -> list[dict[str, Any]]:
    versions = 'count by (version) (build_info{job=~"$job"})'
    return [
        _annotation(
            "Deploys",
            "purple",
            f"{versions} unless {versions.replace('}', '} offset 1m')}",
            "Version {{version}} is new",
        ),
        _annotation(
            "Starts of the service",
            "blue",
            by_pod("process_start_time_seconds{$selected} and on (job, instance) build_info{$selected}") + " * 1000",
            "{{instance}} started",
            is_time=True,
        ),
        _annotation(
            "Starts of PostgreSQL",
            "orange",
            by_pod('{__name__=~"pg_postmaster_start_time_seconds|cnpg_pg_postmaster_start_time", $selected}')
            + " * 1000",
            "PostgreSQL of {{instance}} started",
            is_time=True,
        ),
    ]


def _annotation(name: str, color: str, query: str, title: str, *, is_time: bool = False) -> dict[str, Any]:
    """Return marks over time: where the query has a value, or, if `is_time`, at the time that the value is."""
    return {
        "name": name,
        "datasource": datasource,
        "enable": True,
        "iconColor": color,
        "expr": query.replace("$selected", selected),
        "step": "60s",
        "titleFormat": title,
        "useValueForTime": is_time,
    }


def _variables() -> list[dict[str, Any]]:
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": type_of_datasource}
    of_metrics = f'__name__=~"{job_metrics}"'
    return [
        source | {"current": {"text": "Prometheus", "value": "prometheus"}},
        # Without "All", because other jobs, such as Prometheus itself, have metrics of the same names.
        _variable("job", f"label_values({{{of_metrics}}}, job)", {"text": jobs, "value": jobs}),
        _variable("instance", f'label_values({{{of_metrics}, job=~"$job"}}, instance)', None),
    ]


def _variable(name: str, query: str, current: dict[str, Any] | None) -> dict[str, Any]:
    refresh_when_the_time_range_changes = 2
    return {
        "name": name,
        "label": name.title(),
        "type": "query",
        "datasource": datasource,
        "query": query,
        "refresh": refresh_when_the_time_range_changes,
        "sort": 1,
        "multi": True,
        "allValue": ".+",
        "includeAll": current is None,
        "current": current or {"text": ["All"], "value": ["$__all"]},
    }


def _links() -> dict[str, Any]:
    return {
        "type": "dashboards",
        "title": "Dashboards",
        "tags": ["team-expense-tracker"],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
    }
