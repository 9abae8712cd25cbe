"""What the parts of an app are kept under."""

from aiohttp import web

from service.config import Config
from service.db import Database
from service.lifecycle import Lifecycle
from service.revocation import Revocations
from service.security import Security
from service.workers import Worker

CONFIG: web.AppKey[Config] = web.AppKey("config", Config)
LIFECYCLE: web.AppKey[Lifecycle] = web.AppKey("lifecycle", Lifecycle)
DB: web.AppKey[Database] = web.AppKey("db", Database)
SECURITY: web.AppKey[Security] = web.AppKey("security", Security)
REVOCATIONS: web.AppKey[Revocations] = web.AppKey("revocations", Revocations)
WORKER: web.AppKey[Worker | None] = web.AppKey("worker", Worker | None)  # type: ignore[arg-type]
DOCUMENT: web.AppKey[bytes] = web.AppKey("document", bytes)
