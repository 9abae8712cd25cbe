"""GET /v1/teams/{team_id}/balances."""

import datetime
import json
import random
import re
from collections import Counter

from service.postgres.queries import queries
from tests.access import READ
from tests.rows import expenses

ACCESS = READ


async def balances(team):
    """Return (member id, currency) to what they paid, owe and net."""
    answer = await team.owner.get(f"{team.path}/balances")
    assert answer.status == 200
    found = {
        (item["member_id"], item["currency"]): (item["paid"], item["owed"], item["net"])
        for item in answer.body["items"]
    }
    assert len(found) == len(answer.body["items"])
    return found


async def test_it_sums_what_everybody_paid_and_owes(flat):
    guest = await flat.guest()
    expense = await flat.spend(9001)
    answer = await flat.owner.get(f"{flat.path}/balances")
    assert answer.status == 200
    by_id = {item["member_id"]: item for item in answer.body["items"]}
    shares = {part["member_id"]: part["amount"] for part in expense["participants"]}
    assert by_id[flat.owner_id]["paid"] == 9001
    assert by_id[flat.owner_id]["net"] == 9001 - shares[flat.owner_id]
    assert by_id[guest]["net"] == -shares[guest]
    assert sum(item["net"] for item in answer.body["items"]) == 0


async def test_it_lists_members_without_entries_at_zero_with_their_names(bob, flat):
    bob_id = await flat.add(bob)
    guest = await flat.guest("Kim")
    await flat.spend(900, participants=[{"member_id": guest}])
    answer = await bob.get(f"{flat.path}/balances")
    assert answer.body["items"] == [
        {"member_id": member_id, "name": name, "currency": "EUR", "is_settled": net == 0}
        | {"paid": paid, "owed": owed, "net": net}
        for member_id, name, paid, owed, net in [
            (flat.owner_id, "Ann", 900, 0, 900),
            (bob_id, "Bob", 0, 0, 0),
            (guest, "Kim", 0, 900, -900),
        ]
    ]


async def test_it_keeps_currencies_apart(flat):
    guest = await flat.guest()
    await flat.spend(1000)
    await flat.spend(500, currency="JPY", payer=guest, participants=[{"member_id": flat.owner_id}])
    assert await balances(flat) == {
        (flat.owner_id, "EUR"): (1000, 500, 500),
        (guest, "EUR"): (0, 500, -500),
        (flat.owner_id, "JPY"): (0, 500, -500),
        (guest, "JPY"): (500, 0, 500),
    }


async def test_it_knows_nothing_of_another_team(bob, flat):
    other = await bob.team("Trip")
    ann_id = await other.add(flat.owner)
    await other.spend(1000)
    assert await balances(flat) == {(flat.owner_id, "EUR"): (0, 0, 0)}
    assert await balances(other) == {(other.owner_id, "EUR"): (1000, 500, 500), (ann_id, "EUR"): (0, 500, -500)}


async def test_it_lists_former_members_until_they_are_settled(flat):
    former, settled = await flat.guest("Former"), await flat.guest("Settled")
    await flat.owner.delete(f"{flat.path}/members/{settled}")
    await flat.spend(1000)
    await flat.owner.delete(f"{flat.path}/members/{former}?keep_balance=true")
    assert await balances(flat) == {(flat.owner_id, "EUR"): (1000, 500, 500), (former, "EUR"): (0, 500, -500)}
    back = {"payer": flat.owner_id, "participants": [{"member_id": flat.owner_id}]}
    [expense] = (await flat.owner.get(f"{flat.path}/expenses")).body["items"]
    await flat.owner.patch(f"{flat.path}/expenses/{expense['expense_id']}", back, if_match="*")
    assert await balances(flat) == {(flat.owner_id, "EUR"): (1000, 1000, 0)}


async def test_it_says_the_revision_and_answers_not_modified_to_who_has_it(flat):
    await flat.spend()
    answer = await flat.owner.get(f"{flat.path}/balances")
    assert (answer.body["revision"], answer.headers["ETag"]) == (2, '"2"')
    answer = await flat.owner.get(f"{flat.path}/balances", headers={"If-None-Match": '"2"'})
    assert (answer.status, answer.body) == (304, b"")
    await flat.spend()
    answer = await flat.owner.get(f"{flat.path}/balances", headers={"If-None-Match": '"2"'})
    assert (answer.status, answer.body["revision"]) == (200, 3)


async def test_it_sums_beyond_what_one_amount_can_be(flat, db):
    guest = await flat.guest()
    await expenses(db, flat.team_id, flat.owner_id, 50, amount=10**12, participant_id=guest)
    assert await flat.nets() == {flat.owner_id: 50 * 10**12, guest: -50 * 10**12}


async def test_it_equals_what_python_makes_of_the_expenses_that_are_there(bob, flat):
    chance = random.Random(5)  # noqa: S311 - A test that can be repeated.
    other = await bob.team("Trip")
    member_ids = [flat.owner_id, *[await flat.guest(f"Guest {number}") for number in range(4)]]
    live = {}
    for _ in range(60):
        await other.spend(chance.randint(1, 10**6))
        verb = chance.choice(["create", "create", "update", "delete"]) if live else "create"
        fields = {
            "amount": chance.randint(1, 10 ** chance.randint(1, 12)),
            "currency": chance.choice(["EUR", "JPY", "KWD"]),
            "payer": chance.choice(member_ids),
            "participants": [{"member_id": each} for each in chance.sample(member_ids, chance.randint(1, 5))],
        }
        if verb == "create":
            expense = await flat.spend(**fields)
            live[expense["expense_id"]] = expense
            continue
        expense_id = chance.choice(list(live))
        path = f"{flat.path}/expenses/{expense_id}"
        if verb == "update":
            live[expense_id] = (await flat.owner.patch(path, fields, if_match="*")).body
        else:
            assert (await flat.owner.delete(path, if_match="*")).status == 204
            del live[expense_id]
    paid, owed, total = Counter(), Counter(), Counter()
    for expense in live.values():
        for share in expense["payers"]:
            paid[share["member_id"], expense["currency"]] += share["amount"]
        for share in expense["participants"]:
            owed[share["member_id"], expense["currency"]] += share["amount"]
    found = await balances(flat)
    for (_, currency), (_, _, net) in found.items():
        total[currency] += net
    assert set(total.values()) == {0}
    assert {key: values for key, values in found.items() if values != (0, 0, 0)} == {
        key: (paid[key], owed[key], paid[key] - owed[key]) for key in paid | owed if paid[key] or owed[key]
    }


async def test_it_finds_nothing_for_strangers_former_members_and_in_deleted_teams(ann, bob, flat):
    await bob.team("Trip")
    assert (await bob.get(f"{flat.path}/balances")).status == 404
    bob_id = await flat.add(bob, "viewer")
    assert (await bob.get(f"{flat.path}/balances")).status == 200
    await ann.delete(f"{flat.path}/members/{bob_id}")
    assert (await bob.get(f"{flat.path}/balances")).status == 404
    await ann.delete(flat.path)
    assert (await ann.get(f"{flat.path}/balances")).status == 404


async def test_it_says_whether_everybody_is_settled(flat):
    guest = await flat.guest()

    async def is_settled():
        return (await flat.owner.get(f"{flat.path}/balances")).body["is_settled"]

    assert await is_settled() is True
    await flat.spend(1000)
    assert await is_settled() is False
    await flat.spend(500, payer=guest, participants=[{"member_id": flat.owner_id}])
    assert await is_settled() is True
    # In one currency only.
    await flat.spend(500, currency="JPY")
    assert await is_settled() is False
    await flat.owner.delete(f"{flat.path}/members/{guest}?keep_balance=true")
    assert await is_settled() is False


async def test_a_currency_in_which_nothing_is_left_is_not_listed(flat):
    await flat.guest()
    expense = await flat.spend(500, currency="JPY")
    await flat.owner.delete(f"{flat.path}/expenses/{expense['expense_id']}", if_match="*")
    assert {currency for _, currency in await balances(flat)} == {"EUR"}


async def as_of(team, day):
    answer = await team.owner.get(f"{team.path}/balances", params={"as_of": str(day)})
    assert answer.status == 200, answer.body
    found = {(each["member_id"], each["currency"]): (each["paid"], each["owed"]) for each in answer.body["items"]}
    assert answer.body["is_settled"] == all(paid == owed for paid, owed in found.values())
    return {key: values for key, values in found.items() if values != (0, 0)}


async def test_as_of_a_day_it_equals_what_python_makes_of_the_expenses_until_then(flat):
    chance = random.Random(11)  # noqa: S311 - A test that can be repeated.
    member_ids = [flat.owner_id, *[await flat.guest(f"Guest {number}") for number in range(3)]]
    first = datetime.date(2023, 12, 20)
    made = [
        await flat.spend(
            chance.randint(1, 10**9),
            currency=chance.choice(["EUR", "JPY"]),
            spent_on=str(first + datetime.timedelta(days=chance.randint(0, 80))),
            payer=chance.choice(member_ids),
            participants=[{"member_id": each} for each in chance.sample(member_ids, chance.randint(1, 4))],
        )
        for _ in range(60)
    ]
    days = [first + datetime.timedelta(days=number) for number in range(-1, 83, 3)]
    # The ends and the middles of months, where it changes how they are added up.
    days += [datetime.date(2024, month, day) for month in (1, 2) for day in (1, 15, 16, 28, 29)]
    for day in [*days, datetime.date(2024, 1, 31), datetime.date.min, datetime.date.max]:
        paid, owed = Counter(), Counter()
        for expense in made:
            if expense["spent_on"] <= str(day):
                for sums, shares in ((paid, expense["payers"]), (owed, expense["participants"])):
                    for share in shares:
                        sums[share["member_id"], expense["currency"]] += share["amount"]
        expected = {key: (paid[key], owed[key]) for key in paid | owed if paid[key] or owed[key]}
        assert await as_of(flat, day) == expected, day
    assert await as_of(flat, "2024-12-31") == {
        key: values[:2] for key, values in (await balances(flat)).items() if values[:2] != (0, 0)
    }


async def test_as_of_a_day_it_lists_former_members_who_were_not_settled_then(flat):
    guest = await flat.guest("Kim")
    await flat.spend(1000, spent_on="2024-03-01")
    await flat.spend(500, payer=guest, participants=[{"member_id": flat.owner_id}], spent_on="2024-03-20")
    await flat.owner.delete(f"{flat.path}/members/{guest}")
    assert guest not in {member for member, _ in await balances(flat)}
    assert (await as_of(flat, "2024-03-10"))[guest, "EUR"] == (0, 500)
    assert (guest, "EUR") not in await as_of(flat, "2024-03-20")


async def test_it_refuses_what_is_no_day(flat):
    for value in ("yesterday", "2024-02-30", "2024-2-3", ""):
        answer = await flat.owner.get(f"{flat.path}/balances", params={"as_of": value})
        assert (answer.status, answer.body["errors"][0]["pointer"]) == (422, "/as_of"), value


async def scans(db, *arguments):
    """Return what reads entries in the plan of balances, as it ran: by an index that is known to be visible to all."""
    # Rows of a commit that is not flushed yet are not marked as visible to all.
    await db.execute("set synchronous_commit = on")
    await db.execute("set enable_seqscan = off")
    statement = "explain (analyze, format json) " + queries.balances.get.sql
    for _ in range(20):
        # A statement of the service that began before keeps rows from being marked as visible to all.
        await db.execute("vacuum analyze entries")
        [[plan]] = await db.fetch(statement, *arguments)
        found = [node for node in walk(json.loads(plan)[0]["Plan"]) if node.get("Relation Name") == "entries"]
        if all(scan.get("Heap Fetches", 0) == 0 for scan in found):
            break
    return found


async def test_it_reads_no_entries(flat, db):
    await expenses(db, flat.team_id, flat.owner_id, 200)
    assert sum(scan["Actual Loops"] for scan in await scans(db, flat.team_id, flat.owner.user_id, None)) == 0


async def test_as_of_a_day_it_reads_half_a_month_from_an_index_alone(bob, flat, db):
    other = await bob.team("Trip")
    for team in (flat, other):
        await expenses(db, team.team_id, team.owner_id, 2000)
    for day, read in ((10, 20), (20, 22), (31, 0)):
        [scan] = await scans(db, flat.team_id, flat.owner.user_id, datetime.date(2025, 1, day))
        assert (scan["Node Type"], scan["Index Name"]) == ("Index Only Scan", "entries_member_idx")
        assert re.search(r"\bteam_id = ", scan["Index Cond"])
        assert (scan["Actual Rows"], scan["Actual Loops"], scan["Heap Fetches"]) == (read, 1, 0)


def walk(node):
    """Yield a plan's nodes."""
    yield node
    for child in node.get("Plans", []):
        yield from walk(child)
