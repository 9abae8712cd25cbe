"""The use cases of teams."""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import EllipsisType
from typing import Any

import asyncpg
import orjson

from service import access
from service.actor import Actor
from service.errors import Invalid, NotDeleted, Unauthenticated
from service.money import why_not
from service.postgres.pool import Connectable, Record
from service.postgres.queries import queries
from service.read_only import check_read_only


async def create(db: Connectable, actor: Actor, *, name: str, currency: str, time_zone: str = "UTC") -> Record:
    """Create a team with the actor as its owner. Raises Invalid for a time zone that PostgreSQL does not know."""
    with _known_time_zone():
        team: Record | None = await queries.teams.create(
            db, user_id=actor.user_id, name=name, currency=currency, time_zone=time_zone
        )
    if team is None:
        raise Unauthenticated("This account does not exist any more.")
    return team


async def page(
    db: Connectable, actor: Actor, *, kept_seconds: float, status: str, limit: int, after: tuple[None, str]
) -> Sequence[Record]:
    """Return the actor's teams after `after`, newest first: up to `limit`, and one more if there are more.

    With the status `deleted`, those that the actor can restore: owners, for `kept_seconds` after the deletion.
    """
    _, after_id = after
    if status == "deleted":
        rows = queries.teams.page_deleted(
            db, user_id=actor.user_id, kept_seconds=kept_seconds, after_id=after_id, size=limit + 1
        )
    else:
        rows = queries.teams.page(db, user_id=actor.user_id, status=status, after_id=after_id, size=limit + 1)
    return [row async for row in rows]


async def get(db: Connectable, actor: Actor, team_id: str) -> Record:
    """Return one of the actor's teams."""
    return access.found(await queries.teams.get(db, team_id=team_id, user_id=actor.user_id))


async def state(db: Connectable, actor: Actor, team_id: str) -> Record | None:
    """Return what tags of answers about a team are made of: its `revision` and `version`, and the actor's `read`.

    None for an account that is not in the team.
    """
    found: Record | None = await queries.teams.state(db, team_id=team_id, user_id=actor.user_id)
    return found


async def update(
    db: Connectable,
    actor: Actor,
    team_id: str,
    *,
    versions: list[int] | None = None,
    name: str | None = None,
    currency: str | None = None,
    time_zone: str | None = None,
    archived: bool | None = None,
    closed_until: datetime.date | EllipsisType | None = ...,
    read_only: Mapping[str, Any] | None = None,
) -> Record:
    """Change a team; only owners and admins may. An archived team keeps its name, currency, time zone and closing.

    Nothing until `closed_until` can be written any more; None opens everything, and only owners may open. Raises
    PreconditionFailed unless `versions` has the team's version or is None; Invalid if a field in `read_only` is
    not as it is stored (for the revision, which other writes count as well, any that the team has had will do, and any
    list for the balances), and for a currency that no new team may choose, unless it is the team's already.
    """
    async with db.transaction(team_id) as transaction:
        revision = await access.lock(transaction, actor, team_id)
        if (
            currency
            and (reason := why_not(currency, for_a_team=True))
            and currency != (await get(transaction, actor, team_id))["currency"]
        ):
            raise Invalid.at("/currency", *reason)
        with _known_time_zone():
            changed = await queries.teams.update(
                transaction,
                team_id=team_id,
                user_id=actor.user_id,
                revision=revision,
                versions=versions,
                name=name,
                currency=currency,
                time_zone=time_zone,
                archived=archived,
                closes=closed_until is not ...,
                closed_until=None if closed_until is ... else closed_until,
            )
        team = access.granted(changed)
        before = {"version": team["current_version"], "archived_at": team["archived_before"], "revision": revision - 1}
        read = (read_only or {}).get("revision")
        if type(read) is int and 0 < read < revision:
            before["revision"] = read
        nets = (read_only or {}).get("balances")
        before["balances"] = nets if isinstance(nets, list) else orjson.loads(orjson.dumps(team["balances"]))
        # What is refused here is undone with the transaction.
        check_read_only(read_only, dict(team) | before)
    return team


@contextmanager
def _known_time_zone() -> Iterator[None]:
    """Refuse a time zone that PostgreSQL does not know, for lack of it or because its list is older."""
    try:
        yield
    except asyncpg.InvalidParameterValueError as error:
        raise Invalid.at("/time_zone", "invalid", "The database does not know this time zone.") from error


async def delete(
    db: Connectable, actor: Actor, team_id: str, *, versions: list[int] | None = None, keep_balance: bool = False
) -> None:
    """Mark a team as deleted; only owners may. Raises OpenBalance, and PreconditionFailed as `update` does."""
    async with db.transaction(team_id) as transaction:
        revision = await access.lock(transaction, actor, team_id)
        access.granted(
            await queries.teams.delete(
                transaction,
                team_id=team_id,
                user_id=actor.user_id,
                revision=revision,
                versions=versions,
                keep_balance=keep_balance,
            )
        )


async def restore(db: Connectable, actor: Actor, team_id: str, *, kept_seconds: float) -> Record:
    """Take back the deletion of a team; only owners may, for `kept_seconds` after it.

    Raises NotDeleted for a team that is there, and NotFound for what the actor cannot restore.
    """
    async with db.transaction(team_id) as transaction:
        user_id = actor.user_id
        revision = await queries.teams.lock_deleted(
            transaction, team_id=team_id, user_id=user_id, kept_seconds=kept_seconds
        )
        restored = revision is not None and await queries.teams.restore(
            transaction, team_id=team_id, user_id=user_id, revision=revision
        )
        if not restored:
            await access.require(transaction, actor, team_id)
            raise NotDeleted("The team is not deleted.")
        return await get(transaction, actor, team_id)
