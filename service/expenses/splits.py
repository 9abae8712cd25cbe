"""From what was typed to who paid and who owes: every split ends here, and sums to its amount or is refused."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.errors import Invalid
from service.money import apportion

# Member ids to minor units.
Shares = dict[str, int]
# What was typed of members: their ids, each with what the mode takes.
Parts = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Mode:
    """A way to split an amount: what it takes of each participant beside their id, and its arithmetic.

    `divide` is called with the expense's id, its amount and the participants, and returns shares that sum to the
    amount, or raises Invalid.
    """

    takes: tuple[str, ...]
    divide: Callable[[str, int, Parts], Shares]


@dataclass(frozen=True, slots=True)
class Division:
    """Who paid and who owes how much of one expense, and what was typed for it; both sum to its amount."""

    split: str
    typed: dict[str, Any]
    payers: Shares
    participants: Shares

    def columns(self) -> dict[str, Any]:
        """Return what the statements that write an expense take."""
        member_ids = list(self.payers | self.participants)
        return {
            "split": self.split,
            "typed": self.typed,
            "payers": _listed(self.payers),
            "participants": _listed(self.participants),
            "member_ids": member_ids,
            "paid": [self.payers.get(member_id, 0) for member_id in member_ids],
            "owed": [self.participants.get(member_id, 0) for member_id in member_ids],
        }


def divide(
    expense_id: str,
    amount: int,
    *,
    split: str,
    payer: str,
    payers: Parts | None,
    participants: Parts,
    allowed: Collection[str],
) -> Division:
    """Compute who paid and who owes how much of an expense.

    `payers` stand in place of `payer`. Raises Invalid where a member is not allowed or is listed twice, an amount is
    missing or too many, or amounts do not come to the expense's.
    """
    mode = modes[split]
    paid = {payer: amount} if payers is None else _exact_payers(amount, payers)
    _check_taken(split, mode, participants)
    owed = mode.divide(expense_id, amount, participants)
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
    # A single payer paid the whole amount, whatever it is changed to.
    typed_payers = {"payer": next(iter(paid))} if len(paid) == 1 else {"payers": payers}
    return Division(split, typed_payers | {"participants": participants}, paid, owed)


def named(payer: str, payers: Parts | None, participants: Parts) -> set[str]:
    """Return the ids of all whom an expense names."""
    paying = {payer} if payers is None else {each["member_id"] for each in payers}
    return paying | {each["member_id"] for each in participants}


def taken(split: str, participants: Parts) -> Parts:
    """Return participants with what a mode takes of them and nothing else."""
    names = ("member_id", *modes[split].takes)
    return [{name: each[name] for name in names if name in each} for each in participants]


def _equal(expense_id: str, amount: int, participants: Parts) -> Shares:
    return apportion(amount, dict.fromkeys(_ids(participants, "participants"), 1), seed=expense_id)


def _exact(_: str, amount: int, participants: Parts) -> Shares:
    return _summed(amount, participants, "participants", "shares")


def _exact_payers(amount: int, payers: Parts) -> Shares:
    return _summed(amount, payers, "payers", "payers")


def _summed(amount: int, parts: Parts, name: str, subject: str) -> Shares:
    for index, part in enumerate(parts):
        if "amount" not in part:
            raise Invalid.at(f"/{name}/{index}/amount", "required", "With the exact split this is required.")
    shares = {each: part["amount"] for each, part in zip(_ids(parts, name), parts, strict=True)}
    total = sum(shares.values())
    if total != amount:
        difference = f"{abs(amount - total)} {'less' if total < amount else 'more'} than the amount"
        raise Invalid.at(f"/{name}", "sum", f"The {subject} come to {total}, {difference}.")
    return shares


def _check_taken(split: str, mode: Mode, participants: Parts) -> None:
    for index, participant in enumerate(participants):
        for name in participant:
            if name != "member_id" and name not in mode.takes:
                raise Invalid.at(
                    f"/participants/{index}/{name}",
                    "not_in_split",
                    f'The {split} split computes the amounts; leave this out, or send `"split": "exact"`.',
                )


def _ids(parts: Parts, name: str) -> list[str]:
    found: list[str] = []
    for index, part in enumerate(parts):
        if part["member_id"] in found:
            raise Invalid.at(f"/{name}/{index}/member_id", "repeated", "This member is already in the list.")
        found.append(part["member_id"])
    return found


def _listed(shares: Shares) -> list[dict[str, Any]]:
    return [{"member_id": member_id, "amount": amount} for member_id, amount in shares.items()]


# The modes there are. A mode is here with what it takes and its arithmetic, or it is not there at all.
modes: dict[str, Mode] = {
    "equal": Mode(takes=(), divide=_equal),
    "exact": Mode(takes=("amount",), divide=_exact),
}
