"""How long to wait before another attempt at what has failed."""


def backoff_seconds(failures: int, longest_seconds: float) -> float:
    """Return 1, 2, 4 … seconds for the first, second, third … failure in a row, but at most the longest."""
    # The exponent has a bound too: a failure that lasts for weeks must not end in numbers that are none.
    return min(float(2 ** min(failures - 1, 16)), longest_seconds)
