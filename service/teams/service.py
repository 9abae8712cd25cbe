"""What can be done with teams."""

from service import access
from service.actor import Actor
from service.errors import NotFound, Unauthenticated
from service.postgres.pool import Connectable, Record, queries
from service.web.paging import Page, last_id, position
from service.web.paging import page as cut


async def create(db: Connectable, actor: Actor, *, name: str, currency: str) -> Record:
    """Make a team with the actor as its owner."""
    team: Record | None = await queries.teams.create(db, user_id=actor.user_id, name=name, currency=currency)
    if team is None:
        raise Unauthenticated("This account does not exist any more.")
    return team


async def page(db: Connectable, actor: Actor, *, limit: int, after: str | None = None) -> Page:
    """Return the actor's teams, newest first."""
    _, after_id = position(after, last_id)
    rows = queries.teams.page(db, user_id=actor.user_id, after_id=after_id, size=limit + 1)
    return cut([row async for row in rows], limit, "team_id")


async def get(db: Connectable, actor: Actor, team_id: str) -> Record:
    """Return a team of the actor."""
    team: Record | None = await queries.teams.get(db, team_id=team_id, user_id=actor.user_id)
    if team is None:
        raise NotFound("There is no such team, or you are not in it.")
    return team


async def update(
    db: Connectable,
    actor: Actor,
    team_id: str,
    *,
    name: str | None = None,
    currency: str | None = None,
    archived: bool | None = None,
) -> Record:
    """Change a team; owners and admins may. An archived team takes no change but of `archived`."""
    async with db.transaction(team_id) as transaction:
        await queries.teams.hold(transaction, team_id=team_id, user_id=actor.user_id)
        team: Record | None = await queries.teams.update(
            transaction, team_id=team_id, user_id=actor.user_id, name=name, currency=currency, archived=archived
        )
        if team is None:
            raise await access.refusal(transaction, actor, team_id, access.managers)
    return team


async def delete(db: Connectable, actor: Actor, team_id: str) -> None:
    """Mark a team as deleted; owners may."""
    async with db.transaction(team_id) as transaction:
        await queries.teams.hold(transaction, team_id=team_id, user_id=actor.user_id)
        if await queries.teams.delete(transaction, team_id=team_id, user_id=actor.user_id) is None:
            raise await access.refusal(transaction, actor, team_id, access.owners)
