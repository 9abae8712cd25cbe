"""The answers of endpoints that do not refuse: status, headers and body, made from the record they return."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from operator import itemgetter
from typing import Any, ClassVar

import orjson
from aiohttp import web
from marshmallow import Schema, fields

from service.postgres.pool import Record
from service.web.etags import is_in_if_none_match
from service.web.keys import PUBLIC_URL, QUERY
from service.web.paging import cut
from service.web.schemas import Output

# For every response without its own Content-Security-Policy, which the pages have (OWASP REST Security Cheat Sheet).
security_headers = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Server": "expenses",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
header_descriptions = {
    "Location": "The address of what was created.",
    "ETag": "For If-None-Match: 304 if nothing has changed. Where this has a version, for If-Match, too.",
    "Link": 'The next page: `<…>; rel="next"` (RFC 8288).',
}


class Answer:
    """The base of all answers.

    `etag` has the names of the fields that the tag is made of, with dots between them: a client that has this tag
    already is answered 304.
    """

    status: ClassVar[HTTPStatus] = HTTPStatus.OK
    etag: Sequence[str] = ()

    def tag(self, values: Mapping[str, Any] | Record) -> str:
        """Return the ETag for the values of its fields."""
        return f'"{".".join(str(values[name]) for name in self.etag)}"'

    def response(self, request: web.Request, result: Any) -> web.StreamResponse:
        """Return the response for a handler's result."""
        raise NotImplementedError

    def documented(self) -> dict[str, Any]:
        """Return the response's headers and content for the OpenAPI document."""
        raise NotImplementedError


class Ok(Answer):
    """200 with a record: only the fields of its schema.

    `etag` is the field with its version, or that and another with a dot between them. What a dry run would have stored
    has neither an ETag nor an address, and is always 200.
    """

    def __init__(self, schema: type[Schema], *, etag: str = "") -> None:
        self.schema = schema
        self.etag = etag.split(".") if etag else []
        self.pick = _picker(schema)

    def response(self, request: web.Request, result: Any) -> web.StreamResponse:
        """Return the record as JSON."""
        record = self.pick(result)
        if is_dry_run(request):
            return _json(record, HTTPStatus.OK, {})
        headers = self.headers(request, record)
        if self.etag:
            headers["ETag"] = self.tag(record)
            # Only reads come here with this header: a write is refused with it.
            if "If-None-Match" in request.headers and is_in_if_none_match(request, headers["ETag"]):
                return not_modified(headers["ETag"])
        return _json(record, self.status, headers)

    def headers(self, _request: web.Request, _record: Mapping[str, Any]) -> dict[str, str]:
        """Return the headers besides the ETag."""
        return {}

    def documented(self) -> dict[str, Any]:
        """Return the schema and the headers."""
        return _described(self.schema, *(["ETag"] if self.etag else []))


class Created(Ok):
    """201 with a record and its address: `at` is the name of the route that returns it."""

    status = HTTPStatus.CREATED

    def __init__(self, schema: type[Schema], *, at: str, etag: str = "") -> None:
        super().__init__(schema, etag=etag)
        self.at = at

    def headers(self, request: web.Request, record: Mapping[str, Any]) -> dict[str, str]:
        """Return the Location, with the ids from this request's path and the record filled in."""
        path = request.app.router[self.at].canonical
        return {"Location": request.app[PUBLIC_URL] + path.format_map({**request.match_info, **record})}

    def documented(self) -> dict[str, Any]:
        """Return the schema and the headers."""
        return _described(self.schema, "Location", *(["ETag"] if self.etag else []))


class Page(Answer):
    """200 with a page of records, and the next page's address in a Link header (RFC 8288).

    The handler returns up to one record more than the query's `limit`; `by` is the field with the records' ids. With
    `beside`, a page has these fields, too, and with `etag` an ETag: the handler returns the records and a mapping with
    the fields of both.
    """

    def __init__(
        self,
        schema: type[Schema],
        *,
        by: str,
        name: str = "",
        beside: Mapping[str, fields.Field[Any]] | None = None,
        etag: str = "",
    ) -> None:
        self.by = by
        self.etag = etag.split(".") if etag else []
        self.beside = dict(beside or {})
        self.pick = _picker(schema)
        # Marshmallow declares no attributes of its own for it.
        listing: Any = Output.from_dict(
            {
                "items": fields.List(fields.Nested(schema), required=True),
                "next": fields.String(required=True, allow_none=True),
                **self.beside,
            },
            name=name or f"{schema.__name__}s",
        )
        if example := getattr(schema, "example", None):
            others = {each: field.metadata["example"] for each, field in self.beside.items()}
            listing.example = {"items": [example], "next": None} | others
        self.schema = listing

    def response(self, request: web.Request, result: Any) -> web.StreamResponse:
        """Return the page as JSON."""
        records, others = result if self.beside or self.etag else (result, {})
        headers = {"ETag": self.tag(others)} if self.etag else {}
        if self.etag and "If-None-Match" in request.headers and is_in_if_none_match(request, headers["ETag"]):
            return not_modified(headers["ETag"])
        items, cursor = cut(records, request[QUERY], self.by)
        if cursor:
            following = request.app[PUBLIC_URL] + str(request.rel_url.update_query(after=cursor))
            headers["Link"] = f'<{following}>; rel="next"'
        shown = {name: others[name] for name in self.beside}
        return _json({"items": items, "next": cursor, **shown}, self.status, headers, self.pick)

    def documented(self) -> dict[str, Any]:
        """Return the schema and the header."""
        return _described(self.schema, *(["ETag"] if self.etag else []), "Link")


class NoContent(Answer):
    """204, whatever the handler returns."""

    status = HTTPStatus.NO_CONTENT

    def response(self, _request: web.Request, _result: Any) -> web.StreamResponse:
        """Return the response."""
        return web.Response(status=self.status)

    def documented(self) -> dict[str, Any]:
        """Return no content."""
        return {}


class Media(Answer):
    """200 with the handler's own response, of a media type."""

    def __init__(self, media_type: str) -> None:
        self.media_type = media_type

    def response(self, _request: web.Request, result: Any) -> web.StreamResponse:
        """Return the handler's response."""
        response: web.StreamResponse = result
        return response

    def documented(self) -> dict[str, Any]:
        """Return the media type."""
        kind = "object" if self.media_type.endswith("json") else "string"
        return {"content": {self.media_type: {"schema": {"type": kind}}}}


def not_modified(etag: str) -> web.Response:
    """Return 304 with the ETag."""
    return web.Response(status=HTTPStatus.NOT_MODIFIED, headers={"ETag": etag})


def is_dry_run(request: web.Request) -> bool:
    """Return whether the request asks what would be stored, with nothing stored."""
    return bool(request.get(QUERY, {}).get("dry_run"))


def _picker(schema: type[Schema]) -> Callable[[Any], dict[str, Any]]:
    """Return a function that picks the fields of a schema from a record: other fields are not shown."""
    names = tuple(field.data_key or name for name, field in schema().fields.items())
    if len(names) == 1:
        return lambda record: {names[0]: record[names[0]]}
    values_of = itemgetter(*names)
    return lambda record: dict(zip(names, values_of(record), strict=True))


def _json(
    content: Any, status: HTTPStatus, headers: dict[str, str], default: Callable[[Any], Any] | None = None
) -> web.Response:
    return web.Response(
        body=orjson.dumps(content, default=default, option=orjson.OPT_UTC_Z),
        status=status,
        headers=headers,
        content_type="application/json",
    )


def _described(schema: type[Schema], *headers: str) -> dict[str, Any]:
    return {
        "schema": schema,
        "headers": {name: {"description": header_descriptions[name], "schema": {"type": "string"}} for name in headers},
    }
