"""What members look like."""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from service.teams.schemas import roles
from service.web import examples
from service.web.fields import Choice, Identifier, Reason
from service.web.paging import PageQuery, first_id
from service.web.schemas import Change, Input, Output, ReadOnly
from service.web.text import Email, Text


class NewMember(Input):
    """A new member: an account by its e-mail address, a guest by a name, or a former member by their id."""

    example = {"name": "Grandma"}

    email = Email(metadata={"description": "The address of the account to add."})
    role = Choice(
        *roles,
        metadata={
            "description": "The role of the account that is added or taken back; `member` by default, "
            "whatever it was before."
        },
    )
    name = Text(1, 100, metadata={"description": "The name of the guest to add."})
    member_id = Identifier(metadata={"description": "The former member to take back, with their past."})

    @validates_schema
    def check_kind(self, data: Mapping[str, Any], **_: Any) -> None:
        """Require an account, a guest or a former member, and refuse a role for a guest."""
        if sum(name in data for name in ("email", "name", "member_id")) != 1:
            detail = (
                "Send an `email` to add an account, a `name` to add a guest, or a `member_id` to take back a member."
            )
            raise ValidationError(Reason(detail, "one_of"))
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


class Member(Output):
    """A member of a team."""

    example = {
        "member_id": examples.bob_id,
        "user_id": None,
        "name": "Bob",
        "role": "guest",
        "joined_at": examples.created_at,
        "left_at": None,
        "version": 1,
    }

    member_id = fields.UUID(required=True)
    user_id = fields.UUID(required=True, allow_none=True, metadata={"description": "The account; null for a guest."})
    name = fields.String(required=True)
    role = fields.String(required=True, metadata={"enum": [*roles, "guest"]})
    joined_at = fields.DateTime(required=True)
    left_at = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "When the member left; null if active."}
    )
    version = fields.Integer(required=True)
