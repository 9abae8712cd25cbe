"""What a panel shows: the answers to its queries."""

import math
from dataclasses import dataclass
from typing import Any

from queries import ask, concrete

scrape_seconds = 15


@dataclass(frozen=True)
class Source:
    """A Prometheus, and the time range that is drawn, in Unix seconds."""

    prometheus: str
    start: float
    end: float

    @property
    def step_seconds(self) -> int:
        """The distance of two points; as Grafana, no less than a scrape interval."""
        return max(scrape_seconds, round((self.end - self.start) / 300))

    def lines(self, dashboard: dict[str, Any], target: dict[str, Any]) -> list["Line"]:
        """Return the lines of one query."""
        # As Grafana: four scrapes, or more where points are further apart.
        rate_seconds = max(4 * scrape_seconds, self.step_seconds + scrape_seconds)
        query = concrete(target["expr"], dashboard, rate_interval=f"{rate_seconds}s")
        series = ask(
            self.prometheus, "query_range", query=query, start=self.start, end=self.end, step=self.step_seconds
        )
        return [Line(legend(target, each["metric"]), *_points(each["values"])) for each in series]

    def values(self, dashboard: dict[str, Any], target: dict[str, Any]) -> dict[str, float]:
        """Return the values of one query at the end of the time range, by its labels."""
        series = ask(self.prometheus, "query", query=concrete(target["expr"], dashboard), time=self.end)
        return {" ".join(each["metric"].values()): float(each["value"][1]) for each in series}


@dataclass(frozen=True)
class Line:
    """What one series is called, and its points."""

    name: str
    times: list[float]
    values: list[float]

    @property
    def last(self) -> float:
        """The newest value that is a number."""
        return next((value for value in reversed(self.values) if not math.isnan(value)), math.nan)

    @property
    def most(self) -> float:
        """The highest value."""
        return max((value for value in self.values if not math.isnan(value)), default=math.nan)


def legend(target: dict[str, Any], labels: dict[str, str]) -> str:
    """Return the name of a series: `{{route}}` is the label's value."""
    name: str = target["legendFormat"]
    for label, value in labels.items():
        name = name.replace(f"{{{{{label}}}}}", value)
    # A label that the series has not.
    return name.split("{{")[0].strip()


def _points(values: list[tuple[float, str]]) -> tuple[list[float], list[float]]:
    return [at for at, _ in values], [float(value) for _, value in values]
