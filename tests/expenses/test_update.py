"""PATCH /v1/teams/{team_id}/expenses/{expense_id}."""

import json

import pytest

from tests.rows import all_rows

ACCESS = (401, 401, 404, 404, 403, 403, 200, 200, 200, 404)
BODY = {"amount": 100}


def path(team, expense):
    return f"{team.path}/expenses/{expense['expense_id']}"


def shares(expense):
    return {each["member_id"]: each["amount"] for each in expense["participants"]}


def parts(**amounts):
    return [{"member_id": each, "amount": amount} for each, amount in amounts.items()]


async def entries(db, expense):
    """Member ids to what they paid and owe of an expense."""
    found = await db.fetch(
        "select member_id::text, currency, paid, owed from entries where expense_id = $1", expense["expense_id"]
    )
    assert {row["currency"] for row in found} == {expense["currency"]}
    return {row["member_id"]: (row["paid"], row["owed"]) for row in found}


async def change(team, expense, status=200, **fields):
    """Send a change of the version that the expense has; the answer's body."""
    answer = await team.owner.patch(path(team, expense), fields, if_match=f'"{expense["version"]}"')
    assert answer.status == status, answer.body
    return answer.body


@pytest.mark.parametrize(
    "fields",
    [
        {"description": "Supper"},
        {"currency": "JPY"},
        {"spent_on": "2024-02-29"},
        {"category": "Food"},
        {"category": None},
        {"notes": "With\nwine."},
        {"notes": None},
    ],
)
async def test_it_changes_one_field_and_nothing_else(bob, flat, db, fields):
    await flat.guest()
    other = await (await bob.team("Trip")).spend()
    expense = await flat.spend(9001, category="Fun", notes="Late", spent_on="2024-01-01")
    answer = await flat.owner.patch(path(flat, expense), fields, if_match='"1"')
    assert (answer.status, answer.headers["ETag"]) == (200, '"2"')
    changed = answer.body
    assert changed.pop("updated_at") > expense.pop("updated_at")
    assert changed == expense | fields | {"version": 2}
    [(column, value)] = fields.items()
    rows = dict(await db.fetch("select expense_id::text, to_jsonb(expenses) from expenses"))
    assert json.loads(rows[expense["expense_id"]])[column] == value
    assert json.loads(rows[other["expense_id"]])["version"] == 1
    assert sum(paid for paid, _ in (await entries(db, changed)).values()) == 9001


async def test_it_changes_the_payer_and_nothing_else(flat, db):
    guest = await flat.guest()
    expense = await flat.spend(900, participants=[{"member_id": flat.owner_id}])
    changed = await change(flat, expense, payer=guest)
    assert changed["payers"] == [{"member_id": guest, "amount": 900}]
    assert await entries(db, changed) == {guest: (900, 0), flat.owner_id: (0, 900)}
    changed = await change(flat, changed, payers=[{"member_id": flat.owner_id, "amount": 900}])
    assert await entries(db, changed) == {flat.owner_id: (900, 900)}


async def test_it_changes_the_participants_and_nothing_else(flat, db):
    one, two = await flat.guest("One"), await flat.guest("Two")
    expense = await flat.spend(900)
    changed = await change(flat, expense, participants=[{"member_id": one}, {"member_id": two}])
    assert changed["payers"] == expense["payers"]
    assert shares(changed) == {one: 450, two: 450}
    assert await entries(db, changed) == {flat.owner_id: (900, 0), one: (0, 450), two: (0, 450)}


async def test_it_splits_a_changed_amount_among_the_same_participants(bob, flat, db):
    guest = await flat.guest()
    expense = await flat.spend(900)
    await flat.add(bob)
    changed = await change(flat, expense, amount=1000)
    assert changed["payers"] == [{"member_id": flat.owner_id, "amount": 1000}]
    assert shares(changed) == {flat.owner_id: 500, guest: 500}
    assert await entries(db, changed) == {flat.owner_id: (1000, 500), guest: (0, 500)}


async def test_it_gives_the_same_shares_for_the_same_input_again(flat):
    for number in range(6):
        await flat.guest(f"Guest {number}")
    expense = await flat.spend(1003)
    other = await change(flat, expense, amount=50)
    again = await change(flat, other, amount=1003)
    assert shares(again) == shares(expense)
    answer = await flat.owner.patch(
        f"{flat.path}/expenses/{expense['expense_id'].upper()}", {"amount": 1003}, if_match="*"
    )
    assert shares(answer.body) == shares(expense)


async def test_it_refuses_an_exact_split_of_another_amount_and_says_the_numbers(flat, db):
    guest = await flat.guest()
    expense = await flat.spend(900, split="exact", participants=parts(**{flat.owner_id: 300, guest: 600}))
    before = await all_rows(db)
    problem = await change(flat, expense, 422, amount=1000)
    [error] = problem["errors"]
    assert (error["pointer"], error["code"]) == ("/participants", "sum")
    assert error["detail"] == "The shares come to 900, 100 less than the amount."
    assert await all_rows(db) == before
    changed = await change(flat, expense, amount=1000, participants=parts(**{flat.owner_id: 0, guest: 1000}))
    assert await entries(db, changed) == {flat.owner_id: (1000, 0), guest: (0, 1000)}


async def test_it_switches_between_the_splits(flat, db):
    guest = await flat.guest()
    equal = await flat.spend(901)
    exact = await change(flat, equal, split="exact")
    assert (exact["split"], shares(exact)) == ("exact", shares(equal))
    exact = await change(flat, exact, participants=parts(**{flat.owner_id: 1, guest: 900}))
    assert await entries(db, exact) == {flat.owner_id: (901, 1), guest: (0, 900)}
    again = await change(flat, exact, split="equal")
    assert (again["split"], shares(again)) == ("equal", shares(equal))
    assert await db.fetchval("select split from expenses") == "equal"


async def test_it_keeps_former_members_where_they_were(bob, flat, db):
    payer, guest, former = await flat.add(bob), await flat.guest("Stays"), await flat.guest("Goes")
    expense = await flat.spend(900, by=bob, participants=[{"member_id": guest}, {"member_id": former}])
    for member_id in (payer, former):
        await flat.owner.delete(f"{flat.path}/members/{member_id}?keep_balance=true")
    changed = await change(flat, expense, amount=1000)
    assert await entries(db, changed) == {payer: (1000, 0), guest: (0, 500), former: (0, 500)}
    changed = await change(flat, changed, participants=[{"member_id": former}])
    assert await entries(db, changed) == {payer: (1000, 0), former: (0, 1000)}


async def test_it_refuses_who_is_no_active_member_and_was_not_in_it(bob, flat, db, subtests):
    other = await bob.team("Trip")
    former = await flat.guest()
    expense = await flat.spend(900, participants=[{"member_id": flat.owner_id}])
    await flat.owner.delete(f"{flat.path}/members/{former}")
    before = await all_rows(db)
    for member_id in (former, other.owner_id, flat.team_id):
        for place, value in (("payer", member_id), ("participants", [{"member_id": member_id}])):
            with subtests.test(f"{place} {member_id}"):
                problem = await change(flat, expense, 422, **{place: value})
                assert [(each["pointer"], each["code"]) for each in problem["errors"]] == [
                    (f"/{place}" if place == "payer" else f"/{place}/0/member_id", "not_a_member")
                ]
    assert await all_rows(db) == before


async def test_it_refuses_a_former_member_who_was_taken_out_before(flat):
    former = await flat.guest()
    expense = await flat.spend(900)
    await flat.owner.delete(f"{flat.path}/members/{former}?keep_balance=true")
    changed = await change(flat, expense, participants=[{"member_id": flat.owner_id}])
    problem = await change(flat, changed, 422, participants=[{"member_id": former}])
    assert problem["errors"][0]["code"] == "not_a_member"


async def test_it_writes_a_revision_with_before_and_after(bob, flat, db):
    bob_id = await flat.add(bob, "admin")
    expense = await flat.spend(900)
    await bob.patch(path(flat, expense), {"amount": 1000}, if_match='"1"')
    row = await db.fetchrow("select * from revisions order by revision desc limit 1")
    assert (row["revision"], row["action"], str(row["actor_id"])) == (4, "expenses.update", bob_id)
    assert str(row["subject_id"]) == expense["expense_id"]
    before, after = json.loads(row["before"]), json.loads(row["after"])
    assert (before["amount"], before["version"], after["amount"], after["version"]) == (900, 1, 1000, 2)
    assert before["participants"] == expense["participants"]


async def test_it_changes_the_version_that_was_read(flat, db, subtests):
    expense = await flat.spend(900)
    for if_match, status in [
        ("", 428),
        ('"2"', 412),
        ('"0"', 412),
        ('"x"', 412),
        ("1", 422),
        ('"1"', 200),
        ('W/"2"', 200),
        ("*", 200),
    ]:
        with subtests.test(if_match):
            revisions = await db.fetchval("select count(*) from revisions")
            answer = await flat.owner.patch(path(flat, expense), {"amount": 1000}, if_match=if_match)
            assert answer.status == status, if_match
            assert await db.fetchval("select amount from expenses") == (1000 if status == 200 else 900)
            assert await db.fetchval("select count(*) from revisions") == revisions + (status == 200)


async def test_it_says_which_version_there_is(flat):
    expense = await flat.spend(900)
    await change(flat, expense, amount=1000)
    problem = await change(flat, expense, 412, amount=1100)
    assert 'the current version is "2"' in problem["detail"]


# Who acts, on whose expense, and what comes of it.
CASES = [
    ("owner", "other", 200),
    ("admin", "other", 200),
    ("member", "own", 200),
    ("member", "other", 403),
    ("viewer", "other", 403),
    (None, "other", 404),
]


@pytest.mark.parametrize(("role", "whose", "status"), CASES)
async def test_it_keeps_to_the_roles(bob, flat, db, *, role, whose, status):
    await bob.team("Trip")
    if role:
        await flat.add(bob, role)
    expense = await flat.spend(900, by=bob if whose == "own" else flat.owner)
    before = await all_rows(db)
    answer = await bob.patch(path(flat, expense), {"amount": 1000}, if_match="*")
    assert answer.status == status
    assert (await all_rows(db) == before) == (status != 200)


async def test_it_keeps_an_expense_from_who_recorded_it_and_became_a_viewer(bob, flat, db):
    bob_id = await flat.add(bob)
    expense = await flat.spend(900, by=bob)
    await flat.owner.patch(f"{flat.path}/members/{bob_id}", {"role": "viewer"})
    assert (await bob.patch(path(flat, expense), {"amount": 1000}, if_match="*")).status == 403
    assert await db.fetchval("select amount from expenses") == 900


async def test_it_finds_no_expense_of_another_team(bob, flat, db):
    other = await bob.team("Trip")
    theirs = await other.spend(900)
    before = await all_rows(db)
    for team in (flat, other):
        assert (await flat.owner.patch(path(team, theirs), {"amount": 1}, if_match="*")).status == 404
    assert await all_rows(db) == before


async def test_it_refuses_what_is_no_change_and_stores_nothing(flat, db, subtests):
    guest = await flat.guest()
    expense = await flat.spend(900)
    before = await all_rows(db)
    for fields, pointer, code in [
        ({}, "", "empty"),
        ({"amount": None}, "/amount", "null"),
        ({"amount": 0}, "/amount", "too_small"),
        ({"description": None}, "/description", "null"),
        ({"currency": None}, "/currency", "null"),
        ({"spent_on": "0001-01-01"}, "/spent_on", "out_of_range"),
        ({"participants": None}, "/participants", "null"),
        ({"participants": [{"member_id": guest, "amount": 899}]}, "/participants/0/amount", "not_in_split"),
        ({"participants": [{"member_id": guest}] * 2}, "/participants/1/member_id", "repeated"),
        ({"split": "exact", "participants": [{"member_id": guest}]}, "/participants/0/amount", "required"),
        ({"payers": [{"member_id": guest, "amount": 899}]}, "/payers", "sum"),
        ({"payer": guest, "payers": [{"member_id": guest, "amount": 900}]}, "/payers", "one_of"),
        ({"version": 1}, "", "empty"),
        ({"amount": 900, "version": 9}, "/version", "read_only"),
        ({"amount": 900, "created_by": guest}, "/created_by", "read_only"),
        ({"amount": 900, "kind": "settlement"}, "/kind", "invalid"),
    ]:
        with subtests.test(str(fields)[:80]):
            problem = await change(flat, expense, 422, **fields)
            assert [(each["pointer"], each["code"]) for each in problem["errors"]] == [(pointer, code)], fields
    assert await all_rows(db) == before


async def test_it_refuses_an_archived_team_and_finds_no_deleted_one(flat, db):
    expense = await flat.spend(900)
    await flat.owner.patch(flat.path, {"archived": True})
    problem = await change(flat, expense, 409, amount=1000)
    assert problem["type"] == "/problems/team-archived"
    await flat.owner.delete(flat.path)
    await change(flat, expense, 404, amount=1000)
    assert await db.fetchval("select amount from expenses") == 900
