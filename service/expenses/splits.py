"""Computes who paid and who owes from what was typed. Every split sums to the expense's amount or is refused."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.errors import Invalid
from service.money import apportion

# Member ids to minor units.
Shares = dict[str, int]
# Member ids as typed, each with the values that the mode takes.
Parts = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Mode:
    """A way to split an amount: the values it takes for each participant besides their id, and its arithmetic.

    `divide` is called with the expense's id, its amount and the participants. It returns shares that sum to the amount,
    or raises Invalid.
    """

    takes: tuple[str, ...]
    divide: Callable[[str, int, Parts], Shares]


@dataclass(frozen=True, slots=True)
class Division:
    """Who paid and who owes how much of an expense, both summing to its amount; and what was typed for it."""

    split: str
    typed: dict[str, Any]
    payers: Shares
    participants: Shares

    def columns(self) -> dict[str, Any]:
        """Return the parameters of the statements that write an expense."""
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

    If `payers` is given, `payer` is ignored. Raises Invalid if a member is not allowed or is listed twice, an amount is
    missing or is not what the split computes, or the amounts do not add up to the expense's.
    """
    mode = modes[split]
    paid = {payer: amount} if payers is None else _exact_payers(amount, payers)
    owed = mode.divide(expense_id, amount, participants)
    _check_amounts(split, participants, owed)
    for pointer, shares in (("/payer" if payers is None else "/payers", paid), ("/participants", owed)):
        for member_id in shares:
            if member_id not in allowed:
                raise Invalid.at(
                    pointer,
                    "not_a_member",
                    f"{member_id} is neither an active member nor a former one with an open balance.",
                )
    # A guard against mistakes in the code above; the database has its own.
    for shares in (paid, owed):
        if sum(shares.values()) != amount or min(shares.values()) < 0:
            raise AssertionError(f"a split of {amount} came to {shares}")
    # A single payer paid the whole amount, even if the amount is changed later.
    typed_payers = {"payer": next(iter(paid))} if len(paid) == 1 else {"payers": payers}
    return Division(split, typed_payers | {"participants": taken(split, participants)}, paid, owed)


def refuse_without_participants(split: str) -> None:
    """Raise Invalid if a mode takes something of each participant, so that it cannot do without a list of them."""
    if takes := modes[split].takes:
        fields = " and ".join(f"`{name}`" for name in takes)
        raise Invalid.at("/participants", "required", f"The {split} split requires these, each with its {fields}.")


def named(payer: str, payers: Parts | None, participants: Parts) -> set[str]:
    """Return the ids of all whom an expense names."""
    paying = {payer} if payers is None else {each["member_id"] for each in payers}
    return paying | {each["member_id"] for each in participants}


def taken(split: str, participants: Parts) -> Parts:
    """Return the participants with only the values that a mode takes."""
    names = ("member_id", *modes[split].takes)
    return [{name: each[name] for name in names if name in each} for each in participants]


def _equal(expense_id: str, amount: int, participants: Parts) -> Shares:
    return apportion(amount, dict.fromkeys(_ids(participants, "participants"), 1), seed=expense_id)


def _exact(_: str, amount: int, participants: Parts) -> Shares:
    return _summed(amount, participants, "participants", "shares")


def _exact_payers(amount: int, payers: Parts) -> Shares:
    return _summed(amount, payers, "payers", "payers' amounts")


def _summed(amount: int, parts: Parts, name: str, subject: str) -> Shares:
    for index, part in enumerate(parts):
        if "amount" not in part:
            raise Invalid.at(f"/{name}/{index}/amount", "required", "This is required with the exact split.")
    shares = {each: part["amount"] for each, part in zip(_ids(parts, name), parts, strict=True)}
    total = sum(shares.values())
    if total != amount:
        difference = f"{abs(amount - total)} {'less' if total < amount else 'more'} than the amount"
        raise Invalid.at(f"/{name}", "sum", f"The {subject} come to {total}, {difference}.")
    return shares


def _check_amounts(split: str, participants: Parts, owed: Shares) -> None:
    """Refuse amounts that the split computes, unless they are as it computes them: so an expense can be sent back."""
    if "amount" in modes[split].takes:
        return
    for index, participant in enumerate(participants):
        computed = owed[participant["member_id"]]
        if participant.get("amount", computed) != computed:
            raise Invalid.at(
                f"/participants/{index}/amount",
                "not_in_split",
                f"The {split} split makes this {computed}, and {participant['amount']} was sent. Leave the amounts "
                'out, or send `"split": "exact"`.',
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


# All split modes. To add a mode, add it here with what it takes and its arithmetic.
modes: dict[str, Mode] = {
    "equal": Mode(takes=(), divide=_equal),
    "exact": Mode(takes=("amount",), divide=_exact),
}
