"""Entity tags as clients send them back. A tag of ours is a version: what matters is the version and not the bytes.

A proxy that compresses an answer changes its tag: nginx makes `W/"2"` of `"2"`, Apache and Caddy make `"2-gzip"`. By
RFC 9110 §13.1.1, a weak tag never matches in If-Match, because a server may give one weak tag to two states. Ours does
not: every change has a version of its own.
"""

import re

from aiohttp import web

from service.errors import Invalid

tag_pattern = re.compile(r'(?:W/)?"([^\x00-\x20\x7f"]*?)(?:-(?:br|deflate|gzip|zstd))?"')
# Some resources show more than their version counts; their tags have a second number for If-None-Match.
version_pattern = re.compile(r"([1-9][0-9]{0,8})(?:\.[0-9]{1,19})?", re.ASCII)


def versions_in_if_match(request: web.Request) -> list[int] | None:
    """Return the versions in If-Match, or None for `*`; a tag that is none of ours adds none.

    Raises Invalid if the header is not as RFC 9110 says.
    """
    sent = _header(request, "If-Match")
    if sent == "*":
        return None
    tags = tag_pattern.findall(sent)
    if not tags or tag_pattern.sub("", sent).strip(" \t,"):
        detail = (
            'This must be the ETag that you read, with its quotes, such as "2" (W/"2" is as good); several, with '
            "commas between them; or * for any version."
        )
        raise Invalid.at("/If-Match", "not_etags", detail, place="header")
    return [int(found[1]) for tag in tags if (found := version_pattern.fullmatch(tag))]


def is_in_if_none_match(request: web.Request, etag: str) -> bool:
    """Return whether If-None-Match has an ETag of ours, or `*`."""
    sent = _header(request, "If-None-Match")
    return sent == "*" or etag.strip('"') in tag_pattern.findall(sent)


def _header(request: web.Request, name: str) -> str:
    return ",".join(request.headers.getall(name, [])).strip(" \t")
