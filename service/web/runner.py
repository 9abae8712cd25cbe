"""How an app is served: by the command, the tests and the benchmark alike."""

from aiohttp import web

from service.web.connection import Runner, headers_max, line_bytes_max

# Load balancers keep idle connections for 60 s. This is longer, so that they close first.
keepalive_seconds_default = 75.0
# When this begins, requests in flight are answered already; only idle connections are left.
shutdown_seconds = 1


def runner(app: web.Application, *, keepalive_seconds: float = keepalive_seconds_default) -> web.AppRunner:
    """Return aiohttp's runner of an app, without its access log and decompression: the service has its own rules."""
    return Runner(
        app,
        access_log=None,
        auto_decompress=False,
        keepalive_timeout=keepalive_seconds,
        max_line_size=line_bytes_max,
        max_field_size=line_bytes_max,
        max_headers=headers_max,
        shutdown_timeout=shutdown_seconds,
    )
