"""What a team's ledger must be, in plain Python: slow, obvious, and without any code of the service."""

import itertools
from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any


@dataclass
class Entry:
    """An expense, an income or a settlement, as the service answered it."""

    kind: str
    currency: str
    day: str
    amount: int
    payers: dict[str, int]
    owers: dict[str, int]

    def sides(self) -> tuple[dict[str, int], dict[str, int]]:
        """Return who has paid and who owes in the ledger: an income's sides are turned."""
        return (self.owers, self.payers) if self.kind == "income" else (self.payers, self.owers)


@dataclass
class Model:
    """All entries of a team by their ids."""

    entries: dict[str, Entry] = field(default_factory=dict)

    def sums(self, until: str = "9999-12-31") -> dict[tuple[str, str], tuple[int, int]]:
        """Return what each member has paid and owes, by member and currency, of all entries up to a day."""
        paid: dict[tuple[str, str], int] = defaultdict(int)
        owed: dict[tuple[str, str], int] = defaultdict(int)
        for entry in self.entries.values():
            if entry.day <= until:
                payers, owers = entry.sides()
                for member, part in payers.items():
                    paid[member, entry.currency] += part
                for member, part in owers.items():
                    owed[member, entry.currency] += part
        return {key: (paid[key], owed[key]) for key in {*paid, *owed}}

    def nets(self, until: str = "9999-12-31") -> dict[tuple[str, str], int]:
        """Return what is open, by member and currency."""
        return {key: paid - owed for key, (paid, owed) in self.sums(until).items() if paid != owed}

    def debts(self) -> dict[tuple[str, str, str], int]:
        """Return who owes whom, by debtor, creditor and currency: a part is owed to all payers in proportion."""
        pairs: dict[tuple[str, str, str], int] = defaultdict(int)
        for entry in self.entries.values():
            payers, owers = entry.sides()
            everybody = sorted({*payers, *owers})

            def product(debtors: list[str], creditors: list[str]) -> int:
                owed = sum(owers.get(each, 0) for each in debtors)  # noqa: B023 -- used in this round only.
                paid = sum(payers.get(each, 0) for each in creditors)  # noqa: B023
                return owed * paid // entry.amount  # noqa: B023

            for i, j in itertools.product(range(len(everybody)), repeat=2):
                if i != j and owers.get(everybody[i]) and payers.get(everybody[j]):
                    corner = [
                        product(everybody[: i + a], everybody[: j + b]) for a, b in ((1, 1), (0, 1), (1, 0), (0, 0))
                    ]
                    part = corner[0] - corner[1] - corner[2] + corner[3]
                    pairs[everybody[i], everybody[j], entry.currency] += part
        found = {}
        for debtor, creditor, currency in {*pairs, *((creditor, debtor, its) for debtor, creditor, its in pairs)}:
            # A rounded part can be one unit the other way.
            net = pairs.get((debtor, creditor, currency), 0) - pairs.get((creditor, debtor, currency), 0)
            if net > 0:
                found[debtor, creditor, currency] = net
        return found

    def totals(self) -> dict[tuple[str, str, str, str], tuple[int, int]]:
        """Return what each member has paid and owes by member, currency, kind and month."""
        found: dict[tuple[str, str, str, str], list[int]] = defaultdict(lambda: [0, 0])
        for entry in self.entries.values():
            for side, members in enumerate(entry.sides()):
                for member, part in members.items():
                    found[member, entry.currency, entry.kind, entry.day[:7]][side] += part
        return {key: (paid, owed) for key, (paid, owed) in found.items() if paid or owed}


def fewest(nets: list[int]) -> int:
    """Return how few transfers settle balances, by trying all partitions into groups that sum to zero."""
    nets = [each for each in nets if each]

    def groups(rest: list[int]) -> int:
        if not rest:
            return 0
        first, others = rest[0], rest[1:]
        best = -len(nets)
        for size in range(len(others) + 1):
            for chosen in itertools.combinations(range(len(others)), size):
                if first + sum(others[each] for each in chosen) == 0:
                    left = [each for index, each in enumerate(others) if index not in chosen]
                    best = max(best, 1 + groups(left))
        return best

    return len(nets) - groups(nets)


def exact_shares(body: dict[str, Any], everybody: list[str]) -> dict[str, Fraction]:
    """Return what each participant of an expense owes before it is rounded."""
    amount = body["amount"]
    split = body.get("split", "equal")
    parts = body.get("participants") or [{"member_id": each} for each in everybody]
    ids = [each["member_id"] for each in parts]
    if split == "equal":
        return {each: Fraction(amount, len(ids)) for each in ids}
    if split == "exact":
        return {each["member_id"]: Fraction(each["amount"]) for each in parts}
    if split == "percent":
        return {each["member_id"]: Fraction(str(each["percent"])) * amount / 100 for each in parts}
    if split == "shares":
        weights = {each["member_id"]: Fraction(str(each["shares"])) for each in parts}
        return {member: amount * weight / sum(weights.values()) for member, weight in weights.items()}
    if split == "adjustment":
        rest = amount - sum(each.get("adjustment", 0) for each in parts)
        return {each["member_id"]: Fraction(rest, len(ids)) + each.get("adjustment", 0) for each in parts}
    assert split == "itemised"
    subtotals: dict[str, Fraction] = defaultdict(Fraction)
    for item in body["items"]:
        for member, share in exact_shares(item, everybody).items():
            subtotals[member] += share
    total = sum(item["amount"] for item in body["items"])
    return {member: share * amount / total for member, share in subtotals.items()}
