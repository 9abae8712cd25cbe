"""Keyset pages: a cursor names the last row seen, so rows that come and go meanwhile shift nothing."""

import base64
import datetime
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson

from service.errors import Invalid
from service.postgres.pool import Record
from service.web.fields import identifier

# Beyond all rows, where the first page of an order begins.
first_id = "00000000-0000-0000-0000-000000000000"
last_id = "ffffffff-ffff-ffff-ffff-ffffffffffff"
last_key = {
    "spent_on": datetime.date.max,
    "created_at": datetime.datetime.max.replace(tzinfo=datetime.UTC),
    "id": None,
}


class Page(NamedTuple):
    """The rows of a page, and the cursor of the one after it, or None on the last."""

    items: Sequence[Record]
    next: str | None


def page(rows: Sequence[Record], limit: int, id_name: str, sort: str = "id") -> Page:
    """Cut a page out of up to `limit + 1` rows."""
    if len(rows) <= limit:
        return Page(rows, None)
    last = rows[limit - 1]
    position = [sort, None if sort == "id" else last[sort], last[id_name]]
    return Page(rows[:limit], base64.urlsafe_b64encode(orjson.dumps(position)).rstrip(b"=").decode())


def position(after: str | None, start_id: str, sort: str = "id") -> tuple[Any, str]:
    """Return the key and the id that a cursor stands for, or where an order begins.

    Raises Invalid for a cursor that is none, or one of another order.
    """
    if after is None:
        return last_key[sort], start_id
    try:
        found_sort, key, found_id = orjson.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))
        key = _parse[sort](key)
    except (ValueError, TypeError, OverflowError):
        raise _not_a_cursor() from None
    if found_sort != sort or not (isinstance(found_id, str) and identifier.fullmatch(found_id)):
        raise _not_a_cursor()
    return key, found_id


def _not_a_cursor() -> Invalid:
    detail = "This is not the `next` of a page of this list in this order."
    return Invalid.at("/after", "not_a_cursor", detail, place="query")


_parse: dict[str, Callable[[Any], Any]] = {
    "spent_on": datetime.date.fromisoformat,
    "created_at": lambda key: datetime.datetime.fromisoformat(key).astimezone(datetime.UTC),
    "id": lambda _: None,
}
