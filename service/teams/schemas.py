"""What teams look like."""

from marshmallow import fields

from service.web import examples
from service.web.fields import Choice, Currency, Day, Flag
from service.web.paging import PageQuery
from service.web.schemas import Change, Input, OpenNet, Output, ReadOnly, ReadOnlyNets
from service.web.text import Text
from service.web.time_zones import TimeZone

roles = ["owner", "admin", "member", "viewer"]
time_zone_description = (
    "It tells what day today is: the day of an expense that is sent without one. The latest day is 366 days later."
)

closed_until_description = (
    "The last day of the closed period, at most today: nothing of that day or before is recorded, changed or deleted. "
    "Only an owner can set an earlier day, or null, which opens everything."
)


class NewTeam(Input):
    """A new team."""

    example = {"name": "Trip to Paris", "currency": "EUR"}

    name = Text(1, 100, required=True)
    currency = Currency(for_a_new_team=True, required=True, metadata={"description": "The default for expenses."})
    time_zone = TimeZone(load_default="UTC", metadata={"description": time_zone_description})


class TeamChange(Change):
    """The fields to change; all others stay unchanged."""

    example = {"name": "Trip to Rome"}

    name = Text(1, 100)
    currency = Currency(metadata={"description": "The default for new expenses; existing ones keep theirs."})
    time_zone = TimeZone(metadata={"description": time_zone_description})
    archived = Flag(
        metadata={
            "description": "Whether the team is closed: nothing is recorded or changed, and nobody is added. "
            "Members can leave it."
        }
    )
    closed_until = Day(allow_none=True, metadata={"description": closed_until_description})
    team_id = ReadOnly()
    member_id = ReadOnly()
    role = ReadOnly()
    revision = ReadOnly()
    version = ReadOnly()
    archived_at = ReadOnly()
    deleted_at = ReadOnly()
    purge_at = ReadOnly()
    created_at = ReadOnly()
    balances = ReadOnlyNets()


class TeamsQuery(PageQuery):
    """Which teams to list."""

    status = Choice(
        "active",
        "archived",
        "deleted",
        "all",
        load_default="all",
        metadata={"description": "`deleted`: those that you can restore. `all` has no deleted ones."},
    )


class Team(Output):
    """A team, with your membership in it."""

    example = {
        "team_id": examples.team_id,
        "name": "Flat",
        "currency": "EUR",
        "time_zone": "Europe/Paris",
        "member_id": examples.ann_id,
        "role": "owner",
        "revision": 12,
        "version": 1,
        "archived_at": None,
        "closed_until": "2026-03-31",
        "deleted_at": None,
        "purge_at": None,
        "created_at": examples.created_at,
        "balances": [{"currency": "EUR", "net": 3000}],
    }

    team_id = fields.UUID(required=True)
    name = fields.String(required=True)
    currency = fields.String(required=True)
    time_zone = fields.String(required=True)
    member_id = fields.UUID(required=True, metadata={"description": "Your member id."})
    role = fields.String(required=True, metadata={"enum": roles})
    revision = fields.Integer(required=True, metadata={"description": "Counts all writes to the team."})
    version = fields.Integer(required=True, metadata={"description": "Counts the changes of the team itself."})
    archived_at = fields.DateTime(required=True, allow_none=True)
    closed_until = fields.Date(
        required=True, allow_none=True, metadata={"description": "Nothing of this day or before is written any more."}
    )
    deleted_at = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "Set only in the list of deleted teams."}
    )
    purge_at = fields.DateTime(
        required=True,
        allow_none=True,
        metadata={"description": "Until when a deleted team can be restored. After that, nothing is left of it."},
    )
    created_at = fields.DateTime(required=True)
    balances = fields.List(
        fields.Nested(OpenNet),
        required=True,
        metadata={"description": "Your own balances in the team that are not zero, by currency."},
    )
