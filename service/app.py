"""The composition root, in the order in which the service starts."""

from collections.abc import AsyncIterator, Iterable
from functools import partial

import orjson
from aiohttp import web

from service.auth.keys import REVOCATIONS, SECURITY
from service.auth.passwords import Passwords
from service.auth.security import Security
from service.auth.sessions import watch
from service.auth.tokens import Tokens
from service.changes.keys import WAITING
from service.changes.waiting import waiting
from service.config import Config
from service.ops.keys import MONITOR
from service.ops.monitor import monitoring
from service.postgres.pool import connect
from service.process.descriptors import room
from service.process.lifecycle import Lifecycle
from service.process.workers import Worker
from service.routes import Route, probes, routes
from service.teams import service as teams
from service.teams.keys import DELETED_TEAMS_KEPT
from service.telemetry.metrics import Metrics
from service.telemetry.usage import measure_process
from service.web import openapi
from service.web.connection_limit import ConnectionLimit
from service.web.keys import (
    ACTOR_OF,
    CONNECTION_LIMIT,
    DB,
    DOCUMENT,
    LIFECYCLE,
    METRICS,
    PUBLIC_URL,
    TEAM_STATE,
    TRAFFIC,
    TRUSTED_PROXIES,
    UNLOGGED,
    WORKER,
)
from service.web.middleware import observe, problem_details
from service.web.request import body_bytes_max
from service.web.traffic import Traffic
from service.worker.runner import working
from service.worker.tasks import all_tasks

# The worker does one thing after the other, while its readiness is asked for.
worker_pool_size = 2


def create_app(config: Config, worker: Worker | None = None, *, has_tasks: bool = False) -> web.Application:
    """Return the app, ready to run; the database must be reachable and migrated when it starts.

    `worker` says which one this process is of several behind the same address. With `has_tasks`, it also does what the
    command `worker` does.
    """
    app = _serving(config, routes, worker)
    app[DELETED_TEAMS_KEPT] = config.deleted_teams_kept_seconds
    app[TEAM_STATE] = teams.state
    app[CONNECTION_LIMIT] = ConnectionLimit(
        room(config.connections, servers=config.pool_size),
        is_behind_proxy=config.trusted_proxies > 0,
        metrics=app[METRICS],
    )
    app[DOCUMENT] = orjson.dumps(openapi.document(routes, config.public_url))
    app.cleanup_ctx.append(partial(_security, config))
    app.cleanup_ctx.append(partial(_database, config))
    if has_tasks:
        app.cleanup_ctx.append(partial(_tasks, config))
    app.cleanup_ctx.append(_worker)
    app.on_shutdown.append(_stop_waiting)
    return app


def create_worker_app(config: Config) -> web.Application:
    """Return the app of the command `worker`: it does the tasks, and answers the probes."""
    app = _serving(config, [route for route in routes if route[3] in probes])
    app.cleanup_ctx.append(partial(_worker_database, config))
    app.cleanup_ctx.append(partial(_tasks, config))
    return app


def _serving(config: Config, served: Iterable[Route], worker: Worker | None = None) -> web.Application:
    """Return an app with some routes, and with what observes their requests."""
    app = web.Application(middlewares=[observe, problem_details], client_max_size=body_bytes_max)
    app[PUBLIC_URL] = config.public_url
    app[TRUSTED_PROXIES] = config.trusted_proxies
    app[METRICS] = metrics = Metrics(worker.name if worker else "")
    app[TRAFFIC] = Traffic(metrics)
    app[UNLOGGED] = frozenset() if config.log_probes else probes
    measure_process(metrics)
    app[WORKER] = worker
    app[LIFECYCLE] = Lifecycle(metrics)
    if config.tracing:
        from service.telemetry.opentelemetry import trace  # noqa: PLC0415 -- the extra `otel` is not installed by default.

        trace(app)
    # aiohttp tries routes with the same beginning in turn, and the deepest paths are requested most.
    for method, path, handler, name in sorted(served, key=lambda route: -route[1].count("/")):
        if method == "GET":
            app.router.add_get(path, handler, name=name)
        else:
            app.router.add_route(method, path, handler, name=name)
        app[TRAFFIC].expect(name, method)
    return app


async def _security(config: Config, app: web.Application) -> AsyncIterator[None]:
    passwords = Passwords(
        memory_kib=config.argon2_memory_kib,
        passes=config.argon2_passes,
        threads=config.argon2_threads,
        metrics=app[METRICS],
    )
    tokens = Tokens(
        config.jwt_secret, other_secret=config.jwt_secret_other, lifetime_seconds=config.access_token_seconds
    )
    app[SECURITY] = Security(
        passwords, tokens, refresh_token_seconds=config.refresh_token_seconds, metrics=app[METRICS]
    )
    yield
    app[SECURITY].close()


async def _database(config: Config, app: web.Application) -> AsyncIterator[None]:
    metrics = app[METRICS]
    async with (
        connect(
            config.database_url,
            size=config.pool_size,
            wait_seconds=config.pool_wait_seconds,
            statement_seconds=config.statement_seconds,
            statement_cache_size=config.statement_cache_size,
            slow_query_seconds=config.slow_query_seconds,
            metrics=metrics,
        ) as app[DB],
        watch(app[DB], access_token_seconds=config.access_token_seconds) as app[REVOCATIONS],
        waiting(app[DB], metrics) as app[WAITING],
        monitoring(app[DB], audit_seconds=config.audit_seconds, metrics=metrics) as app[MONITOR],
    ):
        app[LIFECYCLE].on_stop.append(app[WAITING].stop)
        tokens, revocations = app[SECURITY].tokens, app[REVOCATIONS]
        app[ACTOR_OF] = lambda token: revocations.admit(tokens.actor(token))
        yield


async def _stop_waiting(app: web.Application) -> None:
    """Answer the requests that wait, where nothing has drained the app before."""
    app[WAITING].stop()


async def _worker_database(config: Config, app: web.Application) -> AsyncIterator[None]:
    async with connect(
        config.database_url,
        size=worker_pool_size,
        wait_seconds=config.pool_wait_seconds,
        statement_seconds=config.statement_seconds,
        statement_cache_size=config.statement_cache_size,
        slow_query_seconds=config.slow_query_seconds,
        metrics=app[METRICS],
    ) as app[DB]:
        yield


async def _tasks(config: Config, app: web.Application) -> AsyncIterator[None]:
    tasks = all_tasks(deleted_teams_kept_seconds=config.deleted_teams_kept_seconds)
    async with working(app[DB], tasks, app[METRICS], finish_seconds=config.shutdown_seconds):
        yield


async def _worker(app: web.Application) -> AsyncIterator[None]:
    """Let the other workers read this worker's metrics."""
    if worker := app[WORKER]:
        async with worker.answering(app[METRICS].text):
            yield
    else:
        yield
