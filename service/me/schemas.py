"""What you can change in your own account, and your balances."""

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validates_schema

from service.auth.schemas import Password
from service.web import examples
from service.web.schemas import Change, Output, ReadOnly
from service.web.text import Email, Text


class AccountChange(Change):
    """The fields to change; all others stay unchanged. Another address or a password needs the current password."""

    example = {"name": "Ada Lovelace"}

    name = Text(1, 100)
    email = Email()
    password = Password()
    current_password = Password(1)
    user_id = ReadOnly()
    version = ReadOnly()
    created_at = ReadOnly()

    @validates_schema
    def check_any(self, data: Mapping[str, Any], **_: Any) -> None:
        """Refuse a request that changes nothing, such as the current password alone."""
        super().check_any({name: value for name, value in data.items() if name != "current_password"})


class OwnBalance(Output):
    """Your balance in one of your teams and one currency, in minor units."""

    team_id = fields.UUID(required=True)
    team_name = fields.String(required=True)
    is_archived = fields.Boolean(required=True, metadata={"description": "Whether the team is archived."})
    member_id = fields.UUID(required=True, metadata={"description": "Your member id."})
    currency = fields.String(required=True)
    net = fields.Integer(required=True, metadata={"description": "Positive is to be received, negative to be paid."})


class OwnBalances(Output):
    """Your balances that are not zero, those in the newest team first."""

    example = {
        "items": [
            {
                "team_id": examples.team_id,
                "team_name": "Flat",
                "is_archived": False,
                "member_id": examples.ann_id,
                "currency": "EUR",
                "net": 3000,
            }
        ]
    }

    items = fields.List(fields.Nested(OwnBalance), required=True)
