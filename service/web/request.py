"""Reads a request: its body, within limits of size and time and in an accepted media type; and who sent it."""

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from aiohttp import web

from service.errors import Malformed, RequestTimeout, UnsupportedMediaType
from service.web.keys import GONE, TRUSTED_PROXIES

body_bytes_max = 64 * 1024
body_seconds_max = 15
integer_digits_max = 20
form_fields_max = 20
json_types = ("application/json", "application/merge-patch+json")
form_types = ("application/x-www-form-urlencoded",)

# An address with a port, as some proxies write it: 192.0.2.1:5678, [2001:db8::1]:5678, [2001:db8::1].
with_port = re.compile(r"\[([^]]+)](?::[0-9]{1,5})?|([^:]+):[0-9]{1,5}")
# The part of an IPv6 address that its provider chose: a client has all addresses with the same beginning.
ipv6_place_bits = 64


async def read_json(request: web.Request) -> Any:
    """Read a body of strict JSON: RFC 8259 without duplicate names (RFC 7493 §2.3) and without NaN.

    Raises UnsupportedMediaType, RequestTimeout and Malformed; aiohttp raises 413 itself.
    """
    content = await _content(request, json_types)
    if not content:
        raise Malformed("The body is empty; send a JSON object.")
    try:
        return json.loads(
            content.decode(), parse_constant=_refuse_constant, parse_int=_integer, object_pairs_hook=_object
        )
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Malformed(f"The body is not JSON: {reason}.") from None


async def read_form(request: web.Request) -> dict[str, str]:
    """Read a form's fields. Raises what `read_json` raises."""
    content = await _content(request, form_types)
    try:
        pairs = parse_qsl(content.decode(), keep_blank_values=True, max_num_fields=form_fields_max, errors="strict")
        return _object(pairs)
    except ValueError as error:
        raise Malformed(f"The body is not a form: {error}.") from None


async def _content(request: web.Request, media_types: tuple[str, ...]) -> bytes:
    if request.content_type not in media_types or "Content-Encoding" in request.headers:
        raise UnsupportedMediaType(media_types[0])
    try:
        async with asyncio.timeout(body_seconds_max):
            return await request.read()
    except TimeoutError:
        raise RequestTimeout from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _integer(digits: str) -> int:
    """Return the number, cut to 20 digits, which are out of range anyway: Python refuses to read thousands."""
    return int(digits[:integer_digits_max])


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name appears twice in the object")
    for name in found:
        if not name.isprintable():
            raise ValueError("a name has characters that cannot be printed")
    return found


def peer(request: web.Request) -> str:
    """Return the place that a request comes from: that of the hop before the trusted proxies, or of the peer.

    It is the peer's without trusted proxies, and where their header names no address there.
    """
    trusted = request.app[TRUSTED_PROXIES]
    hops = ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")
    hop = place(hops[-trusted]) if 0 < trusted <= len(hops) else ""
    return hop or place(request.remote or "")


def place(text: str) -> str:
    """Return what identifies a client at a network address: an IPv4 address, or an IPv6 network of 64 bits.

    All spellings of an address are the same place, with any port and zone; an IPv4 address may be written as an IPv6
    one. Text that is no address is no place: the result is empty.
    """
    text = text.strip()
    found = with_port.fullmatch(text)
    try:
        address = ip_address((found[1] or found[2]) if found else text)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Network((int(address), ipv6_place_bits), strict=False))
    return str(address)


def agent(request: web.Request) -> str:
    """Return the client's User-Agent, by which its session can be recognised."""
    sent = request.headers.get("User-Agent", "")
    return "".join(each for each in sent if each.isprintable())[:200]


@contextmanager
def ended_by_its_client(request: web.Request) -> Iterator[None]:
    """Cancel the block if the client disconnects. Only for reads: a write that has begun is finished."""
    task = asyncio.current_task()
    if task:
        request[GONE] = task.cancel
    try:
        yield
    finally:
        # The task has the request, too: without this, both would stay until the next collection.
        request[GONE] = _nothing


def _nothing() -> None:
    """Do nothing."""
