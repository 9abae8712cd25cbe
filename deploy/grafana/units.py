"""Numbers as Grafana writes them: 0.0123 `s` is "12.3 ms"."""

import math

# From a value on: what it is divided by, and what it is called then.
scales: dict[str, list[tuple[float, float, str]]] = {
    "s": [
        (0, 1e-6, " µs"),
        (1e-3, 1e-3, " ms"),
        (1, 1, " s"),
        (120, 60, " min"),
        (2 * 3600, 3600, " hours"),
        (2 * 86400, 86400, " days"),
    ],
    "bytes": [(0, 1, " B"), (1024, 1024, " KiB"), (1024**2, 1024**2, " MiB"), (1024**3, 1024**3, " GiB")],
    "percentunit": [(0, 0.01, " %")],
    "reqps": [(0, 1, " req/s")],
    "ops": [(0, 1, " ops/s")],
}


def written(value: float, unit: str, decimals: int | None = None) -> str:
    """Return a value with its unit, to three digits where `decimals` are not given; "no data" for not-a-number."""
    if math.isnan(value):
        return "no data"
    steps = scales.get(unit, [(0, 1, "")])
    # 0 is "0 s", not "0 µs".
    size = abs(value) or 1
    _, divisor, name = [step for step in steps if step[0] <= size][-1]
    return _digits(value / divisor, decimals) + name


def _digits(value: float, decimals: int | None) -> str:
    if decimals is not None:
        return f"{value:,.{decimals}f}"
    if abs(value) >= 100 or not value:  # noqa: PLR2004 -- three digits.
        return f"{value:,.0f}"
    digits = f"{value:.{2 - math.floor(math.log10(abs(value)))}f}"
    return digits.rstrip("0").rstrip(".")
