"""The composition root: reads as the order in which the service starts."""

from collections.abc import AsyncIterator

import orjson
from aiohttp import web

from service import openapi
from service.body import body_bytes_max
from service.config import Config
from service.db import connect
from service.keys import CONFIG, DB, DOCUMENT, LIFECYCLE, REVOCATIONS, SECURITY
from service.lifecycle import Lifecycle
from service.metrics import METRICS, Metrics
from service.middleware import authenticate, observe, problems
from service.revocation import watch
from service.routes import routes
from service.security import Security


def create_app(config: Config) -> web.Application:
    """Return the service, ready to be run; the database must be reachable and migrated when it starts."""
    app = web.Application(middlewares=[observe, problems, authenticate], client_max_size=body_bytes_max)
    app[CONFIG] = config
    app[METRICS] = Metrics()
    app[LIFECYCLE] = Lifecycle()
    # aiohttp tries what begins alike in turn, and the deepest are asked for most.
    for method, path, handler, name in sorted(routes, key=lambda route: -route[1].count("/")):
        if method == "GET":
            app.router.add_get(path, handler, name=name)
        else:
            app.router.add_route(method, path, handler, name=name)
    app[DOCUMENT] = orjson.dumps(openapi.document(routes))
    app.cleanup_ctx.append(_security)
    app.cleanup_ctx.append(_database)
    return app


async def _security(app: web.Application) -> AsyncIterator[None]:
    app[SECURITY] = Security(app[CONFIG])
    yield
    app[SECURITY].close()


async def _database(app: web.Application) -> AsyncIterator[None]:
    async with connect(app[CONFIG]) as app[DB], watch(app[DB], app[CONFIG]) as app[REVOCATIONS]:
        yield
