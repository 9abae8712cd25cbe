"""Accounts and sessions over HTTP."""

from typing import Any

from aiohttp import web

from service.auth import service
from service.auth.keys import REVOCATIONS, SECURITY
from service.auth.schemas import Login, Refresh, Registration, Session, TokenRequest
from service.errors import EmailTaken, TooManyAttempts, Unauthenticated, Unavailable
from service.web.answers import Created, NoContent, Ok
from service.web.endpoint import endpoint
from service.web.keys import ACTOR, BODY, DB
from service.web.request import agent, peer

refused = (Unauthenticated, TooManyAttempts, Unavailable)


@endpoint(Created(Session, at="me.get"), body=Registration, refuses=(EmailTaken, Unavailable), public=True)
async def register(request: web.Request) -> dict[str, Any]:
    """Create an account and log in."""
    return await service.register(
        request.app[DB], request.app[SECURITY], peer=peer(request), client=agent(request), **request[BODY]
    )


@endpoint(Ok(Session), body=Login, refuses=refused, public=True)
async def login(request: web.Request) -> dict[str, Any]:
    """Log in.

    An unknown e-mail address and a wrong password get the same answer. After ten failed log-ins to an account from one
    network address within 15 minutes, further ones from there are refused with 429. After a hundred from addresses
    where the account has not been used lately, further ones from all such addresses are.
    """
    return await service.login(
        request.app[DB], request.app[SECURITY], peer=peer(request), client=agent(request), **request[BODY]
    )


@endpoint(Ok(Session), form=TokenRequest, refuses=refused, public=True)
async def token(request: web.Request) -> dict[str, Any]:
    """Log in or refresh as an OAuth 2 client.

    Send a form with `grant_type=password`, `username` (the e-mail address) and `password`, or with
    `grant_type=refresh_token` and `refresh_token` (RFC 6749 §4.3 and §6). The Authorize button of the documentation
    uses this.
    """
    return await service.token(
        request.app[DB], request.app[SECURITY], peer=peer(request), client=agent(request), **request[BODY]
    )


@endpoint(Ok(Session), body=Refresh, refuses=(Unauthenticated, Unavailable), public=True)
async def refresh(request: web.Request) -> dict[str, Any]:
    """Exchange a refresh token for a new access token and a new refresh token.

    Each refresh token works once. If the answer was lost, repeat the request within ten seconds to get the same new
    refresh token. Using a refresh token again later ends the session, because it may have been stolen.
    """
    return await service.refresh(request.app[DB], request.app[SECURITY], peer=peer(request), **request[BODY])


@endpoint(NoContent())
async def logout(request: web.Request) -> None:
    """End this session: its access token and its refresh token stop working."""
    await service.logout(request.app[DB], request[ACTOR])
    await request.app[REVOCATIONS].refresh()
