"""The ways to split an amount among participants, by what was typed for each of them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.errors import Invalid
from service.ledger import NamedTwice, NegativeShare, NoWeight, PercentagesMissHundred, SharesMissAmount
from service.money import apportion
from service.weights import scale, scaled, written

# Member ids to minor units.
Shares = dict[str, int]
# Member ids as typed, each with the values that the mode takes.
Parts = Sequence[Mapping[str, Any]]

percent_max = 100
# As many days as there are in 2,700 years.
weight_max = 10**6


@dataclass(frozen=True, slots=True)
class Mode:
    """A way to split an amount: the values it takes for each participant besides their id, and its arithmetic.

    `divide` is called with a seed, the amount, the participants and the JSON pointer of their list. It returns shares
    that sum to the amount and of which none is negative, or raises Invalid.
    """

    takes: tuple[str, ...]
    divide: Callable[[str, int, Parts, str], Shares]


def by_default(split: str, everybody: Sequence[str], pointer: str) -> Parts:
    """Return everybody as the participants of a split that takes nothing of them. Raises Invalid for other splits."""
    for name in modes[split].takes:
        each = "their `adjustment`, if they have one" if name == "adjustment" else f"their `{name}`"
        raise Invalid.at(pointer, "required", f"The {split} split requires `participants`, with {each}.")
    return [{"member_id": member_id} for member_id in everybody]


def shares_of(split: str, seed: str, amount: int, participants: Parts, pointer: str) -> Shares:
    """Return what each of the participants owes of an amount, by what was typed for them.

    `pointer` is the JSON pointer of their list. Raises Invalid for a participant who is listed twice, lacks a value, or
    has one that the mode does not take or an amount that it does not compute; and for values that do not add up.
    """
    mode = modes[split]
    check_names(split, mode.takes, participants, pointer)
    owed = guarded(amount, mode.divide(seed, amount, participants, pointer))
    check_amounts(split, participants, owed, pointer)
    return owed


def guarded(amount: int, shares: Shares) -> Shares:
    """Return shares that come to the amount and of which none is negative. Others are a mistake of this service."""
    # The database has guards of its own.
    if sum(shares.values()) != amount or min(shares.values()) < 0:
        raise AssertionError(f"a split of {amount} came to {shares}")
    return shares


def check_names(split: str, takes: Collection[str], participants: Parts, pointer: str) -> None:
    """Refuse values of participants that a split does not take: it would ignore them."""
    for index, participant in enumerate(participants):
        for name in participant:
            if name not in {"member_id", "amount", *takes}:
                raise Invalid.at(
                    f"{pointer}/{index}/{name}", "not_in_split", f"The {split} split takes no `{name}`. Leave it out."
                )


def check_amounts(split: str, participants: Parts, owed: Shares, pointer: str) -> None:
    """Refuse amounts that a split computes, unless they are as it computes them: so an expense can be sent back."""
    for index, participant in enumerate(participants):
        computed = owed[participant["member_id"]]
        if participant.get("amount", computed) != computed:
            raise Invalid.at(
                f"{pointer}/{index}/amount",
                "not_in_split",
                f"The {split} split makes this `amount` {computed}, and {participant['amount']} was sent. Leave it "
                'out, or send `"split": "exact"`.',
            )


def taken(split: str, participants: Parts) -> list[dict[str, Any]]:
    """Return the participants with only the values that a mode takes."""
    names = ("member_id", *modes[split].takes)
    return [{name: each[name] for name in names if name in each} for each in participants]


def listed(split: str, participants: Parts, owed: Shares) -> list[dict[str, Any]]:
    """Return the participants as answers show them: what was typed for each, with the amount that came out."""
    return [each | {"amount": owed[each["member_id"]]} for each in taken(split, participants)]


def summed(amount: int, parts: Parts, pointer: str, subject: str) -> Shares:
    """Return the amounts that were typed. Raises Invalid if they do not come to the whole amount."""
    shares = _values(parts, pointer, "amount", "exact")
    total = sum(shares.values())
    if total != amount:
        raise SharesMissAmount.at(
            pointer, "sum", f"The {subject} come to {total}, {off(total, amount)} than the amount."
        )
    return shares


def off(total: int, whole: int, text: Callable[[int], str] = str) -> str:
    """Return by how much a total is less or more than the whole, as `text` writes numbers."""
    return f"{text(abs(whole - total))} {'less' if total < whole else 'more'}"


def check_once(parts: Parts, pointer: str) -> None:
    """Refuse a list that has a member twice."""
    seen: set[str] = set()
    for index, part in enumerate(parts):
        if part["member_id"] in seen:
            raise NamedTwice.at(
                f"{pointer}/{index}/member_id", "repeated", f"{part['member_id']} is in the list twice."
            )
        seen.add(part["member_id"])


def _values(parts: Parts, pointer: str, name: str, split: str) -> dict[str, Any]:
    """Return member ids to the values of a name, which each must have."""
    for index, part in enumerate(parts):
        if name not in part:
            raise Invalid.at(
                f"{pointer}/{index}/{name}", "required", f"The {split} split requires each participant's `{name}`."
            )
    check_once(parts, pointer)
    return {part["member_id"]: part[name] for part in parts}


def _equal(seed: str, amount: int, participants: Parts, pointer: str) -> Shares:
    check_once(participants, pointer)
    return apportion(amount, {each["member_id"]: 1 for each in participants}, seed)


def _exact(_: str, amount: int, participants: Parts, pointer: str) -> Shares:
    return summed(amount, participants, pointer, "shares")


def _percent(seed: str, amount: int, participants: Parts, pointer: str) -> Shares:
    percentages = _values(participants, pointer, "percent", "percent")
    weights = {member_id: scaled(percent) for member_id, percent in percentages.items()}
    total, whole = sum(weights.values()), percent_max * scale
    if total != whole:
        difference = off(total, whole, written)
        raise PercentagesMissHundred.at(
            pointer, "sum", f"The percentages come to {written(total)}, {difference} than {percent_max}."
        )
    return apportion(amount, weights, seed)


def _shares(seed: str, amount: int, participants: Parts, pointer: str) -> Shares:
    typed = _values(participants, pointer, "shares", "shares")
    weights = {member_id: scaled(shares) for member_id, shares in typed.items()}
    if not any(weights.values()):
        raise NoWeight.at(pointer, "sum", "All shares are 0: at least one must be more.")
    return apportion(amount, weights, seed)


def _adjustment(seed: str, amount: int, participants: Parts, pointer: str) -> Shares:
    check_once(participants, pointer)
    adjustments = {each["member_id"]: each.get("adjustment", 0) for each in participants}
    total = sum(adjustments.values())
    if total > amount:
        raise NegativeShare.at(
            pointer, "sum", f"The adjustments come to {total}, {off(total, amount)} than the amount."
        )
    # No share is negative if none is before the odd units are handed out: chance must not decide about a refusal.
    part = (amount - total) // len(adjustments)
    for index, adjustment in enumerate(adjustments.values()):
        if part + adjustment < 0:
            raise NegativeShare.at(
                f"{pointer}/{index}/adjustment",
                "negative",
                f"An equal part is {part}, so that `adjustment` must be at least {-part}; {adjustment} was sent.",
            )
    parts = apportion(amount - total, dict.fromkeys(adjustments, 1), seed)
    return {member_id: parts[member_id] + adjustment for member_id, adjustment in adjustments.items()}


# All modes of participants. To add one, add it here with what it takes and its arithmetic.
modes: dict[str, Mode] = {
    "equal": Mode(takes=(), divide=_equal),
    "exact": Mode(takes=("amount",), divide=_exact),
    "percent": Mode(takes=("percent",), divide=_percent),
    "shares": Mode(takes=("shares",), divide=_shares),
    "adjustment": Mode(takes=("adjustment",), divide=_adjustment),
}
