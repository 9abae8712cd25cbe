"""Expenses over HTTP."""

from aiohttp import web

from service.access import Listed
from service.errors import Conflict, ExternalIdTaken, Forbidden, IsSettlement, NotFound, PeriodClosed, TeamArchived
from service.expenses import service
from service.expenses.schemas import Expense, ExpenseChange, ExpensesQuery, NewExpense
from service.ledger import refused
from service.postgres.pool import Record
from service.web.answers import Created, NoContent, Ok, Page
from service.web.endpoint import endpoint
from service.web.keys import ACTOR, BODY, DB, QUERY, VERSIONS
from service.web.schemas import Write


@endpoint(
    Created(Expense, at="expenses.get", etag="version"),
    body=NewExpense,
    query=Write,
    refuses=(NotFound, Forbidden, TeamArchived, PeriodClosed, Conflict, ExternalIdTaken, *refused),
)
async def create(request: web.Request, team_id: str) -> Record:
    """Record an expense.

    `{"description": "Dinner", "amount": 9000}` is enough: you paid, all active members but viewers share equally, in
    the team's currency, today. Equal shares differ by at most one minor unit; chance decides who gets the larger ones.
    """
    return await service.create(request.app[DB], request[ACTOR], team_id, **request[BODY], **request[QUERY])


@endpoint(Page(Expense, by="expense_id", etag="revision"), query=ExpensesQuery, refuses=(NotFound,))
async def page(request: web.Request, team_id: str) -> Listed:
    """List a team's expenses, newest first.

    To see every expense exactly once while others write, sort by `created_at`.
    """
    return await service.page(request.app[DB], request[ACTOR], team_id, **request[QUERY])


@endpoint(Ok(Expense, etag="version"), refuses=(NotFound,))
async def get(request: web.Request, team_id: str, expense_id: str) -> Record:
    """Return an expense."""
    return await service.get(request.app[DB], request[ACTOR], team_id, expense_id)


@endpoint(
    Ok(Expense, etag="version"),
    body=ExpenseChange,
    query=Write,
    if_match="required",
    refuses=(NotFound, Forbidden, TeamArchived, PeriodClosed, ExternalIdTaken, IsSettlement, *refused),
)
async def update(request: web.Request, team_id: str, expense_id: str) -> Record:
    """Change an expense that you recorded; admins and owners can change any.

    Send its ETag in If-Match. The shares are computed again; fields that you do not send keep their values.
    """
    return await service.update(
        request.app[DB],
        request[ACTOR],
        team_id,
        expense_id,
        versions=request[VERSIONS],
        **request[BODY],
        **request[QUERY],
    )


@endpoint(NoContent(), if_match="required", refuses=(NotFound, Forbidden, TeamArchived, PeriodClosed, IsSettlement))
async def delete(request: web.Request, team_id: str, expense_id: str) -> None:
    """Delete an expense that you recorded; admins and owners can delete any.

    Send its ETag in If-Match. The expense is no longer shown anywhere; the database keeps its rows.
    """
    await service.delete(request.app[DB], request[ACTOR], team_id, expense_id, versions=request[VERSIONS])
