"""The use cases of balances."""

import datetime

from service import access
from service.actor import Actor
from service.members import service as members
from service.postgres.pool import Connectable, Record
from service.postgres.queries import queries


async def debts(db: Connectable, actor: Actor, team_id: str) -> Record:
    """Return who owes whom as `items`, pair by pair, and the team's `revision` that it is from."""
    return access.found(await queries.balances.debts(db, team_id=team_id, user_id=actor.user_id))


async def get(db: Connectable, actor: Actor, team_id: str, *, as_of: datetime.date | None = None) -> Record:
    """Return the balances as `items`, and the team's `revision` that they are from.

    With `as_of`, they consist only of what was spent until that day.
    """
    return access.found(await queries.balances.get(db, team_id=team_id, user_id=actor.user_id, as_of=as_of))


async def explain(
    db: Connectable,
    actor: Actor,
    team_id: str,
    member_id: str,
    *,
    currency: str | None,
    limit: int,
    after: tuple[datetime.date, str],
) -> access.Listed:
    """Return what a member's balances consist of after the position `after`, newest first.

    That is up to `limit` entries, and one more if there are more. A currency that is None is all of them.
    """
    after_key, after_id = after
    rows = queries.balances.explain(
        db,
        team_id=team_id,
        user_id=actor.user_id,
        member_id=member_id,
        currency=currency,
        after_key=after_key,
        after_id=after_id,
        size=limit + 1,
    )
    found, beside = await access.listed(rows, "expense_id")
    if not found:
        await members.get(db, actor, team_id, member_id)
    return found, beside
