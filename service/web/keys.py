"""What the parts of an app, and of a request, are kept under."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from service.actor import Actor
from service.auth.security import Security
from service.auth.sessions import Revocations
from service.config import Config
from service.postgres.pool import Database
from service.process.lifecycle import Lifecycle
from service.process.workers import Worker

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CONFIG: web.AppKey[Config] = web.AppKey("config", Config)
LIFECYCLE: web.AppKey[Lifecycle] = web.AppKey("lifecycle", Lifecycle)
DB: web.AppKey[Database] = web.AppKey("db", Database)
SECURITY: web.AppKey[Security] = web.AppKey("security", Security)
REVOCATIONS: web.AppKey[Revocations] = web.AppKey("revocations", Revocations)
WORKER: web.AppKey[Worker | None] = web.AppKey("worker", Worker | None)  # type: ignore[arg-type]
DOCUMENT: web.AppKey[bytes] = web.AppKey("document", bytes)

ACTOR: web.RequestKey[Actor] = web.RequestKey("actor", Actor)
BODY: web.RequestKey[dict[str, Any]] = web.RequestKey("body", dict)
QUERY: web.RequestKey[dict[str, Any]] = web.RequestKey("query", dict)
VERSIONS: web.RequestKey[list[int] | None] = web.RequestKey("versions", object)  # type: ignore[arg-type]
REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)
