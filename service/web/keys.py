"""What the parts of an app are kept under."""

from aiohttp import web

from service.auth.security import Security
from service.auth.sessions import Revocations
from service.config import Config
from service.postgres.pool import Database
from service.process.lifecycle import Lifecycle
from service.process.workers import Worker

CONFIG: web.AppKey[Config] = web.AppKey("config", Config)
LIFECYCLE: web.AppKey[Lifecycle] = web.AppKey("lifecycle", Lifecycle)
DB: web.AppKey[Database] = web.AppKey("db", Database)
SECURITY: web.AppKey[Security] = web.AppKey("security", Security)
REVOCATIONS: web.AppKey[Revocations] = web.AppKey("revocations", Revocations)
WORKER: web.AppKey[Worker | None] = web.AppKey("worker", Worker | None)  # type: ignore[arg-type]
DOCUMENT: web.AppKey[bytes] = web.AppKey("document", bytes)
