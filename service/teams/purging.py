"""Purging: nothing is left of a team that was deleted and that nobody can restore any more.

It goes piece by piece, each a transaction that holds the team's lock, so that the largest team neither keeps a lock for
long nor makes a transaction long. Any number of processes may do it.
"""

import logging
from collections.abc import Callable
from typing import Literal

from service.postgres.pool import Database, Transaction
from service.postgres.queries import queries

# So many teams are looked for at a time.
teams_max = 100
# A piece takes some 20 ms.
rows_max = 1000
# PostgreSQL looks for what refers to a member also among rows that are deleted and not cleaned up yet.
members_max = 5

Part = Literal["accounts", "expenses", "revisions", "totals", "members", "team"]
# In the order in which one refers to another. First of all the members are taken from their accounts, so that nobody
# finds, or restores, what is left of a team.
parts: tuple[Part, ...] = ("accounts", "expenses", "revisions", "totals", "members", "team")

log = logging.getLogger(__name__)


async def due(db: Database, *, kept_seconds: float) -> dict[str, float]:
    """Return the ids of some teams that are to be purged, first deleted first, and for how many seconds they are."""
    rows = queries.teams.due(db, kept_seconds=kept_seconds, size=teams_max)
    return {row["team_id"]: row["overdue_seconds"] async for row in rows}


async def purge(
    db: Database, team_id: str, is_stopping: Callable[[], bool], *, kept_seconds: float
) -> Literal["done", "stopped", "skipped"]:
    """Purge a team, unless another process does, or it is not to be purged any more. It can stop after any piece."""
    for part in parts:
        rows = 1
        while rows:
            if is_stopping():
                return "stopped"
            async with db.transaction(team_id) as transaction:
                if not await queries.teams.hold_due(transaction, team_id=team_id, kept_seconds=kept_seconds):
                    return "skipped"
                rows = await _purge(transaction, team_id, part)
    log.info("purged a team", extra={"team": team_id})
    return "done"


async def _purge(transaction: Transaction, team_id: str, part: Part) -> int:
    """Delete some rows of a part, and return how many; 0 when there are no more."""
    rows: int
    match part:
        case "accounts":
            rows = await queries.teams.purge_accounts(transaction, team_id=team_id)
        case "expenses":
            rows = await queries.teams.purge_expenses(transaction, team_id=team_id, rows_max=rows_max)
        case "revisions":
            rows = await queries.teams.purge_revisions(transaction, team_id=team_id, rows_max=rows_max)
        case "totals":
            rows = await queries.teams.purge_totals(transaction, team_id=team_id, rows_max=rows_max)
        case "members":
            rows = await queries.teams.purge_members(transaction, team_id=team_id, rows_max=members_max)
        case "team":
            await queries.teams.purge(transaction, team_id=team_id)
            rows = 0
    return rows
