"""Expenses over HTTP."""

from collections.abc import Sequence

from aiohttp import web

from service.errors import Conflict, Forbidden, NotFound, TeamArchived
from service.expenses import service
from service.expenses.schemas import Expense, ExpenseChange, ExpensesQuery, NewExpense
from service.postgres.pool import Record
from service.web.answers import Created, NoContent, Ok, Page
from service.web.endpoint import endpoint
from service.web.keys import ACTOR, BODY, DB, QUERY, VERSIONS


@endpoint(
    Created(Expense, at="expenses.get", etag="version"),
    body=NewExpense,
    refuses=(NotFound, Forbidden, TeamArchived, Conflict),
)
async def create(request: web.Request, team_id: str) -> Record:
    """Record an expense.

    In short, `{"description": "Dinner", "amount": 9000}`: you paid, all active members share equally, in the team's
    currency, today. Equal shares differ by at most one minor unit; which members get it depends on nothing but chance.
    """
    return await service.create(request.app[DB], request[ACTOR], team_id, **request[BODY])


@endpoint(Page(Expense, by="expense_id"), query=ExpensesQuery, refuses=(NotFound,))
async def page(request: web.Request, team_id: str) -> Sequence[Record]:
    """List a team's expenses, newest first."""
    return await service.page(request.app[DB], request[ACTOR], team_id, **request[QUERY])


@endpoint(Ok(Expense, etag="version"), refuses=(NotFound,))
async def get(request: web.Request, team_id: str, expense_id: str) -> Record:
    """Return an expense."""
    return await service.get(request.app[DB], request[ACTOR], team_id, expense_id)


@endpoint(Ok(Expense, etag="version"), body=ExpenseChange, if_match=True, refuses=(NotFound, Forbidden, TeamArchived))
async def update(request: web.Request, team_id: str, expense_id: str) -> Record:
    """Change an expense that you recorded; admins and owners change all.

    Send its ETag in If-Match. Shares are computed anew from what is sent and, where nothing is sent, from what was.
    """
    return await service.update(
        request.app[DB], request[ACTOR], team_id, expense_id, versions=request[VERSIONS], **request[BODY]
    )


@endpoint(NoContent(), if_match=True, refuses=(NotFound, Forbidden, TeamArchived))
async def delete(request: web.Request, team_id: str, expense_id: str) -> None:
    """Delete an expense that you recorded; admins and owners delete all.

    Send its ETag in If-Match. Nothing of it is shown any more; its rows are kept.
    """
    await service.delete(request.app[DB], request[ACTOR], team_id, expense_id, versions=request[VERSIONS])
