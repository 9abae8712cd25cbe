"""Accounts and sessions over HTTP."""

from http import HTTPStatus

from aiohttp import web

from service.auth import service
from service.auth.schemas import Login, Refresh, Registration, Session, TokenRequest
from service.errors import EmailTaken, TooManyAttempts, Unauthenticated, Unavailable
from service.web.endpoint import ACTOR, BODY, endpoint, no_content, respond
from service.web.keys import DB, REVOCATIONS, SECURITY
from service.web.request import address, agent


@endpoint(
    body=Registration,
    returns=Session,
    status=HTTPStatus.CREATED,
    refuses=(EmailTaken, Unavailable),
    headers=("Location",),
    public=True,
)
async def register(request: web.Request) -> web.Response:
    """Make an account and log in."""
    session = await service.register(
        request.app[DB], request.app[SECURITY], address=address(request), client=agent(request), **request[BODY]
    )
    return respond(request, session, status=HTTPStatus.CREATED, location="/v1/me")


@endpoint(body=Login, returns=Session, refuses=(Unauthenticated, TooManyAttempts, Unavailable), public=True)
async def login(request: web.Request) -> web.Response:
    """Log in.

    An unknown address and a wrong password get the same answer. After ten failures for an address from one place
    within 15 minutes, log-ins from there wait.
    """
    session = await service.login(
        request.app[DB], request.app[SECURITY], address=address(request), client=agent(request), **request[BODY]
    )
    return respond(request, session)


@endpoint(form=TokenRequest, returns=Session, refuses=(Unauthenticated, TooManyAttempts, Unavailable), public=True)
async def token(request: web.Request) -> web.Response:
    """Log in or refresh the way OAuth 2 clients do.

    A form with `grant_type=password`, `username` (the e-mail address) and `password`, or with
    `grant_type=refresh_token` and `refresh_token` (RFC 6749 §4.3 and §6). This is what the Authorize button of the
    documentation uses.
    """
    session = await service.token(
        request.app[DB], request.app[SECURITY], address=address(request), client=agent(request), **request[BODY]
    )
    return respond(request, session)


@endpoint(body=Refresh, returns=Session, refuses=(Unauthenticated, Unavailable), public=True)
async def refresh(request: web.Request) -> web.Response:
    """Exchange a refresh token for the next pair of tokens.

    Each refresh token is good once. A request whose answer was lost can be repeated within ten seconds and gets the
    same refresh token; one that is used later ends the session, because somebody else may have it.
    """
    return respond(request, await service.refresh(request.app[DB], request.app[SECURITY], **request[BODY]))


@endpoint(returns=None, status=HTTPStatus.NO_CONTENT)
async def logout(request: web.Request) -> web.Response:
    """End this session: its access token and its refresh token are good no longer."""
    await service.logout(request.app[DB], request[ACTOR])
    await request.app[REVOCATIONS].refresh()
    return no_content()
