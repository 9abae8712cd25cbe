"""Every way to split over HTTP: what was typed comes back with the amounts, and what was read can be sent back."""

import json

import pytest
from jsonschema import Draft202012Validator
from marshmallow import ValidationError

from service.expenses.itemised import item_participants_max, items_max
from service.expenses.splits import splits
from service.money import amount_max
from service.web.fields import Weight
from tests.rows import all_rows, guests
from tests.splits import bodies, valued


async def entries(db, expense):
    """Member ids to what they paid and owe of an expense."""
    found = await db.fetch(
        "select member_id::text, paid, owed from entries where expense_id = $1", expense["expense_id"]
    )
    return {row["member_id"]: (row["paid"], row["owed"]) for row in found}


def path(team, expense):
    return f"{team.path}/expenses/{expense['expense_id']}"


def amounts(expense):
    return {each["member_id"]: each["amount"] for each in expense["participants"]}


async def change(team, expense, **fields):
    """Send a change of any version; the answer's body."""
    answer = await team.owner.patch(path(team, expense), fields, if_match="*")
    assert answer.status == 200, answer.body
    return answer.body


async def refused(team, expense=None, **fields):
    """The pointer, the code and the words of the one refusal of a change, or of a new expense."""
    if expense:
        answer = await team.owner.patch(path(team, expense), fields, if_match="*")
    else:
        answer = await team.owner.post(f"{team.path}/expenses", {"description": "Dinner", "amount": 9000} | fields)
    assert answer.status == 422, answer.body
    [found] = answer.body["errors"]
    return found["pointer"], found["code"], found["detail"]


async def two_hundred(team, db):
    """The ids of a team's members, after it has grown to two hundred."""
    await guests(db, team.team_id, 199)
    listed = await team.owner.get(f"{team.path}/members?limit=200")
    return [each["member_id"] for each in listed.body["items"]]


BILL = ("items", "tax", "tip", "discount")


def unpriced(document):
    """What was typed of a split, and nothing of what came out."""

    def without(participants):
        return [{name: each[name] for name in each if name != "amount"} for each in participants]

    items = [
        {"description": None, "split": "equal"} | each | {"participants": without(each["participants"])}
        for each in document["items"] or []
    ]
    return {name: document[name] for name in BILL} | {"items": items, "participants": without(document["participants"])}


def test_every_split_is_here():
    assert set(bodies("ann", "kim")) == set(splits)


@pytest.mark.parametrize("split", splits)
async def test_what_was_typed_comes_back_with_the_amounts_and_can_be_sent_back(flat, db, split):
    kim = await flat.guest("Kim")
    typed, mine, theirs = bodies(flat.owner_id, kim)[split]
    expense = await flat.spend(9000, split=split, **typed)
    owed = {flat.owner_id: mine, kim: theirs}
    assert amounts(expense) == owed
    assert await entries(db, expense) == {flat.owner_id: (9000, mine), kim: (0, theirs)}
    assert unpriced(expense) == unpriced(dict.fromkeys(BILL) | {"participants": expense["participants"]} | typed)
    read = await flat.owner.get(path(flat, expense))
    assert read.body == expense
    kept = await db.fetchval("select typed from expenses")
    answer = await flat.owner.patch(path(flat, expense), read.body, read.headers["ETag"])
    assert answer.status == 200, answer.body
    unchanged = {"version": 2, "updated_at": answer.body["updated_at"]}
    assert answer.body == expense | unchanged
    assert await db.fetchval("select typed from expenses") == kept
    # A new one like it has what was read, but for who gets odd units.
    fields = ("amount", "currency", "spent_on", "split", "payers", "participants", *BILL)
    again = await flat.spend(**{name: read.body[name] for name in fields})
    assert {name: again[name] for name in fields} == {name: expense[name] for name in fields}


async def test_numbers_stay_as_they_were_sent(flat, db):
    kim, lee = await flat.guest("Kim"), await flat.guest("Lee")
    body = (
        f'{{"description": "Tea", "amount": 300, "split": "shares", "participants": ['
        f'{{"member_id": "{flat.owner_id}", "shares": 1.50}}, {{"member_id": "{kim}", "shares": 1e0}}, '
        f'{{"member_id": "{lee}", "shares": 0.0001}}]}}'
    )
    headers = {"Content-Type": "application/json"}
    answer = await flat.owner.call("POST", f"{flat.path}/expenses", data=body, headers=headers)
    assert answer.status == 201
    text = json.dumps(answer.body["participants"])
    assert all(each in text for each in ('"shares": 1.5', '"shares": 1.0', '"shares": 0.0001'))
    assert amounts(answer.body) == {flat.owner_id: 180, kim: 120, lee: 0}
    kept = await db.fetchval("select typed -> 'participants' -> 2 ->> 'shares' from expenses")
    assert kept == "0.0001"


@pytest.mark.parametrize(
    ("currency", "amount", "halves"), [("VND", 100_001, {50_000, 50_001}), ("KWD", 5005, {2502, 2503})]
)
@pytest.mark.parametrize("split", ["equal", "percent", "shares", "adjustment", "itemised"])
async def test_odd_units_of_any_currency_go_to_one_of_two(ann, currency, amount, halves, split):
    trip = await ann.team("Trip", currency)
    both = {trip.owner_id, await trip.guest()}
    value = {"percent": 50, "shares": 0.5, "adjustment": 0}.get(split)
    shared = [{"member_id": each} | ({} if value is None else {split: value}) for each in both]
    body = {"items": [{"amount": amount}]} if split == "itemised" else {"participants": shared}
    expense = await trip.spend(amount, split=split, **body)
    assert set(amounts(expense).values()) == halves
    assert expense["currency"] == currency


async def test_all_members_can_pay_and_none_of_them_take_part(flat, db):
    everybody = await two_hundred(flat, db)
    payers = valued("amount", **{each: number for number, each in enumerate(everybody[:199], 1)})
    expense = await flat.spend(19900, payers=payers, participants=[{"member_id": everybody[199]}])
    assert expense["payers"] == payers
    paid = {each["member_id"]: (each["amount"], 0) for each in payers}
    assert await entries(db, expense) == paid | {everybody[199]: (0, 19900)}
    changed = await change(flat, expense, description="Supper", payers=expense["payers"])
    assert changed["payers"] == payers
    words = "The payers' amounts come to 19900, 1 less than the amount."
    assert await refused(flat, expense, amount=19901) == ("/payers", "sum", words)
    changed = await change(flat, expense, amount=19901, payer=everybody[0])
    assert changed["payers"] == [{"member_id": everybody[0], "amount": 19901}]


@pytest.mark.parametrize("split", ["equal", "percent", "shares", "adjustment", "itemised"])
async def test_the_largest_amount_is_split_among_two_hundred(flat, db, split):
    everybody = await two_hundred(flat, db)
    value = {"percent": 0.5, "shares": 10**6, "adjustment": 0}.get(split)
    shared = [{"member_id": each} | ({} if value is None else {split: value}) for each in everybody]
    bill = {"items": [{"amount": amount_max}], "tax": amount_max, "discount": amount_max}
    body = bill if split == "itemised" else {"participants": shared}
    expense = await flat.spend(amount_max, split=split, **body)
    assert set(amounts(expense).values()) == {amount_max // 200}
    assert sum(owed for _, owed in (await entries(db, expense)).values()) == amount_max


async def test_an_item_without_participants_is_shared_by_all_who_were_there(flat, db):
    kim = await flat.guest("Kim")
    items = [{"amount": 100}, {"amount": 50, "participants": [{"member_id": kim}]}]
    expense = await flat.spend(150, split="itemised", items=items)
    await flat.guest("Late")
    assert amounts(expense) == {flat.owner_id: 50, kim: 100}
    kept = json.loads(await db.fetchval("select typed from expenses"))
    assert kept["items"][0]["participants"] == [{"member_id": flat.owner_id}, {"member_id": kim}]
    changed = await change(flat, expense, tip=15, amount=165)
    assert amounts(changed) == {flat.owner_id: 55, kim: 110}
    found = await flat.owner.get(f"{flat.path}/expenses?participant={kim}")
    assert [each["expense_id"] for each in found.body["items"]] == [expense["expense_id"]]


async def test_another_split_keeps_nothing_that_was_typed_for_the_one_before(flat, db):
    kim = await flat.guest("Kim")
    expense = await flat.spend(900, split="percent", participants=valued("percent", **{flat.owner_id: 10, kim: 90}))
    changed = await change(flat, expense, split="equal")
    assert changed["participants"] == valued("amount", **{flat.owner_id: 450, kim: 450})
    assert (await refused(flat, expense, split="shares"))[:2] == ("/participants", "required")
    found = await refused(flat, expense, split="shares", participants=expense["participants"])
    assert found == (
        "/participants/0/percent",
        "not_in_split",
        "The shares split takes no `percent`. Leave it out.",
    )
    assert (await refused(flat, expense, split="itemised"))[:2] == ("/items", "required")
    items = [{"amount": 901, "participants": [{"member_id": kim}]}]
    changed = await change(flat, expense, split="itemised", items=items, discount=1)
    assert changed["participants"] == valued("amount", **{kim: 900})
    assert (await refused(flat, expense, split="equal", discount=1))[:2] == ("/discount", "not_in_split")
    changed = await change(flat, expense, split="exact")
    assert changed["participants"] == valued("amount", **{kim: 900})
    assert (changed["items"], changed["discount"]) == (None, None)
    assert set(json.loads(await db.fetchval("select typed from expenses"))) == {"payer", "participants"}


@pytest.mark.parametrize("split", splits)
async def test_what_a_split_does_not_make_is_refused_with_both_numbers(flat, db, split):
    kim = await flat.guest("Kim")
    typed, mine, _ = bodies(flat.owner_id, kim)[split]
    expense = await flat.spend(9000, split=split, **typed)
    before = await all_rows(db)
    [share] = [each for each in expense["participants"] if each["member_id"] == flat.owner_id]
    share["amount"] += 1
    place = f"/participants/{expense['participants'].index(share)}/amount"
    pointer, code, words = await refused(flat, expense, participants=expense["participants"])
    if split == "exact":
        assert (pointer, code, words) == ("/participants", "sum", "The shares come to 9001, 1 more than the amount.")
    else:
        assert (pointer, code) == (place, "not_in_split")
        assert words.startswith(f"The {split} split makes this `amount` {mine}, and {mine + 1} was sent.")
    if split == "itemised":
        expense["items"][1]["participants"][0]["amount"] = 2999
        pointer, code, words = await refused(flat, expense, items=expense["items"])
        assert (pointer, code) == ("/items/1/participants/0/amount", "not_in_split")
        assert words.startswith("The percent split makes this `amount` 3000, and 2999 was sent.")
    assert await all_rows(db) == before


async def test_it_names_the_numbers_of_what_does_not_add_up(flat, db, subtests):
    ann, kim = flat.owner_id, await flat.guest("Kim")
    before = await all_rows(db)
    for split, mine, theirs, pointer, code, words in [
        ("percent", 50, 49.99, "", "sum", "The percentages come to 99.99, 0.01 less than 100."),
        ("percent", 50, 50.00001, "/1/percent", "too_precise", "This is 50.00001, with 5 decimals; it must have at "),
        ("percent", 100.0001, 0, "/0/percent", "too_large", "This must be at most 100."),
        ("percent", 100, -0.5, "/1/percent", "too_small", "This must be at least 0."),
        ("shares", 1, 1000001, "/1/shares", "too_large", "This must be at most 1000000."),
        ("shares", 0, 0, "", "sum", "All shares are 0: at least one must be more."),
        ("shares", "1", 1, "/0/shares", "invalid", "This must be a number with up to 4 decimals, such as 2.5."),
        ("adjustment", 9001, 0, "", "sum", "The adjustments come to 9001, 1 more than the amount."),
        (
            "adjustment",
            0,
            -9002,
            "/1/adjustment",
            "negative",
            "An equal part is 9001, so that `adjustment` must be at least -9001; -9002 was sent.",
        ),
        ("adjustment", -amount_max - 1, 0, "/0/adjustment", "too_small", f"This must be at least -{amount_max}."),
    ]:
        with subtests.test(f"{split} {mine} {theirs}"):
            found = await refused(flat, split=split, participants=valued(split, **{ann: mine, kim: theirs}))
            assert found[:2] == (f"/participants{pointer}", code)
            assert found[2].startswith(words)
    for sent, pointer, code, words in [
        (
            {"items": [{"amount": 8000}], "tax": 999},
            "/items",
            "sum",
            "The items, tax and tip less the discount come to ",
        ),
        ({"items": None}, "/items", "required", "The itemised split requires `items`, each with its `amount`."),
        (
            {"split": "equal", "tip": 0},
            "/tip",
            "not_in_split",
            "The equal split takes no `tip`. Leave it out, or send ",
        ),
    ]:
        with subtests.test(pointer):
            found = await refused(flat, **{"split": "itemised"} | sent)
            assert found[:2] == (pointer, code)
            assert found[2].startswith(words)
    assert await all_rows(db) == before


async def test_participants_of_items_are_counted_before_they_are_read(flat):
    listed = [{"amount": 1, "participants": [{}] * 200}] * 3
    pointer, code, words = await refused(
        flat, split="itemised", items=[*listed, {"amount": 1, "participants": [{}] * 3}]
    )
    assert (pointer, code) == ("/items", "too_many")
    assert words == "The items have 603 participants in all, 3 more than the maximum of 600."


async def test_participants_of_items_are_counted_with_those_who_share_by_default(flat, db):
    await two_hundred(flat, db)
    pointer, code, words = await refused(flat, amount=4, split="itemised", items=[{"amount": 1}] * 4)
    assert (pointer, code) == ("/items", "too_many")
    assert words == "The items have 800 participants in all, 200 more than the maximum of 600."


async def test_the_longest_bill_can_be_sent_back(flat, db):
    await guests(db, flat.team_id, 5)
    everybody = [each["member_id"] for each in (await flat.owner.get(f"{flat.path}/members")).body["items"]]
    percentages = zip(everybody, (16.6667, 16.6666, 16.6667, 16.6667, 16.6666, 16.6667), strict=True)
    participants = [{"member_id": each, "percent": percent} for each, percent in percentages]
    items = [
        {"description": f"Number {number} on the bill", "amount": 99, "split": "percent", "participants": participants}
        for number in range(items_max)
    ]
    assert len(items) * len(participants) == item_participants_max
    expense = await flat.spend(9900, split="itemised", items=items)
    answer = await flat.owner.patch(path(flat, expense), expense, if_match="*")
    assert (answer.status, answer.body["items"]) == (200, expense["items"])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), True, "1", None, 10**400])
def test_what_is_no_number_is_none(value):
    # No JSON can bring some of these, until it is read in another way.
    with pytest.raises(ValidationError):
        Weight(100, 2.5).read(value)


async def test_what_is_accepted_is_valid_by_the_document(served):
    contract = served.contract
    for schema, values in (("Participant", (0, 100, 33.3333, 0.0001, 0.0185, 66.6667)), ("Share", (0.0185, 50))):
        reference = {"$ref": f"urn:document#/components/schemas/{schema}"}
        validator = Draft202012Validator(reference, registry=contract.registry)
        for value in values:
            sent = {"member_id": "01890000-0000-7000-8000-000000000000", "percent": value, "amount": 1}
            assert validator.is_valid(sent), value
    taken = contract.document["components"]["schemas"]["Participant"]["properties"]
    assert (taken["percent"]["minimum"], taken["percent"]["maximum"]) == (0, 100)
    assert (taken["shares"]["minimum"], taken["shares"]["maximum"]) == (0, 10**6)
    assert (taken["adjustment"]["minimum"], taken["adjustment"]["maximum"]) == (-amount_max, amount_max)
