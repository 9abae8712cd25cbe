"""Numbers with a few decimals, such as percentages, as the integers that a split computes with.

JSON has no other numbers with decimals than floats. They are kept as they were typed, but never computed with: each is
read as it is written, since the shortest text that means a float is what was typed.
"""

from decimal import Decimal

decimals_max = 4
scale = 10**decimals_max


def decimals_of(value: float) -> int:
    """Return how many decimals a number has as it is written: 1e-05 has five, and 2.50 is the same float as 2.5."""
    exponent = Decimal(repr(value)).normalize().as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def scaled(value: float) -> int:
    """Return a number with up to four decimals as an integer of ten-thousandths: 33.3333 is 333333."""
    return int(Decimal(repr(value)).scaleb(decimals_max))


def written(ten_thousandths: int) -> str:
    """Return an integer of ten-thousandths as people write the number: 999900 is 99.99."""
    return f"{Decimal(ten_thousandths).scaleb(-decimals_max).normalize():f}"
