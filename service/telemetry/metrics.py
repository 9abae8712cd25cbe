"""Metrics for Prometheus; docs/metrics.md says what each means.

Each part of the service makes its own collectors, where it works. Labels are names of ours, methods, status codes and
ISO 4217 currencies, never anything that a client sent.
"""

from bisect import bisect_left
from collections import Counter as TallyCounter
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any

from aioprometheus import Counter, Gauge, Histogram, Registry, render

seconds_buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0]
upper_bounds = [*seconds_buckets, float("inf")]

# What a collector hands to aioprometheus at a scrape: the labels of each series, and its value.
Series = list[tuple[dict[str, str], Any]]
# What is read at a scrape: a number, or one for each value of the label.
Read = Callable[[], float | Mapping[str, float]]


class Metrics:
    """The collectors of one process, in a registry of its own; `worker` tells it from others of the same group."""

    def __init__(self, worker: str = "") -> None:
        self.registry = Registry()
        self.labels = {"worker": worker} if worker else {}

    def counter(self, name: str, about: str, *labels: str) -> "Tally":
        """Return a counter, by values of labels."""
        return Tally(labels, name, about, const_labels=self.labels, registry=self.registry)

    def counter_of(self, name: str, about: str, read: Read, label: str = "") -> None:
        """Add a counter that is kept elsewhere, and read at a scrape."""
        ReadCounter(read, label, name, about, const_labels=self.labels, registry=self.registry)

    def gauge(self, name: str, about: str) -> Gauge:
        """Return a gauge. Until it is set nothing is known, and no sample of it is there."""
        return Gauge(name, about, const_labels=self.labels, registry=self.registry)

    def gauge_of(self, name: str, about: str, read: Read, label: str = "") -> None:
        """Add a gauge that is read at a scrape."""
        ReadGauge(read, label, name, about, const_labels=self.labels, registry=self.registry)

    def timings(self, name: str, about: str, *labels: str) -> "Timings":
        """Return a histogram of seconds, by values of labels."""
        return Timings(labels, name, about, const_labels=self.labels, registry=self.registry)

    def text(self) -> str:
        """Return all in Prometheus' text format."""
        content, _ = render(self.registry, [])
        return str(content.decode())


class Tally(Counter):
    """Counts by values of labels. aioprometheus' own counter makes a text of the labels, each time."""

    def __init__(self, labels: tuple[str, ...], *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.labels = labels
        self.counts: TallyCounter[tuple[str, ...]] = TallyCounter()

    def count(self, *values: str) -> None:
        """Count one."""
        self.counts[values] += 1

    def expect(self, *values: str) -> None:
        """Let these be counted from 0: an increase needs something to increase from."""
        self.counts[values] += 0

    def get_all(self) -> Series:
        """Return all series."""
        return [(dict(zip(self.labels, values, strict=True)), count) for values, count in self.counts.items()]


class ReadCounter(Counter):
    """A counter that is kept elsewhere."""

    def __init__(self, read: Read, label: str, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.read = read
        self.label = label

    def get_all(self) -> Series:
        """Return all series."""
        return _series(self.read(), self.label)


class ReadGauge(Gauge):
    """A gauge that is kept elsewhere."""

    def __init__(self, read: Read, label: str, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.read = read
        self.label = label

    def get_all(self) -> Series:
        """Return all series."""
        return _series(self.read(), self.label)


class Timings(Histogram):
    """A histogram of seconds. Its own counting would go through every bucket, each time."""

    def __init__(self, labels: tuple[str, ...], *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.labels = labels
        self.counts: dict[tuple[str, ...], Counts] = {}

    def record(self, seconds: float, *values: str) -> None:
        """Count a duration, for values of the labels."""
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
    """How many durations fell in each bucket, the last for what is beyond them all, and what they come to."""

    __slots__ = ("by_bucket", "seconds")

    def __init__(self) -> None:
        self.by_bucket = [0] * len(upper_bounds)
        self.seconds = 0.0

    def by_upper_bound(self) -> dict[float | str, float]:
        """Return them as aioprometheus' formatters take a histogram."""
        return {
            **dict(zip(upper_bounds, accumulate(self.by_bucket), strict=True)),
            Histogram.COUNT_KEY: sum(self.by_bucket),
            Histogram.SUM_KEY: self.seconds,
        }


def _series(value: float | Mapping[str, float], label: str) -> Series:
    if isinstance(value, Mapping):
        return [({label: each}, number) for each, number in value.items()]
    return [({}, value)]
