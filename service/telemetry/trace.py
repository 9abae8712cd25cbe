"""The trace that a request belongs to, across services (W3C Trace Context, Level 1)."""

import os
import re
from random import Random
from typing import NamedTuple

from aiohttp import web

# Ids must differ but are not secret, so they need no system call each. A forked process starts with a copy of this and
# would make the same ids, so it seeds it again.
_random = Random()  # noqa: S311 -- as above.
os.register_at_fork(after_in_child=_random.seed)

_format = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)


class Trace(NamedTuple):
    """A trace's id; its flags, or "" if no other service takes part in it; and the id of our span, if we record one."""

    trace_id: str
    flags: str = ""
    span_id: str = ""

    def request_id(self) -> str:
        """Return an id for a request without one: the trace's, unless the trace may have several requests."""
        return _random.randbytes(16).hex() if self.flags else self.trace_id

    def response(self) -> str:
        """Return the `traceresponse` header: the trace and our span."""
        return f"00-{self.trace_id}-{self.span_id or _random.randbytes(8).hex()}-{self.flags}"


TRACE: web.RequestKey[Trace] = web.RequestKey("trace", Trace)


def trace_of(traceparent: str | None) -> Trace:
    """Return the trace that a `traceparent` header names, or a new one if it is missing or invalid (§4.3)."""
    match = _format.fullmatch(traceparent) if traceparent else None
    if match:
        version, trace_id, parent_id, flags, more = match.groups()
        # Only future versions may have more after the flags.
        is_known = version != "ff" and not (version == "00" and more)
        if is_known and trace_id.strip("0") and parent_id.strip("0"):
            # Only the flag "sampled" is passed on: the others have no meaning in this version (§4.2).
            return Trace(trace_id, f"{int(flags, 16) & 1:02x}")
    return Trace(_random.randbytes(16).hex())
