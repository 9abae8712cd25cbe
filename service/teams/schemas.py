"""What teams look like."""

from marshmallow import fields

from service.web.fields import Choice, Currency, Flag
from service.web.paging import PageQuery
from service.web.schemas import Change, Input, Output, ReadOnly
from service.web.text import Text

roles = ["owner", "admin", "member", "viewer"]


class NewTeam(Input):
    """A new team."""

    example = {"name": "Trip to Paris", "currency": "EUR"}

    name = Text(1, 100, required=True)
    currency = Currency(for_a_new_team=True, required=True, metadata={"description": "The default for expenses."})


class TeamChange(Change):
    """The fields to change; all others stay unchanged."""

    example = {"name": "Trip to Rome"}

    name = Text(1, 100)
    currency = Currency(metadata={"description": "The default for new expenses; existing ones keep theirs."})
    archived = Flag(
        metadata={"description": "Whether the team is closed to expenses and new members. Members can leave it."}
    )
    team_id = ReadOnly()
    member_id = ReadOnly()
    role = ReadOnly()
    revision = ReadOnly()
    version = ReadOnly()
    archived_at = ReadOnly()
    created_at = ReadOnly()


class TeamsQuery(PageQuery):
    """Which teams to list."""

    status = Choice("active", "archived", "all", load_default="all")


class Team(Output):
    """A team, with your membership in it."""

    team_id = fields.UUID(required=True)
    name = fields.String(required=True)
    currency = fields.String(required=True)
    member_id = fields.UUID(required=True, metadata={"description": "Your member id."})
    role = fields.String(required=True, metadata={"enum": roles})
    revision = fields.Integer(required=True, metadata={"description": "Counts all writes to the team."})
    version = fields.Integer(required=True, metadata={"description": "Counts the changes of the team itself."})
    archived_at = fields.DateTime(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)
