"""What members look like."""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from service.teams.schemas import roles
from service.web.fields import Choice, QueryFlag, Reason
from service.web.paging import PageQuery, first_id
from service.web.schemas import Change, Input, Output, ReadOnly
from service.web.text import Email, Text


class NewMember(Input):
    """A new member: an account by its e-mail address, or a guest by a name."""

    example = {"name": "Grandma"}

    email = Email(metadata={"description": "The address of the account to add."})
    role = Choice(*roles, metadata={"description": "The role of the account to add; `member` by default."})
    name = Text(1, 100, metadata={"description": "The name of the guest to add."})

    @validates_schema
    def check_kind(self, data: Mapping[str, Any], **_: Any) -> None:
        """Require either an account or a guest, and refuse a role for a guest."""
        if ("email" in data) == ("name" in data):
            raise ValidationError(Reason("Send an `email` to add an account, or a `name` to add a guest.", "one_of"))
        if "name" in data and "role" in data:
            raise ValidationError(Reason("A guest has no role.", "guest"), "role")


class MemberChange(Change):
    """The fields to change; all others stay unchanged."""

    example = {"name": "Granny"}

    name = Text(1, 100)
    role = Choice(*roles, "guest", metadata={"description": "`guest` only for a guest, who keeps it."})
    member_id = ReadOnly()
    user_id = ReadOnly()
    joined_at = ReadOnly()
    left_at = ReadOnly()
    version = ReadOnly()


class MembersQuery(PageQuery):
    """Which members to list."""

    start_id = first_id

    status = Choice("active", "former", "all", load_default="active")


class MemberRemoval(Input):
    """How to remove a member."""

    keep_balance = QueryFlag(
        load_default=False, metadata={"description": "Remove the member even if their balance is not zero."}
    )


class Member(Output):
    """A member of a team."""

    member_id = fields.UUID(required=True)
    user_id = fields.UUID(required=True, allow_none=True, metadata={"description": "The account; null for a guest."})
    name = fields.String(required=True)
    role = fields.String(required=True, metadata={"enum": [*roles, "guest"]})
    joined_at = fields.DateTime(required=True)
    left_at = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "When the member left; null if active."}
    )
    version = fields.Integer(required=True)
