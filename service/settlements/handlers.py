"""Settlements over HTTP."""

from typing import Any

from aiohttp import web

from service.access import Listed
from service.errors import ExternalIdTaken, Forbidden, NotFound, NotInPlan, PeriodClosed, SumTooLarge, TeamArchived
from service.ledger import NotAMember, UnknownCurrency
from service.postgres.pool import Record
from service.settlements import service
from service.settlements.schemas import (
    NewSettlement,
    PlannedTransfer,
    Settlement,
    SettlementChange,
    SettlementPlan,
    SettlementsQuery,
)
from service.web.answers import Created, NoContent, Ok, Page
from service.web.endpoint import endpoint
from service.web.keys import ACTOR, BODY, DB, QUERY, VERSIONS
from service.web.schemas import Write


@endpoint(
    Created(Settlement, at="settlements.get", etag="version"),
    body=NewSettlement,
    query=Write,
    refuses=(
        NotFound,
        Forbidden,
        TeamArchived,
        PeriodClosed,
        ExternalIdTaken,
        NotAMember,
        UnknownCurrency,
        SumTooLarge,
    ),
)
async def create(request: web.Request, team_id: str) -> Record:
    """Record that one member has paid another.

    It counts in the balances, and never as spending. For a debt in another currency, `settles` says how much of it.
    """
    return await service.create(request.app[DB], request[ACTOR], team_id, **request[BODY], **request[QUERY])


@endpoint(Page(Settlement, by="settlement_id", etag="revision"), query=SettlementsQuery, refuses=(NotFound,))
async def page(request: web.Request, team_id: str) -> Listed:
    """List a team's settlements, newest first.

    To see every settlement exactly once while others write, sort by `created_at`.
    """
    return await service.page(request.app[DB], request[ACTOR], team_id, **request[QUERY])


@endpoint(Ok(Settlement, etag="version"), refuses=(NotFound,))
async def get(request: web.Request, team_id: str, settlement_id: str) -> Record:
    """Return a settlement."""
    return await service.get(request.app[DB], request[ACTOR], team_id, settlement_id)


@endpoint(
    Ok(Settlement, etag="version"),
    body=SettlementChange,
    query=Write,
    if_match="required",
    refuses=(
        NotFound,
        Forbidden,
        TeamArchived,
        PeriodClosed,
        ExternalIdTaken,
        NotAMember,
        UnknownCurrency,
        SumTooLarge,
    ),
)
async def update(request: web.Request, team_id: str, settlement_id: str) -> Record:
    """Change a settlement that you recorded; admins and owners can change any.

    Send its ETag in If-Match. Fields that you do not send keep their values.
    """
    return await service.update(
        request.app[DB],
        request[ACTOR],
        team_id,
        settlement_id,
        versions=request[VERSIONS],
        **request[BODY],
        **request[QUERY],
    )


@endpoint(Ok(SettlementPlan, etag="revision"), refuses=(NotFound,))
async def plan(request: web.Request, team_id: str) -> dict[str, Any]:
    """Suggest transfers that would settle all balances: the fewest possible, for up to 16 open balances in a currency.

    Carrying out one of them leaves the others as they are.
    """
    return await service.plan(request.app[DB], request[ACTOR], team_id)


@endpoint(
    Created(Settlement, at="settlements.get", etag="version"),
    body=PlannedTransfer,
    query=Write,
    if_match="required",
    refuses=(NotFound, Forbidden, TeamArchived, PeriodClosed, ExternalIdTaken, NotInPlan, SumTooLarge),
)
async def transfer(request: web.Request, team_id: str) -> Record:
    """Record a transfer of the settlement plan as a settlement.

    Send the plan's ETag in If-Match: if the team has changed since, nothing is recorded.
    """
    return await service.transfer(
        request.app[DB], request[ACTOR], team_id, versions=request[VERSIONS], **request[BODY], **request[QUERY]
    )


@endpoint(NoContent(), if_match="required", refuses=(NotFound, Forbidden, TeamArchived, PeriodClosed))
async def delete(request: web.Request, team_id: str, settlement_id: str) -> None:
    """Delete a settlement that you recorded; admins and owners can delete any.

    Send its ETag in If-Match. The debt is open again.
    """
    await service.delete(request.app[DB], request[ACTOR], team_id, settlement_id, versions=request[VERSIONS])
