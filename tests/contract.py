"""The OpenAPI document as a check: every answer that a test gets must be as it says."""

import re
from typing import Any

import orjson
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012


class Contract:
    def __init__(self, document: bytes) -> None:
        self.document = orjson.loads(document)
        resource = Resource.from_contents(self.document, default_specification=DRAFT202012)
        self.registry = Registry().with_resource("urn:document", resource)
        self.paths = [
            (re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), operations)
            for path, operations in self.document["paths"].items()
        ]

    def check(self, method: str, path: str, answer: Any) -> None:
        """Raise AssertionError where the status, or the body under it, is not in the document."""
        operation = next(
            (operations.get(method.lower()) for pattern, operations in self.paths if pattern.fullmatch(path)), None
        )
        if operation is None or answer.status == 304:
            schema = {"$ref": "urn:document#/components/schemas/Problem"} if operation is None else None
        else:
            # Any endpoint may crash; a test that provokes it says so itself.
            assert str(answer.status) in operation["responses"] or answer.status == 500, (
                f"{method} {path} answered {answer.status}, which is not documented: {answer.body}"
            )
            content = operation["responses"].get(str(answer.status), {}).get("content", {})
            media_type = answer.headers.get("Content-Type", "").split(";")[0]
            assert answer.status == 500 or not content or media_type in content, f"{media_type} is not documented"
            schema = content.get(media_type, {}).get("schema")
        if schema and isinstance(answer.body, (dict, list)):
            if "$ref" in schema:
                schema = {
                    "$ref": schema["$ref"].replace("#/", "urn:document#/")
                    if schema["$ref"][0] == "#"
                    else schema["$ref"]
                }
            validator = Draft202012Validator(schema, registry=self.registry, format_checker=FormatChecker())
            errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(answer.body)]
            assert not errors, f"{method} {path}: {errors}"
