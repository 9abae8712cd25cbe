"""The keys of what an app and a request hold."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from service.actor import Actor
from service.errors import Refusal
from service.postgres.pool import Database, Record
from service.process.lifecycle import Lifecycle
from service.process.workers import Worker
from service.telemetry.metrics import Metrics
from service.web.connection_limit import ConnectionLimit
from service.web.traffic import Traffic

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# Written before every path in an answer; empty if the paths stand for themselves.
PUBLIC_URL: web.AppKey[str] = web.AppKey("public_url", str)
TRUSTED_PROXIES: web.AppKey[int] = web.AppKey("trusted_proxies", int)
TRAFFIC: web.AppKey[Traffic] = web.AppKey("traffic", Traffic)
# The names of the routes whose requests have a line in the log only if they fail.
UNLOGGED: web.AppKey[frozenset[str]] = web.AppKey("unlogged", frozenset)
METRICS: web.AppKey[Metrics] = web.AppKey("metrics", Metrics)
CONNECTION_LIMIT: web.AppKey[ConnectionLimit] = web.AppKey("connection_limit", ConnectionLimit)
LIFECYCLE: web.AppKey[Lifecycle] = web.AppKey("lifecycle", Lifecycle)
DB: web.AppKey[Database] = web.AppKey("db", Database)
# Returns the actor of an access token. Raises Unauthenticated if the token is not valid now.
ACTOR_OF: web.AppKey[Callable[[str], Actor]] = web.AppKey("actor_of", Callable)  # type: ignore[arg-type]
# Returns the fields that tags of answers about a team are made of, or None for an actor who is not in the team.
TeamState = Callable[[Database, Actor, str], Awaitable[Record | None]]
TEAM_STATE: web.AppKey[TeamState] = web.AppKey("team_state", Callable)  # type: ignore[arg-type]
WORKER: web.AppKey[Worker | None] = web.AppKey("worker", Worker | None)  # type: ignore[arg-type]
DOCUMENT: web.AppKey[bytes] = web.AppKey("document", bytes)

ACTOR: web.RequestKey[Actor] = web.RequestKey("actor", Actor)
BODY: web.RequestKey[dict[str, Any]] = web.RequestKey("body", dict)
QUERY: web.RequestKey[dict[str, Any]] = web.RequestKey("query", dict)
VERSIONS: web.RequestKey[list[int] | None] = web.RequestKey("versions", object)  # type: ignore[arg-type]
# Called when the client of a request that waits is gone.
GONE: web.RequestKey[Callable[[], object]] = web.RequestKey("gone", Callable)  # type: ignore[arg-type]
# Set where a request is refused before it can be read.
REFUSED: web.RequestKey[Refusal] = web.RequestKey("refused", Refusal)
REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)
