"""POST /v1/teams/{team_id}/expenses."""

import datetime
import json

import pytest

from tests.rows import all_rows, guests

ACCESS = (401, 401, 404, 404, 403, 201, 201, 201, 201, 404)
BODY = {"description": "Lunch", "amount": 100}


async def entries(db, expense):
    """Member ids to what they paid and owe of an expense."""
    found = await db.fetch(
        "select member_id::text, currency, paid, owed from entries where expense_id = $1", expense["expense_id"]
    )
    assert {row["currency"] for row in found} == {expense["currency"]}
    return {row["member_id"]: (row["paid"], row["owed"]) for row in found}


def shares(expense):
    return {each["member_id"]: each["amount"] for each in expense["participants"]}


def parts(*member_ids):
    return [{"member_id": each} for each in member_ids]


async def test_it_takes_the_shortest_form(bob, flat, db):
    other = await bob.team("Trip", "JPY")
    bob_id, guest = await flat.add(bob), await flat.guest()
    answer = await flat.owner.post(f"{flat.path}/expenses", {"description": "Dinner", "amount": 9000})
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    assert answer.status == 201
    expense = answer.body
    assert answer.headers["Location"] == f"{flat.path}/expenses/{expense['expense_id']}"
    assert answer.headers["ETag"] == '"1"'
    expected = {
        "description": "Dinner",
        "category": None,
        "amount": 9000,
        "currency": "EUR",
        "spent_on": today,
        "notes": None,
        "split": "equal",
        "payers": [{"member_id": flat.owner_id, "amount": 9000}],
        "created_by": flat.owner_id,
        "version": 1,
    }
    assert {name: expense[name] for name in expected} == expected
    assert shares(expense) == {flat.owner_id: 3000, bob_id: 3000, guest: 3000}
    assert expense["created_at"] == expense["updated_at"]
    assert await entries(db, expense) == {flat.owner_id: (9000, 3000), bob_id: (0, 3000), guest: (0, 3000)}
    row = await db.fetchrow("select team_id::text, kind, amount, spent_on::text, deleted_at from expenses")
    assert tuple(row) == (flat.team_id, "expense", 9000, today, None)
    assert await other.nets() == {other.owner_id: 0}


async def test_it_takes_the_full_form(bob, flat, db):
    bob_id, guest = await flat.add(bob), await flat.guest()
    body = {
        "description": "Hotel",
        "amount": 1001,
        "currency": "CHF",
        "spent_on": "2024-02-29",
        "category": "Travel",
        "notes": "Two nights,\nwith breakfast.",
        "payer": bob_id,
        "split": "exact",
        "participants": [{"member_id": guest, "amount": 1000}, {"member_id": flat.owner_id, "amount": 1}],
    }
    expense = await flat.spend(**body)
    payer = body.pop("payer")
    assert {name: expense[name] for name in body} == body
    assert expense["payers"] == [{"member_id": payer, "amount": 1001}]
    assert await entries(db, expense) == {bob_id: (1001, 0), guest: (0, 1000), flat.owner_id: (0, 1)}


async def test_it_takes_one_payer_in_the_form_of_a_list(flat, db):
    guest = await flat.guest()
    expense = await flat.spend(900, payers=[{"member_id": guest, "amount": 900}])
    assert expense["payers"] == [{"member_id": guest, "amount": 900}]
    assert await entries(db, expense) == {guest: (900, 450), flat.owner_id: (0, 450)}


async def test_it_takes_a_payer_who_does_not_take_part(flat, db):
    guest = await flat.guest()
    expense = await flat.spend(900, participants=parts(guest))
    assert await entries(db, expense) == {flat.owner_id: (900, 0), guest: (0, 900)}


async def test_it_takes_one_participant_who_is_the_payer(flat, db):
    await flat.guest()
    expense = await flat.spend(900, participants=parts(flat.owner_id))
    assert await entries(db, expense) == {flat.owner_id: (900, 900)}


async def test_it_keeps_shares_of_zero(flat, db):
    guest = await flat.guest()
    participants = [{"member_id": flat.owner_id, "amount": 900}, {"member_id": guest, "amount": 0}]
    expense = await flat.spend(900, split="exact", participants=participants)
    assert expense["participants"] == participants
    assert await entries(db, expense) == {flat.owner_id: (900, 900), guest: (0, 0)}


async def test_it_splits_one_unit_among_three(flat, db):
    await flat.guest("One")
    await flat.guest("Two")
    expense = await flat.spend(1)
    assert sorted(shares(expense).values()) == [0, 0, 1]
    assert sorted(owed for _, owed in (await entries(db, expense)).values()) == [0, 0, 1]


@pytest.mark.parametrize("currency", ["JPY", "KWD"])
async def test_it_counts_in_minor_units_whatever_they_are(ann, db, currency):
    trip = await ann.team("Trip", currency)
    guest = await trip.guest()
    expense = await trip.spend(1001)
    assert expense["currency"] == currency
    assert sorted(shares(expense).values()) == [500, 501]
    assert (await entries(db, expense))[guest][0] == 0


async def test_it_splits_the_largest_amount_among_two_hundred(flat, db):
    await guests(db, flat.team_id, 199)
    expense = await flat.spend(10**15 - 1)
    assert len(expense["participants"]) == 200
    assert sum(shares(expense).values()) == 10**15 - 1
    assert set(shares(expense).values()) == {5 * 10**12, 5 * 10**12 - 1}


async def test_it_writes_a_revision(bob, flat, db):
    bob_id = await flat.add(bob)
    expense = await flat.spend(by=bob)
    row = await db.fetchrow("select * from revisions order by revision desc limit 1")
    assert (row["revision"], row["action"]) == (3, "expenses.create")
    assert (str(row["actor_id"]), str(row["subject_id"])) == (bob_id, expense["expense_id"])
    assert row["before"] is None
    after = json.loads(row["after"])
    assert {name: after[name] for name in ("amount", "payers", "participants", "version")} == {
        name: expense[name] for name in ("amount", "payers", "participants", "version")
    }


async def test_it_leaves_former_members_out_of_all(flat):
    guest = await flat.guest()
    await flat.owner.delete(f"{flat.path}/members/{guest}")
    assert shares(await flat.spend(900)) == {flat.owner_id: 900}


@pytest.mark.parametrize("place", ["payer", "payers", "participants"])
async def test_it_refuses_who_is_no_active_member_of_this_team(bob, flat, db, place, subtests):
    other = await bob.team("Trip")
    former = await flat.guest()
    await flat.owner.delete(f"{flat.path}/members/{former}")
    before = await all_rows(db)
    for member_id in (other.owner_id, former, flat.team_id):
        with subtests.test(member_id):
            value = {"payer": member_id, "payers": [{"member_id": member_id, "amount": 900}]}.get(
                place, parts(member_id)
            )
            body = {"description": "Dinner", "amount": 900, place: value}
            answer = await flat.owner.post(f"{flat.path}/expenses", body)
            assert answer.status == 422
            pointer = "/payer" if place == "payer" else f"/{place}/0/member_id"
            [error] = answer.body["errors"]
            assert (error["pointer"], error["code"]) == (pointer, "not_a_member")
            assert member_id in answer.body["errors"][0]["detail"]
    assert await all_rows(db) == before


async def test_it_refuses_amounts_that_do_not_come_to_the_whole_and_says_the_numbers(flat, db, subtests):
    members = [await flat.guest(), flat.owner_id]
    before = await all_rows(db)
    for name, amounts, detail in [
        ("participants", (4000, 4999), "The shares come to 8999, 1 less than the amount."),
        ("participants", (9000, 1000), "The shares come to 10000, 1000 more than the amount."),
        ("payers", (8000,), "The payers' amounts come to 8000, 1000 less than the amount."),
    ]:
        with subtests.test(detail):
            listed = [{"member_id": each, "amount": amount} for each, amount in zip(members, amounts, strict=False)]
            split = {"split": "exact"} if name == "participants" else {}
            answer = await flat.owner.post(
                f"{flat.path}/expenses", {"description": "Dinner", "amount": 9000, name: listed} | split
            )
            assert answer.status == 422
            [error] = answer.body["errors"]
            assert (error["pointer"], error["code"], error["detail"]) == (f"/{name}", "sum", detail)
    assert await all_rows(db) == before


def refused_bodies(owner, guest):
    """What is not an expense, each with the pointer and the code that say why."""
    return [
        ({"amount": 0}, "/amount", "too_small"),
        ({"amount": -1}, "/amount", "too_small"),
        ({"amount": 10**15 + 1}, "/amount", "too_large"),
        ({"amount": 2**63}, "/amount", "too_large"),
        ({"amount": 9000.0}, "/amount", "invalid"),
        ({"amount": True}, "/amount", "invalid"),
        ({"amount": "9000"}, "/amount", "invalid"),
        ({"amount": None}, "/amount", "null"),
        ({"description": ""}, "/description", "too_short"),
        ({"description": "x" * 201}, "/description", "too_long"),
        ({"currency": "XAU"}, "/currency", "invalid"),
        ({"spent_on": "1999-12-31"}, "/spent_on", "out_of_range"),
        ({"spent_on": "20240101"}, "/spent_on", "invalid"),
        ({"spent_on": "2023-02-29"}, "/spent_on", "invalid"),
        ({"category": "x" * 51}, "/category", "too_long"),
        ({"notes": "x" * 2001}, "/notes", "too_long"),
        ({"payer": "me"}, "/payer", "invalid"),
        ({"payer": owner, "payers": [{"member_id": owner, "amount": 9000}]}, "/payers", "one_of"),
        ({"payers": []}, "/payers", "too_few"),
        ({"payers": [{"member_id": owner}]}, "/payers/0/amount", "required"),
        ({"payers": [{"member_id": owner, "amount": 4500}] * 2}, "/payers/1/member_id", "repeated"),
        ({"payers": [{"member_id": owner, "amount": 4500}] * 201}, "/payers", "too_many"),
        ({"split": "lottery"}, "/split", "invalid"),
        ({"participants": []}, "/participants", "too_few"),
        ({"participants": parts(owner) * 201}, "/participants", "too_many"),
        ({"participants": parts(owner, guest, owner)}, "/participants/2/member_id", "repeated"),
        ({"participants": [{"amount": 9000}]}, "/participants/0/member_id", "required"),
        ({"participants": [{"member_id": owner, "amount": 8999}]}, "/participants/0/amount", "not_in_split"),
        ({"split": "exact", "participants": parts(owner)}, "/participants/0/amount", "required"),
        ({"participants": [{"member_id": owner, "amount": -1}]}, "/participants/0/amount", "too_small"),
        ({"split": "exact"}, "/participants", "required"),
        ({"version": 2}, "/version", "unknown"),
        ({"kind": "settlement"}, "/kind", "invalid"),
        ({"created_by": guest}, "/created_by", "unknown"),
        ({"expense_id": guest}, "/expense_id", "unknown"),
    ]


async def test_it_refuses_what_is_no_expense_and_stores_nothing(flat, db, subtests):
    guest = await flat.guest()
    before = await all_rows(db)
    for change, pointer, code in refused_bodies(flat.owner_id, guest):
        with subtests.test(f"{pointer} {code} {str(change)[:80]}"):
            answer = await flat.owner.post(f"{flat.path}/expenses", {"description": "Dinner", "amount": 9000} | change)
            assert answer.status == 422, change
            found = [(each["pointer"], each["code"]) for each in answer.body["errors"]]
            assert found == [(pointer, code)], change
    for missing in ("description", "amount"):
        with subtests.test(missing):
            body = {"description": "Dinner", "amount": 9000}
            del body[missing]
            answer = await flat.owner.post(f"{flat.path}/expenses", body)
            assert answer.body["errors"][0]["pointer"] == f"/{missing}"
    assert await all_rows(db) == before


@pytest.mark.parametrize(
    ("role", "status"), [("owner", 201), ("admin", 201), ("member", 201), ("viewer", 403), (None, 404)]
)
async def test_it_takes_who_may_record(bob, flat, db, role, status):
    await bob.team("Trip")
    if role:
        await flat.add(bob, role)
    before = await all_rows(db)
    answer = await bob.post(f"{flat.path}/expenses", {"description": "Dinner", "amount": 9000})
    assert answer.status == status
    assert (await all_rows(db) == before) == (status != 201)


async def test_it_refuses_an_archived_team_and_finds_no_deleted_one(flat, db):
    await flat.owner.patch(flat.path, {"archived": True})
    answer = await flat.owner.post(f"{flat.path}/expenses", {"description": "Dinner", "amount": 9000})
    assert (answer.status, answer.body["type"]) == (409, "/problems/team-archived")
    await flat.owner.delete(flat.path)
    answer = await flat.owner.post(f"{flat.path}/expenses", {"description": "Dinner", "amount": 9000})
    assert answer.status == 404
    assert await db.fetchval("select count(*) from expenses") == 0


async def test_what_is_left_with_a_former_member_can_be_settled_and_no_more(flat):
    guest = await flat.guest("Kim")
    await flat.spend(1000, participants=[{"member_id": guest}])
    assert (await flat.owner.delete(f"{flat.path}/members/{guest}?keep_balance=true")).status == 204
    # Kim, who owes 1000, pays it back; whoever is not named is not charged.
    back = {"payer": guest, "participants": [{"member_id": flat.owner_id}]}
    assert len((await flat.spend(500, **back))["participants"]) == 1
    await flat.spend(500, **back)
    assert await flat.nets() == {flat.owner_id: 0}
    answer = await flat.owner.post(f"{flat.path}/expenses", {"description": "Dinner", "amount": 1} | back)
    assert answer.status == 422
    assert answer.body["errors"][0]["code"] == "not_a_member"


async def test_the_exact_split_asks_for_its_participants(flat):
    answer = await flat.owner.post(f"{flat.path}/expenses", {"description": "Dinner", "amount": 1, "split": "exact"})
    assert answer.status == 422
    assert answer.body["errors"][0]["pointer"] == "/participants"
