"""Sends every panel's query to a Prometheus: `python deploy/grafana/queries.py --prometheus http://127.0.0.1:9090`.

Prints how many series each query returns, and ends with status 1 if one returns none: every panel has to show
something, if only a 0. --kubernetes asks those of kubernetes/ as well, for which the compose stack has no metrics.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

folder = Path(__file__).parent
timeout_seconds = 30
# What Grafana uses for a dashboard of one hour, at a scrape interval of 15 s.
intervals = {"$__interval": "15s", "$__rate_interval": "1m", "$__range": "1h"}


def dashboards(*folders: str) -> list[dict[str, Any]]:
    """Return the dashboards of these folders, or of all, by name."""
    chosen = folders or ("dashboards", "kubernetes")
    return [json.loads(path.read_text("utf-8")) for each in chosen for path in sorted((folder / each).glob("*.json"))]


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the panels that have queries, in reading order."""
    yield from (panel for panel in dashboard["panels"] if panel["type"] != "row")


def queries(dashboard: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (title of the panel, PromQL) of every query, with the variables' first values in place."""
    return [
        (panel["title"], concrete(target["expr"], dashboard))
        for panel in panels(dashboard)
        for target in panel["targets"]
    ]


def concrete(query: str, dashboard: dict[str, Any]) -> str:
    """Return a query with the variables' first values in place of their names."""
    values = {f"${each['name']}": _value(each) for each in dashboard["templating"]["list"]}
    values |= intervals
    # The longest name first, so that $__range does not replace the beginning of $__range_s.
    for name in sorted(values, key=len, reverse=True):
        query = query.replace(name, values[name])
    return query


def ask(prometheus: str, path: str, **parameters: object) -> list[dict[str, Any]]:
    """Return the series that Prometheus answers with; HTTPError where it refuses the query."""
    with urlopen(f"{prometheus}/api/v1/{path}?{urlencode(parameters)}", timeout=timeout_seconds) as answer:  # noqa: S310
        series: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return series


def main() -> None:
    """Print `series  dashboard / panel` for every query."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", help="its address (%(default)s)")
    parser.add_argument("--kubernetes", action="store_true", help="also ask for CloudNativePG's metrics")
    arguments = parser.parse_args()
    prometheus = arguments.prometheus
    empty = 0
    for dashboard in dashboards() if arguments.kubernetes else dashboards("dashboards"):
        for title, query in queries(dashboard):
            count = len(ask(prometheus, "query", query=query))
            print(f"{count:5}  {dashboard['title']} / {title}" + ("" if count else f"\n       {query}"))
            empty += not count
    if empty:
        sys.exit(f"{empty} queries have no data")


def _value(variable: dict[str, Any]) -> str:
    chosen = variable["current"]["value"]
    if chosen == ["$__all"]:
        return str(variable["allValue"])
    return chosen if isinstance(chosen, str) else "|".join(chosen)


if __name__ == "__main__":
    main()
