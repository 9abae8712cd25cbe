"""The app's key for the monitor."""

from aiohttp import web

from service.ops.monitor import Monitor

MONITOR: web.AppKey[Monitor] = web.AppKey("monitor", Monitor)
