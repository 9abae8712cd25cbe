"""What holds for expenses and settlements alike, while their team is locked."""

import datetime
from collections.abc import Mapping
from typing import Any

from service import access
from service.actor import Actor
from service.errors import Invalid
from service.ledger import UnknownCurrency
from service.money import why_not
from service.postgres.pool import Record, Transaction
from service.postgres.queries import queries

# How far ahead the day of an expense may be.
days_ahead_max = 366


async def current_of(
    transaction: Transaction,
    actor: Actor,
    team_id: str,
    expense_id: str,
    *,
    versions: list[int] | None,
    changes: Mapping[str, Any],
    is_settlement: bool = False,
) -> Record:
    """Return the expense, or the settlement, that is to be changed. Raises what stands against the change."""
    return access.granted(
        await queries.expenses.current(
            transaction,
            team_id=team_id,
            user_id=actor.user_id,
            expense_id=expense_id,
            is_settlement=is_settlement,
            versions=versions,
            external_id=changes.get("external_id"),
            spent_on=changes.get("settled_on" if is_settlement else "spent_on"),
        )
    )


def check_day(day: datetime.date | None, today: datetime.date, pointer: str = "/spent_on") -> None:
    """Raise Invalid for a day too far after today, as it is in the team's time zone."""
    latest = today + datetime.timedelta(days=days_ahead_max)
    if day and day > latest:
        raise Invalid.at(
            pointer,
            "out_of_range",
            f"This must be {latest} or earlier: {days_ahead_max} days from today in the team's time zone.",
        )


async def check_currency(transaction: Transaction, team_id: str, currency: str, pointer: str = "/currency") -> None:
    """Raise Invalid for a currency that ISO 4217 never had since 2000, unless the ledger has it: it must be settled."""
    reason = why_not(currency, for_a_team=False)
    if reason and not await queries.expenses.has_currency(transaction, team_id=team_id, currency=currency):
        raise UnknownCurrency.at(pointer, *reason)


async def open_formers(transaction: Transaction, team_id: str, others: set[str]) -> list[str]:
    """Return those of some inactive members who left with an open balance: an expense can still name them."""
    if not others:
        return []
    rows = queries.expenses.open_formers(transaction, team_id=team_id, member_ids=list(others))
    return [row["member_id"] async for row in rows]
