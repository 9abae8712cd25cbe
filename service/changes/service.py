"""The use cases of changes."""

from collections.abc import Callable
from typing import Any

from service.actor import Actor
from service.changes.cursor import encoded
from service.changes.waiting import Answer, Waiting
from service.errors import Invalid, NotFound, TooManyTeams
from service.postgres.pool import Connectable, Record
from service.postgres.queries import queries

# What one cursor can hold: with all of them, it still fits into an address.
teams_max = 250


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
        return Answer(found, None if has_news else {team_id: after})

    found: Record = await waiting.hold(actor.user_id, wait, ask)
    return found


async def mine(
    db: Connectable,
    waiting: Waiting,
    actor: Actor,
    *,
    after: dict[str, int],
    limit: int,
    wait: int,
    admit: Callable[[], object],
) -> dict[str, Any]:
    """Return what was written to all teams that the actor is or was in, and the position behind it, in `next`.

    A team that is not in the position `after` is followed from its beginning. Waits, and raises, as `page` does, also
    TooManyTeams. A new membership is waited for as well.
    """

    async def ask() -> Answer:
        admit()
        found: Record = await queries.changes.mine(
            db, user_id=actor.user_id, team_ids=list(after), afters=list(after.values()), size=limit
        )
        if found["is_foreign"]:
            detail = "This position is of another account, or of what a backup undid. Begin again without one."
            raise Invalid.at("/after", "not_a_cursor", detail, place="query")
        if found["teams"] > teams_max:
            raise TooManyTeams(
                f"You are or were in {found['teams']} teams; one position has at most {teams_max}. Follow each."
            )
        reached = dict(zip(found["team_ids"], found["reached"], strict=True))
        record = dict(found) | {"next": encoded(reached)}
        if reached != dict.fromkeys(reached, 0) | after:
            return Answer(record, None)
        return Answer(record, {team_id: reached[team_id] for team_id in found["open_ids"]}, found["memberships"])

    found: dict[str, Any] = await waiting.hold(actor.user_id, wait, ask)
    return found
