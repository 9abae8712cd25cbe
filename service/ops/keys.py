"""What an app keeps for those who operate it."""

from aiohttp import web

from service.ops.monitor import Monitor

MONITOR: web.AppKey[Monitor] = web.AppKey("monitor", Monitor)
