"""Keyset pagination: a cursor names the last row seen, so rows added or removed meanwhile shift nothing.

A row whose sort key is changed meanwhile moves: it can be on two pages or on none.
"""

import base64
import datetime
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import orjson
from marshmallow import post_load

from service.errors import Invalid
from service.web.fields import Limit, identifier
from service.web.schemas import Input
from service.web.text import Text

first_id = "00000000-0000-0000-0000-000000000000"
last_id = "ffffffff-ffff-ffff-ffff-ffffffffffff"

# More than a team will ever have; PostgreSQL's bigint has room for it.
revision_max = 2**63 - 1


def _revision(key: Any) -> int:
    if type(key) is not int or not 0 <= key <= revision_max:
        raise ValueError(key)
    return key


# Keys before all rows in descending order.
start_keys: dict[str, Any] = {
    "spent_on": datetime.date.max,
    "settled_on": datetime.date.max,
    "created_at": datetime.datetime.max.replace(tzinfo=datetime.UTC),
    "revision": revision_max,
    "id": None,
}
parsers: dict[str, Callable[[Any], Any]] = {
    "spent_on": datetime.date.fromisoformat,
    "settled_on": datetime.date.fromisoformat,
    "created_at": lambda key: datetime.datetime.fromisoformat(key).astimezone(datetime.UTC),
    "revision": _revision,
    "id": lambda _: None,
}


class PageQuery(Input):
    """The base of the query of a list.

    Loads `after` as the position after which the page begins: the value that `sort` orders by (None if only the id
    does) and an id.
    """

    start_id: ClassVar[str] = last_id
    # Where the list begins, unless its order is descending.
    start_key: ClassVar[Any] = None
    # What a list without a choice of `sort` is ordered by.
    order: ClassVar[str] = "id"

    limit = Limit()
    after = Text(1, 200, metadata={"description": "The `next` of the previous page."})

    @post_load
    def read_cursor(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Replace the cursor by its position. Raises Invalid for a malformed cursor or one of another order."""
        if self.order != "id":
            data["sort"] = self.order
        sort = data.get("sort", "id")
        after = data.get("after")
        start = (self.start_key or start_keys[sort], self.start_id)
        data["after"] = start if after is None else _read(after, sort)
        return data


def cut(rows: Sequence[Any], query: dict[str, Any], id_name: str) -> tuple[Sequence[Any], str | None]:
    """Return up to `limit` of the rows, and the cursor of the next page if there is one."""
    limit, sort = query["limit"], query.get("sort", "id")
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    position = [sort, None if sort == "id" else last[sort], last[id_name]]
    return rows[:limit], base64.urlsafe_b64encode(orjson.dumps(position)).rstrip(b"=").decode()


def _read(cursor: str, sort: str) -> tuple[Any, str]:
    try:
        found_sort, key, found_id = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        key = parsers[sort](key)
    except (ValueError, TypeError, OverflowError):
        raise _not_a_cursor() from None
    if found_sort != sort or not (isinstance(found_id, str) and identifier.fullmatch(found_id)):
        raise _not_a_cursor()
    return key, found_id


def _not_a_cursor() -> Invalid:
    detail = "This is not the `next` of a page of this list with the same `sort`."
    return Invalid.at("/after", "not_a_cursor", detail, place="query")
