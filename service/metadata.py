"""A client's own values on what it records, by their keys: ids of other systems, references, tags."""

from collections.abc import Mapping

from service.errors import Invalid

keys_max = 20
key_length_max = 40
value_length_max = 500


def too_many(number: int) -> str:
    """Return what to say of so many keys."""
    return f"This has {number} keys, {number - keys_max} more than the maximum of {keys_max}."


def merged(stored: Mapping[str, str], changes: Mapping[str, str | None] | None) -> dict[str, str]:
    """Return the metadata after a change: null removes a key, or everything (RFC 7396). Raises Invalid for too many."""
    if changes is None:
        return {}
    found = {key: value for key, value in {**stored, **changes}.items() if value is not None}
    if len(found) > keys_max:
        raise Invalid.at("/metadata", "too_many", too_many(len(found)))
    return found
