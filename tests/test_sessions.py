"""Sessions that end: every process notices each, whenever it is committed, and reads none twice."""

import asyncio

import asyncpg
import orjson
import pytest

from service.auth import sessions as module
from service.auth.sessions import Revocations, nothing
from service.postgres.migrate import known, migrate, rollback
from service.postgres.pool import connect
from service.postgres.queries import queries
from tests.rows import user

MIGRATION = "0012.places-and-ended-sessions"


@pytest.fixture
async def revocations(database):
    """What a process knows, which looks when it is told to."""
    async with connect(database, size=2, statement_seconds=1.0) as pool:
        yield Revocations(pool, access_token_seconds=900)


@pytest.fixture
async def ids(db):
    """The ids of six sessions."""
    user_id = await user(db, "ann@example.com")
    rows = await db.fetch(
        """
        insert into sessions (user_id, refresh_hash, expires_at)
        select $1, '', now() + interval '1 day' from generate_series(1, 6)
        returning session_id::text
        """,
        user_id,
    )
    return [row["session_id"] for row in rows]


async def end(db, *session_ids):
    await db.execute("update sessions set revoked_at = now() where session_id = any($1::uuid[])", session_ids)


async def test_a_read_takes_only_what_is_new(revocations, ids, db):
    assert await revocations.refresh() == 0
    await end(db, *ids[:3])
    await end(db, ids[3])
    assert await revocations.refresh() == 4
    assert await revocations.refresh() == 0
    await end(db, ids[4])
    # It ended before, so that is not new.
    await end(db, ids[0])
    assert await revocations.refresh() == 1
    assert revocations.ended.keys() == set(ids[:5])


async def test_a_look_costs_the_same_however_many_have_ended_before(revocations, ids, db):
    # Of the first transactions of the server, so that no other one of today began before them.
    await db.execute(
        "insert into ended_sessions (ended_in, session_id) select '3', gen_random_uuid() from generate_series(1, 20000)"
    )
    assert await revocations.refresh() == 20_000
    await end(db, ids[0])
    plan = await db.fetchval(
        f"explain (analyze, format json) {queries.auth.revoked.sql}",
        960.0,
        revocations.seen.partition(":")[0],
        "00000000-0000-0000-0000-000000000000",
        revocations.seen,
        module.page_rows_max,
    )
    looked_at = []

    def visit(node):
        if node.get("Relation Name") == "ended_sessions" and node["Node Type"].endswith("Scan"):
            looked_at.append(node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        for child in node.get("Plans", []):
            visit(child)

    visit(orjson.loads(plan)[0]["Plan"])
    assert looked_at == [1]
    assert await revocations.refresh() == 1


@pytest.mark.parametrize("is_slow_one_first", [True, False])
async def test_an_end_that_is_committed_late_is_noticed(revocations, ids, db, database, *, is_slow_one_first):
    slow = await asyncpg.connect(database)
    try:
        transaction = slow.transaction()
        await transaction.start()
        if is_slow_one_first:
            await end(slow, ids[0])
        else:
            # It has begun, and ends its session when others have done so and been read.
            await slow.execute("select now()")
        await end(db, ids[1])
        assert await revocations.refresh() == 1
        if not is_slow_one_first:
            await end(slow, ids[0])
        await end(db, ids[2])
        assert await revocations.refresh() == 1
        assert ids[0] not in revocations.ended
        await transaction.commit()
        assert await revocations.refresh() == 1
        assert revocations.ended.keys() == set(ids[:3])
        assert await revocations.refresh() == 0
    finally:
        await slow.close()


async def test_an_end_that_is_undone_is_none(revocations, ids, db):
    transaction = db.transaction()
    await transaction.start()
    await end(db, ids[0])
    await transaction.rollback()
    assert await revocations.refresh() == 0


async def test_every_process_notices_an_end_that_is_committed_late(served, ann, bob, db):
    transaction = db.transaction()
    await transaction.start()
    await db.execute("update sessions set revoked_at = now() where user_id = $1", ann.user_id)
    assert (await bob.call("POST", "/v1/auth/logout")).status == 204
    await served.until_refused(bob.token)
    assert (await ann.get("/v1/me")).status == 200
    await transaction.commit()
    await served.until_refused(ann.token)


async def test_many_ends_of_one_transaction_are_read_in_pages(revocations, ids, db, monkeypatch):
    monkeypatch.setattr(module, "page_rows_max", 2)
    await end(db, ids[0])
    await end(db, *ids[1:6])
    assert await revocations.refresh() == 6
    assert revocations.ended.keys() == set(ids)


async def test_they_are_forgotten_when_no_access_token_of_them_is_valid(revocations, ids, db):
    await end(db, ids[0])
    await revocations.refresh()
    [(session_id, _)] = revocations.ended.items()
    revocations.ended = {"expired": 0.0, session_id: revocations.ended[session_id]}
    await revocations.refresh()
    assert revocations.ended.keys() == {session_id}


async def test_those_that_ended_long_ago_are_not_read(revocations, ids, db):
    await end(db, *ids[:2])
    await db.execute(
        "update ended_sessions set ended_at = now() - interval '961 seconds' where session_id = $1", ids[0]
    )
    assert await revocations.refresh() == 1


async def test_all_are_read_again_from_a_server_that_took_over(revocations, ids, db):
    await end(db, ids[0])
    await revocations.refresh()
    # What the former server counted is further than this one has come.
    revocations.seen, revocations.server_started_at = "9999999999:9999999999:", None
    await end(db, ids[1])
    assert await revocations.refresh() == 2
    assert await revocations.refresh() == 0


async def test_those_known_stay_known_while_the_database_does_not_answer(revocations, ids, db):
    await end(db, ids[0])
    await revocations.refresh()
    await end(db, ids[1])
    seen = revocations.seen
    async with db.transaction():
        await db.execute("lock table ended_sessions")
        assert await revocations.refresh() == 0
        assert (revocations.ended.keys(), revocations.seen) == ({ids[0]}, seen)
    assert await revocations.refresh() == 1


async def test_those_of_before_the_migration_are_noticed(database, revocations, ids, db):
    migrations = known()
    later = len(migrations) - migrations.index(MIGRATION)
    await asyncio.to_thread(rollback, database, count=later)
    await end(db, ids[0])
    await asyncio.to_thread(migrate, database)
    assert revocations.seen == nothing
    assert await revocations.refresh() == 1
