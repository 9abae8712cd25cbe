"""What makes a handler an endpoint: its documentation and its validation, both from the same schemas.

All contact with aiohttp-apispec is here: its decorators keep the schemas on the handler, where `service.openapi` finds
them; reading and checking a request is our own, because a body must be refused as precisely as it is described.
"""

import functools
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import orjson
from aiohttp import web
from aiohttp_apispec import docs, form_schema, json_schema, querystring_schema, response_schema
from marshmallow import Schema, ValidationError

from service import errors
from service.actor import Actor
from service.web.fields import identifier
from service.web.paging import Page
from service.web.request import read_form, read_json
from service.web.schemas import Input, Problem, field_errors

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# On every response that has no policy of its own, as the pages have (OWASP REST Security Cheat Sheet).
security_headers = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Server": "expenses",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

# Queries repeat. What was accepted once stays so: the latest day that is accepted only moves on.
accepted_queries_max = 1000

# What a problem document lists at most; the rest shows when these are mended.
errors_max = 50

ACTOR: web.RequestKey[Actor] = web.RequestKey("actor", Actor)
BODY: web.RequestKey[dict[str, Any]] = web.RequestKey("body", dict)
QUERY: web.RequestKey[dict[str, Any]] = web.RequestKey("query", dict)
REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)

# A strong one: a weak one never matches in If-Match (RFC 9110 §13.1.1).
etag_of_ours = re.compile(r'"([0-9]{1,9})"', re.ASCII)


def endpoint(
    *,
    returns: type[Schema] | str | None,
    status: HTTPStatus = HTTPStatus.OK,
    body: type[Input] | None = None,
    form: type[Input] | None = None,
    query: type[Input] | None = None,
    refuses: tuple[type[errors.Refusal], ...] = (),
    headers: tuple[str, ...] = (),
    if_match: bool = False,
    public: bool = False,
) -> Callable[[Handler], Handler]:
    """Declare a handler: what it takes, what it returns (a schema, or a media type), and how it can refuse.

    The docstring is its summary and description in the API's document. The handler is called with ids that are
    well-formed and with `request[BODY]` and `request[QUERY]` validated; unless it is public, with `request[ACTOR]`.
    """
    takes = body or form
    body_schema = takes() if takes else None
    read_body = read_form if form else read_json
    query_schema = query() if query else None

    @functools.lru_cache(accepted_queries_max)
    def read_query(query_string: str) -> dict[str, Any]:
        return _validated(query_schema or Input(), _query(query_string), "query")

    def declare(handler: Handler) -> Handler:
        @functools.wraps(handler)
        async def checked(request: web.Request) -> web.StreamResponse:
            _check_ids(request)
            if request.query_string or query_schema:
                request[QUERY] = read_query(request.rel_url.raw_query_string)
            if body_schema:
                request[BODY] = _validated(body_schema, await read_body(request), "body")
            return await handler(request)

        if body_schema:
            (form_schema if form else json_schema)(body_schema)(checked)
        if query_schema:
            querystring_schema(query_schema)(checked)
        _document(checked, if_match=if_match, public=public)
        checked.__dict__["public"] = public
        _document_responses(checked, returns, status, headers, (*refuses, *_implied(takes, public=public)))
        return checked

    return declare


def respond(
    request: web.Request,
    record: Any,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    location: str = "",
    etag: int | None = None,
) -> web.Response:
    """Return a record as JSON, or 304 when the client has it under the same ETag."""
    headers = {}
    if location:
        headers["Location"] = location
    if etag is not None:
        headers["ETag"] = f'"{etag}"'
        if "If-None-Match" in request.headers and _is_known(request, headers["ETag"]):
            return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    return web.Response(
        body=orjson.dumps(record, default=dict, option=orjson.OPT_UTC_Z),
        status=status,
        headers=headers,
        content_type="application/json",
    )


def respond_page(request: web.Request, page: Page) -> web.Response:
    """Return a page, with the next one's address in a Link header (RFC 8288)."""
    response = respond(request, {"items": page.items, "next": page.next})
    if page.next:
        target = request.rel_url.update_query(after=page.next)
        response.headers["Link"] = f'<{target}>; rel="next"'
    return response


def no_content() -> web.Response:
    """Return 204."""
    return web.Response(status=HTTPStatus.NO_CONTENT)


def sent_versions(request: web.Request) -> list[int] | None:
    """Return the versions that a change is meant for, or None for `*`; what is no ETag of ours stands for no version.

    Raises PreconditionRequired without the header.
    """
    sent = ",".join(request.headers.getall("If-Match", []))
    if "If-Match" not in request.headers:
        raise errors.PreconditionRequired
    if sent.strip() == "*":
        return None
    return [int(found[1]) for each in sent.split(",") if (found := etag_of_ours.fullmatch(each.strip()))]


def _is_known(request: web.Request, etag: str) -> bool:
    """Return whether If-None-Match has the ETag, by the weak comparison (RFC 9110 §13.1.2)."""
    if request.method not in {"GET", "HEAD"}:
        return False
    sent = ",".join(request.headers.getall("If-None-Match", []))
    return not {etag, "*"}.isdisjoint(each.strip().removeprefix("W/") for each in sent.split(","))


def _check_ids(request: web.Request) -> None:
    for name, value in request.match_info.items():
        if name.endswith("_id"):
            if not identifier.fullmatch(value):
                raise errors.NotFound(f"The {name} in the path is not a UUID.")
            # As PostgreSQL renders it: ids are compared, and an expense's seeds the draw of its shares.
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


def _query(query_string: str) -> dict[str, str]:
    found: dict[str, str] = {}
    try:
        pairs = parse_qsl(query_string, keep_blank_values=True, errors="strict")
    except ValueError:
        raise errors.Invalid.at("", "not_utf8", "The query is not UTF-8.", place="query") from None
    for name, value in pairs:
        if name in found:
            raise errors.Invalid.at(f"/{name}", "repeated", "This may be given once.", place="query")
        found[name] = value
    return found


def _implied(body: type[Input] | None, *, public: bool) -> tuple[type[errors.Refusal], ...]:
    """Return the refusals that follow from what an endpoint takes."""
    # A query parameter that is not there to be given is refused everywhere.
    found: tuple[type[errors.Refusal], ...] = (errors.Invalid,)
    if body:
        found += (errors.Malformed, errors.RequestTimeout, errors.TooLarge, errors.UnsupportedMediaType)
    if not public:
        found += (errors.Unauthenticated, errors.Unavailable)
    return found


def _document(handler: Handler, *, if_match: bool, public: bool) -> None:
    """Put the docstring where aiohttp-apispec keeps it."""
    summary, _, description = (handler.__doc__ or "").partition("\n")
    docs(
        summary=summary.strip(),
        description=" ".join(description.split()),
        tags=[handler.__module__.split(".")[1]],
        parameters=[if_match_parameter] if if_match else [],
        security=[] if public else [{"login": []}, {"accessToken": []}],
    )(handler)


def _document_responses(
    handler: Handler,
    returns: type[Schema] | str | None,
    status: HTTPStatus,
    headers: tuple[str, ...],
    refuses: tuple[type[errors.Refusal], ...],
) -> None:
    """Put the responses where aiohttp-apispec keeps them: success, then one problem a status."""
    sent = {name: response_headers[name] for name in headers}
    success: dict[str, Any] = {"description": status.phrase, "headers": sent}
    if isinstance(returns, str):
        success["content"] = {returns: {"schema": {"type": "object" if returns.endswith("json") else "string"}}}
        docs(responses={str(status.value): success})(handler)
    elif returns is None:
        docs(responses={str(status.value): success})(handler)
    else:
        response_schema(returns, status.value, description=status.phrase)(handler)
        handler.__dict__["__apispec__"]["responses"][str(status.value)]["headers"] = sent
    by_status: dict[int, list[str]] = {}
    for refusal in refuses:
        by_status.setdefault(refusal.status.value, []).append(f"`{refusal.slug()}`: {refusal.about()}")
    for code in sorted(by_status):
        response_schema(Problem, code, description="\n\n".join(by_status[code]))(handler)


if_match_parameter = {
    "in": "header",
    "name": "If-Match",
    "required": True,
    "description": "The ETag that you read, or `*`.",
    "schema": {"type": "string"},
}
response_headers = {
    "Location": {"description": "Where it is.", "schema": {"type": "string"}},
    "ETag": {"description": "Its version, for If-Match and If-None-Match.", "schema": {"type": "string"}},
    "Link": {"description": 'The next page: `<…>; rel="next"` (RFC 8288).', "schema": {"type": "string"}},
}
