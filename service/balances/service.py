"""The use cases of balances."""

import datetime

from service import access
from service.actor import Actor
from service.errors import Invalid, NotFound
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


async def statement(
    db: Connectable,
    actor: Actor,
    team_id: str,
    *,
    member_id: str | None = None,
    from_day: datetime.date | None = None,
    to_day: datetime.date | None = None,
    limit: int,
    after: tuple[datetime.date, str],
) -> access.Listed:
    """Return a member's entries from one day to another after the position `after`, oldest first, with the balances.

    That is up to `limit` entries, and one more if there are more. Beside them are the member's `member_id` and `name`,
    the days as `from` and `to`, and by currency the `balances` at both ends. Without a member it is the actor's own; a
    day that is None is no limit. Raises NotFound, and Invalid for days in the wrong order.
    """
    if from_day and to_day and to_day < from_day:
        detail = f"This is {to_day}, which is before `from`, {from_day}."
        raise Invalid.at("/to", "out_of_range", detail, place="query")
    after_key, after_id = after
    rows = queries.balances.statement(
        db,
        team_id=team_id,
        user_id=actor.user_id,
        member_id=member_id,
        from_day=from_day,
        to_day=to_day,
        after_key=after_key,
        after_id=after_id,
        size=limit + 1,
    )
    all_rows = [row async for row in rows]
    if not all_rows:
        raise NotFound("There is no such member, or you are not in the team.")
    beside = {name: all_rows[0][name] for name in ("revision", "member_id", "name", "balances")}
    return (all_rows if all_rows[0]["expense_id"] else []), beside | {"from": from_day, "to": to_day}
