"""Measurements besides requests: the event loop's lag, the database's state, and the audit of the ledger."""

import asyncio
import functools
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import orjson

from service.errors import Unavailable
from service.money import decimals
from service.postgres.migrate import known
from service.postgres.pool import Database, Record, unavailable
from service.postgres.queries import queries
from service.process.tasks import background
from service.telemetry.metrics import Metrics

lag_every_seconds = 0.25
look_every_seconds = 15
first_look_seconds = 1
# The audit reads the whole ledger, once for all processes, so it may take longer than the statement of a request.
audit_seconds_max = 120

log = logging.getLogger(__name__)

# The folder does not change while the service runs.
migration_ids = functools.cache(known)


class Monitor:
    """Checks the event loop and the database, and reports them as metrics."""

    def __init__(self, db: Database, *, audit_seconds: float, metrics: Metrics) -> None:
        self.db = db
        self.audit_seconds = float(audit_seconds)
        self.lag_seconds = metrics.timings(
            "event_loop_lag_seconds", "How much later than asked the event loop resumed."
        )
        self.up = metrics.gauge("database_up", "Whether the database answered the last check.")
        self.pending = metrics.gauge("database_migrations_pending", "Migrations of this release that are not applied.")
        self.ledger = {
            "unbalanced_teams": metrics.gauge("ledger_unbalanced_teams", "Teams whose entries break the money rule."),
            "wrong_totals": metrics.gauge(
                "ledger_wrong_totals", "Totals of a month that are not what its entries sum to."
            ),
            "accounts": metrics.gauge("ledger_accounts", "Accounts."),
            "teams": metrics.gauge("ledger_teams", "Teams that were not deleted."),
            "expenses": metrics.gauge("ledger_expenses", "Live expenses."),
            "settlements": metrics.gauge("ledger_settlements", "Live settlements."),
            "audited_at_seconds": metrics.gauge("ledger_audit_timestamp_seconds", "When the ledger was last audited."),
        }
        self.amounts = metrics.gauge(
            "ledger_expenses_amount", "Sum of the live expenses, in the currency's major unit."
        )

    async def look(self) -> None:
        """Check the database once, and audit the ledger if that is due. Raises Unavailable."""
        if await self.is_migrated():
            await self._read_ledger()

    async def is_migrated(self) -> bool:
        """Ask the database whether it has all migrations. Raises Unavailable."""
        try:
            pending = await queries.ops.pending(self.db, migration_ids=migration_ids())
        except asyncpg.UndefinedTableError:
            # Another database, most likely a new one, is there now. The last number would say that all is well.
            pending = migration_ids()
        self.pending.set({}, len(pending))
        return not pending

    async def _read_ledger(self) -> None:
        audited: Record = await queries.ops.audited(self.db, every_seconds=self.audit_seconds)
        if audited["is_due"]:
            try:
                await self._audit()
            except unavailable:
                log.warning("the audit did not end", exc_info=True)
            audited = await queries.ops.audited(self.db, every_seconds=self.audit_seconds)
        if audited["audited_at_seconds"]:
            self._publish(audited)

    async def watch_loop(self) -> None:
        """Measure the event loop's lag, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + lag_every_seconds
            await asyncio.sleep(lag_every_seconds)
            self.lag_seconds.record(max(0.0, loop.time() - due))

    async def watch_database(self) -> None:
        """Check the database periodically, until cancelled."""
        await asyncio.sleep(first_look_seconds)
        while True:
            is_up = True
            try:
                await self.is_migrated()
            except Unavailable:
                is_up = False
            except Exception:
                log.exception("looking at the database failed")
            self.up.set({}, int(is_up))
            await asyncio.sleep(look_every_seconds)

    async def watch_ledger(self) -> None:
        """Audit the ledger whenever that is due, until cancelled.

        Not in turns with the checks of the database: while an audit waits for a dead one, the last check would say that
        the database is up.
        """
        await asyncio.sleep(first_look_seconds)
        while True:
            try:
                await self.look()
            except Unavailable:
                # The checks of the database say so.
                pass
            except Exception:
                log.exception("looking at the ledger failed")
            await asyncio.sleep(look_every_seconds)

    async def _audit(self) -> None:
        """Audit on a separate connection: those of the pool have the time limit of requests."""
        async with self.db.apart(audit_seconds_max, "expenses-audit") as transaction:
            found: Record | None = await queries.ops.audit(transaction, every_seconds=self.audit_seconds)
        if found and found["unbalanced_teams"]:
            log.error("the ledger is unbalanced", extra={"teams": found["unbalanced_teams"]})
        if found and found["wrong_totals"]:
            log.error("totals are wrong", extra={"totals": found["wrong_totals"]})

    def _publish(self, audited: Record) -> None:
        for column, gauge in self.ledger.items():
            gauge.set({}, audited[column])
        for code, amount in orjson.loads(audited["amounts"]).items():
            self.amounts.set({"currency": code}, amount / 10 ** decimals(code))


@asynccontextmanager
async def monitoring(db: Database, *, audit_seconds: float, metrics: Metrics) -> AsyncIterator[Monitor]:
    """Measure for as long as the block lasts."""
    monitor = Monitor(db, audit_seconds=audit_seconds, metrics=metrics)
    async with (
        background(monitor.watch_loop),
        background(monitor.watch_database),
        background(monitor.watch_ledger),
    ):
        yield monitor
