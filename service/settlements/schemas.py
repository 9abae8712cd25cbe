"""What settlements look like."""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from service.web import examples
from service.web.fields import Amount, Choice, Currency, Day, Identifier, Part, Reason, SpentOn
from service.web.metadata import Metadata, MetadataFilter
from service.web.paging import PageQuery
from service.web.schemas import Change, Input, Output, ReadOnly
from service.web.text import Text

external_id_description = "Your own id for it, unique among the team's expenses and settlements, deleted ones included."
settles_description = (
    "The debt that the payment is for, if it is in another currency: 50 EUR can settle 54 USD. Only this counts in the "
    "balances."
)


class Money(Input):
    """An amount in a currency."""

    amount = Amount(required=True)
    currency = Currency(required=True)


class SettlementFields(Input):
    """The fields of a settlement that clients can set."""

    from_id = Identifier(data_key="from", metadata={"description": "The member who paid."})
    to_id = Identifier(data_key="to", metadata={"description": "The member who received it."})
    amount = Amount()
    currency = Currency()
    settles = Part(Money, allow_none=True, metadata={"description": settles_description})
    settled_on = SpentOn(metadata={"description": "From the year 2000 to 366 days from today in the team's time zone."})
    notes = Text(1, 2000, lines=True, allow_none=True)
    external_id = Text(1, 100, allow_none=True, metadata={"description": external_id_description})

    @validates_schema
    def check_members(self, data: Mapping[str, Any], **_: Any) -> None:
        """Refuse a payment to oneself."""
        if "from_id" in data and data["from_id"] == data.get("to_id"):
            raise ValidationError(Reason("A member cannot settle with themselves.", "same_member"), "to")


class NewSettlement(SettlementFields):
    """A new settlement: one member has paid another.

    By default in the team's currency, today in its time zone.
    """

    example = {
        "from": "01930b7e-7a3c-7d6a-8a35-2f6a3f1d9a10",
        "to": "01930b7e-7a3c-7d6a-8a35-2f6a3f1d9a11",
        "amount": 5000,
    }

    from_id = Identifier(data_key="from", required=True, metadata={"description": "The member who paid."})
    to_id = Identifier(data_key="to", required=True, metadata={"description": "The member who received it."})
    amount = Amount(required=True)
    metadata = Metadata(metadata={"description": "Values of your own, by keys of your own."})


class SettlementChange(SettlementFields, Change):
    """The fields to change; all others stay unchanged."""

    example = {"amount": 5500}

    metadata = Metadata(is_change=True, metadata={"description": "The keys to set, or with null to remove."})
    settlement_id = ReadOnly()
    kind = ReadOnly()
    created_by = ReadOnly()
    version = ReadOnly()
    created_at = ReadOnly()
    updated_at = ReadOnly()


class PlannedTransfer(Input):
    """A transfer of the settlement plan, as it is there, and what else to record of it."""

    example = {
        "from": "01930b7e-7a3c-7d6a-8a35-2f6a3f1d9a10",
        "to": "01930b7e-7a3c-7d6a-8a35-2f6a3f1d9a11",
        "amount": 5000,
        "currency": "EUR",
    }

    from_id = Identifier(data_key="from", required=True, metadata={"description": "The member who paid."})
    to_id = Identifier(data_key="to", required=True, metadata={"description": "The member who received it."})
    amount = Amount(required=True)
    currency = Currency(required=True)
    settled_on = SpentOn(metadata={"description": "Today by default."})
    notes = Text(1, 2000, lines=True, allow_none=True)
    external_id = Text(1, 100, allow_none=True, metadata={"description": external_id_description})
    metadata = Metadata(metadata={"description": "Values of your own, by keys of your own."})


class SettlementsQuery(PageQuery):
    """Which settlements to list, last settled first."""

    from_id = Identifier(data_key="from", metadata={"description": "Only what this member paid."})
    to_id = Identifier(data_key="to", metadata={"description": "Only what this member received."})
    member = Identifier(metadata={"description": "Only what this member paid or received."})
    settled_from = Day(metadata={"description": "The earliest `settled_on`."})
    settled_to = Day(metadata={"description": "The latest `settled_on`."})
    external_id = Text(1, 100)
    metadata = MetadataFilter(metadata={"description": "A key, a colon and its value: `order:A-17`."})
    sort = Choice(
        "settled_on",
        "created_at",
        load_default="settled_on",
        metadata={
            "description": "Newest first. By `created_at`, which never changes, pages neither skip nor repeat a "
            "settlement; by `settled_on`, one whose day is changed between two pages can be missing or come twice."
        },
    )


class Amounted(Output):
    """An amount in a currency, in minor units."""

    amount = fields.Integer(required=True)
    currency = fields.String(required=True)


class Settlement(Output):
    """A payment between two members. It counts in the balances, and never as spending."""

    example = {
        "settlement_id": examples.settlement_id,
        "kind": "settlement",
        "from": examples.bob_id,
        "to": examples.ann_id,
        "amount": 5000,
        "currency": "EUR",
        "settles": {"amount": 5400, "currency": "USD"},
        "settled_on": "2026-05-17",
        "notes": "By bank",
        "external_id": "bank:17",
        "metadata": {"order": "A-17"},
        "created_by": examples.bob_id,
        "version": 1,
        "created_at": examples.created_at,
        "updated_at": examples.created_at,
    }

    settlement_id = fields.UUID(required=True)
    kind = fields.String(required=True, metadata={"enum": ["settlement"]})
    from_id = fields.UUID(data_key="from", required=True, metadata={"description": "The member who paid."})
    to_id = fields.UUID(data_key="to", required=True, metadata={"description": "The member who received it."})
    amount = fields.Integer(required=True, metadata={"description": "In minor units of the currency."})
    currency = fields.String(required=True)
    settles = fields.Nested(
        Amounted, required=True, allow_none=True, metadata={"description": f"{settles_description} Otherwise null."}
    )
    settled_on = fields.Date(required=True)
    notes = fields.String(required=True, allow_none=True)
    external_id = fields.String(required=True, allow_none=True)
    metadata = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    created_by = fields.UUID(required=True, metadata={"description": "The member who recorded it."})
    version = fields.Integer(required=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


class SuggestedTransfer(Amounted):
    """A payment that would settle debts."""

    from_id = fields.UUID(data_key="from", required=True, metadata={"description": "The member who would pay."})
    to_id = fields.UUID(data_key="to", required=True, metadata={"description": "The member who would receive it."})


class SettlementPlan(Output):
    """The transfers that would settle a team at one of its revisions."""

    example = {
        "revision": 12,
        "fewest": True,
        "items": [{"from": examples.bob_id, "to": examples.ann_id, "amount": 3000, "currency": "EUR"}],
    }

    revision = fields.Integer(required=True)
    fewest = fields.Boolean(
        required=True,
        metadata={"description": "Whether no fewer transfers would do: not known above 16 open balances."},
    )
    items = fields.List(fields.Nested(SuggestedTransfer), required=True)
