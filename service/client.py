"""Where a request comes from, and what sent it."""

from aiohttp import web

from service.keys import CONFIG


def address(request: web.Request) -> str:
    """Return the network address: the hop before the proxies that are trusted, else the peer."""
    trusted = request.app[CONFIG].trusted_proxies
    hops = [each.strip() for each in ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")]
    return hops[-trusted] if 0 < trusted <= len(hops) and hops[-trusted] else request.remote or ""


def agent(request: web.Request) -> str:
    """Return what the client calls itself, to recognise a session by."""
    sent = request.headers.get("User-Agent", "")
    return "".join(each for each in sent if each.isprintable())[:200]
