"""What teams look like."""

from marshmallow import fields

from service.web.fields import Currency, Flag
from service.web.paging import PageQuery
from service.web.schemas import Change, Input, Output
from service.web.text import Text

roles = ["owner", "admin", "member", "viewer"]


class NewTeam(Input):
    """A new team."""

    example = {"name": "Trip to Paris", "currency": "EUR"}

    name = Text(1, 100, required=True)
    currency = Currency(required=True, metadata={"description": "Of expenses that name no other."})


class TeamChange(Change):
    """What changes; all else stays as it is."""

    example = {"name": "Trip to Rome"}

    name = Text(1, 100)
    currency = Currency(metadata={"description": "Of expenses to come; past ones keep theirs."})
    archived = Flag(metadata={"description": "Whether the team can only be read."})


class TeamsQuery(PageQuery):
    """How to page through teams."""


class Team(Output):
    """A team, as you stand in it."""

    team_id = fields.UUID(required=True)
    name = fields.String(required=True)
    currency = fields.String(required=True)
    member_id = fields.UUID(required=True, metadata={"description": "You, as a member."})
    role = fields.String(required=True, metadata={"enum": roles})
    revision = fields.Integer(required=True)
    archived_at = fields.DateTime(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)
