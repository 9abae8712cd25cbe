"""The use cases of history: reading what was written, and how far somebody has read it."""

import datetime
from collections.abc import Sequence
from typing import Any

import orjson

from service import access
from service.actor import Actor
from service.errors import Invalid, NotFound
from service.history import actions, subjects
from service.history.differences import differences, member_ids, write_of
from service.history.sentences import sentence, title
from service.postgres.pool import Connectable, Record
from service.postgres.queries import queries

Items = Sequence[dict[str, Any]]
# A page of items, and the team's `revision` and the actor's marker `read` from before them.
Told = tuple[Items, Record]


async def expense(db: Connectable, actor: Actor, team_id: str, expense_id: str, *, limit: int, after: int) -> Told:
    """Return the versions of an expense, live or deleted, below the revision `after`, newest first.

    Up to `limit` are returned, and one more if there are more. Raises NotFound.
    """
    return await _versions(db, actor, team_id, "expenses", expense_id, limit=limit, after=after)


async def settlement(
    db: Connectable, actor: Actor, team_id: str, settlement_id: str, *, limit: int, after: int
) -> Told:
    """Return the versions of a settlement, as `expense` does."""
    return await _versions(db, actor, team_id, "settlements", settlement_id, limit=limit, after=after)


async def member(db: Connectable, actor: Actor, team_id: str, member_id: str, *, limit: int, after: int) -> Told:
    """Return the versions of a member, active or former, as `expense` does."""
    return await _versions(db, actor, team_id, "members", member_id, limit=limit, after=after)


async def team(db: Connectable, actor: Actor, team_id: str, *, limit: int, after: int) -> Told:
    """Return the versions of the team itself, as `expense` does."""
    return await _versions(db, actor, team_id, "teams", team_id, limit=limit, after=after)


async def _versions(
    db: Connectable, actor: Actor, team_id: str, feature: str, subject_id: str, *, limit: int, after: int
) -> Told:
    state = access.found(await queries.teams.state(db, team_id=team_id, user_id=actor.user_id))
    rows = queries.history.activity_of_subject(
        db,
        team_id=team_id,
        user_id=actor.user_id,
        subject_id=subject_id,
        feature=feature,
        action=None,
        actor=None,
        above=0,
        below=after,
        time_zone="UTC",
        from_day=None,
        to_day=None,
        size=limit + 1,
    )
    found = [row async for row in rows]
    # The team itself is there; without revisions, it is that of an early release.
    is_known = found or feature == "teams"
    if not is_known and not await queries.history.is_known(
        db, team_id=team_id, user_id=actor.user_id, feature=feature, subject_id=subject_id
    ):
        raise NotFound(f"There is no such {subjects[feature]}.")
    return await _told(db, actor, team_id, found), state


async def activity(
    db: Connectable,
    actor: Actor,
    team_id: str,
    *,
    limit: int,
    after: int,
    member_id: str | None = None,
    action: str | None = None,
    subject: str | None = None,
    subject_id: str | None = None,
    from_day: datetime.date | None = None,
    to_day: datetime.date | None = None,
) -> Told:
    """Return what was written to a team below the revision `after`, newest first, and the actor's marker as `read`.

    Up to `limit` items are returned, and one more if there are more. A filter that is None does not filter. Each
    filter has an index: that of the narrowest one is used.
    """
    reader = await queries.history.reader(db, team_id=team_id, user_id=actor.user_id, from_day=from_day, to_day=to_day)
    if reader is None:
        raise NotFound("There is no such team, or you are not in it.")
    asked = {
        "team_id": team_id,
        "user_id": actor.user_id,
        "above": reader["above"],
        "below": min(after, reader["below"]),
        "time_zone": reader["time_zone"],
        "from_day": from_day,
        "to_day": to_day,
        "size": limit + 1,
    }
    feature = next((name for name, each in subjects.items() if each == subject), None)
    wanted = [each for each in actions if action in {None, each} and feature in {None, each.partition(".")[0]}]
    if subject_id:
        rows = queries.history.activity_of_subject(
            db, subject_id=subject_id, feature=feature, action=action, actor=member_id, **asked
        )
    elif member_id:
        # By each action that this release knows: only so, what somebody did rarely is found at once.
        rows = queries.history.activity_by_actor(db, actor=member_id, actions=wanted, **asked)
    elif action or feature:
        rows = queries.history.activity_by_action(db, actions=wanted, **asked)
    else:
        rows = queries.history.activity(db, **asked)
    found = [row async for row in rows]
    return await _told(db, actor, team_id, found), reader


async def _told(db: Connectable, actor: Actor, team_id: str, rows: Sequence[Record]) -> Items:
    """Return revisions as the API shows them, in the words of today's names."""
    writes = [
        write_of(
            row["action"],
            row["actor_id"],
            row["subject_id"],
            *(None if row[side] is None else orjson.loads(row[side]) for side in ("before", "after")),
        )
        for row in rows
    ]
    ids = {each for write in writes for each in member_ids(write)}
    named = queries.history.names(db, team_id=team_id, user_id=actor.user_id, member_ids=list(ids))
    names = {row["member_id"]: row["name"] async for row in named} if ids else {}
    return [
        {
            **{name: row[name] for name in ("revision", "at", "actor_id", "actor_name", "action", "subject_id")},
            "subject": write.subject,
            "subject_name": title(write, names),
            "version": write.version,
            "changes": differences(write),
            "sentence": sentence(write, names),
        }
        for row, write in zip(rows, writes, strict=True)
    ]


async def read(db: Connectable, actor: Actor, team_id: str, *, revision: int, back: bool) -> None:
    """Set how far the actor has read. It goes back only with `back`. Raises Invalid beyond the team's revision.

    One statement decides and writes; it takes no lock of the team, because it is no write of the team.
    """
    found = await queries.history.read(db, team_id=team_id, user_id=actor.user_id, revision=revision, back=back)
    if found is None:
        raise NotFound("There is no such team, or you are not in it.")
    if revision > found["latest"]:
        detail = f"This is {revision}; the team's latest revision is {found['latest']}."
        raise Invalid.at("/revision", "out_of_range", detail)
