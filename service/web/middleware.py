"""The middlewares around every handler, from the outside in: observe, problem_details."""

import asyncio
import logging
import re
import time
from http import HTTPStatus

import asyncpg
import orjson
from aiohttp import web
from aiohttp.web_exceptions import HTTPException

from service import errors
from service.postgres.shares import askers
from service.telemetry.logs import current_request, log_request
from service.telemetry.spent import Spent, current_spent
from service.telemetry.trace import TRACE, trace_of
from service.web.answers import security_headers
from service.web.fields import identifier
from service.web.keys import ACTOR, ACTOR_OF, LIFECYCLE, PUBLIC_URL, REFUSED, REQUEST_ID, TRAFFIC, UNLOGGED, Handler

log = logging.getLogger(__name__)

REFUSAL: web.RequestKey[str] = web.RequestKey("refusal", str)
REASON: web.RequestKey[str] = web.RequestKey("reason", str)

request_id_accepted = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

# A transaction that failed with one of these changed nothing, and can succeed when it is tried again.
transient = (asyncpg.InvalidCachedStatementError, asyncpg.SerializationError, asyncpg.DeadlockDetectedError)

retry_seconds = 0.05

# Our refusals for what aiohttp raises when it routes a request or reads a body.
of_framework: dict[int, tuple[type[errors.Refusal], str]] = {
    404: (errors.NotFound, "There is nothing at this path; {public_url}/docs lists all paths."),
    405: (errors.MethodNotAllowed, ""),
    413: (errors.TooLarge, ""),
}


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id and its trace, count and time it, and write its line in the log."""
    started = time.perf_counter()
    trace = request.get(TRACE) or trace_of(request.headers.get("Traceparent"))
    sent = request.headers.get("X-Request-Id", "")
    request_id = sent if request_id_accepted.fullmatch(sent) else trace.request_id()
    request[REQUEST_ID] = request_id
    token = current_request.set((request_id, trace.trace_id))
    spent = Spent()
    spent_token = current_spent.set(spent)
    lifecycle = request.app[LIFECYCLE]
    lifecycle.begin()
    status = 499  # The client disconnected before the answer.
    try:
        response = await handler(request)
        status = response.status
        if lifecycle.stopping:
            response.force_close()
        response.headers["X-Request-Id"] = request_id
        if trace.flags:
            response.headers["Traceresponse"] = trace.response()
        if "Content-Security-Policy" not in response.headers:
            response.headers.update(security_headers)
        return response
    finally:
        duration_seconds = time.perf_counter() - started
        route = request.match_info.route.name or "unmatched"
        lifecycle.end()
        # A client that waits for something is not served slowly.
        served_seconds = duration_seconds - spent.held_seconds
        request.app[TRAFFIC].answered(route, _method(request), status, served_seconds)
        actor = request.get(ACTOR)
        if status >= HTTPStatus.BAD_REQUEST or route not in request.app[UNLOGGED]:
            log_request(
                request_id=request_id,
                trace_id=trace.trace_id,
                actor=actor and actor.user_id,
                team=_team(request),
                method=request.method,
                route=route,
                status=status,
                refusal=request.get(REFUSAL),
                reason=request.get(REASON),
                duration_ms=_milliseconds(duration_seconds),
                database_ms=_milliseconds(spent.database_seconds),
                connection_wait_ms=_milliseconds(spent.connection_seconds),
                turn_wait_ms=_milliseconds(spent.turn_seconds),
                held_ms=_milliseconds(spent.held_seconds),
                slowest_query=spent.slowest_query,
            )
        current_spent.reset(spent_token)
        current_request.reset(token)


@web.middleware
async def problem_details(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let in who may, and answer whatever goes wrong with a problem document that shows nothing internal."""
    try:
        authenticate(request)
        try:
            return await handler(request)
        except transient:
            # Let the other transaction finish first.
            await asyncio.sleep(retry_seconds)
            return await handler(request)
    except errors.Refusal as refusal:
        refused = refusal
    except HTTPException as raised:
        if raised.status not in of_framework:
            raise
        allow = {"Allow": raised.headers["Allow"]} if "Allow" in raised.headers else {}
        kind, detail = of_framework[raised.status]
        refused = kind(detail.format(public_url=request.app[PUBLIC_URL]), headers=allow)
    except (web.RequestPayloadError, ConnectionResetError):
        refused = errors.Malformed("The body is incomplete.")
    except transient:
        log.warning("a transaction failed twice", exc_info=True)
        refused = errors.Unavailable(reason="conflict")
    except asyncpg.DataError:
        # The second safety net: a value that passed validation but that PostgreSQL cannot store.
        log.exception("PostgreSQL refused a value")
        refused = errors.Invalid()
    except Exception:
        log.exception("crash")
        refused = errors.InternalError()
    return _problem(request, refused)


def authenticate(request: web.Request) -> None:
    """Find out who acts. Raises Unauthenticated without a valid access token, except for endpoints declared public.

    Raises also what was found wrong before the request could be read.
    """
    if refused := request.get(REFUSED):
        raise refused
    if request.match_info.http_exception is None and not getattr(request.match_info.handler, "public", False):
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise errors.Unauthenticated
        request[ACTOR] = actor = request.app[ACTOR_OF](token.strip())
        team_id = request.match_info.get("team_id")
        askers.set((actor.user_id, team_id.lower()) if team_id else (actor.user_id,))


def _problem(request: web.Request, refusal: errors.Refusal) -> web.Response:
    request[REFUSAL] = refusal.slug()
    request.app[TRAFFIC].refusals.count(refusal.slug())
    if isinstance(refusal, errors.Unavailable):
        request[REASON] = refusal.reason
        request.app[TRAFFIC].unavailable.count(refusal.reason)
    return web.Response(
        body=orjson.dumps(refusal.problem(request[REQUEST_ID], request.app[PUBLIC_URL])),
        status=refusal.status,
        headers=refusal.headers,
        content_type="application/problem+json",
    )


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _team(request: web.Request) -> str | None:
    """Return the team in the path if it is a UUID, so that clients cannot write text to the log."""
    team_id = request.match_info.get("team_id")
    return team_id if team_id and identifier.fullmatch(team_id) else None


def _method(request: web.Request) -> str:
    """Return the method as a metric's label; `other` for an unknown one, since a client may send any word."""
    return request.method if request.method in {"GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS"} else "other"
