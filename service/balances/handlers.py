"""Balances over HTTP."""

from aiohttp import web

from service.access import Listed
from service.balances import service
from service.balances.schemas import (
    BalancePart,
    Balances,
    BalancesQuery,
    Debts,
    ExplainQuery,
    StatementQuery,
    statement_head,
)
from service.errors import NotFound
from service.postgres.pool import Record
from service.web.answers import Ok, Page
from service.web.endpoint import endpoint
from service.web.keys import ACTOR, DB, QUERY


@endpoint(Ok(Balances, etag="revision"), query=BalancesQuery, refuses=(NotFound,))
async def get(request: web.Request, team_id: str) -> Record:
    """Return what each member paid, what they owe, and the difference.

    There is one item for each member and currency. Former members are listed until their balance is zero. `as_of` goes
    by the days of the expenses as they are now, not by when they were recorded.
    """
    return await service.get(request.app[DB], request[ACTOR], team_id, **request[QUERY])


@endpoint(Page(BalancePart, by="expense_id", etag="revision"), query=ExplainQuery, refuses=(NotFound,))
async def explain(request: web.Request, team_id: str, member_id: str) -> Listed:
    """List what a member's balances consist of, newest first.

    The first `balance` in each currency is the member's net, as in the list of balances; each is the sum of its own
    `net` and of all `net` after it in the list. Former members have balances, too.
    """
    query = request[QUERY]
    return await service.explain(
        request.app[DB],
        request[ACTOR],
        team_id,
        member_id,
        currency=query.get("currency"),
        limit=query["limit"],
        after=query["after"],
    )


@endpoint(
    Page(BalancePart, by="expense_id", name="Statement", beside=statement_head, etag="revision"),
    query=StatementQuery,
    refuses=(NotFound,),
)
async def statement(request: web.Request, team_id: str) -> Listed:
    """List a member's entries from one day to another, oldest first, between the balances at both ends.

    In each currency, `opening` and every `net` come to the `balance` of each entry, and all of them to `closing`. The
    entries are those of the expenses as they are now.
    """
    query = {name: value for name, value in request[QUERY].items() if name != "sort"}
    return await service.statement(request.app[DB], request[ACTOR], team_id, **query)


@endpoint(Ok(Debts, etag="revision"), refuses=(NotFound,))
async def debts(request: web.Request, team_id: str) -> Record:
    """Return who owes whom, pair by pair, as it follows from each expense and settlement: nothing is simplified.

    What a member is owed less what they owe is their net. In an expense with several payers, everybody owes each of
    them in proportion, to whole minor units.
    """
    return await service.debts(request.app[DB], request[ACTOR], team_id)
