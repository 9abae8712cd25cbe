"""From what was typed to who paid and who owes: every split ends here, and sums to its amount or is refused."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.errors import Invalid
from service.money import apportion

# Member ids to minor units.
Shares = dict[str, int]


@dataclass(frozen=True, slots=True)
class Ledger:
    """Who paid and who owes how much of one expense; both sum to its amount."""

    split: str
    payers: Shares
    participants: Shares

    def columns(self) -> dict[str, Any]:
        """Return what the statements that write an expense take."""
        member_ids = list(self.payers | self.participants)
        return {
            "split": self.split,
            "payers": _listed(self.payers),
            "participants": _listed(self.participants),
            "member_ids": member_ids,
            "paid": [self.payers.get(member_id, 0) for member_id in member_ids],
            "owed": [self.participants.get(member_id, 0) for member_id in member_ids],
        }


def settle(
    expense_id: str,
    amount: int,
    *,
    split: str,
    payer: str,
    payers: Sequence[Mapping[str, Any]] | None,
    participants: Sequence[Mapping[str, Any]],
    allowed: Collection[str],
) -> Ledger:
    """Compute who paid and who owes how much of an expense.

    `payers` stand in place of `payer`. Raises Invalid where a member is not allowed or stands twice, an amount is
    missing or too many, or amounts do not come to the expense's.
    """
    paid = {payer: amount} if payers is None else _exact(amount, payers, "payers")
    owed = (
        _equal(expense_id, amount, participants) if split == "equal" else _exact(amount, participants, "participants")
    )
    for pointer, shares in (("/payer" if payers is None else "/payers", paid), ("/participants", owed)):
        for member_id in shares:
            if member_id not in allowed:
                raise Invalid.at(
                    pointer,
                    "not_a_member",
                    f"{member_id} is no active member, nor a former one with something left to settle.",
                )
    # The guard behind all of the above; the database has its own.
    for shares in (paid, owed):
        if sum(shares.values()) != amount or min(shares.values()) < 0:
            raise AssertionError(f"a split of {amount} came to {shares}")
    return Ledger(split, paid, owed)


def _equal(expense_id: str, amount: int, participants: Sequence[Mapping[str, Any]]) -> Shares:
    for index, participant in enumerate(participants):
        if "amount" in participant:
            raise Invalid.at(
                f"/participants/{index}/amount",
                "not_in_split",
                'The equal split computes the amounts; leave this out, or send `"split": "exact"`.',
            )
    return apportion(amount, dict.fromkeys(_ids(participants, "participants"), 1), seed=expense_id)


def _exact(amount: int, parts: Sequence[Mapping[str, Any]], name: str) -> Shares:
    for index, part in enumerate(parts):
        if "amount" not in part:
            raise Invalid.at(f"/{name}/{index}/amount", "required", "With the exact split this is required.")
    shares = {each: part["amount"] for each, part in zip(_ids(parts, name), parts, strict=True)}
    total = sum(shares.values())
    if total != amount:
        subject = "shares" if name == "participants" else "payers"
        difference = f"{abs(amount - total)} {'less' if total < amount else 'more'} than the amount"
        raise Invalid.at(f"/{name}", "sum", f"The {subject} come to {total}, {difference}.")
    return shares


def _ids(parts: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    found: list[str] = []
    for index, part in enumerate(parts):
        if part["member_id"] in found:
            raise Invalid.at(f"/{name}/{index}/member_id", "repeated", "This member stands in the list before.")
        found.append(part["member_id"])
    return found


def _listed(shares: Shares) -> list[dict[str, Any]]:
    return [{"member_id": member_id, "amount": amount} for member_id, amount in shares.items()]
