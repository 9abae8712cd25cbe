"""The `@endpoint` decorator: declares once what a handler takes, what it answers, and how it can refuse.

Only this module uses aiohttp-apispec: its decorators keep the schemas on the handler, where `service.web.openapi` finds
them. Requests are read and validated here instead, so that a refusal is as precise as the documentation.
"""

import functools
import itertools
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import parse_qsl

from aiohttp import web
from aiohttp_apispec import docs, form_schema, json_schema, querystring_schema, response_schema
from marshmallow import Schema, ValidationError

from service import errors
from service.web.answers import Answer, not_modified
from service.web.etags import is_in_if_none_match, versions_in_if_match
from service.web.fields import identifier
from service.web.keys import ACTOR, BODY, DB, QUERY, TEAM_STATE, VERSIONS, Handler
from service.web.request import read_form, read_json
from service.web.schemas import Input, Problem, field_errors

# Clients repeat queries, so accepted ones of usual length are cached, which takes up to some 250 KB per endpoint. They
# stay valid: the latest accepted day only moves forward.
cached_queries_max = 200
cached_query_length_max = 300

# The most errors that a problem document lists.
errors_max = 50

safe_methods = frozenset(("GET", "HEAD"))

# Whether an endpoint takes If-Match: some changes must say which version they are meant for.
IfMatch = Literal["", "optional", "required"]


def endpoint(
    returns: Answer,
    *,
    body: type[Input] | None = None,
    form: type[Input] | None = None,
    query: type[Input] | None = None,
    if_match: IfMatch = "",
    refuses: tuple[type[errors.Refusal], ...] = (),
    public: bool = False,
) -> Callable[[Callable[..., Awaitable[Any]]], Handler]:
    """Declare a handler: what it takes, what it answers with, and how it can refuse.

    The handler's docstring is its summary and description in the OpenAPI document. The handler gets the path's ids as
    keyword arguments, validated. `request[BODY]` and `request[QUERY]` are validated, too. With `if_match`,
    `request[VERSIONS]` has the versions that the client accepts, or None for any. Unless the endpoint is public,
    `request[ACTOR]` is the authenticated account. The handler returns the record to answer with.
    """
    takes = body or form
    body_schema = takes() if takes else None
    read_body = read_form if form else read_json
    query_schema = query() if query else None

    def validate_query(pairs: tuple[tuple[str, str], ...]) -> dict[str, Any]:
        return _validated(query_schema or Input(), dict(pairs), "query")

    cached_query = functools.lru_cache(cached_queries_max)(validate_query)

    def read_query(query_string: str) -> dict[str, Any]:
        pairs = _query(query_string)
        return (cached_query if len(query_string) <= cached_query_length_max else validate_query)(pairs)

    def declare(handler: Callable[..., Awaitable[Any]]) -> Handler:
        @functools.wraps(handler)
        async def checked(request: web.Request) -> web.StreamResponse:
            _check_ids(request)
            if request.query_string or query_schema:
                request[QUERY] = read_query(request.rel_url.raw_query_string)
            if body_schema:
                request[BODY] = _validated(body_schema, await read_body(request), "body")
            if request.method not in safe_methods:
                request[VERSIONS] = _accepted_versions(request, if_match)
            return await _answered(request, handler, returns)

        if body_schema:
            (form_schema if form else json_schema)(body_schema)(checked)
        if query_schema:
            querystring_schema(query_schema)(checked)
        _document(checked, if_match=if_match, public=public)
        checked.__dict__["public"] = public
        checked.__dict__["answer"] = returns
        implied = _implied(takes, if_match=if_match, public=public)
        has_dry_run = query is not None and "dry_run" in query().fields
        _document_responses(checked, returns, (*refuses, *implied), has_dry_run=has_dry_run)
        return checked

    return declare


async def _answered(
    request: web.Request, handler: Callable[..., Awaitable[Any]], returns: Answer
) -> web.StreamResponse:
    unchanged = await _unchanged(request, returns)
    if unchanged is not None:
        return unchanged
    return returns.response(request, await handler(request, **request.match_info))


async def _unchanged(request: web.Request, returns: Answer) -> web.Response | None:
    """Return 304 if the client has what is made of a team's revision: one look-up tells, before anything is read."""
    # Writes were refused with this header. Whether `*` matches, only the read itself can tell.
    if request.headers.get("If-None-Match", "*") == "*" or request.get(QUERY, {}).get("wait"):
        return None
    if "revision" not in returns.etag or "team_id" not in request.match_info:
        return None
    state = await request.app[TEAM_STATE](request.app[DB], request[ACTOR], request.match_info["team_id"])
    etag = returns.tag(state) if state else ""
    return not_modified(etag) if etag and is_in_if_none_match(request, etag) else None


def _accepted_versions(request: web.Request, if_match: IfMatch) -> list[int] | None:
    """Return the versions that a write is meant for, or None for any. No precondition is ignored.

    Raises Invalid for one that the endpoint does not take, and PreconditionRequired without one that it requires.
    """
    if "If-None-Match" in request.headers:
        raise _not_taken("If-None-Match", "Writes do not take this; send If-Match, where there is an ETag.")
    if "If-Match" not in request.headers:
        if if_match == "required":
            raise errors.PreconditionRequired
        return None
    versions = versions_in_if_match(request)
    if versions is not None and not if_match:
        raise _not_taken("If-Match", "This endpoint takes no version, because what it writes to has no ETag.")
    return versions


def _not_taken(header: str, detail: str) -> errors.Invalid:
    return errors.Invalid.at(f"/{header}", "not_taken", detail, place="header")


def _check_ids(request: web.Request) -> None:
    for name, value in request.match_info.items():
        if name.endswith("_id"):
            if not identifier.fullmatch(value):
                raise errors.NotFound(f"The {name} in the path is not a UUID.")
            # As PostgreSQL renders it: ids are compared as text, and an expense's id seeds the rounding of its shares.
            request.match_info[name] = value.lower()


def _validated(schema: Schema, data: Any, place: str) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = schema.load(data)
    except ValidationError as error:
        found = field_errors(error.messages_dict, place)
        del found[errors_max:]
        where = ", ".join(each["pointer"].removeprefix("/") or "the body" for each in found)
        detail = f"Not accepted: {where}." + (f" {found[0]['detail']}" if len(found) == 1 else "")
        raise errors.Invalid(detail, errors=found) from None
    return loaded


def _query(query_string: str) -> tuple[tuple[str, str], ...]:
    """Return the names and values of a query, sorted: the same for all ways to write it."""
    if not query_string:
        return ()
    try:
        pairs = parse_qsl(query_string, keep_blank_values=True, strict_parsing=True, errors="strict")
    except UnicodeDecodeError:
        raise errors.Invalid.at("", "not_utf8", "The query is not UTF-8.", place="query") from None
    except ValueError:
        raise errors.Invalid.at(
            "", "malformed", "The query is not made of names and values: `name=value&…`.", place="query"
        ) from None
    pairs.sort()
    for (name, _), (following, _) in itertools.pairwise(pairs):
        if name == following:
            raise errors.Invalid.at(f"/{name}", "repeated", "This may be given only once.", place="query")
    return tuple(pairs)


def _implied(body: type[Input] | None, *, if_match: IfMatch, public: bool) -> tuple[type[errors.Refusal], ...]:
    """Return the refusals that follow from what an endpoint takes."""
    # Every endpoint refuses unknown query parameters.
    found: tuple[type[errors.Refusal], ...] = (errors.Invalid,)
    if body:
        found += (errors.Malformed, errors.RequestTimeout, errors.TooLarge, errors.UnsupportedMediaType)
    if if_match:
        found += (errors.PreconditionFailed,)
    if if_match == "required":
        found += (errors.PreconditionRequired,)
    if not public:
        found += (errors.Unauthenticated, errors.Unavailable)
    return found


def _document(handler: Handler, *, if_match: IfMatch, public: bool) -> None:
    """Pass the docstring to aiohttp-apispec as summary and description."""
    summary, _, description = (handler.__doc__ or "").partition("\n")
    docs(
        summary=summary.strip(),
        description=" ".join(description.split()),
        tags=[handler.__module__.split(".")[1]],
        parameters=[_if_match_parameter(if_match)] if if_match else [],
        security=[] if public else [{"login": []}, {"accessToken": []}],
    )(handler)


def _document_responses(
    handler: Handler, answer: Answer, refuses: tuple[type[errors.Refusal], ...], *, has_dry_run: bool
) -> None:
    """Pass the responses to aiohttp-apispec: success, then the problems by status."""
    status = answer.status
    docs(responses={str(status.value): {"description": status.phrase, **answer.documented()}})(handler)
    if has_dry_run and status is HTTPStatus.CREATED:
        described = {"schema": answer.documented()["schema"], "description": "What a dry run would have stored"}
        docs(responses={"200": described})(handler)
    by_status: dict[int, list[type[errors.Refusal]]] = {}
    for refusal in refuses:
        by_status.setdefault(refusal.status.value, []).append(refusal)
    for code, kinds in sorted(by_status.items()):
        about = "\n\n".join(f"`{kind.slug()}`: {kind.about()}" for kind in kinds)
        response_schema(_problem_of(kinds), code, description=about)(handler)


def _problem_of(kinds: list[type[errors.Refusal]]) -> Any:
    types = [errors.type_prefix + kind.slug() for kind in kinds]
    return {"allOf": [Problem, {"properties": {"type": {"enum": types}}}]}


def _if_match_parameter(if_match: IfMatch) -> dict[str, Any]:
    otherwise = "" if if_match == "required" else " Without it, any version is changed."
    return {
        "in": "header",
        "name": "If-Match",
        "required": if_match == "required",
        "description": 'The ETag you read, such as `"2"`, or several with commas between them: if none of them is of '
        f'the current version, nothing is changed. `W/"2"` counts as `"2"`. `*` accepts any version.{otherwise}',
        "schema": {"type": "string"},
    }
