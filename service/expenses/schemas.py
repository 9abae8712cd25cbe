"""What expenses look like."""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from service.expenses.parts import BillItems, DividedItem, PaidAmount, Participant, Payer, Share, charge
from service.expenses.splits import splits
from service.members import members_max
from service.web import examples
from service.web.fields import Amount, Choice, Currency, Day, Identifier, Part, Reason, Several, SpentOn
from service.web.metadata import Metadata, MetadataFilter
from service.web.paging import PageQuery
from service.web.schemas import Change, Input, Output, ReadOnly
from service.web.text import Text

kinds = ["expense", "income"]
kind_description = (
    "`income` is money that came back, such as a refund: `payers` are those who received it, and it is shared by "
    "`participants`."
)
external_id_description = "Your own id for it, unique within the team, deleted ones included."


class ExpenseFields(Input):
    """The fields of an expense that clients can set."""

    kind = Choice(*kinds, metadata={"description": kind_description})
    description = Text(1, 200)
    amount = Amount()
    currency = Currency()
    spent_on = SpentOn(metadata={"description": "From the year 2000 to 366 days from today in the team's time zone."})
    category = Text(1, 50, allow_none=True)
    notes = Text(1, 2000, lines=True, allow_none=True)
    external_id = Text(1, 100, allow_none=True, metadata={"description": external_id_description})
    payer = Identifier(metadata={"description": "The id of the member who paid."})
    payers = Several(
        Part(Payer),
        1,
        members_max,
        metadata={"description": "Instead of `payer`, if several paid: their amounts come to the whole amount."},
    )
    split = Choice(
        *splits,
        metadata={
            "description": "Shared equally; by exact amounts, percentages, or weights; equally, plus or minus a fixed "
            "amount each; or by the items of a bill."
        },
    )
    participants = Several(
        Part(Participant),
        # None at all is a problem of its own.
        0,
        members_max,
        metadata={"description": "The members who share it, each with the value that the split takes: at least one."},
    )
    items = BillItems()
    tax = charge("the tax that is not in the items' amounts")
    tip = charge("the tip")
    discount = charge("what is taken off the whole bill")

    @validates_schema
    def check_payer(self, data: Mapping[str, Any], **_: Any) -> None:
        """Refuse `payer` together with `payers`."""
        if "payer" in data and "payers" in data:
            raise ValidationError(Reason("Send either `payer` or `payers`.", "one_of"), "payers")


class NewExpense(ExpenseFields):
    """A new expense; `{"description": "Dinner", "amount": 9000}` is enough.

    By default you paid, all active members but viewers share equally, in the team's currency, today.
    """

    example = {"description": "Dinner", "amount": 9000}

    description = Text(1, 200, required=True)
    amount = Amount(required=True)
    metadata = Metadata(metadata={"description": "Values of your own, by keys of your own."})


class ExpenseChange(ExpenseFields, Change):
    """The fields to change; all others stay unchanged."""

    example = {"amount": 9500}

    metadata = Metadata(is_change=True, metadata={"description": "The keys to set, or with null to remove."})
    expense_id = ReadOnly()
    created_by = ReadOnly()
    version = ReadOnly()
    created_at = ReadOnly()
    updated_at = ReadOnly()


class ExpensesQuery(PageQuery):
    """Which expenses to list, and in which order."""

    kind = Choice(
        *kinds,
        "settlement",
        metadata={
            "description": "Only these. Without it, expenses and incomes; settlements have a list of their own, "
            "and are shown here as who paid whom."
        },
    )
    payer = Identifier(metadata={"description": "Only expenses that this member paid, and incomes they received."})
    participant = Identifier(metadata={"description": "Only expenses that this member shares."})
    category = Text(1, 50)
    spent_from = Day(metadata={"description": "The earliest `spent_on`."})
    spent_to = Day(metadata={"description": "The latest `spent_on`."})
    q = Text(1, 200, metadata={"description": "Text to find in the description, ignoring case."})
    external_id = Text(1, 100)
    metadata = MetadataFilter(metadata={"description": "A key, a colon and its value: `order:A-17`."})
    sort = Choice(
        "spent_on",
        "created_at",
        load_default="spent_on",
        metadata={
            "description": "Newest first. By `created_at`, which never changes, pages neither skip nor repeat an "
            "expense; by `spent_on`, one whose day is changed between two pages can be missing or come twice."
        },
    )


class Expense(Output):
    """An expense with its shares."""

    example = {
        "expense_id": examples.expense_id,
        "kind": "expense",
        "description": "Dinner",
        "category": "food",
        "amount": 9001,
        "currency": "EUR",
        "spent_on": "2026-05-17",
        "notes": None,
        "external_id": None,
        "metadata": {},
        "split": "shares",
        "payers": [{"member_id": examples.ann_id, "amount": 9001}],
        "participants": [
            {"member_id": examples.ann_id, "shares": 2, "amount": 6001},
            {"member_id": examples.bob_id, "shares": 1, "amount": 3000},
        ],
        "items": None,
        "tax": None,
        "tip": None,
        "discount": None,
        "created_by": examples.ann_id,
        "version": 1,
        "created_at": examples.created_at,
        "updated_at": examples.created_at,
    }

    expense_id = fields.UUID(required=True)
    kind = fields.String(required=True, metadata={"enum": [*kinds, "settlement"], "description": kind_description})
    description = fields.String(required=True)
    category = fields.String(required=True, allow_none=True)
    amount = fields.Integer(required=True, metadata={"description": "In minor units of the currency."})
    currency = fields.String(required=True)
    spent_on = fields.Date(required=True)
    notes = fields.String(required=True, allow_none=True)
    external_id = fields.String(required=True, allow_none=True)
    metadata = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    split = fields.String(required=True, metadata={"enum": list(splits)})
    payers = fields.List(fields.Nested(PaidAmount), required=True)
    participants = fields.List(fields.Nested(Share), required=True)
    items = fields.List(
        fields.Nested(DividedItem),
        required=True,
        allow_none=True,
        metadata={"description": "Null unless the split is itemised, as are tax, tip and discount."},
    )
    tax = fields.Integer(required=True, allow_none=True)
    tip = fields.Integer(required=True, allow_none=True)
    discount = fields.Integer(required=True, allow_none=True)
    created_by = fields.UUID(required=True, metadata={"description": "The member who recorded it."})
    version = fields.Integer(required=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)
