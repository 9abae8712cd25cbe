"""The OpenAPI document as a check: every answer that a test gets must be as it says."""

import re
from typing import Any

import orjson
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

ADDRESS = "urn:document"


class Contract:
    def __init__(self, document: bytes) -> None:
        # The references are made absolute, so that any part of the document can be used as a schema.
        self.document = orjson.loads(document.replace(b'"#/components', f'"{ADDRESS}#/components'.encode()))
        for schema in self.document["components"]["schemas"].values():
            # Clients must bear fields to come; here a field that is not documented is a mistake.
            schema["additionalProperties"] = False
        resource = Resource.from_contents(self.document, default_specification=DRAFT202012)
        self.registry = Registry().with_resource(ADDRESS, resource)
        self.paths = [
            (re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), operations)
            for path, operations in self.document["paths"].items()
        ]

    def check(self, method: str, path: str, answer: Any) -> None:
        """Raise AssertionError where the answer is not as the document says.

        That is its status, its headers, its media type, its body, and the type of a problem.
        """
        if answer.status in {304, 500} or method == "HEAD":
            return
        operation = self.operation(method, path)
        if operation is None:
            assert answer.headers["Content-Type"].startswith("application/problem+json")
            self.validate({"$ref": f"{ADDRESS}#/components/schemas/Problem"}, answer.body, f"{method} {path}")
            return
        where = f"{method} {path} with {answer.status}"
        assert str(answer.status) in operation["responses"], f"{where} is not documented: {str(answer.body)[:500]}"
        response = operation["responses"][str(answer.status)]
        documented = set(response.get("headers", {}))
        # The last page has no next one.
        optional = {"Link"}
        if "dry_run" in {each["name"] for each in operation.get("parameters", [])}:
            # What is not stored has none.
            optional.add("ETag")
        missing = [name for name in documented - optional if name not in answer.headers]
        assert not missing, f"{where} lacks {missing}"
        undocumented = [
            name for name in ("Location", "ETag", "Link") if name in answer.headers and name not in documented
        ]
        assert not undocumented, f"{where} has {undocumented}, not documented"
        content = response.get("content")
        if content is None:
            assert not answer.body, f"{where} is documented to have no body"
            return
        media_type = answer.headers["Content-Type"].split(";")[0]
        if "*/*" in content:
            return
        assert media_type in content, f"{where} is not documented to be {media_type}"
        if media_type.endswith("json"):
            self.validate(content[media_type]["schema"], answer.body, where)

    def operation(self, method: str, path: str) -> Any:
        for pattern, operations in self.paths:
            if pattern.fullmatch(path):
                return operations.get(method.lower())
        return None

    def validate(self, schema: Any, body: Any, where: str) -> None:
        validator = Draft202012Validator(schema, registry=self.registry, format_checker=FormatChecker())
        errors = [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(body)]
        assert not errors, f"{where}: {errors}"
