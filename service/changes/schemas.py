"""What changes look like."""

from typing import Any

from marshmallow import fields, post_load

from service.changes.cursor import decoded
from service.errors import Invalid
from service.expenses.schemas import Expense
from service.members.schemas import Member
from service.settlements.schemas import Settlement
from service.teams.schemas import Team
from service.web import examples
from service.web.fields import Limit, Whole
from service.web.schemas import AnyOf, Input, Output
from service.web.text import Text

subjects = ["expense", "settlement", "member", "team"]
verbs = ["create", "update", "delete"]
revision_max = 10**18
# Balancers and proxies wait for an answer at least as long.
wait_seconds_max = 60


class FollowingQuery(Input):
    """How much to read, and how long to wait for it."""

    limit = Limit()
    wait = Whole(
        wait_seconds_max,
        load_default=0,
        metadata={"description": "If there is nothing yet, how many seconds to wait for something."},
    )


class ChangesQuery(FollowingQuery):
    """From where to follow a team."""

    after = Whole(
        revision_max,
        load_default=0,
        metadata={"description": "The revision up to which you have everything; 0 for all."},
    )


class OwnChangesQuery(FollowingQuery):
    """From where to follow all teams."""

    after = Text(1, 8000, metadata={"description": "The `next` of the previous answer."})

    @post_load
    def read_position(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Replace the cursor by what it stands for. Raises Invalid for a malformed one."""
        after = data.get("after")
        try:
            data["after"] = {} if after is None else decoded(after)
        except ValueError:
            detail = "This is not the `next` of an answer to you."
            raise Invalid.at("/after", "not_a_cursor", detail, place="query") from None
        return data


class TeamItself(Output):
    """A team without what differs by who reads it: your membership, your balances, and the revision."""

    example = {
        name: value
        for name, value in Team.example.items()
        if name not in {"member_id", "role", "revision", "balances", "deleted_at", "purge_at"}
    }

    team_id = fields.UUID(required=True)
    name = fields.String(required=True)
    currency = fields.String(required=True)
    time_zone = fields.String(required=True)
    version = fields.Integer(required=True)
    archived_at = fields.DateTime(required=True, allow_none=True)
    closed_until = fields.Date(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)


class RecordedChange(Output):
    """One write of a team."""

    example = {
        "revision": 12,
        "at": examples.created_at,
        "actor_id": examples.ann_id,
        "action": "members.update",
        "subject": "member",
        "subject_id": examples.bob_id,
        "after": Member.example,
    }

    revision = fields.Integer(required=True)
    at = fields.DateTime(required=True)
    actor_id = fields.UUID(required=True, metadata={"description": "The member who did it."})
    action = fields.String(
        required=True,
        metadata={"enum": [*(f"{subject}s.{verb}" for subject in subjects for verb in verbs), "teams.restore"]},
    )
    subject = fields.String(required=True, metadata={"enum": subjects, "description": "What was written."})
    subject_id = fields.UUID(required=True, metadata={"description": "Its id."})
    after = AnyOf(
        [Expense, Settlement, Member, TeamItself],
        metadata={
            "description": "It, as it was answered then; null if it was deleted. A member who left is still "
            "there, with `left_at`."
        },
    )


class Changes(Output):
    """What was written to a team, oldest first."""

    example = {"items": [RecordedChange.example], "revision": 12, "more": False}

    items = fields.List(fields.Nested(RecordedChange), required=True)
    revision = fields.Integer(
        required=True, metadata={"description": "How far you may follow: the team's revision, or that of your leaving."}
    )
    more = fields.Boolean(
        required=True, metadata={"description": "Whether more follows the last item: send its revision as `after`."}
    )


class OwnRecordedChange(RecordedChange):
    """One write of one of your teams."""

    example = {"team_id": examples.team_id} | RecordedChange.example

    team_id = fields.UUID(required=True)


class OwnChanges(Output):
    """What was written to your teams: team by team, in each the oldest first."""

    example = {
        "items": [OwnRecordedChange.example],
        "revision": 31,
        "more": False,
        "next": "ARAaWzwNEHw-mkE_bSuOHAEM",
    }

    items = fields.List(fields.Nested(OwnRecordedChange), required=True)
    revision = fields.Integer(required=True, metadata={"description": "How many writes there are that you may see."})
    more = fields.Boolean(required=True, metadata={"description": "Whether there is more: send `next` as `after`."})
    next = fields.String(required=True, metadata={"description": "The position behind this, for `after`."})
