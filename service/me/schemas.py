"""What you can change in your own account."""

from collections.abc import Mapping
from typing import Any

from marshmallow import validates_schema

from service.auth.schemas import Password
from service.web.schemas import Change, ReadOnly
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
