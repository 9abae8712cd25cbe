"""The readiness check."""

import asyncpg

from service.errors import Unavailable
from service.ops.monitor import migration_ids
from service.postgres.pool import Connectable
from service.postgres.queries import queries


async def require_migrated(db: Connectable) -> None:
    """Raise Unavailable if the newest migration is not applied or the database does not answer."""
    newest = migration_ids()[-1]
    try:
        is_applied = await queries.ops.migrated(db, migration_id=newest)
    except asyncpg.UndefinedTableError:
        is_applied = False
    if not is_applied:
        raise Unavailable(f"The migration {newest} is not applied.", reason="migration", retry_after_seconds=5)
