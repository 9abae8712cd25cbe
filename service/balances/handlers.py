"""Balances over HTTP."""

from aiohttp import web

from service.balances import service
from service.balances.schemas import Balances
from service.errors import NotFound
from service.postgres.pool import Record
from service.web.answers import Ok
from service.web.endpoint import endpoint
from service.web.keys import ACTOR, DB


@endpoint(Ok(Balances, etag="revision"), refuses=(NotFound,))
async def get(request: web.Request, team_id: str) -> Record:
    """Return what each member paid, what they owe, and the difference.

    There is one item for each member and currency. Former members are listed until their balance is zero.
    """
    return await service.get(request.app[DB], request[ACTOR], team_id)
