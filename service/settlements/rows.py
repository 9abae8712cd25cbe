"""How a settlement is kept among the expenses."""

from collections.abc import Collection, Mapping
from typing import Any

import orjson

from service.errors import Invalid
from service.expenses.splits import divide
from service.ledger import not_a_member
from service.postgres.queries import Record


def columns_of(wanted: Mapping[str, Any], allowed: Collection[str]) -> dict[str, Any]:
    """Return the parameters of the statements that write a settlement. Raises Invalid for members not in `allowed`."""
    from_id, to_id, settles = wanted["from_id"], wanted["to_id"], wanted["settles"]
    amount, currency = wanted["amount"], wanted["currency"]
    if from_id == to_id:
        raise Invalid.at("/to", "same_member", "A member cannot settle with themselves.")
    for pointer, member_id in (("/from", from_id), ("/to", to_id)):
        if member_id not in allowed:
            raise not_a_member(pointer, member_id)
    is_exchanged = settles is not None and settles["currency"] != currency
    if settles is not None and not is_exchanged and settles["amount"] != amount:
        detail = (
            f"The payment is {amount} {currency}, and `settles` is {settles['amount']} {currency}: in the same "
            "currency they must be equal. Leave `settles` out, or send it as null."
        )
        raise Invalid.at("/settles/amount", "same_currency", detail)
    counted, counted_currency = (settles["amount"], settles["currency"]) if settles else (amount, currency)
    owed = [{"member_id": to_id, "amount": counted}]
    # Nothing is left over in one exact share, so no seed decides about it.
    division = divide(
        "", counted, split="exact", payer=from_id, payers=None, participants=owed, allowed=allowed, everybody=()
    )
    return {
        "amount": counted,
        "currency": counted_currency,
        "handed_amount": amount if is_exchanged else None,
        "handed_currency": currency if is_exchanged else None,
    } | division.columns("settlement")


def shown(current: Record) -> dict[str, Any]:
    """Return a settlement's row as the API shows it, with `from_id` and `to_id` for its members."""
    counted = {"amount": current["amount"], "currency": current["currency"]}
    is_exchanged = current["handed_amount"] is not None
    return {
        "settlement_id": current["expense_id"],
        "kind": current["kind"],
        "from_id": orjson.loads(current["payers"])[0]["member_id"],
        "to_id": orjson.loads(current["participants"])[0]["member_id"],
        "amount": current["handed_amount"] if is_exchanged else current["amount"],
        "currency": current["handed_currency"] if is_exchanged else current["currency"],
        "settles": counted if is_exchanged else None,
        "settled_on": current["spent_on"],
        "notes": current["notes"],
        "external_id": current["external_id"],
        "metadata": orjson.loads(current["metadata"]),
        "created_by": current["created_by"],
        "version": current["version"],
        "created_at": current["created_at"],
        "updated_at": current["updated_at"],
    }
