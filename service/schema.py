"""The bases of schemas, and what their refusals look like in a problem document."""

from collections.abc import Mapping
from typing import Any

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, validates_schema

from service.fields import Limit, Reason
from service.text import Text


class Input(Schema):
    """The base of what comes in: unknown fields are refused."""

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


class PageQuery(Input):
    """The base of what a list is asked with."""

    limit = Limit()
    after = Text(1, 200, metadata={"description": "The `next` of the page before."})


class Output(Schema):
    """The base of what goes out. It only describes: PostgreSQL renders."""

    class Meta:
        """Marshmallow's options; in the document, no field but those named."""

        unknown = EXCLUDE


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
