"""The use cases of changes."""

from service.actor import Actor
from service.errors import Invalid, NotFound
from service.postgres.pool import Connectable, Record
from service.postgres.queries import queries


async def page(db: Connectable, actor: Actor, team_id: str, *, after: int, limit: int) -> Record:
    """Return what was written to a team after a revision, oldest first, and how far the actor may follow it.

    A former member may to the revision with which they left. Raises NotFound for everybody else, and Invalid for a
    revision that is still to come.
    """
    found: Record | None = await queries.changes.page(
        db, team_id=team_id, user_id=actor.user_id, after=after, size=limit
    )
    if found is None:
        raise NotFound("There is no such team, or you are not in it.")
    if after > found["revision"]:
        detail = f"The team's changes come to {found['revision']}. If it had more, follow it again from 0."
        raise Invalid.at("/after", "too_large", detail, place="query")
    return found
