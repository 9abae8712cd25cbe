"""The command line: `expenses serve`, `migrate`, `seed`, `openapi`; also as `python -m service`."""

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

import orjson
import uvloop
from aiohttp import web

from service import __version__
from service.app import create_app
from service.config import Config, ConfigError, load
from service.data_directory import EmbeddedError, InUseError, kept_secret
from service.embedded import EmbeddedPostgres
from service.errors import Unavailable
from service.keys import LIFECYCLE
from service.logs import configure
from service.migrate import MigrationError, migrate, pending
from service.openapi import document
from service.routes import routes
from service.seed import fill

# Longer than the 60 s that load balancers keep idle connections for, so that they are the ones to close.
keepalive_seconds = 75
watch_seconds = 1

log = logging.getLogger("service")


class StartError(Exception):
    """Something that stops the start, or the service; the message is one line."""


def main() -> None:
    """Run a command; a known problem ends it with one line and status 1, a wrong setting with status 2."""
    parser = argparse.ArgumentParser(prog="expenses", description="The Team Expense Tracker API.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, (run, about) in {
        "serve": (serve, "serve the API; without DATABASE_URL, on an embedded PostgreSQL"),
        "migrate": (apply, "bring the database's schema up to date"),
        "seed": (seed, "fill a believable instance; adds nothing the second time"),
        "openapi": (print_document, "print the OpenAPI document"),
    }.items():
        commands.add_parser(name, help=about, description=about).set_defaults(run=run)
    arguments = parser.parse_args()
    try:
        config = load()
        configure(config.log_level)
        arguments.run(config)
    except ConfigError as error:
        sys.exit(_fail(error, 2))
    except (EmbeddedError, MigrationError, StartError, Unavailable) as error:
        sys.exit(_fail(error, 1))


def serve(config: Config) -> None:
    """Serve until SIGTERM or Ctrl-C, and finish what is in flight."""
    with database(config) as (ready, embedded):
        log.info("starting", extra={"version": __version__, "configuration": ready.masked()})
        uvloop.run(_serve(ready, embedded))
    log.info("stopped")


def apply(config: Config) -> None:
    """Migrate the configured database, or the embedded one."""
    if config.database_url:
        applied = migrate(config.database_url, say=_say)
        _say(f"{len(applied)} applied" if applied else "nothing to apply")
    else:
        with database(config, shared=True):
            _say("up to date")


def seed(config: Config) -> None:
    """Fill the configured database, or the embedded one."""
    with database(config, shared=True) as (ready, _):
        uvloop.run(fill(ready))


def print_document(_: Config) -> None:
    """Print the OpenAPI document."""
    print(orjson.dumps(document(routes)).decode())


@contextmanager
def database(config: Config, *, shared: bool = False) -> Iterator[tuple[Config, EmbeddedPostgres | None]]:
    """Yield the configuration with a database that is there and migrated, and the embedded one that was started.

    The embedded one is started and migrated, or used together with the process that has it, where it may be shared. One
    that is configured must have been migrated before.
    """
    if config.database_url:
        if missing := pending(config.database_url):
            raise StartError(f"The database misses {len(missing)} migrations; run `expenses migrate` first.")
        yield config, None
        return
    embedded = EmbeddedPostgres(config.data_dir)
    started = None
    with ExitStack() as resources:
        try:
            url = embedded.start()
            resources.callback(embedded.stop)
            started = embedded
        except InUseError:
            if not shared:
                raise
            url = embedded.running_dsn()
        migrate(url, say=log.info)
        secret = config.jwt_secret or kept_secret(config.data_dir)
        yield replace(config, database_url=url, jwt_secret=secret), started


async def _serve(config: Config, embedded: EmbeddedPostgres | None) -> None:
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    app = create_app(config)
    runner = web.AppRunner(
        app,
        access_log=None,
        auto_decompress=False,
        keepalive_timeout=keepalive_seconds,
        shutdown_timeout=1,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, config.host, config.port)
        try:
            await site.start()
        except OSError as error:
            raise StartError(f"Cannot listen on {config.host}:{config.port}: {error.strerror}.") from None
        address = f"http://{config.host}:{runner.addresses[0][1]}"
        log.info("serving", extra={"address": address, "documentation": f"{address}/docs"})
        while not stop.is_set():
            if embedded and embedded.has_ended():
                raise StartError(f"The embedded PostgreSQL has ended; {embedded.log} may say why.")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), watch_seconds)
        log.info("stopping")
        await site.stop()
        await app[LIFECYCLE].drain(config.shutdown_seconds)
    finally:
        await runner.cleanup()


def _say(line: str) -> None:
    print(line, flush=True)


def _fail(error: Exception, status: int) -> int:
    print(f"expenses: {error}", file=sys.stderr)
    return status


if __name__ == "__main__":
    main()
