"""A client's own values on what it records: `metadata`, and the filter by one of them."""

import re
from typing import Any

from marshmallow import ValidationError, fields

from service.metadata import key_length_max, keys_max, too_many, value_length_max
from service.web.fields import Reason, Strict, Value
from service.web.text import Text

key_pattern = f"^[A-Za-z0-9_.-]{{1,{key_length_max}}}$"


class Metadata(Strict, fields.Field[Any]):
    """Up to 20 values of up to 500 characters by their keys.

    In a change (RFC 7396), keys that are not sent keep their values, null removes a key, and null in place of the
    object removes all.
    """

    default_error_messages = {"invalid": "This must be an object."}

    def __init__(self, *, is_change: bool = False, **kwargs: Any) -> None:
        value = {"type": ["string", "null"] if is_change else "string", "minLength": 1, "maxLength": value_length_max}
        limits = {
            "type": "object",
            "maxProperties": keys_max,
            "propertyNames": {"pattern": key_pattern},
            "additionalProperties": value,
            "example": {"order": "A-17"},
        }
        super().__init__(limits=limits, allow_none=is_change, **kwargs)
        self.is_change = is_change
        self.value = Text(1, value_length_max, lines=True)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, str | None]:
        if type(value) is not dict:
            raise self.make_error("invalid")
        # A change may also remove all that are stored.
        if len(value) > (2 * keys_max if self.is_change else keys_max):
            raise ValidationError(Reason(too_many(len(value)), "too_many"))
        found: dict[str, str | None] = {}
        errors = {}
        for key, each in value.items():
            try:
                check_key(key)
                found[key] = None if each is None and self.is_change else self.value.read(each)
            except ValidationError as error:
                errors[key[: key_length_max + 1]] = error.messages
        if errors:
            raise ValidationError(errors)
        return found


class MetadataFilter(Value, fields.String):
    """One key and its value, as `key:value`. Loads an object of the two."""

    default_error_messages = {"invalid": "This must be a key, a colon and the value, such as order:A-17."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(limits={"maxLength": key_length_max + 1 + value_length_max}, **kwargs)
        self.value = Text(1, value_length_max, lines=True)

    def read(self, value: Any) -> dict[str, str]:
        """Return the value."""
        key, colon, text = value.partition(":")
        if not colon:
            raise self.make_error("invalid")
        check_key(key)
        return {key: self.value.read(text)}


def check_key(key: str) -> None:
    """Raise ValidationError for what cannot be a key."""
    if not re.fullmatch(key_pattern, key, re.ASCII):
        detail = f"A key has 1 to {key_length_max} of the characters A-Z, a-z, 0-9, _, . and -."
        raise ValidationError(Reason(detail, "key"))
