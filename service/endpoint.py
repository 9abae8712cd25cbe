"""What makes a handler an endpoint: its documentation and its validation, both from the same schemas.

All contact with aiohttp-apispec is here: its decorators keep the schemas on the handler, where `service.openapi` finds
them; reading and checking a request is our own, because a body must be refused as precisely as it is described.
"""

import asyncio
import functools
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, NoReturn
from urllib.parse import parse_qsl

import orjson
from aiohttp import web
from aiohttp_apispec import docs, form_schema, json_schema, querystring_schema, response_schema
from marshmallow import Schema, ValidationError, fields

from service import errors
from service.access import Actor
from service.fields import Input, Output, identifier
from service.fields import errors as field_errors
from service.paging import Page

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ACTOR: web.RequestKey[Actor] = web.RequestKey("actor", Actor)
BODY: web.RequestKey[dict[str, Any]] = web.RequestKey("body", dict)
QUERY: web.RequestKey[dict[str, Any]] = web.RequestKey("query", dict)
REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)

body_bytes_max = 64 * 1024
body_seconds_max = 15
integer_digits_max = 20
form_fields_max = 20
# A strong one: a weak one never matches in If-Match (RFC 9110 §13.1.1).
etag_of_ours = re.compile(r'"([0-9]{1,9})"', re.ASCII)
json_types = ("application/json", "application/merge-patch+json")
form_types = ("application/x-www-form-urlencoded",)


class FieldError(Output):
    """Why one value is refused."""

    place = fields.String(
        required=True, data_key="in", metadata={"enum": ["body", "query", "header"], "description": "Where it was."}
    )
    pointer = fields.String(required=True, metadata={"description": "A JSON pointer into that place (RFC 6901)."})
    code = fields.String(required=True, metadata={"description": "A stable word for programs."})
    detail = fields.String(required=True, metadata={"description": "A sentence for people, with the numbers."})


class OpenNet(Output):
    """What a member still has to get (or, negative, to give) in a currency."""

    currency = fields.String(required=True)
    net = fields.Integer(required=True)


class Problem(Output):
    """Why a request was refused (RFC 9457)."""

    type = fields.String(required=True, metadata={"example": "/problems/not-found"})
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    instance = fields.String(required=True, metadata={"description": "The request id, as in X-Request-Id and the log."})
    errors = fields.List(fields.Nested(FieldError), metadata={"description": "With status 422: what to mend."})
    balances = fields.List(fields.Nested(OpenNet), metadata={"description": "With open-balance: what is open."})


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
    body_schema = body() if body else None
    form_body_schema = form() if form else None
    query_schema = query() if query else None

    def declare(handler: Handler) -> Handler:
        @functools.wraps(handler)
        async def checked(request: web.Request) -> web.StreamResponse:
            for name, value in request.match_info.items():
                if name.endswith("_id") and not identifier.fullmatch(value):
                    raise errors.NotFound
            if request.query_string or query_schema:
                request[QUERY] = _validated(query_schema or Input(), _query(request), "query")
            if body_schema:
                request[BODY] = _validated(body_schema, await _json(request), "body")
            if form_body_schema:
                request[BODY] = _validated(form_body_schema, await _form(request), "body")
            return await handler(request)

        for schema, keep in (
            (body_schema, json_schema),
            (form_body_schema, form_schema),
            (query_schema, querystring_schema),
        ):
            if schema:
                keep(schema)(checked)
        _document(checked, if_match=if_match, public=public)
        checked.__dict__["public"] = public
        _document_responses(
            checked, returns, status, headers, (*refuses, *_implied(body or form, public=public))
        )
        return checked

    return declare


def respond(
    request: web.Request, record: Any, *, status: HTTPStatus = HTTPStatus.OK, location: str = "", etag: str = ""
) -> web.Response:
    """Return a record as JSON, or 304 when the client has it under the same ETag."""
    headers = {}
    if location:
        headers["Location"] = location
    if etag:
        headers["ETag"] = f'"{etag}"'
        if request.method in {"GET", "HEAD"} and _matches(request.headers.get("If-None-Match", ""), etag):
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


def _matches(if_none_match: str, etag: str) -> bool:
    sent = {each.strip().removeprefix("W/").strip('"') for each in if_none_match.split(",")}
    return etag in sent or "*" in sent


def _validated(schema: Schema, data: Any, place: str) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = schema.load(data)
    except ValidationError as error:
        found = field_errors(error.messages_dict, place)
        where = ", ".join(each["pointer"].removeprefix("/") or "the body" for each in found)
        raise errors.Invalid(f"Not accepted: {where}.", errors=found) from None
    return loaded


def _query(request: web.Request) -> Mapping[str, str]:
    for name in request.query:
        if len(request.query.getall(name)) > 1:
            raise errors.Invalid.at(f"/{name}", "repeated", "This may be given once.", place="query")
    return dict(request.query)


async def _json(request: web.Request) -> Any:
    """Read a body that is exactly JSON: RFC 8259 without duplicate names (RFC 7493 §2.3) and without NaN."""
    content = await _content(request, json_types)
    try:
        return json.loads(
            content.decode(), parse_constant=_refuse_constant, parse_int=_integer, object_pairs_hook=_object
        )
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise errors.Malformed(f"The body is not JSON: {reason}.") from None


async def _form(request: web.Request) -> dict[str, str]:
    content = await _content(request, form_types)
    try:
        pairs = parse_qsl(content.decode(), keep_blank_values=True, max_num_fields=form_fields_max, errors="strict")
        return _object(pairs)
    except ValueError as error:
        raise errors.Malformed(f"The body is not a form: {error}.") from None


async def _content(request: web.Request, media_types: tuple[str, ...]) -> bytes:
    if request.content_type not in media_types or "Content-Encoding" in request.headers:
        raise errors.UnsupportedMediaType(media_types[0])
    try:
        async with asyncio.timeout(body_seconds_max):
            return await request.read()
    except TimeoutError:
        raise errors.RequestTimeout from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _integer(digits: str) -> int:
    """Return the number, or one as far out of range: Python refuses to read thousands of digits."""
    if len(digits) <= integer_digits_max:
        return int(digits)
    return -(10**integer_digits_max) if digits.startswith("-") else 10**integer_digits_max


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in one object")
    for name in found:
        if not name.isprintable():
            raise ValueError("a name has characters that cannot be printed")
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
