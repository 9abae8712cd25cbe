"""The key of what an app holds for waiting requests."""

from aiohttp import web

from service.changes.waiting import Waiting

WAITING: web.AppKey[Waiting] = web.AppKey("waiting", Waiting)
