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
    """Make an account and log in."""
    return await service.register(
        request.app[DB], request.app[SECURITY], peer=peer(request), client=agent(request), **request[BODY]
    )


@endpoint(Ok(Session), body=Login, refuses=refused, public=True)
async def login(request: web.Request) -> dict[str, Any]:
    """Log in.

    An unknown address and a wrong password get the same answer. After ten failures for an address from one place
    within 15 minutes, log-ins from there wait.
    """
    return await service.login(
        request.app[DB], request.app[SECURITY], peer=peer(request), client=agent(request), **request[BODY]
    )


@endpoint(Ok(Session), form=TokenRequest, refuses=refused, public=True)
async def token(request: web.Request) -> dict[str, Any]:
    """Log in or refresh the way OAuth 2 clients do.

    A form with `grant_type=password`, `username` (the e-mail address) and `password`, or with
    `grant_type=refresh_token` and `refresh_token` (RFC 6749 §4.3 and §6). This is what the Authorize button of the
    documentation uses.
    """
    return await service.token(
        request.app[DB], request.app[SECURITY], peer=peer(request), client=agent(request), **request[BODY]
    )


@endpoint(Ok(Session), body=Refresh, refuses=(Unauthenticated, Unavailable), public=True)
async def refresh(request: web.Request) -> dict[str, Any]:
    """Exchange a refresh token for the next pair of tokens.

    Each refresh token is good once. A request whose answer was lost can be repeated within ten seconds and gets the
    same refresh token; one that is used later ends the session, because somebody else may have it.
    """
    return await service.refresh(request.app[DB], request.app[SECURITY], **request[BODY])


@endpoint(NoContent())
async def logout(request: web.Request) -> None:
    """End this session: its access token and its refresh token are good no longer."""
    await service.logout(request.app[DB], request[ACTOR])
    await request.app[REVOCATIONS].refresh()
