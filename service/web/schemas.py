"""The base classes of the schemas, and how their errors appear in a problem document."""

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, post_load, validates_schema

from service.web.fields import QueryFlag, Reason, Value


class Input(Schema):
    """The base of request schemas: unknown fields are refused.

    `example` is the body that Swagger UI suggests; without it, Swagger UI would make up a value for every field.
    """

    example: ClassVar[dict[str, Any]] = {}

    class Meta:
        """Marshmallow's options."""

        unknown = RAISE

    error_messages = {
        "unknown": Reason("There is no field or parameter of this name.", "unknown"),
        "type": Reason("This must be an object.", "type"),
    }


class Write(Input):
    """The query of a write that can be tried."""

    dry_run = QueryFlag(
        load_default=False,
        metadata={"description": "Check everything and return what would be stored, but store nothing."},
    )


class Removal(Input):
    """How to remove a member, or a team."""

    keep_balance = QueryFlag(
        load_default=False, metadata={"description": "Do it even if there is a balance that is not zero."}
    )


class ReadOnly(Value, fields.Raw):
    """A field that a change cannot set, but that may be sent as it was read."""

    default_error_messages = {"invalid": "This cannot be changed. Send it as you read it, or leave it out."}

    def __init__(self) -> None:
        super().__init__(
            allow_none=True,
            metadata={"readOnly": True, "description": "It cannot be changed, but may be sent as it was read."},
        )

    def read(self, value: Any) -> Any:
        """Return the value, if there can be a field with it."""
        if isinstance(value, dict | list):
            raise self.make_error("invalid")
        return value


class ReadOnlyNets(ReadOnly):
    """Nets by currency, which change with other writes: those of any time may be sent."""

    def read(self, value: Any) -> Any:
        """Return the value, if there can be a field with it."""
        if isinstance(value, list) and all(map(_is_net, value)):
            return value
        return super().read(value)


class Change(Input):
    """The base of a partial update: fields that are not sent stay unchanged.

    It takes every field of the answer, so that one can be read, changed and sent back. Those that are ReadOnly are
    loaded into `read_only`, for the service to compare.
    """

    @validates_schema
    def check_any(self, data: Mapping[str, Any], **_: Any) -> None:
        """Refuse a request that changes nothing."""
        if not any(name in data for name, each in self.fields.items() if not isinstance(each, ReadOnly)):
            raise ValidationError(Reason("Send at least one field to change.", "empty"))

    @post_load
    def set_read_only_apart(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Move what cannot be changed into `read_only`."""
        sent = {name: data.pop(name) for name in list(data) if isinstance(self.fields[name], ReadOnly)}
        return data | ({"read_only": sent} if sent else {})


class Output(Schema):
    """The base of response schemas. They name and document the fields; nothing is serialised with them.

    `example` is an answer, for the document.
    """

    example: ClassVar[dict[str, Any]] = {}

    class Meta:
        """Marshmallow's options; in the document, no field but those named."""

        unknown = EXCLUDE


class AnyOf(fields.Raw):
    """A field of an answer that is as one of some schemas says, or null."""

    def __init__(self, schemas: list[type[Output]], **kwargs: Any) -> None:
        super().__init__(required=True, **kwargs)
        self.schemas = schemas


class FieldError(Output):
    """Why one value was refused."""

    place = fields.String(
        required=True,
        data_key="in",
        metadata={"enum": ["body", "query", "header"], "description": "Part of the request."},
    )
    pointer = fields.String(required=True, metadata={"description": "JSON pointer to it (RFC 6901)."})
    code = fields.String(required=True, metadata={"description": "For programs; it does not change."})
    detail = fields.String(required=True, metadata={"description": "For people, with numbers."})


class OpenNet(Output):
    """A member's net in a currency: positive is still to be received, negative to be paid."""

    member_id = fields.UUID(metadata={"description": "With the balances of a team."})
    currency = fields.String(required=True)
    net = fields.Integer(required=True)


class Problem(Output):
    """Why a request was refused (RFC 9457)."""

    type = fields.String(
        required=True,
        metadata={"format": "uri-reference", "description": "For programs: the address of a page that explains it."},
    )
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    instance = fields.String(required=True, metadata={"description": "The request id, as in X-Request-Id and the log."})
    errors = fields.List(fields.Nested(FieldError), metadata={"description": "With status 422: what to correct."})
    existing = fields.String(
        metadata={"description": "The address of what has the id (external-id-taken), or of the settlement."}
    )
    existing_is_deleted = fields.Boolean(metadata={"description": "With external-id-taken."})
    closed_until = fields.Date(metadata={"description": "With period-closed: the last day of the closed period."})
    balances = fields.List(fields.Nested(OpenNet), metadata={"description": "With open-balance: what is not settled."})


def _is_net(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"currency", "net"} and type(value["net"]) is int


def field_errors(messages: Mapping[Any, Any], place: str, pointer: str = "") -> list[dict[str, str]]:
    """Return marshmallow's nested messages as the flat `errors` of a problem document."""
    found = []
    for key, value in messages.items():
        # marshmallow keeps errors of the whole object under _schema.
        here = pointer if key == "_schema" else f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}"
        if isinstance(value, Mapping):
            found += field_errors(value, place, here)
        else:
            found += [
                {"in": place, "pointer": here, "code": getattr(each, "code", "invalid"), "detail": str(each)}
                for each in value
            ]
    return found
