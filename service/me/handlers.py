"""One's own account over HTTP."""

from aiohttp import web

from service.auth.keys import REVOCATIONS, SECURITY
from service.auth.schemas import User
from service.errors import Conflict, EmailTaken, TooManyAttempts
from service.me import service
from service.me.schemas import AccountChange, OwnBalances
from service.postgres.pool import Record
from service.web.answers import Ok
from service.web.endpoint import endpoint
from service.web.keys import ACTOR, BODY, DB, VERSIONS
from service.web.request import peer


@endpoint(Ok(User, etag="version"))
async def get(request: web.Request) -> Record:
    """Return your account."""
    return await service.get(request.app[DB], request[ACTOR])


@endpoint(
    Ok(User, etag="version"),
    body=AccountChange,
    if_match="optional",
    refuses=(EmailTaken, Conflict, TooManyAttempts),
)
async def update(request: web.Request) -> Record:
    """Change your account.

    A new e-mail address or password requires `current_password`; after ten wrong ones in a session within 15 minutes,
    further ones in it are refused with 429. A new password ends your other sessions. A new name does not change your
    name in your teams.
    """
    user = await service.update(
        request.app[DB],
        request[ACTOR],
        request.app[SECURITY],
        peer=peer(request),
        versions=request[VERSIONS],
        **request[BODY],
    )
    if "password" in request[BODY]:
        await request.app[REVOCATIONS].refresh()
    return user


@endpoint(Ok(OwnBalances))
async def balances(request: web.Request) -> Record:
    """Return what you owe and are owed in all your teams, also archived ones, by team and currency.

    Balances of zero are left out.
    """
    return await service.balances(request.app[DB], request[ACTOR])
