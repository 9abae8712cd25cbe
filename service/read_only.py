"""Fields that a change cannot set. They may be sent as they were read, so that an answer can be sent back."""

import datetime
import json
from collections.abc import Mapping
from typing import Any

from service.errors import Invalid

shown_length_max = 100


def check_read_only(sent: Mapping[str, Any] | None, stored: Mapping[str, Any]) -> None:
    """Raise Invalid, with both values, for a field that is sent otherwise than it is stored."""
    for name, value in (sent or {}).items():
        if not _is_same(value, stored[name]):
            detail = f"`{name}` is {_shown(stored[name])} and cannot be changed; {_shown(value)} was sent."
            raise Invalid.at(f"/{name}", "read_only", detail)


def _is_same(sent: Any, stored: Any) -> bool:
    if isinstance(stored, datetime.datetime) and isinstance(sent, str):
        # A client may write the same time in another way.
        try:
            return datetime.datetime.fromisoformat(sent) == stored
        except ValueError:
            return False
    return type(sent) is type(stored) and sent == stored


def _shown(value: Any) -> str:
    if isinstance(value, datetime.datetime):
        value = value.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")
    return json.dumps(value)[:shown_length_max]
