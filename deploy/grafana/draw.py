"""Draws a dashboard from a Prometheus, for the documentation: no Grafana is needed.

python deploy/grafana/draw.py --dashboard service --minutes 30 --output docs/img/service.png
"""

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator
from queries import folder
from series import Line, Source
from units import written

# In inches: a column of Grafana's 24, a unit of height, and the gap between panels.
column, unit_of_height, gap = 0.62, 0.4, 0.06
line_height = 0.17
legend_lines, few_lines = 6, 4
ticks = 4
dots_per_inch = 100
background, surface, edge, text, faint = "#111217", "#181b1f", "#2c2f36", "#d8d9da", "#8e929b"
colors = {"green": "#73bf69", "orange": "#ff9830", "red": "#f2495c", "blue": "#5794f2"}
palette = ["#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#5794f2", "#b877d9", "#ffa6b0", "#37872d", "#fade2a"]


class Page:
    """The picture of one dashboard."""

    def __init__(self, dashboard: dict[str, Any], source: Source) -> None:
        self.dashboard, self.source = dashboard, source
        places = [panel["gridPos"] for panel in dashboard["panels"]]
        self.width = 24 * column
        self.height = unit_of_height * max(place["y"] + place["h"] for place in places)
        self.figure = Figure(figsize=(self.width, self.height), facecolor=background, dpi=dots_per_inch)
        for panel in dashboard["panels"]:
            self.panel(panel)

    def panel(self, panel: dict[str, Any]) -> None:
        """Draw a panel where it belongs."""
        place = panel["gridPos"]
        left, top = place["x"] * column + gap, place["y"] * unit_of_height + gap
        width, height = place["w"] * column - 2 * gap, place["h"] * unit_of_height - 2 * gap
        if panel["type"] == "row":
            self.say(left, top + 0.15, panel["title"], size=11, weight="bold")
            return
        x, y = left / self.width, 1 - (top + height) / self.height
        box = FancyBboxPatch(
            (x, y), width / self.width, height / self.height, boxstyle="square,pad=0", facecolor=surface, edgecolor=edge
        )
        box.set_zorder(-1)
        self.figure.add_artist(box)
        self.say(left + 0.1, top + 0.16, panel["title"], size=9.5)
        draw = {"stat": self.stat, "timeseries": self.chart, "table": self.table}[panel["type"]]
        draw(panel, left, top, width, height)

    def say(self, left: float, top: float, words: str, *, color: str = text, size: float = 8.5, **how: Any) -> None:
        """Write at a place, in inches from the top left."""
        how = {"ha": "left", "va": "center"} | how
        self.figure.text(left / self.width, 1 - top / self.height, words, color=color, fontsize=size, **how)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Return axes at a place, in inches from the top left."""
        axes = self.figure.add_axes(
            (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        )
        axes.set_facecolor("none")
        axes.spines[:].set_visible(False)
        return axes

    def stat(self, panel: dict[str, Any], left: float, top: float, width: float, height: float) -> None:
        """Draw a big number, over a faint line of how it came about."""
        defaults = panel["fieldConfig"]["defaults"]
        line = next(iter(self.source.lines(self.dashboard, panel["targets"][0])), Line("", [], []))
        color = threshold(defaults["thresholds"]["steps"], line.last)
        words = defaults["mappings"][1]["options"].get(f"{line.last:g}")
        number = words["text"] if words else written(line.last, defaults["unit"], defaults.get("decimals"))
        axes = self.axes(left, top + height * 0.72, width, height * 0.27)
        axes.set_axis_off()
        axes.fill_between(line.times, line.values, color=color, alpha=0.25, linewidth=0)
        axes.plot(line.times, line.values, color=color, linewidth=1, alpha=0.7)
        axes.margins(x=0)
        axes.set_ylim(min(0, *line.values, 0), max(line.most, 0) or 1)
        self.say(left + width / 2, top + height * 0.5, number, color=color, size=20, weight="bold", ha="center")

    def chart(self, panel: dict[str, Any], left: float, top: float, width: float, height: float) -> None:
        """Draw lines, and below them their names with the last and the highest value, the highest first."""
        unit = panel["fieldConfig"]["defaults"]["unit"]
        dashed = {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}
        lines = [line for target in panel["targets"] for line in self.source.lines(self.dashboard, target)]
        lines.sort(key=lambda line: (line.name not in dashed, not math.isnan(line.most), line.most), reverse=True)
        below = line_height * min(len(lines), legend_lines) + 0.14
        axes = self.axes(left + 0.75, top + 0.36, width - 0.9, height - 0.36 - 0.28 - below)
        for index, line in enumerate(lines):
            limit = line.name in dashed
            color = colors["red"] if limit else palette[index % len(palette)]
            axes.plot(line.times, line.values, color=color, linewidth=1.3, linestyle="--" if limit else "-")
            if not limit and len(lines) <= few_lines:
                axes.fill_between(line.times, line.values, color=color, alpha=0.08, linewidth=0)
            if index < legend_lines:
                row = top + height - below + line_height * (index + 1)
                self.key(line, color, unit, (left, row), width)
        self.heading(len(lines), (left, top + height - below), width)
        values = [value for line in lines for value in line.values if not math.isnan(value)]
        style(axes, unit, self.source, values or [0.0])

    def heading(self, count: int, place: tuple[float, float], width: float) -> None:
        """Write what the columns of the legend are."""
        left, top = place
        unseen = f"the first {legend_lines} of {count}" if count > legend_lines else ""
        self.say(left + 0.3, top, unseen, color=faint, size=7.5)
        self.say(left + width - 0.95, top, "last", color=faint, size=7.5, ha="right")
        self.say(left + width - 0.12, top, "max", color=faint, size=7.5, ha="right")

    def key(self, line: Line, color: str, unit: str, place: tuple[float, float], width: float) -> None:
        """Write a line of the legend."""
        left, top = place
        self.say(left + 0.1, top, "━", color=color)
        self.say(left + 0.3, top, line.name, size=8)
        self.say(left + width - 0.95, top, written(line.last, unit), size=8, ha="right")
        self.say(left + width - 0.12, top, written(line.most, unit), size=8, ha="right")

    def table(self, panel: dict[str, Any], left: float, top: float, width: float, height: float) -> None:
        """Draw the present values: a row for each combination of labels, the highest first."""
        unit = panel["fieldConfig"]["defaults"]["unit"]
        values = [self.source.values(self.dashboard, target) for target in panel["targets"]]
        right = [left + width - 0.15 - 0.85 * index for index in range(len(values))][::-1]
        for target, place in zip(panel["targets"], right, strict=True):
            self.say(place, top + 0.45, target["legendFormat"], color=faint, size=8, ha="right")
        rows = sorted(
            values[-1], key=lambda labels: (not math.isnan(values[-1][labels]), values[-1][labels]), reverse=True
        )
        for index, labels in enumerate(rows[: int((height - 0.6) / 0.2)]):
            row = top + 0.67 + 0.2 * index
            self.say(left + 0.15, row, labels)
            for each, place in zip(values, right, strict=True):
                self.say(place, row, written(each.get(labels, math.nan), unit), ha="right")


def threshold(steps: list[dict[str, Any]], value: float) -> str:
    """Return the colour of a value."""
    reached = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    return colors[reached[-1]]


def style(axes: Axes, unit: str, source: Source, values: list[float]) -> None:
    """Give axes a grid, a time axis, and an axis from 0 for values with their unit."""
    low, high = min(values), max(values)
    axes.set_xlim(source.start, source.end)
    axes.set_ylim(min(0, low), 1.05 * high if high > 0 else 1)
    axes.grid(color=edge, linewidth=0.7)
    axes.tick_params(colors=faint, labelsize=7.5, length=0, pad=6)
    axes.xaxis.set_major_locator(MultipleLocator(between_ticks(source.end - source.start)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: time.strftime("%H:%M", time.gmtime(at))))
    between = 2.0 ** math.ceil(math.log2(max(high, 1) / 4)) if unit == "bytes" else None
    whole = unit == "none" and all(value.is_integer() for value in values)
    axes.yaxis.set_major_locator(MultipleLocator(between) if between else MaxNLocator(ticks, integer=whole))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: written(value, unit)))


def between_ticks(seconds: float) -> float:
    """Return the distance of the ticks of a time axis: the least round one that gives no more than six."""
    return next(
        (60.0 * minutes for minutes in (1, 2, 5, 10, 15, 30, 60, 180, 360) if seconds <= 360 * minutes), 86400.0
    )


def main() -> None:
    """Draw one dashboard into a PNG file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", help="its address (%(default)s)")
    parser.add_argument("--dashboard", default="service", choices=sorted(path.stem for path in folder.glob("*.json")))
    parser.add_argument("--minutes", type=int, default=60, help="how far back (%(default)s)")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    mpl.rcParams["font.family"] = "DejaVu Sans"
    end = time.time()
    source = Source(options.prometheus, end - 60 * options.minutes, end)
    Page(json.loads((folder / f"{options.dashboard}.json").read_text("utf-8")), source).figure.savefig(options.output)


if __name__ == "__main__":
    main()
