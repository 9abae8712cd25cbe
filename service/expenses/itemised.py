"""The itemised split: each item of a bill is shared by its own participants, in its own way.

Tax, tip and discount are spread in proportion to the items: each member owes as large a part of the amount as of the
items.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.errors import Invalid
from service.expenses.modes import (
    Parts,
    Shares,
    by_default,
    check_amounts,
    check_names,
    check_once,
    guarded,
    listed,
    off,
    shares_of,
    taken,
)
from service.ledger import ItemsMissAmount
from service.money import apportion

Items = Sequence[Mapping[str, Any]]

items_max = 100
# Of all items together. So many are answered in less than the 64 KiB that a body can have, and can be sent back.
item_participants_max = 600


@dataclass(frozen=True, slots=True)
class Bill:
    """The items of an expense as typed; the same with the amounts that came out; and who owes how much of the expense.

    `is_by_default` tells whether everybody shares an item because no participants were sent for it.
    """

    typed: list[dict[str, Any]]
    items: list[dict[str, Any]]
    owed: Shares
    is_by_default: bool


def too_many(participants: int) -> str:
    """Return what is said of items that have too many participants."""
    over = participants - item_participants_max
    return (
        f"The items have {participants} participants in all, {over} more than the maximum of {item_participants_max}."
    )


def divide_items(
    seed: str,
    amount: int,
    items: Items,
    charged: Mapping[str, int | None],
    *,
    participants: Parts | None,
    everybody: Sequence[str],
) -> Bill:
    """Divide the items, and by what each member owes of them, the amount.

    `charged` has `tax`, `tip` and `discount`. An item without participants is shared by `everybody`. `participants` are
    None, or those that come out. Raises Invalid if they are others, if the items and charges do not come to the amount,
    and as `shares_of` does.
    """
    _check_sum(amount, items, charged)
    count = sum(len(item.get("participants") or everybody) for item in items)
    if count > item_participants_max:
        raise Invalid.at("/items", "too_many", too_many(count))
    typed, answered = [], []
    subtotals: Counter[str] = Counter()
    for index, item in enumerate(items):
        split, pointer = item["split"], f"/items/{index}/participants"
        shared = item.get("participants") or by_default(split, everybody, pointer)
        shares = shares_of(split, f"{seed}:{index}", item["amount"], shared, pointer)
        subtotals.update(shares)
        kept = {"description": item.get("description"), "amount": item["amount"], "split": split}
        typed.append(kept | {"participants": taken(split, shared)})
        answered.append(kept | {"participants": listed(split, shared, shares)})
    owed = guarded(amount, apportion(amount, subtotals, seed))
    if participants is not None:
        _check_participants(participants, owed)
    return Bill(typed, answered, owed, any(not item.get("participants") for item in items))


def _check_sum(amount: int, items: Items, charged: Mapping[str, int | None]) -> None:
    tax, tip, discount = (charged[name] or 0 for name in ("tax", "tip", "discount"))
    total = sum(item["amount"] for item in items) + tax + tip - discount
    if total != amount:
        raise ItemsMissAmount.at(
            "/items",
            "sum",
            f"The items, tax and tip less the discount come to {total}, {off(total, amount)} than the amount.",
        )


def _check_participants(participants: Parts, owed: Shares) -> None:
    """Refuse participants of the whole expense that are not those of its items."""
    check_names("itemised", (), participants, "/participants")
    check_once(participants, "/participants")
    for index, participant in enumerate(participants):
        if participant["member_id"] not in owed:
            detail = f"{participant['member_id']} is in none of the items."
            raise Invalid.at(f"/participants/{index}/member_id", "not_in_split", detail)
    if len(participants) != len(owed):
        raise Invalid.at(
            "/participants",
            "not_in_split",
            f"The items name {len(owed)} members, and `participants` names {len(participants)}. Leave it out.",
        )
    check_amounts("itemised", participants, owed, "/participants")
