"""The use cases of changes."""

from collections.abc import Callable

from service.actor import Actor
from service.changes.waiting import Answer, Waiting
from service.errors import Invalid, NotFound
from service.postgres.pool import Connectable, Record
from service.postgres.queries import queries


async def page(
    db: Connectable,
    waiting: Waiting,
    actor: Actor,
    team_id: str,
    *,
    after: int,
    limit: int,
    wait: int,
    admit: Callable[[], object],
) -> Record:
    """Return what was written to a team after a revision, oldest first, and how far the actor may follow it.

    A former member may to the revision with which they left. If there is nothing, wait up to `wait` seconds for
    something; whether the actor may read it is asked again then, and `admit` raises if their session has ended. Raises
    NotFound for everybody else, Invalid for a revision that is still to come, and what `Waiting.hold` raises.
    """

    async def ask() -> Answer:
        admit()
        found: Record | None = await queries.changes.page(
            db, team_id=team_id, user_id=actor.user_id, after=after, size=limit
        )
        if found is None:
            raise NotFound("There is no such team, or you are not in it.")
        if after > found["revision"]:
            detail = f"The team's changes come to {found['revision']}. If it had more, follow it again from 0."
            raise Invalid.at("/after", "too_large", detail, place="query")
        has_news = found["revision"] > after or found["is_over"]
        return Answer(found, {} if has_news else {team_id: after})

    found: Record = await waiting.hold(actor.user_id, wait, ask)
    return found
