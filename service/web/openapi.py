"""The OpenAPI 3.1 document, made from the routes and from what `@endpoint` keeps on the handlers."""

import re
from collections.abc import Sequence
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.common import resolve_schema_cls
from marshmallow import Schema

from service import __version__
from service.web.schemas import AnyOf

description = """
Teams record who paid what for whom, and always know who owes whom.

Amounts are integers in the currency's minor unit: 12.50 EUR is `1250`, 500 JPY is `500`. Every error is a problem
document (RFC 9457).

Lists come in pages: send a page's `next` as `after`, with the same filters and `sort`, to get the next page. While
others write, pages neither skip nor repeat anything whose sort key stays the same; only that of `sort=spent_on` can
change.

What can be changed has a `version` and an `ETag`. Send the ETag in `If-Match`, and the change is refused with 412 if
somebody else was faster; expenses and settlements require it. What was read can be sent back with PATCH as a whole:
fields that cannot be changed are accepted as they are stored.
"""
body_types = {"json": "application/json", "form": "application/x-www-form-urlencoded"}


def document(routes: Sequence[tuple[str, str, Any, str]], public_url: str = "") -> dict[str, Any]:
    """Return the document of routes, each a method, path, handler and name; clients reach them at `public_url`."""
    plugin = MarshmallowPlugin(schema_name_resolver=_schema_name)
    spec = APISpec(
        title="Team Expense Tracker API",
        version=__version__,
        openapi_version="3.1.0",
        info={"description": description.strip(), "license": {"name": "MIT", "identifier": "MIT"}},
        servers=[{"url": public_url or "/"}],
        plugins=[plugin],
    )
    converter: Any = plugin.converter
    converter.add_attribute_function(_any_of)
    token_url = f"{public_url}/v1/auth/token"
    spec.components.security_scheme(
        "login",
        {
            "type": "oauth2",
            "description": "Log in with e-mail address (as username) and password.",
            "flows": {"password": {"tokenUrl": token_url, "refreshUrl": token_url, "scopes": {}}},
        },
    )
    spec.components.security_scheme(
        "accessToken", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "An access token."}
    )
    for method, path, handler, name in routes:
        spec.path(path=path, operations={method.lower(): _operation(path, name, handler.__apispec__, public_url)})
    return spec.to_dict()


def _any_of(converter: Any, field: Any, **_: Any) -> dict[str, Any]:
    """Return what is documented of a field that is as one of some schemas says."""
    if not isinstance(field, AnyOf):
        return {}
    return {"anyOf": [*map(converter.resolve_nested_schema, field.schemas), {"type": "null"}]}


def _schema_name(schema: type[Schema] | Schema | str) -> str:
    found = resolve_schema_cls(schema)
    return found.__name__ if isinstance(found, type) else ""


def _operation(path: str, name: str, kept: dict[str, Any], public_url: str) -> dict[str, Any]:
    operation: dict[str, Any] = {key: kept[key] for key in ("summary", "description", "tags", "security")}
    operation["operationId"] = name
    parameters: list[dict[str, Any]] = [
        {"in": "path", "name": key, "required": True, "schema": _path_schema(key)}
        for key in re.findall(r"{(\w+)}", path)
    ]
    parameters += kept["parameters"]
    for each in kept["schemas"]:
        if each["location"] == "querystring":
            # apispec's plugin turns a schema into one parameter per field.
            parameters.append({"in": "query", "schema": each["schema"]})
        else:
            content = {body_types[each["location"]]: {"schema": each["schema"], "example": each["schema"].example}}
            operation["requestBody"] = {"required": True, "content": content}
    if parameters:
        operation["parameters"] = parameters
    operation["responses"] = {
        code: _response(code, response, public_url) for code, response in kept["responses"].items()
    }
    return operation


def _path_schema(key: str) -> dict[str, str]:
    return {"type": "string", "format": "uuid"} if key.endswith("_id") else {"type": "string"}


def _response(code: str, kept: dict[str, Any], public_url: str) -> dict[str, Any]:
    response = {key: kept[key] for key in ("description", "headers", "content") if kept.get(key)}
    if "schema" in kept and int(code) < 400:  # noqa: PLR2004
        content = {"schema": kept["schema"]}
        if example := getattr(resolve_schema_cls(kept["schema"]), "example", None):
            content["example"] = example
        response["content"] = {"application/json": content}
    elif "schema" in kept:
        response["content"] = {"application/problem+json": {"schema": _problem_at(public_url, kept["schema"])}}
    return response


def _problem_at(public_url: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a problem with its types as they are answered."""
    problem, kinds = schema["allOf"]
    types = [public_url + each for each in kinds["properties"]["type"]["enum"]]
    return {"allOf": [problem, {"properties": {"type": {"enum": types}}}]}
