"""Money: integers in a currency's minor unit (ISO 4217), and splits that lose nothing.

ISO 4217's list decides what can be chosen, never whether what is stored can be used: a ledger outlives its currencies.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

import iso4217

# The largest that JSON keeps exact in every language is some nine times this.
amount_max = 10**15

# Codes without a minor unit (gold, testing, no currency) are left out: people do not split them.
current = {currency.code: currency.exponent for currency in iso4217.Currency if currency.exponent is not None}

# The same for people, by code.
listed = [
    {"code": currency.code, "name": currency.currency_name, "decimals": currency.exponent}
    for currency in sorted(iso4217.Currency, key=lambda each: each.code)
    if currency.code in current
]

# Codes that have left ISO 4217 since 2000, the first year that an expense can have, and when: its list three of
# 2026-01-01. Add what a newer list of current codes leaves out; tests/test_money.py tells.
# fmt: off
withdrawn = {
    "AON": "2000-02", "AOR": "2000-02", "ECS": "2000-09", "ECV": "2000-09", "BYB": "2001-01", "TJR": "2001-04",
    "ATS": "2002-03", "BEF": "2002-03", "DEM": "2002-03", "ESP": "2002-03", "FIM": "2002-03", "FRF": "2002-03",
    "GRD": "2002-03", "IEP": "2002-03", "ITL": "2002-03", "LUF": "2002-03", "NLG": "2002-03", "PTE": "2002-03",
    "TPE": "2002-11", "AFA": "2003-01", "ADP": "2003-07", "YUM": "2003-07", "BGL": "2003-11", "SRG": "2003-12",
    "RUR": "2004-01", "CHC": "2004-11", "MGF": "2004-12", "ROL": "2005-06", "AYM": "2005-10", "AZM": "2005-12",
    "TRL": "2005-12", "MZM": "2006-06", "ZWN": "2006-09", "CSD": "2006-10", "SIT": "2007-01", "GHP": "2007-06",
    "SDD": "2007-07", "CYP": "2008-01", "GHC": "2008-01", "MTL": "2008-01", "VEB": "2008-01", "ZWD": "2008-08",
    "SKK": "2009-01", "TMM": "2009-01", "ZWR": "2009-06", "EEK": "2011-01", "ZMK": "2012-12", "LVL": "2014-01",
    "USS": "2014-03", "LTL": "2014-12", "BYR": "2017-01", "MRO": "2017-12", "STD": "2017-12", "VEF": "2018-08",
    "CUC": "2021-06", "HRK": "2023-01", "SLL": "2023-12", "ZWL": "2024-09", "ANG": "2025-03", "BGN": "2026-01",
}
# fmt: on

# List three has no minor units. They are those of the lists of current codes that had them: none for these, else two.
withdrawn_without_decimals = {"ADP", "BEF", "BYB", "BYR", "ESP", "GRD", "ITL", "LUF", "MGF", "PTE", "TPE", "TRL"}


class Unchoosable(NamedTuple):
    """Why a currency cannot be chosen: a code for programs, and words."""

    code: str
    detail: str


def decimals(currency: str) -> int:
    """Return how many decimals a stored amount has. Never fails: most currencies have two."""
    return current.get(currency, 0 if currency in withdrawn_without_decimals else 2)


def why_not(currency: str, *, for_a_team: bool) -> Unchoosable | None:
    """Return why a currency cannot be chosen, or None; a withdrawn one can be for an expense of back then."""
    if currency in current or (currency in withdrawn and not for_a_team):
        return None
    if left := withdrawn.get(currency):
        return Unchoosable(
            "withdrawn", f"{currency} has left ISO 4217 in {left}; a team needs a currency that is in use."
        )
    return Unchoosable("invalid", "This must be an ISO 4217 currency code in capitals, such as EUR.")


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
