"""Balances over HTTP."""

from aiohttp import web

from service.balances import service
from service.balances.schemas import Balances
from service.errors import NotFound
from service.web.endpoint import ACTOR, endpoint, respond
from service.web.keys import DB


@endpoint(returns=Balances, refuses=(NotFound,), headers=("ETag",))
async def get(request: web.Request) -> web.Response:
    """Return who paid, who owes, and what is left between them.

    By member and currency. Former members are listed until they are settled.
    """
    balances = await service.get(request.app[DB], request[ACTOR], request.match_info["team_id"])
    return respond(request, balances, etag=balances["revision"])
