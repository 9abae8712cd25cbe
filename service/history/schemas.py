"""What a history looks like."""

from typing import Any, ClassVar

from marshmallow import fields

from service.history import actions, subjects
from service.money import amount_max
from service.web import examples
from service.web.fields import Choice, Day, Flag, Identifier, Value
from service.web.paging import PageQuery
from service.web.schemas import Input, Output


class Revision(Value, fields.Integer):
    """A revision of a team: the number of one of its writes, or zero before the first."""

    default_error_messages = {
        "invalid": "This must be a whole number.",
        "too_small": "This must be at least 0.",
        "too_large": "This must be at most {maximum}.",
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(limits={"minimum": 0, "maximum": amount_max}, **kwargs)

    def read(self, value: Any) -> int:
        """Return the value."""
        if type(value) is not int:
            raise self.make_error("invalid")
        if value > amount_max:
            raise self.make_error("too_large", maximum=amount_max)
        if value < 0:
            raise self.make_error("too_small")
        return value


class HistoryQuery(PageQuery):
    """Which part of a history to list, last written first."""

    order: ClassVar[str] = "revision"


class ActivityQuery(HistoryQuery):
    """Which part of a team's activity to list, last written first."""

    member_id = Identifier(data_key="actor", metadata={"description": "Only what this member wrote."})
    action = Choice(*actions, metadata={"description": "Only this."})
    subject = Choice(*subjects.values(), metadata={"description": "Only what was written of these."})
    subject_id = Identifier(metadata={"description": "Only what was written of this."})
    from_day = Day(data_key="from", metadata={"description": "From this day on, in the team's time zone."})
    to_day = Day(data_key="to", metadata={"description": "Until this day, in the team's time zone."})


class ReadMark(Input):
    """Up to which of the team's revisions you have read."""

    example = {"revision": 12}

    revision = Revision(
        required=True, metadata={"description": "The `revision` of the newest item that you have seen."}
    )
    back = Flag(
        load_default=False,
        metadata={
            "description": "Whether the marker may go back, so that what was read is unread again. Otherwise a lower "
            "revision than the marker's leaves it as it is: of two devices, the one that is behind changes nothing."
        },
    )


class Difference(Output):
    """A field that was changed, as the API shows it."""

    field = fields.String(required=True)
    before = fields.Raw(required=True, allow_none=True, metadata={"description": "Null if it had no value."})
    after = fields.Raw(required=True, allow_none=True, metadata={"description": "Null if it has no value."})


class Version(Output):
    """What was written once to a team: who, when, and what changed."""

    example = {
        "revision": 12,
        "at": examples.created_at,
        "actor_id": examples.ann_id,
        "actor_name": "Ann",
        "action": "expenses.update",
        "subject": "expense",
        "subject_id": examples.expense_id,
        "subject_name": "Dinner",
        "version": 2,
        "changes": [{"field": "amount", "before": 9000, "after": 9500}],
        "sentence": "Ann changed the amount from 90.00 EUR to 95.00 EUR",
    }

    revision = fields.Integer(required=True, metadata={"description": "The team's revision that it made."})
    at = fields.DateTime(required=True)
    actor_id = fields.UUID(required=True, metadata={"description": "The member who wrote it."})
    actor_name = fields.String(required=True, metadata={"description": "The member's name as it is now."})
    action = fields.String(
        required=True, metadata={"description": f"One of {', '.join(actions)}, or of those of a later release."}
    )
    subject = fields.String(
        required=True,
        metadata={"enum": [*subjects.values(), "other"], "description": "`other` for an action of a later release."},
    )
    subject_id = fields.UUID(required=True)
    subject_name = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "What it is called: a description, a name, who paid whom."},
    )
    version = fields.Integer(
        required=True, allow_none=True, metadata={"description": "The version that it made; null if that is not known."}
    )
    changes = fields.List(
        fields.Nested(Difference),
        required=True,
        metadata={"description": "All fields of what was recorded or deleted; else those that changed."},
    )
    sentence = fields.String(
        required=True, metadata={"description": "What happened, for people, in English, with names as they are now."}
    )


# The marker that a page of the activity has beside its items.
marker = fields.Integer(
    required=True,
    metadata={"description": "Up to which revision you have read; what is above it is unread.", "example": 11},
)
