"""The bases of schemas, and what their refusals look like in a problem document."""

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, validates_schema

from service.web.fields import Reason


class Input(Schema):
    """The base of what comes in: unknown fields are refused.

    `example` is what Swagger UI offers to send of a body; it would make up a value for every field otherwise.
    """

    example: ClassVar[dict[str, Any]] = {}

    class Meta:
        """Marshmallow's options."""

        unknown = RAISE

    error_messages = {
        "unknown": Reason("There is no such field.", "unknown"),
        "type": Reason("This must be an object.", "type"),
    }


class Change(Input):
    """The base of a partial update: what is not sent stays as it is."""

    @validates_schema
    def check_any(self, data: Mapping[str, Any], **_: Any) -> None:
        """Refuse a change of nothing."""
        if not data:
            raise ValidationError(Reason("There is nothing to change in this.", "empty"))


class Output(Schema):
    """The base of what goes out. It only describes: PostgreSQL renders."""

    class Meta:
        """Marshmallow's options; in the document, no field but those named."""

        unknown = EXCLUDE


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


def field_errors(messages: Mapping[Any, Any], place: str, pointer: str = "") -> list[dict[str, str]]:
    """Return marshmallow's nested messages as the flat `errors` of a problem document."""
    found = []
    for key, value in messages.items():
        # marshmallow files what concerns the whole object under _schema.
        here = pointer if key == "_schema" else f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}"
        if isinstance(value, Mapping):
            found += field_errors(value, place, here)
        else:
            found += [
                {"in": place, "pointer": here, "code": getattr(each, "code", "invalid"), "detail": str(each)}
                for each in value
            ]
    return found
