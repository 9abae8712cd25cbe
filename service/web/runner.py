"""How an application is served: by the command, by the tests and by the benchmark's peer alike."""

from aiohttp import web

# Longer than the 60 s that load balancers keep idle connections for, so that they are the ones to close.
keepalive_seconds = 75
# Requests in flight have been waited for when the sockets close: what is left are connections without any.
shutdown_seconds = 1


def runner(app: web.Application) -> web.AppRunner:
    """Return what serves an application; the log of requests and the handling of compressed bodies are our own."""
    return web.AppRunner(
        app,
        access_log=None,
        auto_decompress=False,
        keepalive_timeout=keepalive_seconds,
        shutdown_timeout=shutdown_seconds,
    )
