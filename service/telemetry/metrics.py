"""Metrics for Prometheus; docs/metrics.md explains each.

Each part of the service creates its own collectors. Labels are our own names, methods, status codes and ISO 4217
currencies, never anything that a client sent.
"""

from bisect import bisect_left
from collections import Counter as TallyCounter
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any

from aioprometheus import Counter, Gauge, Histogram, Registry, render

seconds_buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0]
upper_bounds = [*seconds_buckets, float("inf")]

# What a collector returns to aioprometheus at a scrape: the labels and the value of each series.
Series = list[tuple[dict[str, str], Any]]
# Called at a scrape: returns a number, or a number for each value of the label.
Read = Callable[[], float | Mapping[str, float]]


class Metrics:
    """The collectors of one process, in their own registry; `worker` is the process's label among several."""

    def __init__(self, worker: str = "") -> None:
        self.registry = Registry()
        self.labels = {"worker": worker} if worker else {}

    def counter(self, name: str, about: str, *labels: str) -> "Tally":
        """Return a counter with labels."""
        return Tally(labels, name, about, const_labels=self.labels, registry=self.registry)

    def counter_of(self, name: str, about: str, read: Read, label: str = "") -> None:
        """Add a counter whose value is kept elsewhere and read at a scrape."""
        ReadCounter(read, label, name, about, const_labels=self.labels, registry=self.registry)

    def gauge(self, name: str, about: str) -> Gauge:
        """Return a gauge. It has no sample until it is set."""
        return Gauge(name, about, const_labels=self.labels, registry=self.registry)

    def gauge_of(self, name: str, about: str, read: Read, label: str = "") -> None:
        """Add a gauge whose value is kept elsewhere and read at a scrape."""
        ReadGauge(read, label, name, about, const_labels=self.labels, registry=self.registry)

    def timings(self, name: str, about: str, *labels: str) -> "Timings":
        """Return a histogram of seconds with labels."""
        return Timings(labels, name, about, const_labels=self.labels, registry=self.registry)

    def text(self) -> str:
        """Return all metrics in Prometheus' text format."""
        content, _ = render(self.registry, [])
        return str(content.decode())


class Tally(Counter):
    """A counter with labels. aioprometheus' own makes a text of the labels at each count."""

    def __init__(self, labels: tuple[str, ...], *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.labels = labels
        self.counts: TallyCounter[tuple[str, ...]] = TallyCounter()

    def count(self, *values: str) -> None:
        """Count one."""
        self.counts[values] += 1

    def expect(self, *values: str) -> None:
        """Start a series at 0, so that its first count shows as an increase."""
        self.counts[values] += 0

    def get_all(self) -> Series:
        """Return all series."""
        return [(dict(zip(self.labels, values, strict=True)), count) for values, count in self.counts.items()]


class ReadCounter(Counter):
    """A counter whose value is kept elsewhere."""

    def __init__(self, read: Read, label: str, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.read = read
        self.label = label

    def get_all(self) -> Series:
        """Return all series."""
        return _series(self.read(), self.label)


class ReadGauge(Gauge):
    """A gauge whose value is kept elsewhere."""

    def __init__(self, read: Read, label: str, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.read = read
        self.label = label

    def get_all(self) -> Series:
        """Return all series."""
        return _series(self.read(), self.label)


class Timings(Histogram):
    """A histogram of seconds. aioprometheus' own would go through every bucket for each count."""

    def __init__(self, labels: tuple[str, ...], *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.labels = labels
        self.counts: dict[tuple[str, ...], Counts] = {}

    def record(self, seconds: float, *values: str) -> None:
        """Count a duration, in the series of these label values."""
        counts = self.counts.get(values)
        if counts is None:
            counts = self.counts[values] = Counts()
        counts.by_bucket[bisect_left(seconds_buckets, seconds)] += 1
        counts.seconds += seconds

    def get_all(self) -> Series:
        """Return all series."""
        return [
            (dict(zip(self.labels, values, strict=True)), counts.by_upper_bound())
            for values, counts in self.counts.items()
        ]


class Counts:
    """How many durations fell in each bucket (the last one is unbounded), and their sum."""

    __slots__ = ("by_bucket", "seconds")

    def __init__(self) -> None:
        self.by_bucket = [0] * len(upper_bounds)
        self.seconds = 0.0

    def by_upper_bound(self) -> dict[float | str, float]:
        """Return them in the form that aioprometheus' formatters expect."""
        return {
            **dict(zip(upper_bounds, accumulate(self.by_bucket), strict=True)),
            Histogram.COUNT_KEY: sum(self.by_bucket),
            Histogram.SUM_KEY: self.seconds,
        }


def _series(value: float | Mapping[str, float], label: str) -> Series:
    if isinstance(value, Mapping):
        return [({label: each}, number) for each, number in value.items()]
    return [({}, value)]
