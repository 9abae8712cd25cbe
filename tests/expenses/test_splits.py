"""The arithmetic of every split: nothing is lost, nobody is favoured, and the same comes out again."""

import itertools
import json
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.expenses.modes import modes, weight_max
from service.money import amount_max
from service.weights import decimals_of, scale, scaled, written
from tests.splits import (
    ANN,
    BEN,
    CLEO,
    SEED,
    amounts,
    bills,
    cases,
    division,
    ids,
    item,
    members,
    owed,
    parts,
)

settings.register_profile("splits", deadline=None, database=None)
settings.load_profile("splits")

# What is known to be got wrong.


@pytest.mark.parametrize(
    ("amount", "members", "expected"),
    [
        (3000, 7, [428] * 3 + [429] * 4),  # 30.00 EUR: seven times 4.29 is 3 cents too much.
        (10000, 3, [3333, 3333, 3334]),  # 100.00 EUR
        (100, 3, [33, 33, 34]),  # 100 JPY, which has no decimals.
        (1, 7, [0] * 6 + [1]),  # A cent.
        (100_000, 3, [33333, 33333, 33334]),  # 100000 VND, without decimals.
        (5005, 2, [2502, 2503]),  # 5.005 KWD, with three decimals: no half fils, and none of 2.50.
        (amount_max, 7, [142857142857142] + [142857142857143] * 6),
    ],
)
def test_equal_shares_come_to_the_amount_to_the_last_unit(amount, members, expected):
    everybody = [f"member {number}" for number in range(members)]
    shares = owed(amount, everybody=everybody)
    assert sorted(shares.values()) == expected
    assert list(shares) == everybody


def test_what_was_computed_once_is_computed_again():
    # A change of the draw would move money at the next edit.
    assert owed(10) == {ANN: 3, BEN: 4, CLEO: 3}
    assert owed(10, seed="another") == {ANN: 3, BEN: 3, CLEO: 4}
    assert owed(100, "percent", parts("percent", 33.3333, 33.3333, 33.3334)) == {ANN: 33, BEN: 33, CLEO: 34}
    assert owed(1000, "shares", parts("shares", 0.5, 1, 7)) == {ANN: 59, BEN: 118, CLEO: 823}
    assert owed(1000, "adjustment", parts("adjustment", -100, 0, 51)) == {ANN: 249, BEN: 350, CLEO: 401}
    items = [item(500, ids(ANN, BEN)), item(501)]
    assert owed(1101, "itemised", items=items, tip=100) == {ANN: 458, BEN: 459, CLEO: 184}


def test_a_seed_is_any_text_and_every_item_has_its_own():
    items = [item(1, ids(ANN, BEN)) for _ in range(20)]
    got = [each["participants"][0]["amount"] for each in division(20, "itemised", items=items).items]
    assert set(got) == {0, 1}
    again = [owed(1, "equal", ids(ANN, BEN), seed=f"{SEED}:{index}")[ANN] for index in range(20)]
    assert got == again


@pytest.mark.parametrize(
    ("split", "sent"),
    [
        ("equal", {"participants": ids(ANN, BEN)}),
        ("percent", {"participants": parts("percent", 50, 50)}),
        ("shares", {"participants": parts("shares", 0.5, 0.5)}),
        ("adjustment", {"participants": parts("adjustment", -7, -7)}),
        ("itemised", {"items": [item(2, ids(ANN, BEN))], "discount": 1}),
    ],
)
def test_the_seed_decides_who_gets_the_odd_unit_and_favours_nobody(split, sent):
    won = sum(owed(1, split, seed=f"{number}", **sent)[ANN] for number in range(400))
    # Half of them; five standard deviations are 50.
    assert abs(won - 200) < 50


def test_who_has_no_adjustment_has_one_of_zero():
    participants = [{"member_id": ANN}, {"member_id": BEN, "adjustment": 0}]
    assert all(owed(200, "adjustment", participants, seed=f"{number}")[ANN] == 100 for number in range(20))


# Properties.

seeds = st.text(max_size=40)


def names_of(participants):
    return [each["member_id"] for each in participants]


def of_case(case, seed=SEED):
    amount, split, participants = case
    return division(amount, split, participants, seed=seed, payer=ANN, allowed=[ANN, *names_of(participants)])


def of_bill(bill, seed=SEED, **sent):
    among = {each for item in bill["items"] for each in names_of(item["participants"])}
    return division(**bill | {"split": "itemised", "seed": seed, "allowed": [ANN, *among]} | sent)


def exact_share(case, member_id):
    """What a member would owe if there were parts of a minor unit."""
    amount, split, participants = case
    [mine] = [each for each in participants if each["member_id"] == member_id]
    if split == "exact":
        return mine["amount"]
    if split == "adjustment":
        rest = amount - sum(each.get("adjustment", 0) for each in participants)
        return Fraction(rest, len(participants)) + mine.get("adjustment", 0)
    weights = [scaled(each.get(split, 1)) for each in participants]
    return Fraction(amount * scaled(mine.get(split, 1)), sum(weights))


@given(cases, seeds)
def test_shares_are_integers_that_come_to_the_amount(case, seed):
    amount, _, participants = case
    shares = of_case(case, seed).owed
    assert sum(shares.values()) == amount
    assert list(shares) == names_of(participants)
    assert all(type(share) is int and 0 <= share <= amount for share in shares.values())


@given(cases, seeds)
def test_a_share_is_less_than_one_unit_from_what_it_would_be_with_parts_of_units(case, seed):
    for member_id, share in of_case(case, seed).owed.items():
        assert abs(share - exact_share(case, member_id)) < 1


@given(cases, seeds, st.randoms(use_true_random=False))
def test_the_order_of_the_participants_does_not_matter(case, seed, chance):
    amount, split, participants = case
    shuffled = list(participants)
    chance.shuffle(shuffled)
    assert of_case((amount, split, shuffled), seed).owed == of_case(case, seed).owed


@given(cases, seeds)
def test_who_has_as_much_typed_owes_as_much_or_a_unit_more_and_who_has_more_never_less(case, seed):
    _, split, participants = case
    shares = of_case(case, seed).owed
    name = "".join(modes[split].takes) or "none"
    for one, other in itertools.permutations(participants, 2):
        mine, theirs = one.get(name, 0), other.get(name, 0)
        difference = shares[one["member_id"]] - shares[other["member_id"]]
        assert mine != theirs or abs(difference) <= 1
        assert mine <= theirs or difference >= 0


@given(members(2), amounts, seeds)
def test_nobody_owes_less_of_a_larger_amount_that_is_shared_equally(found, amount, seed):
    less, more = (of_case((each, "equal", ids(*found)), seed).owed for each in (amount, amount + 1))
    assert all(less[each] <= more[each] for each in found)


@given(cases, seeds)
def test_what_comes_out_can_be_sent_again_and_what_was_typed_gives_the_same(case, seed):
    amount, split, participants = case
    divided = of_case(case, seed)
    assert of_case((amount, split, divided.participants), seed) == divided
    assert divided.typed == {"payer": ANN, "participants": participants}
    # As the database keeps it.
    kept = json.loads(json.dumps(divided.typed))
    assert of_case((amount, split, kept["participants"]), seed) == divided
    for typed, shown in zip(participants, divided.participants, strict=True):
        assert shown == typed | {"amount": divided.owed[typed["member_id"]]}


@given(bills(), seeds)
def test_a_bill_comes_to_the_amount_item_by_item_and_in_all(bill, seed):
    divided = of_bill(bill, seed)
    assert sum(divided.owed.values()) == bill["amount"]
    assert min(divided.owed.values()) >= 0
    subtotals = dict.fromkeys(divided.owed, 0)
    for typed, shown in zip(bill["items"], divided.items, strict=True):
        assert sum(each["amount"] for each in shown["participants"]) == typed["amount"]
        for each in shown["participants"]:
            subtotals[each["member_id"]] += each["amount"]
    whole = sum(subtotals.values())
    for member_id, share in divided.owed.items():
        assert abs(share - Fraction(bill["amount"] * subtotals[member_id], whole)) < 1
    if bill["amount"] == whole:
        assert divided.owed == subtotals
    assert divided.participants == [{"member_id": each, "amount": share} for each, share in divided.owed.items()]


@given(bills(), seeds, st.randoms(use_true_random=False))
def test_the_order_of_the_members_in_the_items_does_not_matter(bill, seed, chance):
    shuffled = [each | {"participants": list(each["participants"])} for each in bill["items"]]
    for each in shuffled:
        chance.shuffle(each["participants"])
    assert of_bill(bill | {"items": shuffled}, seed).owed == of_bill(bill, seed).owed


@given(bills(), seeds)
def test_a_bill_as_it_is_answered_can_be_sent_again(bill, seed):
    divided = of_bill(bill, seed)
    assert of_bill(bill | {"items": divided.items}, seed, participants=divided.participants) == divided
    assert of_bill(bill | {"items": json.loads(json.dumps(divided.typed))["items"]}, seed) == divided


@given(st.one_of(cases.map(of_case), bills().map(of_bill)))
def test_what_is_written_fits_its_columns_and_balances(divided):
    columns = divided.columns()
    amount = sum(divided.paid.values())
    assert sum(columns["paid"]) == sum(columns["owed"]) == amount
    assert all(0 <= each <= amount < 2**63 for each in columns["paid"] + columns["owed"])
    assert len(set(columns["member_ids"])) == len(columns["member_ids"])
    assert set(columns["member_ids"]) == divided.paid.keys() | divided.owed.keys()


# Payers.


@given(st.lists(st.integers(1, amount_max), min_size=1, max_size=200), seeds)
def test_all_members_can_have_paid_whatever_they_owe(paid, seed):
    everybody = [f"member {number}" for number in range(200)]
    payers = [{"member_id": each, "amount": amount} for each, amount in zip(everybody, paid, strict=False)]
    divided = division(
        sum(paid), "equal", ids("member 199"), seed=seed, payers=payers, allowed=everybody, everybody=everybody
    )
    assert divided.payers == payers
    assert list(divided.paid.values()) == paid
    assert divided.owed == {"member 199": sum(paid)}


def test_several_payers_and_who_takes_no_part():
    payers = [{"member_id": CLEO, "amount": 400}, {"member_id": ANN, "amount": 500}]
    divided = division(900, "equal", ids(BEN), payers=payers)
    assert divided.columns() == {
        "split": "equal",
        "typed": {"payers": payers, "participants": ids(BEN)},
        "payers": payers,
        "participants": [{"member_id": BEN, "amount": 900}],
        "items": None,
        "tax": None,
        "tip": None,
        "discount": None,
        "member_ids": [CLEO, ANN, BEN],
        "paid": [400, 500, 0],
        "owed": [0, 0, 900],
    }


def test_income_is_the_other_way_round_in_the_ledger_and_nowhere_else():
    divided = division(900, "exact", parts("amount", 200, 700), payer=CLEO)
    expense, income = divided.columns(), divided.columns("income")
    assert (expense["paid"], expense["owed"]) == ([900, 0, 0], [0, 200, 700])
    assert (income["paid"], income["owed"]) == ([0, 200, 700], [900, 0, 0])
    assert {name for name in expense if expense[name] != income[name]} == {"paid", "owed"}
    assert divided.columns("settlement") == expense


def test_a_single_payer_is_kept_as_who_paid_the_whole():
    divided = division(900, payers=[{"member_id": BEN, "amount": 900}], payer=CLEO)
    assert divided.typed["payer"] == BEN
    assert divided.payers == [{"member_id": BEN, "amount": 900}]
    assert "payers" not in divided.typed


# Numbers with decimals.


@given(st.integers(0, weight_max * scale))
def test_a_number_with_four_decimals_is_read_as_it_is_written(ten_thousandths):
    text = written(ten_thousandths)
    for value in {float(text), json.loads(text)}:
        assert scaled(value) == ten_thousandths
        assert decimals_of(value) <= 4
    assert "e" not in text.lower()
    assert not text.endswith("0") or "." not in text


@pytest.mark.parametrize(
    ("value", "decimals"),
    [
        *[(0, 0), (0.0, 0), (100, 0), (100.0, 0), (1e3, 0), (1e308, 0), (0.5, 1), (33.3333, 4), (1e-4, 4), (1e-5, 5)],
        *[(33.33333, 5), (0.1 + 0.2, 17), (2.5000, 1), (1e-300, 300), (float("inf"), 0)],
    ],
)
def test_it_counts_decimals_as_they_are_written(value, decimals):
    assert decimals_of(value) == decimals


def test_numbers_are_written_as_people_do():
    assert [written(each) for each in (0, 1, 999900, 1000000, 10**10)] == ["0", "0.0001", "99.99", "100", "1000000"]
