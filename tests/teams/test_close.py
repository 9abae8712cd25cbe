"""Closed periods: PATCH /v1/teams/{team_id} with `closed_until`, and what it stops."""

import asyncio
import datetime

import pytest

from tests.rows import all_rows

DAY = "2024-03-31"


async def close(team, day=DAY, person=None):
    answer = await (person or team.owner).patch(team.path, {"closed_until": day})
    assert answer.status == 200, answer.body
    assert answer.body["closed_until"] == day
    return answer.body


async def refused(db, request):
    before = await all_rows(db)
    answer = await request
    assert (answer.status, answer.body["type"]) == (409, "/problems/period-closed"), answer.body
    assert answer.body["closed_until"] == DAY
    assert f"closed until {DAY}" in answer.body["detail"]
    assert await all_rows(db) == before


async def test_nothing_of_a_closed_day_is_recorded_changed_or_deleted(flat, db, subtests):
    guest = await flat.guest()
    old = await flat.spend(900, spent_on=DAY)
    new = await flat.spend(900, spent_on="2024-04-01")
    paid = await flat.settle(guest, flat.owner_id, 100, settled_on=DAY)
    later = await flat.settle(guest, flat.owner_id, 100, settled_on="2024-04-01")
    assert (await close(flat))["version"] == 2
    spent = {"description": "Tea", "amount": 100}
    settled = {"from": guest, "to": flat.owner_id, "amount": 1}
    owner, expenses, settlements = flat.owner, f"{flat.path}/expenses", f"{flat.path}/settlements"
    for name, request in {
        "an expense": lambda: owner.post(expenses, spent | {"spent_on": DAY}),
        "an income of long ago": lambda: owner.post(expenses, spent | {"kind": "income", "spent_on": "2000-01-01"}),
        "tried": lambda: owner.post(f"{expenses}?dry_run=true", spent | {"spent_on": DAY}),
        "a settlement": lambda: owner.post(settlements, settled | {"settled_on": DAY}),
        "a change": lambda: owner.patch(f"{expenses}/{old['expense_id']}", {"notes": "Late"}, "*"),
        "out of it": lambda: owner.patch(f"{expenses}/{old['expense_id']}", {"spent_on": "2024-04-02"}, "*"),
        "into it": lambda: owner.patch(f"{expenses}/{new['expense_id']}", {"spent_on": DAY}, "*"),
        "a changed settlement": lambda: owner.patch(f"{settlements}/{paid['settlement_id']}", {"amount": 2}, "*"),
        "a settlement into it": lambda: owner.patch(
            f"{settlements}/{later['settlement_id']}", {"settled_on": "2024-01-01"}, "*"
        ),
        "a deletion": lambda: owner.delete(f"{expenses}/{old['expense_id']}", "*"),
        "a deleted settlement": lambda: owner.delete(f"{settlements}/{paid['settlement_id']}", "*"),
    }.items():
        with subtests.test(name):
            await refused(db, request())
    # The day after is open.
    assert (await owner.post(expenses, spent | {"spent_on": "2024-04-01"})).status == 201
    assert (await owner.patch(f"{expenses}/{new['expense_id']}", {"spent_on": "2024-04-02"}, "*")).status == 200
    assert (await owner.delete(f"{settlements}/{later['settlement_id']}", "*")).status == 204
    # So is everything else: members leave and come, and today is open.
    assert (await owner.delete(f"{flat.path}/members/{guest}?keep_balance=true")).status == 204
    assert (await owner.post(expenses, spent)).status == 201


async def test_a_transfer_of_the_plan_is_of_an_open_day(flat, db):
    guest = await flat.guest()
    await flat.spend(900)
    await close(flat)
    plan = await flat.owner.get(f"{flat.path}/settlement-plan")
    [transfer] = plan.body["items"]
    path, etag = f"{flat.path}/settlement-plan/transfers", {"If-Match": plan.headers["ETag"]}
    await refused(db, flat.owner.call("POST", path, transfer | {"settled_on": DAY}, headers=etag))
    assert (await flat.owner.call("POST", path, transfer, headers=etag)).status == 201
    assert transfer["from"] == guest


@pytest.mark.parametrize(
    ("role", "statuses"), [("owner", (200, 200)), ("admin", (200, 403)), ("member", (403, 403)), ("viewer", (403, 403))]
)
async def test_admins_close_and_only_owners_open(bob, flat, db, role, statuses):
    closed, opened = statuses
    await flat.add(bob, role)
    assert (await bob.patch(flat.path, {"closed_until": "2024-01-31"})).status == closed
    await close(flat, "2024-02-29")
    assert (await bob.patch(flat.path, {"closed_until": DAY})).status == closed
    await close(flat)
    for sent in ("2024-03-30", None):
        before = await all_rows(db)
        answer = await bob.patch(flat.path, {"closed_until": sent, "name": "House"})
        assert answer.status == opened
        assert (await all_rows(db) == before) == (opened == 403)
    # The same as before is no change.
    current = (await flat.owner.get(flat.path)).body["closed_until"]
    assert (await bob.patch(flat.path, {"closed_until": current})).status == closed


async def test_an_opened_period_can_be_written_and_both_are_in_the_history(flat):
    expense = await flat.spend(900, spent_on=DAY)
    await close(flat, "2024-02-29")
    await close(flat)
    await close(flat, None)
    path = f"{flat.path}/expenses/{expense['expense_id']}"
    assert (await flat.owner.patch(path, {"amount": 1}, "*")).status == 200
    history = (await flat.owner.get(f"{flat.path}/history")).body["items"]
    assert [each["sentence"] for each in history[:3]] == [
        f"Ann opened the books, which were closed until {DAY}",
        f"Ann closed the books until {DAY} instead of 2024-02-29",
        "Ann closed the books until 2024-02-29",
    ]
    changes = (await flat.owner.get(f"{flat.path}/changes")).body["items"]
    assert [each["after"]["closed_until"] for each in changes if each["subject"] == "team"] == [
        None,
        "2024-02-29",
        DAY,
        None,
    ]


async def test_a_day_that_is_not_over_is_closed_but_none_that_is_to_come(flat, db):
    await flat.owner.patch(flat.path, {"time_zone": "Pacific/Kiritimati"})
    today = await db.fetchval("select (now() at time zone 'Pacific/Kiritimati')::date")
    before = await all_rows(db)
    answer = await flat.owner.patch(flat.path, {"closed_until": str(today + datetime.timedelta(days=1))})
    assert (answer.status, answer.body["errors"][0]["pointer"]) == (422, "/closed_until")
    assert answer.body["detail"] == f"This must be {today}, which is today for the team, or earlier."
    assert await all_rows(db) == before
    await close(flat, str(today))
    assert (await flat.owner.post(f"{flat.path}/expenses", {"description": "Tea", "amount": 1})).status == 409


async def test_an_archived_team_keeps_its_closing(flat):
    await close(flat)
    await flat.owner.patch(flat.path, {"archived": True})
    for sent in (None, "2024-04-30"):
        answer = await flat.owner.patch(flat.path, {"closed_until": sent})
        assert (answer.status, answer.body["type"]) == (409, "/problems/team-archived")
    assert (await flat.owner.patch(flat.path, {"closed_until": None, "archived": False})).status == 200


async def test_a_period_is_closed_while_it_is_written_to(flat, db):
    """Either the expense is there before, or it is refused: never is one recorded in a period that is closed."""
    body = {"description": "Tea", "amount": 1, "spent_on": DAY}
    for _ in range(10):
        await close(flat, None)
        requests = [flat.owner.post(f"{flat.path}/expenses", body) for _ in range(3)]
        answers = await asyncio.gather(*requests[:2], flat.owner.patch(flat.path, {"closed_until": DAY}), *requests[2:])
        revision = answers[2].body["revision"]
        late = "select count(*) from revisions where action = 'expenses.create' and revision > $1"
        assert await db.fetchval(late, revision) == 0
        assert {each.status for each in answers} <= {200, 201, 409}
