"""What the tests compare to see that a refusal changes nothing: it forgets no table, nor one to come."""

from tests.rows import all_rows, login_failures


async def test_it_has_rows_of_every_table(flat, db):
    await flat.spend()
    await login_failures(db, "key", failures=1)
    await db.execute("update sessions set revoked_at = now()")
    tables = {"users", "sessions", "ended_sessions", "login_failures", "login_places"}
    tables |= {"teams", "members", "expenses", "entries", "totals", "revisions"}
    before = await all_rows(db)
    assert {table for table, _ in before} == tables
    await db.execute("create table late (number integer); insert into late values (7)")
    assert set(await all_rows(db)) - set(before) == {("late", '{"number": 7}')}
