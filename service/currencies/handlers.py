"""Currencies over HTTP."""

from typing import Any

from aiohttp import web

from service.currencies.schemas import Currencies
from service.money import listed
from service.web.answers import Ok
from service.web.endpoint import endpoint


@endpoint(Ok(Currencies), public=True)
async def page(_: web.Request) -> dict[str, Any]:
    """List the currencies that are in use, by code: all of them, with the decimals that their amounts have.

    Withdrawn ones, which an expense of back then can still have, are left out.
    """
    return {"items": listed}
