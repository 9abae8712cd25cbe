"""Computes who paid and who owes from what was typed. Every split sums to the expense's amount or is refused."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.errors import Invalid
from service.expenses.itemised import Items, divide_items
from service.expenses.modes import Parts, Shares, by_default, guarded, listed, modes, shares_of, summed, taken
from service.ledger import NoParticipants, not_a_member

# All that an expense's `split` can be.
splits = (*modes, "itemised")
charges = ("tax", "tip", "discount")


@dataclass(frozen=True, slots=True)
class Division:
    """Who paid and who owes how much of an expense, both summing to its amount; what was typed; and what is answered.

    `is_by_default` tells whether anything is shared by everybody because no participants were sent.
    """

    split: str
    typed: dict[str, Any]
    paid: Shares
    owed: Shares
    payers: list[dict[str, Any]]
    participants: list[dict[str, Any]]
    items: list[dict[str, Any]] | None = None
    tax: int | None = None
    tip: int | None = None
    discount: int | None = None
    is_by_default: bool = False

    def columns(self, kind: str = "expense") -> dict[str, Any]:
        """Return the parameters of the statements that write an expense, or what is recorded like one.

        In the ledger, income is the other way round: who received it owes it, and whom it is for have paid it.
        """
        member_ids = list(self.paid | self.owed)
        paid, owed = (self.owed, self.paid) if kind == "income" else (self.paid, self.owed)
        return {
            "split": self.split,
            "typed": self.typed,
            "payers": self.payers,
            "participants": self.participants,
            "items": self.items,
            "tax": self.tax,
            "tip": self.tip,
            "discount": self.discount,
            "member_ids": member_ids,
            "paid": [paid.get(member_id, 0) for member_id in member_ids],
            "owed": [owed.get(member_id, 0) for member_id in member_ids],
        }


def divide(
    seed: str,
    amount: int,
    *,
    split: str,
    payer: str,
    payers: Parts | None,
    participants: Parts | None,
    items: Items | None = None,
    tax: int | None = None,
    tip: int | None = None,
    discount: int | None = None,
    allowed: Collection[str],
    everybody: Sequence[str],
) -> Division:
    """Compute who paid and who owes how much of an expense.

    If `payers` is given, `payer` is ignored. Without participants, `everybody` shares equally. The seed, any text,
    decides who gets the units that are left over. Raises Invalid if a member is not allowed or is listed twice, a value
    is missing, is not taken or is not what the split computes, or the values do not add up.
    """
    charged = {"tax": tax, "tip": tip, "discount": discount}
    _check_bill(split, {"items": items} | charged)
    if participants is not None and not participants:
        raise NoParticipants.at("/participants", "too_few", "This has 0 items; it must have at least 1.")
    among = set(allowed)
    for pointer, member_id in _named(payer, payers, participants, items):
        if member_id not in among:
            raise not_a_member(pointer, member_id)
    paid = {payer: amount} if payers is None else summed(amount, payers, "/payers", "payers' amounts")
    guarded(amount, paid)
    # A single payer paid the whole amount, even if the amount is changed later.
    typed: dict[str, Any] = {"payer": next(iter(paid))} if len(paid) == 1 else {"payers": payers}
    if items is None:
        shared = by_default(split, everybody, "/participants") if participants is None else participants
        owed = shares_of(split, seed, amount, shared, "/participants")
        typed |= {"participants": taken(split, shared)}
        answered = listed(split, shared, owed)
        return Division(split, typed, paid, owed, _amounts(paid), answered, is_by_default=participants is None)
    bill = divide_items(seed, amount, items, charged, participants=participants, everybody=everybody)
    typed |= {"items": bill.typed} | {name: charge for name, charge in charged.items() if charge is not None}
    return Division(
        split,
        typed,
        paid,
        bill.owed,
        _amounts(paid),
        _amounts(bill.owed),
        bill.items,
        tax,
        tip,
        discount,
        bill.is_by_default,
    )


def named(
    payer: str, payers: Parts | None, participants: Parts | None, items: Items | None = None, **_: Any
) -> set[str]:
    """Return the ids of all whom an expense names; takes what `divide` takes."""
    return {member_id for _, member_id in _named(payer, payers, participants, items)}


def retyped(current: Mapping[str, Any], typed: Mapping[str, Any] | None, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `divide` takes of a changed expense: what is sent and, for the rest, what was typed before.

    `current` has the `split`, and the `payers`, `participants` and `items` as they were answered. If the split changes,
    only the participants' ids are kept, or their amounts for an exact split; what else it requires has to be sent, and
    what is not, is left for `divide` to refuse. `typed` is None in rows of a release before, where it follows from the
    amounts.
    """
    split = changes.get("split", current["split"])
    stays = split == current["split"]
    before = typed or {"payer": current["payers"][0]["member_id"], "participants": current["participants"]}
    changes = _without_computed(split, current, changes, is_one_payer="payer" in before)
    kept: Parts | None = None
    if split in modes and stays:
        kept = taken(split, before["participants"])
    elif split in modes and set(modes[split].takes) <= {"amount"}:
        kept = taken(split, current["participants"])
    bill = before if stays else {}
    return {
        "split": split,
        "payer": changes.get("payer", before.get("payer")),
        "payers": changes.get("payers", None if "payer" in changes else before.get("payers")),
        "participants": changes.get("participants", kept),
        **{name: changes.get(name, bill.get(name)) for name in ("items", *charges)},
    }


def _without_computed(
    split: str, current: Mapping[str, Any], changes: Mapping[str, Any], *, is_one_payer: bool
) -> dict[str, Any]:
    """Leave out what was computed before and is sent as it was read, so that another amount can be sent with it."""
    rest = dict(changes)
    if is_one_payer and rest.get("payers") == current["payers"]:
        del rest["payers"]
    if split == "itemised" and rest.get("participants") == current["participants"]:
        del rest["participants"]
    if rest.get("participants") and not _takes_amounts(current["split"]):
        rest["participants"] = _typed_only(split, rest["participants"], current["participants"])
    if rest.get("items"):
        # An item is not recognised by its place: another can be put before it.
        items = [each for each in current["items"] or () if not _takes_amounts(each["split"])]
        shown = [each for item in items for each in item["participants"]]
        rest["items"] = [
            item | {"participants": _typed_only(item["split"], item["participants"], shown)}
            if item.get("participants")
            else item
            for item in rest["items"]
        ]
    return rest


def _typed_only(split: str, participants: Parts, shown: Parts) -> Parts:
    """Return the participants without the amounts that are shown for them, unless the split takes amounts."""
    if _takes_amounts(split):
        return participants
    computed = {(each["member_id"], each["amount"]) for each in shown}
    return [
        {name: value for name, value in each.items() if name != "amount" or (each["member_id"], value) not in computed}
        for each in participants
    ]


def _takes_amounts(split: str) -> bool:
    return split in modes and "amount" in modes[split].takes


def _check_bill(split: str, bill: Mapping[str, Any]) -> None:
    """Refuse an itemised split without items, and what only that has with another split."""
    if split == "itemised":
        if bill["items"] is None:
            raise Invalid.at("/items", "required", "The itemised split requires `items`, each with its `amount`.")
        return
    for name, value in bill.items():
        if value is not None:
            raise Invalid.at(
                f"/{name}",
                "not_in_split",
                f'The {split} split takes no `{name}`. Leave it out, or send `"split": "itemised"`.',
            )


def _named(
    payer: str, payers: Parts | None, participants: Parts | None, items: Items | None
) -> Iterator[tuple[str, str]]:
    """Yield the ids of all whom an expense names, each with the JSON pointer of where it does."""
    if payers is None:
        yield "/payer", payer
    lists = {"/payers": payers, "/participants": participants}
    lists |= {f"/items/{index}/participants": item.get("participants") for index, item in enumerate(items or ())}
    for pointer, parts in lists.items():
        for index, part in enumerate(parts or ()):
            yield f"{pointer}/{index}/member_id", part["member_id"]


def _amounts(shares: Shares) -> list[dict[str, Any]]:
    return [{"member_id": member_id, "amount": amount} for member_id, amount in shares.items()]
