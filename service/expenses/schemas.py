"""What expenses look like."""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from service.expenses.splits import modes
from service.members import members_max
from service.web.fields import Amount, Choice, Currency, Day, Identifier, Part, Reason, Several, SpentOn
from service.web.paging import PageQuery
from service.web.schemas import Change, Input, Output, ReadOnly
from service.web.text import Text

# One payer for now; the shape already allows more.
payers_max = 1


class Payer(Input):
    """A member who paid, and how much."""

    member_id = Identifier(required=True)
    amount = Amount(required=True)


class Participant(Input):
    """A member who takes part, and their share of the amount."""

    member_id = Identifier(required=True)
    amount = Amount(
        minimum=0,
        metadata={"description": "Required with the exact split; otherwise only as the split computes it."},
    )


class ExpenseFields(Input):
    """The fields of an expense that clients can set."""

    description = Text(1, 200)
    amount = Amount()
    currency = Currency()
    spent_on = SpentOn(metadata={"description": "From the year 2000 to a year from today."})
    category = Text(1, 50, allow_none=True)
    notes = Text(1, 2000, lines=True, allow_none=True)
    payer = Identifier(metadata={"description": "The id of the member who paid."})
    payers = Several(
        Part(Payer),
        1,
        payers_max,
        error_messages={"too_many": "For now, an expense has one payer, of the whole amount; this has {length}."},
        metadata={"description": "Instead of `payer`, as in answers: for now one, with the whole amount."},
    )
    split = Choice(*modes, metadata={"description": "`exact` requires the participants' amounts."})
    participants = Several(Part(Participant), 1, members_max, metadata={"description": "The members who share it."})

    @validates_schema
    def check_payer(self, data: Mapping[str, Any], **_: Any) -> None:
        """Refuse `payer` together with `payers`."""
        if "payer" in data and "payers" in data:
            raise ValidationError(Reason("Send either `payer` or `payers`.", "one_of"), "payers")


class NewExpense(ExpenseFields):
    """A new expense; `{"description": "Dinner", "amount": 9000}` is enough.

    By default you paid, all active members share equally, in the team's currency, today (UTC).
    """

    example = {"description": "Dinner", "amount": 9000}

    description = Text(1, 200, required=True)
    amount = Amount(required=True)


class ExpenseChange(ExpenseFields, Change):
    """The fields to change; all others stay unchanged."""

    example = {"amount": 9500}

    expense_id = ReadOnly()
    created_by = ReadOnly()
    version = ReadOnly()
    created_at = ReadOnly()
    updated_at = ReadOnly()


class ExpensesQuery(PageQuery):
    """Which expenses to list, and in which order."""

    payer = Identifier(metadata={"description": "Only expenses that this member paid."})
    participant = Identifier(metadata={"description": "Only expenses that this member shares."})
    category = Text(1, 50)
    spent_from = Day(metadata={"description": "The earliest `spent_on`."})
    spent_to = Day(metadata={"description": "The latest `spent_on`."})
    q = Text(1, 200, metadata={"description": "Text to find in the description, ignoring case."})
    sort = Choice(
        "spent_on",
        "created_at",
        load_default="spent_on",
        metadata={
            "description": "Newest first. By `created_at`, which never changes, pages neither skip nor repeat an "
            "expense; by `spent_on`, one whose day is changed between two pages can be missing or come twice."
        },
    )


class Share(Output):
    """A member's share of an amount."""

    member_id = fields.UUID(required=True)
    amount = fields.Integer(required=True)


class Expense(Output):
    """An expense with its shares."""

    expense_id = fields.UUID(required=True)
    description = fields.String(required=True)
    category = fields.String(required=True, allow_none=True)
    amount = fields.Integer(required=True, metadata={"description": "In minor units of the currency."})
    currency = fields.String(required=True)
    spent_on = fields.Date(required=True)
    notes = fields.String(required=True, allow_none=True)
    split = fields.String(required=True, metadata={"enum": list(modes)})
    payers = fields.List(fields.Nested(Share), required=True)
    participants = fields.List(fields.Nested(Share), required=True)
    created_by = fields.UUID(required=True, metadata={"description": "The member who recorded it."})
    version = fields.Integer(required=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)
