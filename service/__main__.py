"""The command line: `expenses serve`, `worker`, `migrate`, `seed` and others; also as `python -m service`."""

import argparse
import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

import orjson
import uvloop
from aiohttp import web

from service import __version__
from service.app import create_app, create_worker_app
from service.config import Config, load, require_secret, unknown_settings, workers_max
from service.errors import Unavailable
from service.ops.ledger import check_ledger
from service.postgres.data_directory import InUseError, kept_secret
from service.postgres.embedded import EmbeddedPostgres
from service.postgres.migrate import migrate
from service.postgres.preflight import check_to_migrate, check_to_serve
from service.postgres.server import Server
from service.process.addresses import joined
from service.process.backoff import backoff_seconds
from service.process.exits import (
    CannotListen,
    ConfigError,
    DatabaseNotReady,
    DatabaseUnreachable,
    EmbeddedError,
    StartError,
)
from service.process.workers import Worker, backlog, listen, supervise
from service.routes import routes
from service.seed.fill import fill
from service.telemetry.logs import configure, writer
from service.web.keys import DOCUMENT, LIFECYCLE
from service.web.openapi import document
from service.web.runner import runner

watch_seconds = 1
# The longest time between two looks at a database that is on its way up.
look_seconds_max = 5.0
# As a shell has it: ended by a signal.
interrupted = 130

log = logging.getLogger("service")


def main() -> None:
    """Run a command. A StartError ends it with a message of one line and the error's exit status."""
    parser = argparse.ArgumentParser(prog="expenses", description="The Team Expense Tracker API.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, (run, about) in {
        "serve": (serve, "serve the API; without DATABASE_URL, on an embedded PostgreSQL"),
        "worker": (run_worker, "do what needs a clock, such as purging deleted teams; any number of them may run"),
        "migrate": (apply, "bring the database's schema up to date"),
        "seed": (seed, "fill the database with realistic sample data; a second run adds nothing"),
        "check": (check, "check whether `serve` would start: settings, server, migrations; or the ledger"),
        "openapi": (print_document, "print the OpenAPI document"),
    }.items():
        commands.add_parser(name, help=about, description=about).set_defaults(run=run)
    about = "number of processes that share the address, in place of EXPENSES_WORKERS"
    commands.choices["serve"].add_argument("--workers", type=_workers, metavar="N", help=about)
    about = "check instead that entries come to their expenses, and totals to their entries; status 1 if they do not"
    commands.choices["check"].add_argument("--ledger", action="store_true", help=about)
    about = "the same, and make wrong totals from the entries again, while the service runs"
    commands.choices["check"].add_argument("--rebuild-totals", action="store_true", help=about)
    arguments = vars(parser.parse_args())
    del arguments["command"]
    run = arguments.pop("run")
    # The first process of a container is deaf to signals that it does not handle, and the start may wait.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        config = load()
        configure(config.log_level)
        if unknown := unknown_settings():
            # load() has refused them unless it was told to go on.
            log.warning("there are variables that are no settings of this release", extra={"variables": unknown})
        run(config, **arguments)
    except StartError as error:
        sys.exit(_fail(error, error.status))
    except Unavailable as error:
        sys.exit(_fail(error, DatabaseUnreachable.status))
    except KeyboardInterrupt:
        sys.exit(0 if run in {serve, run_worker} else interrupted)


def serve(config: Config, *, workers: int | None) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish the requests in flight."""
    config = replace(config, workers=workers or config.workers)

    def check() -> None:
        if embedded and embedded.has_ended():
            raise EmbeddedError(f"The embedded PostgreSQL has stopped; {embedded.log} may say why.")

    def work(worker: Worker) -> None:
        # One that replaces another may begin while the database restarts.
        _check_server(ready)
        uvloop.run(_serve(lambda: create_app(ready, worker, has_tasks=has_tasks), ready, sockets, worker.check, worker))

    with database(config) as (ready, embedded):
        log.info("starting", extra={"version": __version__, "configuration": ready.masked()})
        sockets = _listen(ready.host, ready.port)
        # Nobody else knows of an embedded PostgreSQL.
        has_tasks = embedded is not None
        if ready.workers == 1:
            uvloop.run(_serve(lambda: create_app(ready, has_tasks=has_tasks), ready, sockets, check))
        else:
            supervise(ready.workers, work, finish_seconds=ready.shutdown_seconds, check=check)
    log.info("stopped")


def run_worker(config: Config) -> None:
    """Do what needs a clock until SIGTERM or Ctrl-C, then finish the transaction in hand."""
    if not config.database_url:
        raise ConfigError("DATABASE_URL is missing: on the embedded PostgreSQL, `serve` does what a worker does.")
    _check_server(config)
    log.info("starting", extra={"version": __version__, "configuration": config.masked()})
    sockets = _listen(config.host, config.worker_port)
    uvloop.run(_serve(lambda: create_worker_app(config), config, sockets, lambda: None))
    log.info("stopped")


def apply(config: Config) -> None:
    """Migrate the configured database, or the embedded one."""
    if config.database_url:
        _check_server(config, check_to_migrate)
        applied = migrate(config.database_url, say=_say)
        _say(f"{len(applied)} applied" if applied else "nothing to apply")
    else:
        with database(config, shared=True):
            _say("up to date")


def seed(config: Config) -> None:
    """Fill the configured database, or the embedded one."""
    with database(config, shared=True) as (ready, _):
        uvloop.run(fill(ready))


def check(config: Config, *, ledger: bool, rebuild_totals: bool) -> None:
    """Find what would keep `serve` from starting, without changing anything; or what is wrong in the ledger."""
    is_of_ledger = ledger or rebuild_totals
    require_secret(config)
    if not config.database_url and not is_of_ledger:
        raise StartError("Without DATABASE_URL there is nothing to check: `serve` creates its own database.")
    with database(config, shared=is_of_ledger) as (ready, _):
        if is_of_ledger:
            uvloop.run(check_ledger(_server(ready), rebuild_totals=rebuild_totals))
        else:
            _say("ready to serve")


def print_document(config: Config) -> None:
    """Print the OpenAPI document."""
    print(orjson.dumps(document(routes, config.public_url)).decode())


@contextmanager
def database(config: Config, *, shared: bool = False) -> Iterator[tuple[Config, EmbeddedPostgres | None]]:
    """Yield the configuration with a running, migrated database, and the embedded server if this call started it.

    Without DATABASE_URL, the embedded server is started and migrated; if another process runs it already and `shared`
    is true, that one is used. With DATABASE_URL, the database must be migrated already.
    """
    require_secret(config)
    if config.database_url:
        _check_server(config)
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


def _listen(host: str, port: int) -> list[socket.socket]:
    try:
        return listen(host, port)
    except OSError as error:
        # create_server adds the address to the system's message; strerror() does not. Other errors are <= 0.
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise CannotListen(f"Cannot listen on {joined(host, port)}: {reason}.") from None


async def _serve(
    make_app: Callable[[], web.Application],
    config: Config,
    sockets: list[socket.socket],
    check: Callable[[], None],
    worker: Worker | None = None,
) -> None:
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    app = make_app()
    serving = runner(app, keepalive_seconds=config.keepalive_seconds)
    await serving.setup()
    # What the start made stays: the collector need not look at it again and again.
    gc.freeze()
    try:
        sites = [web.SockSite(serving, each, backlog=backlog) for each in sockets]
        for site in sites:
            await site.start()
        if worker:
            worker.serves()
        address = f"http://{joined(config.host or '::', sockets[0].getsockname()[1])}"
        documentation = {"documentation": f"{config.public_url or address}/docs"} if DOCUMENT in app else {}
        log.info("serving", extra={"address": address, **documentation})
        while not stop.is_set():
            check()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), watch_seconds)
        log.info("stopping")
        for site in sites:
            await site.stop()
        await app[LIFECYCLE].drain(config.shutdown_seconds)
    finally:
        await serving.cleanup()


def _check_server(config: Config, check: Callable[..., Coroutine[None, None, None]] = check_to_serve) -> None:
    """Check the server, and wait for one that is on its way up, with a limit."""
    deadline = time.monotonic() + config.database_wait_seconds
    attempts = 0
    while True:
        try:
            return asyncio.run(check(_server(config), is_unsafe_allowed=config.allow_unsafe_database))
        except DatabaseNotReady as error:
            left_seconds = deadline - time.monotonic()
            if left_seconds <= 0:
                waited = f" (for {config.database_wait_seconds:g} s)" if config.database_wait_seconds else ""
                raise DatabaseUnreachable(f"{error}{waited}") from error
            attempts += 1
            wait_seconds = min(backoff_seconds(attempts, look_seconds_max), left_seconds)
            log.warning(
                "waiting for the database",
                extra={
                    "error": str(error),
                    "wait_seconds": round(wait_seconds, 1),
                    "left_seconds": round(left_seconds),
                },
            )
            time.sleep(wait_seconds)


def _server(config: Config) -> Server:
    return Server(
        config.database_url,
        statement_seconds=config.statement_seconds,
        statement_cache_size=config.statement_cache_size,
    )


def _workers(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= workers_max:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to {workers_max}")
    return int(text)


def _say(line: str) -> None:
    print(line, flush=True)


def _fail(error: Exception, status: int) -> int:
    writer.flush()
    print(f"expenses: {error}", file=sys.stderr)
    return status


if __name__ == "__main__":
    main()
