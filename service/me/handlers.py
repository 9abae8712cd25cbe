"""One's own account over HTTP."""

from aiohttp import web

from service.auth.schemas import User
from service.errors import EmailTaken, TooManyAttempts
from service.me import service
from service.me.schemas import AccountChange
from service.web.endpoint import ACTOR, BODY, endpoint, respond
from service.web.keys import DB, REVOCATIONS, SECURITY
from service.web.request import address


@endpoint(returns=User)
async def get(request: web.Request) -> web.Response:
    """Return your account."""
    return respond(request, await service.get(request.app[DB], request[ACTOR]))


@endpoint(body=AccountChange, returns=User, refuses=(EmailTaken, TooManyAttempts))
async def update(request: web.Request) -> web.Response:
    """Change your account.

    A new address or password needs `current_password`. A new password ends your other sessions. Your name in a team
    stays as it is there.
    """
    user = await service.update(
        request.app[DB], request[ACTOR], request.app[SECURITY], address=address(request), **request[BODY]
    )
    if "password" in request[BODY]:
        await request.app[REVOCATIONS].refresh()
    return respond(request, user)
