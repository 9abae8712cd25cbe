"""Money: integers in a currency's minor unit (ISO 4217), and splits that lose nothing."""

from collections.abc import Mapping
from hashlib import sha256

import iso4217

amount_max = 10**12

# Codes without a minor unit (gold, testing, no currency) are left out: people do not split them.
currencies = frozenset(currency.code for currency in iso4217.Currency if currency.exponent is not None)


def apportion(amount: int, weights: Mapping[str, int], seed: str) -> dict[str, int]:
    """Split an amount by weights into integers that sum to it exactly.

    Each share is rounded down; the units left over go to the largest remainders. Ties are broken by hashing the seed
    (an expense's id) with each key, so nobody is favoured over many expenses and the order of the keys does not matter.
    Shares of equal weights differ by at most one.
    """
    total = sum(weights.values())
    shares = {key: amount * weight // total for key, weight in weights.items()}

    def claim(key: str) -> tuple[int, bytes]:
        return amount * weights[key] % total, sha256(f"{seed}:{key}".encode()).digest()

    left_over = amount - sum(shares.values())
    for key in sorted(weights, key=claim, reverse=True)[:left_over]:
        shares[key] += 1
    return shares
