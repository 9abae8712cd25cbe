"""The use cases of balances."""

from service.actor import Actor
from service.errors import NotFound
from service.postgres.pool import Connectable, Record
from service.postgres.queries import queries


async def get(db: Connectable, actor: Actor, team_id: str) -> Record:
    """Return the balances as `items`, and the team's `revision` that they are from."""
    balances: Record | None = await queries.balances.get(db, team_id=team_id, user_id=actor.user_id)
    if balances is None:
        raise NotFound("There is no such team, or you are not in it.")
    return balances
