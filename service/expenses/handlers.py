"""Expenses over HTTP."""

from http import HTTPStatus

from aiohttp import web

from service.errors import Conflict, Forbidden, NotFound, PreconditionFailed, PreconditionRequired, TeamArchived
from service.expenses import service
from service.expenses.schemas import Expense, ExpenseChange, Expenses, ExpensesQuery, NewExpense
from service.web.endpoint import ACTOR, BODY, QUERY, endpoint, no_content, respond, respond_page, sent_versions
from service.web.keys import DB

changing = (NotFound, Forbidden, TeamArchived, PreconditionFailed, PreconditionRequired)


@endpoint(
    body=NewExpense,
    returns=Expense,
    status=HTTPStatus.CREATED,
    refuses=(NotFound, Forbidden, TeamArchived, Conflict),
    headers=("Location", "ETag"),
)
async def create(request: web.Request) -> web.Response:
    """Record an expense.

    In short, `{"description": "Dinner", "amount": 9000}`: you paid, all active members share equally, in the team's
    currency, today. Equal shares differ by at most one minor unit; which members get it depends on nothing but chance.
    """
    team_id = request.match_info["team_id"]
    expense = await service.create(request.app[DB], request[ACTOR], team_id, **request[BODY])
    location = f"/v1/teams/{team_id}/expenses/{expense['expense_id']}"
    return respond(request, expense, status=HTTPStatus.CREATED, location=location, etag=expense["version"])


@endpoint(query=ExpensesQuery, returns=Expenses, refuses=(NotFound,), headers=("Link",))
async def page(request: web.Request) -> web.Response:
    """List a team's expenses, newest first."""
    team_id = request.match_info["team_id"]
    return respond_page(request, await service.page(request.app[DB], request[ACTOR], team_id, **request[QUERY]))


@endpoint(returns=Expense, refuses=(NotFound,), headers=("ETag",))
async def get(request: web.Request) -> web.Response:
    """Return an expense."""
    team_id, expense_id = request.match_info["team_id"], request.match_info["expense_id"]
    expense = await service.get(request.app[DB], request[ACTOR], team_id, expense_id)
    return respond(request, expense, etag=expense["version"])


@endpoint(body=ExpenseChange, returns=Expense, refuses=changing, headers=("ETag",), if_match=True)
async def update(request: web.Request) -> web.Response:
    """Change an expense that you recorded; admins and owners change all.

    Send its ETag in If-Match. Shares are computed anew from what is sent and, where nothing is sent, from what was.
    """
    team_id, expense_id = request.match_info["team_id"], request.match_info["expense_id"]
    expense = await service.update(
        request.app[DB], request[ACTOR], team_id, expense_id, versions=sent_versions(request), **request[BODY]
    )
    return respond(request, expense, etag=expense["version"])


@endpoint(returns=None, status=HTTPStatus.NO_CONTENT, refuses=changing, if_match=True)
async def delete(request: web.Request) -> web.Response:
    """Delete an expense that you recorded; admins and owners delete all.

    Send its ETag in If-Match. Nothing of it is shown any more; its rows are kept.
    """
    team_id, expense_id = request.match_info["team_id"], request.match_info["expense_id"]
    await service.delete(request.app[DB], request[ACTOR], team_id, expense_id, versions=sent_versions(request))
    return no_content()
