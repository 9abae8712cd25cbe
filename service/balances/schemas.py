"""What balances look like."""

from typing import ClassVar

from marshmallow import fields

from service.web import examples
from service.web.fields import Currency, Day
from service.web.paging import PageQuery
from service.web.schemas import Input, Output


class BalancesQuery(Input):
    """Which balances to return."""

    as_of = Day(
        metadata={
            "description": "As they were at the end of this day: without what was spent later. Otherwise all counts, "
            "also what is dated in the future."
        }
    )


class Balance(Output):
    """A member's balance in one currency, in minor units."""

    member_id = fields.UUID(required=True)
    name = fields.String(required=True)
    currency = fields.String(required=True)
    paid = fields.Integer(
        required=True,
        metadata={"description": "What they paid for expenses and settlements, and their part of incomes."},
    )
    owed = fields.Integer(
        required=True,
        metadata={"description": "Their part of expenses, and what they received of incomes and settlements."},
    )
    net = fields.Integer(required=True, metadata={"description": "Positive is to be received, negative to be paid."})
    is_settled = fields.Boolean(required=True, metadata={"description": "Whether the net is zero."})


class Balances(Output):
    """All balances of a team at one of its revisions."""

    example = {
        "revision": 12,
        "is_settled": False,
        "items": [
            {
                "member_id": examples.ann_id,
                "name": "Ann",
                "currency": "EUR",
                "paid": 9001,
                "owed": 6001,
                "net": 3000,
                "is_settled": False,
            },
            {
                "member_id": examples.bob_id,
                "name": "Bob",
                "currency": "EUR",
                "paid": 0,
                "owed": 3000,
                "net": -3000,
                "is_settled": False,
            },
        ],
    }

    revision = fields.Integer(required=True)
    is_settled = fields.Boolean(required=True, metadata={"description": "Whether nobody owes anybody anything."})
    items = fields.List(fields.Nested(Balance), required=True)


class Debt(Output):
    """What one member owes another in one currency, in minor units."""

    from_id = fields.UUID(data_key="from", required=True, metadata={"description": "The member who owes."})
    to_id = fields.UUID(data_key="to", required=True, metadata={"description": "The member who is owed."})
    currency = fields.String(required=True)
    amount = fields.Integer(required=True)


class Debts(Output):
    """All debts between two members of a team at one of its revisions."""

    example = {
        "revision": 12,
        "items": [{"from": examples.bob_id, "to": examples.ann_id, "currency": "EUR", "amount": 3000}],
    }

    revision = fields.Integer(required=True)
    items = fields.List(fields.Nested(Debt), required=True)


class ExplainQuery(PageQuery):
    """Which part of a member's balances to explain."""

    order: ClassVar[str] = "spent_on"

    currency = Currency(metadata={"description": "Only this balance; otherwise those in all currencies."})


class BalancePart(Output):
    """An expense, income or settlement in a member's balance, in minor units of its currency."""

    example = {
        "expense_id": examples.expense_id,
        "kind": "expense",
        "description": "Dinner",
        "spent_on": "2026-05-17",
        "currency": "EUR",
        "paid": 9001,
        "owed": 6001,
        "net": 3000,
        "balance": 3000,
    }

    expense_id = fields.UUID(required=True)
    kind = fields.String(required=True, metadata={"enum": ["expense", "income", "settlement"]})
    description = fields.String(required=True)
    spent_on = fields.Date(required=True)
    currency = fields.String(required=True)
    paid = fields.Integer(required=True, metadata={"description": "What this adds to what the member paid."})
    owed = fields.Integer(required=True, metadata={"description": "What this adds to what the member owes."})
    net = fields.Integer(required=True, metadata={"description": "What this adds to the balance: `paid` - `owed`."})
    balance = fields.Integer(
        required=True, metadata={"description": "The member's net in this currency with this and all before it."}
    )
