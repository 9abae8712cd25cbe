"""A team that nobody can restore any more is purged: nothing is left of it, and nothing else is touched."""

import asyncio
import json

import asyncpg
import pytest

from service.teams import purging
from service.web.keys import DB
from tests.rows import all_rows, expenses, guests

DAY = 86_400
KEPT = 30.0 * DAY
AGE = "update teams set deleted_at = now() - $2 * interval '1 second' where team_id = $1"

# The tables with a column for the team, whatever they are: a new one has to be purged, and to be filled here.
OF_TEAMS = """
select array_agg(attrelid::regclass::text order by 1)
from pg_attribute inner join pg_class on pg_class.oid = attrelid
where attname = 'team_id' and relkind = 'r' and relnamespace = 'public'::regnamespace
"""
WRONG = "select (select count(*) from unbalanced_expenses) + (select count(*) from wrong_totals)"


def go_on():
    return False


def for_pieces(count):
    """Return what stops a purge after so many pieces."""
    asked = 0

    def is_stopping():
        nonlocal asked
        asked += 1
        return asked > count

    return is_stopping


async def delete(team, db, *, days_ago=31):
    assert (await team.owner.delete(f"{team.path}?keep_balance=true")).status == 204
    await db.execute(AGE, team.team_id, days_ago * DAY)


async def fill(team, friend):
    """Give a team something of all that there is."""
    former = await team.add(friend, "admin")
    kim, lee = await team.guest("Kim"), await team.guest("Lee")
    await team.spend(9000, external_id="bank:1", metadata={"order": "A-1"}, notes="with wine", category="food")
    items = [{"description": "Pizza", "amount": 3000, "participants": [{"member_id": kim}]}]
    await team.spend(3000, split="itemised", items=items, spent_on="2024-02-29")
    gone = await team.spend(500, currency="USD")
    assert (await team.owner.delete(f"{team.path}/expenses/{gone['expense_id']}", "*")).status == 204
    await team.settle(kim, lee, 100)
    assert (await team.owner.delete(f"{team.path}/members/{former}?keep_balance=true")).status == 204
    assert (await team.owner.patch(team.path, {"archived": True})).status == 200


async def rows_of(db, team_id):
    """Return how many rows each table has of a team, all tables that there are."""
    return {
        table: await db.fetchval(f"select count(*) from {table} where team_id = $1", team_id)  # noqa: S608
        for table in await db.fetchval(OF_TEAMS)
    }


async def purge(served, team, is_stopping=go_on, kept_seconds=KEPT):
    return await purging.purge(served.app[DB], team.team_id, is_stopping, kept_seconds=kept_seconds)


async def due(served, kept_seconds=KEPT):
    return await purging.due(served.app[DB], kept_seconds=kept_seconds)


async def test_no_table_has_a_row_of_it_and_everything_else_stays(served, ann, bob, db):
    trip = await bob.team("Trip")
    await fill(trip, ann)
    others = await all_rows(db)
    flat = await ann.team("Flat")
    await fill(flat, bob)
    await delete(flat, db)
    before = await rows_of(db, flat.team_id)
    assert {"teams", "members", "expenses", "entries", "totals", "revisions"} <= set(before)
    assert all(before.values()), f"this test fills no rows of the team into some tables: {before}"
    mine = {flat.team_id}
    for column in ("member_id", "expense_id"):
        table = f"{column.removesuffix('_id')}s"
        found = await db.fetch(f"select {column}::text from {table} where team_id = $1", flat.team_id)  # noqa: S608
        mine |= {row[0] for row in found}
    assert await purge(served, flat) == "done"
    assert set((await rows_of(db, flat.team_id)).values()) == {0}
    after = await all_rows(db)
    # Nor is it named anywhere else, in a table without such a column.
    assert not [row for row in after if any(each in row[1] for each in mine)]
    assert after == others


async def test_people_and_their_sessions_stay(served, flat, db):
    await delete(flat, db)
    assert await purge(served, flat) == "done"
    assert (await flat.owner.get("/v1/teams")).body["items"] == []
    assert (await flat.owner.get("/v1/me")).status == 200
    assert (await flat.owner.team("New")).team_id != flat.team_id


async def test_it_is_due_when_its_owners_cannot_restore_it_any_more_and_not_before(served, flat, db):
    await delete(flat, db, days_ago=0)
    await db.execute(AGE, flat.team_id, 30 * DAY - 60)
    before = await all_rows(db)
    assert await due(served) == {}
    assert await purge(served, flat) == "skipped"
    assert await all_rows(db) == before
    assert (await flat.owner.post(f"{flat.path}/restore", None)).status == 200
    await delete(flat, db, days_ago=30)
    assert (await flat.owner.post(f"{flat.path}/restore", None)).status == 404
    [overdue_seconds] = (await due(served)).values()
    assert 0 <= overdue_seconds < 60
    assert await purge(served, flat) == "done"


async def test_a_team_that_is_there_is_never_purged(served, flat, db):
    await flat.spend()
    before = await all_rows(db)
    assert await due(served, 0.0) == {}
    assert await purge(served, flat, kept_seconds=0.0) == "skipped"
    assert await all_rows(db) == before


async def test_those_deleted_first_are_due_first_with_how_long_they_have_been(served, ann, db):
    teams = [await ann.team(f"Team {number}") for number in range(4)]
    for team, days_ago in zip(teams, (31, 40, 29, 35), strict=True):
        await delete(team, db, days_ago=days_ago)
    found = await due(served)
    assert list(found) == [teams[1].team_id, teams[3].team_id, teams[0].team_id]
    assert [round(seconds / DAY) for seconds in found.values()] == [10, 5, 1]


async def test_what_another_has_locked_is_skipped_without_waiting(served, flat, db):
    await delete(flat, db)
    before = await all_rows(db)
    async with db.transaction():
        await db.execute("select 1 from teams for update")
        async with asyncio.timeout(1):
            assert await purge(served, flat) == "skipped"
    assert await all_rows(db) == before
    assert await purge(served, flat) == "done"
    assert await purge(served, flat) == "skipped"


async def test_whoever_restores_it_first_keeps_it(served, flat, db):
    """The time runs out between the restore's look and its commit."""
    await flat.spend()
    await flat.owner.delete(f"{flat.path}?keep_balance=true")
    async with db.transaction():
        await db.execute("select 1 from teams for update")
        restoring = asyncio.create_task(flat.owner.post(f"{flat.path}/restore", None))
        while not await db.fetchval("select count(*) from pg_locks where not granted"):  # noqa: ASYNC110 -- nothing tells.
            await asyncio.sleep(0.01)
        assert await purge(served, flat, kept_seconds=0.0) == "skipped"
    assert (await restoring).status == 200
    assert await purge(served, flat, kept_seconds=0.0) == "skipped"
    assert [item["amount"] for item in (await flat.owner.get(f"{flat.path}/expenses")).body["items"]] == [9000]


async def test_after_every_piece_the_money_is_right_and_nobody_finds_the_rest(served, ann, bob, db, monkeypatch):
    flat = await ann.team("Flat")
    await fill(flat, bob)
    await guests(db, flat.team_id, 12)
    await expenses(db, flat.team_id, flat.owner_id, 30)
    await delete(flat, db)
    monkeypatch.setattr(purging, "rows_max", 4)
    monkeypatch.setattr(purging, "members_max", 3)
    total = sum((await rows_of(db, flat.team_id)).values())
    pieces, allowed = 0, 1
    # Each time it begins anew, as after a kill, and comes to one piece that deletes something.
    while await purge(served, flat, for_pieces(allowed)) == "stopped":
        left = await rows_of(db, flat.team_id)
        assert left["teams"] == 1
        assert await db.fetchval(WRONG) == 0
        now = sum(left.values())
        # Four expenses with their entries, of which the last may have some more.
        assert total - 12 <= now <= total
        pieces, allowed = pieces + (now < total), allowed + (now == total)
        total = now
        # As if it were allowed for longer, from now on.
        await db.execute(AGE, flat.team_id, DAY)
        assert (await ann.post(f"{flat.path}/restore", None)).status == 404
        assert (await ann.get("/v1/teams?status=deleted")).body["items"] == []
        await db.execute(AGE, flat.team_id, 31 * DAY)
    assert pieces > 20
    assert set((await rows_of(db, flat.team_id)).values()) == {0}


async def test_a_piece_is_a_transaction_and_a_failure_in_it_changes_nothing(served, flat, db):
    await flat.spend()
    await delete(flat, db)
    await db.execute("""
        create function refuse() returns trigger language plpgsql as $$ begin raise 'no'; end $$;
        create trigger refused before delete on revisions for each row execute function refuse()
    """)
    with pytest.raises(asyncpg.RaiseError):
        await purge(served, flat)
    left = await rows_of(db, flat.team_id)
    assert (left["entries"], left["expenses"], left["teams"]) == (0, 0, 1)
    assert (left["revisions"], left["members"], left["totals"] > 0) == (3, 1, True)
    await db.execute("drop trigger refused on revisions")
    assert await purge(served, flat) == "done"
    assert set((await rows_of(db, flat.team_id)).values()) == {0}


async def test_two_at_once_share_the_work_and_one_ends_it(served, ann, db, monkeypatch):
    monkeypatch.setattr(purging, "rows_max", 5)
    for _ in range(5):
        flat = await ann.team("Flat")
        await guests(db, flat.team_id, 3)
        await expenses(db, flat.team_id, flat.owner_id, 40)
        await delete(flat, db)
        outcomes = []

        async def until_it_is_gone(flat=flat, outcomes=outcomes):
            while flat.team_id in await due(served):
                outcomes.append(await purge(served, flat))

        await asyncio.gather(*(until_it_is_gone() for _ in range(3)))
        assert outcomes.count("done") == 1
        assert set((await rows_of(db, flat.team_id)).values()) == {0}


async def test_it_is_in_the_log_by_its_id_alone(served, flat, db, caplog):
    caplog.set_level("INFO")
    await delete(flat, db)
    await purge(served, flat)
    [line] = [record for record in caplog.records if record.message == "purged a team"]
    assert line.team == flat.team_id
    assert "Flat" not in json.dumps(line.__dict__, default=str)
