"""Reads a request: its body, within limits of size and time and in an accepted media type; and who sent it."""

import asyncio
import json
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from aiohttp import web

from service.errors import Malformed, RequestTimeout, UnsupportedMediaType
from service.web.keys import TRUSTED_PROXIES

body_bytes_max = 64 * 1024
body_seconds_max = 15
integer_digits_max = 20
form_fields_max = 20
json_types = ("application/json", "application/merge-patch+json")
form_types = ("application/x-www-form-urlencoded",)


async def read_json(request: web.Request) -> Any:
    """Read a body of strict JSON: RFC 8259 without duplicate names (RFC 7493 §2.3) and without NaN.

    Raises UnsupportedMediaType, RequestTimeout and Malformed; aiohttp raises 413 itself.
    """
    content = await _content(request, json_types)
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
    """Return the client's network address: the hop before the trusted proxies, or the peer without them."""
    trusted = request.app[TRUSTED_PROXIES]
    hops = [each.strip() for each in ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")]
    return hops[-trusted] if 0 < trusted <= len(hops) and hops[-trusted] else request.remote or ""


def agent(request: web.Request) -> str:
    """Return the client's User-Agent, by which its session can be recognised."""
    sent = request.headers.get("User-Agent", "")
    return "".join(each for each in sent if each.isprintable())[:200]
