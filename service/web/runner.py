"""How an app is served: by the command, the tests and the benchmark alike."""

from aiohttp import web

# Load balancers keep idle connections for 60 s. This is longer, so that they close first.
keepalive_seconds = 75
# When this begins, requests in flight are answered already; only idle connections are left.
shutdown_seconds = 1


def runner(app: web.Application) -> web.AppRunner:
    """Return aiohttp's runner of an app, without its access log and decompression: the service has its own rules."""
    return web.AppRunner(
        app,
        access_log=None,
        auto_decompress=False,
        keepalive_timeout=keepalive_seconds,
        shutdown_timeout=shutdown_seconds,
    )
