"""What is measured beside requests: the event loop's lag, the database's state, and whether the ledger is sound."""

import asyncio
import functools
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import iso4217
import orjson

from service.config import Config
from service.errors import Unavailable
from service.postgres.migrate import known
from service.postgres.pool import Database, Record, Transaction, queries, unavailable
from service.process.tasks import background
from service.telemetry.metrics import Metrics

lag_every_seconds = 0.25
look_every_seconds = 15
first_look_seconds = 1
# The audit reads the whole ledger, once for all processes, so it may take longer than a request's statement.
audit_seconds_max = 120

log = logging.getLogger(__name__)

# The folder does not change while the service runs.
migration_ids = functools.cache(known)


@asynccontextmanager
async def monitoring(db: Database, config: Config, metrics: Metrics) -> AsyncIterator[None]:
    """Measure for as long as the block lasts."""
    async with background(_watch_loop(metrics)), background(_watch_database(db, config, metrics)):
        yield


async def look(db: Database, config: Config, metrics: Metrics) -> None:
    """Look at the database once, and audit the ledger where that is due. Raises Unavailable."""
    pending = await queries.ops.pending(db, migration_ids=migration_ids())
    metrics.set("database_migrations_pending", "Migrations of this release that the database misses.", pending)
    if pending:
        return
    every_seconds = float(config.audit_seconds)
    audited: Record = await queries.ops.audited(db, every_seconds=every_seconds)
    if audited["is_due"]:
        try:
            await _audit(config, metrics, every_seconds)
        except unavailable:
            log.warning("the audit did not end", exc_info=True)
        audited = await queries.ops.audited(db, every_seconds=every_seconds)
    if audited["audited_at_seconds"]:
        _publish(metrics, audited)


async def _watch_loop(metrics: Metrics) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + lag_every_seconds
        await asyncio.sleep(lag_every_seconds)
        metrics.lag.observe(max(0.0, loop.time() - due))


async def _watch_database(db: Database, config: Config, metrics: Metrics) -> None:
    await asyncio.sleep(first_look_seconds)
    while True:
        is_up = True
        try:
            await look(db, config, metrics)
        except Unavailable:
            is_up = False
        except Exception:
            log.exception("looking at the database failed")
        metrics.set("database_up", "Whether the database answered when it was last asked.", int(is_up))
        await asyncio.sleep(look_every_seconds)


async def _audit(config: Config, metrics: Metrics, every_seconds: float) -> None:
    """Audit on a connection of its own, as those of the pool have the time limit of requests."""
    connection = await asyncpg.connect(
        config.database_url,
        timeout=3,
        command_timeout=audit_seconds_max,
        statement_cache_size=0,
        server_settings={
            "application_name": "expenses-audit",
            "statement_timeout": str(audit_seconds_max * 1000),
        },
    )
    try:
        unbalanced_teams = await queries.ops.audit(Transaction(connection, metrics), every_seconds=every_seconds)
    finally:
        await connection.close(timeout=3)
    if unbalanced_teams:
        log.error("the ledger is unbalanced", extra={"teams": unbalanced_teams})


def _publish(metrics: Metrics, audited: Record) -> None:
    metrics.set("ledger_unbalanced_teams", "Teams whose entries break the money rule.", audited["unbalanced_teams"])
    metrics.set("ledger_accounts", "Accounts.", audited["accounts"])
    metrics.set("ledger_teams", "Teams that were not deleted.", audited["teams"])
    metrics.set("ledger_expenses", "Live expenses.", audited["expenses"])
    metrics.set("ledger_settlements", "Live settlements.", audited["settlements"])
    metrics.set("ledger_audit_timestamp_seconds", "When the ledger was last audited.", audited["audited_at_seconds"])
    for code, amount in orjson.loads(audited["amounts"]).items():
        exponent = iso4217.Currency(code).exponent or 0
        about = "What live expenses come to, in the currency's major unit."
        metrics.set("ledger_expenses_amount", about, amount / 10**exponent, {"currency": code})
