"""What the parts of an expense look like: payers, participants, and the items of a bill; as sent and as answered."""

from typing import Any

from marshmallow import ValidationError, fields

from service.expenses.itemised import item_participants_max, items_max, too_many
from service.expenses.modes import modes, percent_max, weight_max
from service.members import members_max
from service.web.fields import Amount, Choice, Identifier, Part, Reason, Several, SignedAmount, Weight
from service.web.schemas import Input, Output
from service.web.text import Text


class Payer(Input):
    """A member who paid, and how much."""

    member_id = Identifier(required=True)
    amount = Amount(required=True)


class Participant(Input):
    """A member who takes part, and what decides about their share: the value that the split takes."""

    member_id = Identifier(required=True)
    amount = Amount(
        minimum=0,
        metadata={"description": "Required with the exact split; otherwise only as the split computes it."},
    )
    percent = Weight(
        percent_max,
        33.3333,
        metadata={
            "description": "With the percent split, which requires it: the share in percent, with up to 4 decimals. "
            "Together they must be exactly 100."
        },
    )
    shares = Weight(
        weight_max,
        2.5,
        metadata={
            "description": "With the shares split, which requires it: a weight with up to 4 decimals, such as days of "
            "presence or half portions. Not everybody can have 0."
        },
    )
    adjustment = SignedAmount(
        metadata={
            "description": "With the adjustment split: what this member owes more, or less, than their equal part of "
            "the rest; 0 if it is left out. No share can be negative.",
            "example": -500,
        }
    )


class BillItem(Input):
    """An item of a bill, which has its own participants and its own way to split it."""

    description = Text(1, 200, allow_none=True)
    amount = Amount(required=True)
    split = Choice(*modes, load_default="equal")
    participants = Several(
        Part(Participant),
        1,
        members_max,
        metadata={"description": "The members who share it; if it is left out, all who share by default."},
    )


class BillItems(Several):
    """The items of a bill. All their participants are counted before any of them is read."""

    def __init__(self) -> None:
        super().__init__(
            Part(BillItem),
            1,
            items_max,
            allow_none=True,
            metadata={
                "description": "Required with the itemised split, and only taken with it. With tax and tip, and less "
                f"the discount, they come to the amount. They have at most {item_participants_max} participants in all."
            },
        )

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        lists = [each.get("participants") for each in value if type(each) is dict] if type(value) is list else []
        count = sum(len(each) for each in lists if type(each) is list)
        if count > item_participants_max:
            raise ValidationError(Reason(too_many(count), "too_many"))
        return super()._deserialize(value, attr, data, **kwargs)


def charge(description: str) -> Amount:
    """Return the field of an amount that is spread over all items of a bill."""
    description = f"With the itemised split: {description}, spread in proportion to the items."
    return Amount(minimum=0, allow_none=True, metadata={"description": description, "example": 250})


class PaidAmount(Output):
    """What a member paid of an amount."""

    member_id = fields.UUID(required=True)
    amount = fields.Integer(required=True)


class Share(Output):
    """A member's share of an amount, with what was typed for it: one of the others, if the split takes it."""

    member_id = fields.UUID(required=True)
    amount = fields.Integer(required=True)
    percent = fields.Float()
    shares = fields.Float()
    adjustment = fields.Integer()


class DividedItem(Output):
    """An item of a bill with its shares, without tax, tip and discount."""

    description = fields.String(required=True, allow_none=True)
    amount = fields.Integer(required=True)
    split = fields.String(required=True, metadata={"enum": list(modes)})
    participants = fields.List(fields.Nested(Share), required=True)
