"""What balances look like."""

import datetime
from typing import Any, ClassVar

from marshmallow import fields

from service.web import examples
from service.web.fields import Currency, Day, Identifier
from service.web.paging import PageQuery, first_id
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


class StatementQuery(PageQuery):
    """Whose statement to return, and of which days."""

    order: ClassVar[str] = "spent_on"
    start_id: ClassVar[str] = first_id
    start_key: ClassVar[datetime.date] = datetime.date.min

    member_id = Identifier(metadata={"description": "The member whose statement it is; without it, your own."})
    from_day = Day(data_key="from", metadata={"description": "The first day; without it, all that was before."})
    to_day = Day(data_key="to", metadata={"description": "The last day; without it, all that follows."})


class PeriodBalance(Output):
    """A member's balance at both ends of a period, in minor units: `opening` + `paid` - `owed` is `closing`."""

    currency = fields.String(required=True)
    opening = fields.Integer(required=True, metadata={"description": "The net before the first day."})
    paid = fields.Integer(required=True, metadata={"description": "What was paid in the period."})
    owed = fields.Integer(required=True, metadata={"description": "What was owed in the period."})
    closing = fields.Integer(required=True, metadata={"description": "The net at the end of the last day."})


# What a page of a statement has beside its items.
statement_head: dict[str, fields.Field[Any]] = {
    "member_id": fields.UUID(required=True, metadata={"example": examples.ann_id}),
    "name": fields.String(required=True, metadata={"example": "Ann"}),
    "from": fields.Date(required=True, allow_none=True, metadata={"example": "2026-05-01"}),
    "to": fields.Date(required=True, allow_none=True, metadata={"example": "2026-05-31"}),
    "balances": fields.List(
        fields.Nested(PeriodBalance),
        required=True,
        metadata={"example": [{"currency": "EUR", "opening": 0, "paid": 9001, "owed": 6001, "closing": 3000}]},
    ),
}


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
