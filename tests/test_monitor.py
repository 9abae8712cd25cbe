"""What is looked at beside the requests: whether the database answers, and whether the ledger is sound."""

import asyncio
import json
from dataclasses import replace

import pytest

from service.auth import sessions as revocation
from service.ops import monitor
from service.ops.keys import MONITOR
from service.ops.monitor import Monitor
from service.postgres.pool import connect
from service.telemetry.metrics import Metrics
from tests.conftest import running
from tests.process import ANSWER_SECONDS_MAX
from tests.proxy import proxied

# Counts how often the audit is renewed; each time takes so long that two at once meet.
COUNT_RENEWALS = """
create table renewals (at timestamptz default now());
create function count_renewal() returns trigger language plpgsql as $$
begin
    insert into renewals default values;
    perform pg_sleep(0.3);
    return new;
end $$;
create trigger renewed before update on audits
for each row when (new.audited_at = now()) execute function count_renewal()
"""
RENEWALS = "select count(*) from renewals"


@pytest.fixture(autouse=True)
def _nothing_is_looked_at_unless_the_test_does(monkeypatch):
    monkeypatch.setattr(monitor, "first_look_seconds", 3600)
    monkeypatch.setattr(monitor, "look_every_seconds", 0.05)
    monkeypatch.setattr(revocation, "poll_seconds", 3600)


@pytest.fixture
def watching(monkeypatch):
    """Let the service itself look, at once."""
    monkeypatch.setattr(monitor, "first_look_seconds", 0)


def another(config):
    """Connect as another process does."""
    return connect(config.database_url, statement_cache_size=config.statement_cache_size)


async def audited(served, db):
    """Audit now, and return what /metrics says then."""
    await db.execute("update audits set audited_at = null")
    await served.app[MONITOR].look()
    return await served.metrics()


async def until(look):
    """Return once `look` returns something."""
    async with asyncio.timeout(ANSWER_SECONDS_MAX):
        while not await look():  # noqa: ASYNC110 -- nothing tells of it.
            await asyncio.sleep(0.02)


def ledger(found):
    """Return the metrics of the ledger but for the time of the audit."""
    return {
        name.removeprefix("ledger_"): value
        for name, value in found.items()
        if name.startswith("ledger_") and not name.endswith("_timestamp_seconds")
    }


async def test_nothing_is_said_of_the_database_before_it_was_asked(served):
    found = await served.metrics()
    assert not any(name.startswith(("ledger_", "database_up", "database_migrations")) for name in found)


async def test_a_database_that_goes_away_and_comes_back_shows_as_down_and_up(config, watching):
    async with proxied(config.database_url) as proxy:
        impatient = replace(config, database_url=proxy.dsn, pool_wait_seconds=0.2, statement_seconds=0.2)
        async with running(impatient) as served:
            await served.metric("database_up", 1)
            proxy.swallow()
            await served.metric("database_up", 0)
            proxy.heal()
            await served.metric("database_up", 1)


async def test_migrations_that_the_database_misses_are_counted_and_nothing_is_audited(served, db):
    assert (await audited(served, db))["database_migrations_pending"] == 0
    newest = "select max(migration_id) from _yoyo_migration"
    await db.execute(f"delete from _yoyo_migration where migration_id = ({newest})")  # noqa: S608
    assert (await audited(served, db))["database_migrations_pending"] == 1
    assert await db.fetchval("select audited_at from audits") is None


async def test_a_database_that_has_no_migrations_at_all_misses_all_of_them_and_is_not_ready(served, db):
    assert (await audited(served, db))["database_migrations_pending"] == 0
    await db.execute("alter table _yoyo_migration rename to missing")
    await served.app[MONITOR].look()
    assert (await served.metrics())["database_migrations_pending"] == len(monitor.migration_ids())
    answer = await served.call("GET", "/readyz")
    assert answer.status == 503
    assert answer.body["detail"] == f"The migration {monitor.migration_ids()[-1]} is not applied."


async def test_a_look_that_crashes_does_not_end_the_looking(config, db, watching, caplog):
    await db.execute("alter table audits rename to missing")
    async with running(config) as served:
        await served.metric("database_up", 1)
        await until(lambda: asyncio.sleep(0, "looking at the ledger failed" in caplog.messages))
        await db.execute("alter table missing rename to audits")
        await served.metric("ledger_unbalanced_teams", 0)


async def test_the_ledger_is_audited_again_only_when_it_is_due(served, db):
    await db.execute(COUNT_RENEWALS)
    for _ in range(3):
        await served.app[MONITOR].look()
    assert await db.fetchval(RENEWALS) == 1
    for seconds_ago, renewals in [(295, 1), (301, 2)]:
        await db.execute("update audits set audited_at = now() - $1 * interval '1 second'", seconds_ago)
        await served.app[MONITOR].look()
        assert await db.fetchval(RENEWALS) == renewals


async def test_of_two_that_look_at_once_one_audits_and_both_know(config, db, served, flat):
    await flat.spend()
    await db.execute(COUNT_RENEWALS)
    async with another(config) as first, another(config) as second:
        monitors = [Monitor(each, audit_seconds=300, metrics=Metrics()) for each in (first, second)]
        await asyncio.gather(*(each.look() for each in monitors))
        assert await db.fetchval(RENEWALS) == 1
        # Who was not the one learns of it the next time.
        await asyncio.gather(*(each.look() for each in monitors))
        assert await db.fetchval(RENEWALS) == 1
    assert [each.ledger["expenses"].get({}) for each in monitors] == [1, 1]


async def test_the_audit_counts_what_is_there(served, db, ann, bob, flat):
    assert ledger(await audited(served, db)) == {
        "unbalanced_teams": 0,
        "wrong_totals": 0,
        "accounts": 2,
        "teams": 1,
        "expenses": 0,
        "settlements": 0,
    }
    for amount in (1000, 250):
        await flat.spend(amount)
    repaid = await flat.spend(300)
    await db.execute("update expenses set kind = 'settlement' where expense_id = $1", repaid["expense_id"])
    trip = await ann.team("Trip")
    await ann.delete(trip.path)
    await db.execute("update users set deleted_at = now() where user_id = $1", bob.user_id)
    found = await audited(served, db)
    assert ledger(found) == {
        "unbalanced_teams": 0,
        "wrong_totals": 0,
        "accounts": 1,
        "teams": 1,
        "expenses": 2,
        "settlements": 1,
        'expenses_amount{currency="EUR"}': 12.5,
    }
    now = await db.fetchval("select extract(epoch from now())::float")
    assert now - 10 < found["ledger_audit_timestamp_seconds"] <= now


async def test_amounts_are_in_the_currency_s_major_unit(served, db, flat):
    await flat.spend(1250)
    await flat.spend(500, currency="JPY")
    dinar = await flat.spend(1500, currency="KWD")
    found = ledger(await audited(served, db))
    amounts = {
        f'expenses_amount{{currency="{code}"}}': value for code, value in [("EUR", 12.5), ("JPY", 500), ("KWD", 1.5)]
    }
    assert amounts.items() <= found.items()
    # What is deleted counts no more, and is not left standing either.
    await flat.owner.delete(f"{flat.path}/expenses/{dinar['expense_id']}", if_match="*")
    found = ledger(await audited(served, db))
    assert found['expenses_amount{currency="KWD"}'] == 0
    assert found["expenses"] == 2


# What the triggers would refuse, so it is done past them: with the ids of the team, an expense and a deleted one.
WRONGS = {
    "more paid": "update entries set paid = paid + 1 where expense_id = :expense",
    "less owed": "update entries set owed = owed - 1 where expense_id = :expense and owed > 0",
    "as much more paid as owed": "update entries set paid = paid + 1, owed = owed + 1 where expense_id = :expense",
    "another amount": "update expenses set amount = amount + 1 where expense_id = :expense",
    "no entries": "delete from entries where expense_id = :expense",
    "another currency": "update entries set currency = 'USD' where expense_id = :expense",
    "another kind": "update entries set kind = 'settlement' where expense_id = :expense",
    "another day": "update entries set spent_on = spent_on - 1 where expense_id = :expense and owed > 0",
    "an entry of nothing of a deleted expense": """insert into entries
        (team_id, expense_id, member_id, currency, kind, spent_on, paid, owed)
        select team_id, :deleted, member_id, currency, kind, spent_on, 0, 0 from entries where expense_id = :expense""",
    "entries of a deleted expense": "update entries set expense_id = :deleted where expense_id = :expense",
    "an expense that is not deleted any more": "update expenses set deleted_at = null where expense_id = :deleted",
}


@pytest.mark.parametrize("wrong", WRONGS)
async def test_money_that_is_wrong_shows_once_a_team(served, db, flat, wrong):
    await (await flat.owner.team("Trip")).spend()
    expense, deleted = await flat.spend(900), await flat.spend(100)
    await flat.owner.delete(f"{flat.path}/expenses/{deleted['expense_id']}", if_match="*")
    assert (await audited(served, db))["ledger_unbalanced_teams"] == 0
    await db.execute("set session_replication_role = replica")
    sql = (
        WRONGS[wrong]
        .replace(":expense", f"'{expense['expense_id']}'")
        .replace(":deleted", f"'{deleted['expense_id']}'")
    )
    await db.execute(sql)
    assert (await audited(served, db))["ledger_unbalanced_teams"] == 1


# How many totals are wrong after what goes around the triggers.
WRONG_TOTALS = {
    "more paid": ("update totals set paid = paid + 1 where paid > 0", 1),
    "less owed": ("update totals set owed = owed - 1", 2),
    "another month": ("update totals set month = month - 31 where paid > 0", 2),
    "another kind": ("update totals set kind = 'income' where paid > 0", 2),
    "another currency": ("update totals set currency = 'USD' where paid > 0", 2),
    "none": ("delete from totals", 2),
    "entries that changed alone": ("update entries set paid = paid + 1, owed = owed + 1", 2),
    "entries that went alone": ("delete from entries where paid > 0", 1),
    "entries of another day of the month": ("update entries set spent_on = '2024-05-02'", 0),
}


@pytest.mark.parametrize("wrong", WRONG_TOTALS)
async def test_every_total_that_is_wrong_is_counted(served, db, flat, wrong, caplog):
    await flat.guest()
    await flat.spend(900, spent_on="2024-05-15")
    assert (await audited(served, db))["ledger_wrong_totals"] == 0
    await db.execute("set session_replication_role = replica")
    sql, number = WRONG_TOTALS[wrong]
    await db.execute(sql)
    assert (await audited(served, db))["ledger_wrong_totals"] == number
    logged = [each.totals for each in caplog.records if each.message == "totals are wrong"]
    assert logged == ([number] if number else [])


async def test_money_that_is_wrong_is_an_error_in_the_log(served, db, flat, caplog):
    for _ in range(2):
        await flat.spend()
    await db.execute("alter table entries disable trigger user")
    await db.execute("update entries set paid = paid + 1")
    await audited(served, db)
    found = {each.message: each for each in caplog.records if each.levelname == "ERROR"}
    assert set(found) == {"the ledger is unbalanced", "totals are wrong"}
    assert found["the ledger is unbalanced"].teams == 1


async def test_an_audit_that_takes_too_long_fails_alone(config, db, monkeypatch, watching, caplog):
    monkeypatch.setattr(monitor, "audit_seconds_max", 0.2)
    async with db.transaction():
        await db.execute("lock table expenses")
        async with running(config) as served:
            await served.metric("database_up", 1)
            await until(lambda: asyncio.sleep(0, "the audit did not end" in caplog.messages))
            found = await served.metrics()
            assert found["database_migrations_pending"] == 0
            assert not any(name.startswith("ledger_") for name in found)
    async with running(config) as served:
        await served.metric("ledger_unbalanced_teams", 0)


async def test_a_database_that_goes_away_during_an_audit_shows_as_down_at_once(config, db, watching):
    async with db.transaction():
        await db.execute("lock table expenses")
        async with proxied(config.database_url) as proxy:
            impatient = replace(config, database_url=proxy.dsn, pool_wait_seconds=0.2, statement_seconds=0.2)
            async with running(impatient) as served:
                await served.metric("database_up", 1)
                await until(lambda: db.fetchval("select count(*) from pg_locks where not granted"))
                proxy.swallow()
                await served.metric("database_up", 0)


async def test_what_the_audit_found_survives_the_process(config, db, served, flat):
    await flat.spend(1000)
    await audited(served, db)
    async with another(config) as database:
        monitor_of_another = Monitor(database, audit_seconds=300, metrics=Metrics())
        await monitor_of_another.look()
    assert monitor_of_another.amounts.get({"currency": "EUR"}) == 10
    assert json.loads(await db.fetchval("select amounts from audits")) == {"EUR": 1000}
