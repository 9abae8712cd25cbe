"""GET /v1/teams/{team_id}/activity."""

import datetime
import re
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import Literal

from service.history import subjects
from service.postgres.queries import queries, text_of
from tests.access import READ
from tests.history.test_expense import sentences

ACCESS = READ
FOLDER = Path(__file__).parents[2] / "sql/history"


@pytest.fixture
async def busy(bob, flat):
    """A team with writes of two people: Ann's revisions 1, 2, 3, 6, 7 and Bob's 4 and 5; Bob is also in the answer."""
    member = await flat.add(bob)
    guest = await flat.guest("Kim")
    spent = await flat.spend(by=bob)
    await bob.patch(f"{flat.path}/expenses/{spent['expense_id']}", {"amount": 100}, "*")
    await flat.owner.delete(f"{flat.path}/expenses/{spent['expense_id']}", "*")
    await flat.settle(guest, member, 700)
    return {"bob": member, "kim": guest, "expense": spent["expense_id"]}


async def revisions(team, query=""):
    answer = await team.owner.get(f"{team.path}/activity{query}")
    assert answer.status == 200, answer.body
    return [each["revision"] for each in answer.body["items"]]


async def test_it_tells_everything_newest_first(flat, busy, bob):
    other = await bob.team("Trip")
    await other.spend()
    assert await sentences(flat, "/activity") == [
        "Ann recorded that Kim paid Bob 7.00 EUR",
        'Ann deleted the expense "Dinner" of 1.00 EUR',
        "Bob changed the amount from 90.00 EUR to 1.00 EUR",
        'Bob added the expense "Dinner" of 90.00 EUR, paid by Bob',
        "Ann added Kim as a guest",
        "Ann added Bob as a member",
        'Ann created the team "Flat" with the currency EUR',
    ]


async def test_it_filters(flat, busy, subtests):
    for query, expected in [
        (f"?actor={busy['bob']}", [5, 4]),
        (f"?actor={flat.owner_id}", [7, 6, 3, 2, 1]),
        (f"?actor={busy['kim']}", []),
        ("?action=members.create", [3, 2]),
        ("?subject=expense", [6, 5, 4]),
        ("?subject=settlement", [7]),
        ("?subject=team", [1]),
        ("?subject=team&action=members.create", []),
        (f"?subject_id={busy['expense']}", [6, 5, 4]),
        (f"?subject_id={busy['expense']}&subject=member", []),
        (f"?subject_id={busy['expense']}&actor={busy['bob']}", [5, 4]),
        (f"?subject_id={busy['expense']}&action=expenses.update", [5]),
        (f"?subject_id={flat.team_id}", [1]),
        (f"?subject=expense&actor={flat.owner_id}", [6]),
        (f"?action=expenses.update&actor={busy['bob']}", [5]),
        (f"?subject=member&action=expenses.update&actor={busy['bob']}", []),
    ]:
        with subtests.test(query):
            assert await revisions(flat, query) == expected


async def test_days_are_those_of_the_team_s_time_zone(flat, busy, db, subtests):
    await flat.owner.patch(flat.path, {"time_zone": "Asia/Tokyo"})
    # In Tokyo, the second of them is on the next day.
    for revision, at in enumerate(
        ("01-01 12:00", "01-01 14:59", "01-01 15:00", "01-02 14:59", "01-02 15:00", "01-02 15:30", "01-03 02:00"), 1
    ):
        moment = datetime.datetime.fromisoformat(f"2024-{at}Z")
        await db.execute("update revisions set at = $1 where revision = $2", moment, revision)
    for query, expected in [
        ("?from=2024-01-03&to=2024-01-03", [7, 6, 5]),
        ("?from=2024-01-02&to=2024-01-02", [4, 3]),
        ("?to=2024-01-01", [2, 1]),
        ("?from=2024-01-03", [8, 7, 6, 5]),
        ("?from=2024-01-03&to=2024-01-02", []),
        ("?from=0001-01-01&to=9999-12-31", [8, 7, 6, 5, 4, 3, 2, 1]),
        (f"?actor={busy['bob']}&to=2024-01-02", [4]),
        ("?subject=expense&from=2024-01-03", [6, 5]),
        (f"?subject_id={busy['expense']}&from=2024-01-03", [6, 5]),
    ]:
        with subtests.test(query):
            assert await revisions(flat, query) == expected


async def test_pages_are_all_of_it_once_with_any_filter(flat, busy, subtests):
    for query in ("", f"&actor={flat.owner_id}", "&subject=expense", f"&subject_id={busy['expense']}"):
        with subtests.test(query):
            found, after = [], ""
            while after is not None:
                answer = await flat.owner.get(f"{flat.path}/activity?limit=2{query}{after}")
                found += [each["revision"] for each in answer.body["items"]]
                after = answer.body["next"] and f"&after={answer.body['next']}"
            assert found == await revisions(flat, query.replace("&", "?"))


async def test_it_tells_of_actions_that_it_does_not_know(flat, busy, db):
    await db.execute("update revisions set action = 'budgets.create', after = '{\"x\": 1}' where revision = 7")
    answer = await flat.owner.get(f"{flat.path}/activity?limit=1")
    [item] = answer.body["items"]
    assert (item["subject"], item["changes"], item["subject_name"]) == ("other", [], None)
    assert item["sentence"] == "Ann did something else (budgets.create)"


MANY = """
with past as (
    insert into revisions (team_id, revision, at, actor_id, action, subject_id)
    select
        $1, number, timestamptz '2020-01-01 00:00Z' + number * interval '1 hour', $2::uuid, 'expenses.create', uuidv7()
    from generate_series(3, 20002) as number
)
update teams set revision = 20002 where team_id = $1
"""


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("activity", {"above": 9000, "below": 9050}),
        ("activity_of_subject", {"subject_id": "019a5b40-9f3a-7a86-9c12-6e4b8d2f5c05", "feature": "teams"}),
        ("activity_by_action", {"actions": ["teams.create", "teams.update"]}),
        ("activity_by_actor", {"actions": ["expenses.create", "teams.update"]}),
        ("reader", {"from_day": "2021-01-10", "to_day": "2021-01-11"}),
    ],
)
async def test_what_matches_rarely_is_found_by_an_index(flat, db, direct, name, arguments):
    await db.execute(MANY, flat.team_id, await flat.guest("Kim"))
    await db.execute("analyze revisions")
    own = {"team_id": flat.team_id, "user_id": flat.owner.user_id, "above": 0, "below": 30000, "time_zone": "UTC"}
    own |= {"from_day": None, "to_day": None, "size": 51, "feature": None, "action": None, "actor": flat.owner_id}
    sql = getattr(queries.history, name).sql
    text = re.sub(r"--.*", "", text_of(FOLDER / f"{name}.sql"))
    values = [(own | arguments)[each] for each in dict.fromkeys(re.findall(r"(?<!:):(\w+)", text))]
    with psycopg.connect(direct) as connection:
        connection.execute("set plan_cache_mode = force_generic_plan")
        connection.execute(f"prepare asked as {sql}")
        literals = ", ".join(Literal(value).as_string(connection) for value in values)
        connection.execute(f"execute asked({literals})")
        lines = connection.execute(f"explain (analyze, timing off) execute asked({literals})").fetchall()
    plan = "\n".join(line for [line] in lines)
    assert "Seq Scan on revisions" not in plan, plan
    assert "Rows Removed by Filter" not in plan, plan


async def test_of_days_no_more_is_read_than_an_hour_before_and_after(flat, db):
    await db.execute(MANY, flat.team_id, await flat.guest("Kim"))
    days = [datetime.date(2021, 1, 10), datetime.date(2021, 1, 11)]
    row = await db.fetchrow(queries.history.reader.sql, flat.team_id, days[0], days[1], flat.owner.user_id)
    assert 48 <= row["below"] - row["above"] - 1 <= 50


async def test_a_page_carries_how_far_it_was_read(flat, busy):
    assert (await flat.owner.get(f"{flat.path}/activity?subject=team")).body["read"] == 0
    assert set(subjects.values()) == {"expense", "settlement", "member", "team"}
