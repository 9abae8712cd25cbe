"""Time zones, by their names in the IANA time zone database."""

import functools
import zoneinfo
from typing import Any

from marshmallow import fields

from service.web.fields import Value

name_length_max = 64


class TimeZone(Value, fields.String):
    """The name of a time zone. Whether PostgreSQL knows it as well is found out when it is stored."""

    default_error_messages = {
        "invalid": "This must be the name of a time zone in the IANA database, such as Europe/Paris or UTC."
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(limits={"maxLength": name_length_max, "example": "Europe/Paris"}, **kwargs)

    def read(self, value: Any) -> str:
        """Return the value."""
        if type(value) is not str or len(value) > name_length_max or value not in names():
            raise self.make_error("invalid")
        return value


@functools.cache
def names() -> frozenset[str]:
    """Return all names of places and offsets: not what stands for the machine's own zone, or for none."""
    return frozenset(zoneinfo.available_timezones() - {"localtime", "Factory"})
