"""The app's keys for authentication."""

from aiohttp import web

from service.auth.security import Security
from service.auth.sessions import Revocations

SECURITY: web.AppKey[Security] = web.AppKey("security", Security)
REVOCATIONS: web.AppKey[Revocations] = web.AppKey("revocations", Revocations)
