"""Splits without a service around them: short ways to write what is sent, and strategies for all that can be."""

import itertools

import pytest
from hypothesis import assume
from hypothesis import strategies as st

from service.errors import Invalid
from service.expenses.modes import weight_max
from service.expenses.splits import divide
from service.money import amount_max
from service.weights import scale

# One is no UUID: to a split, ids are any text.
ANN, BEN, CLEO = ("a0000000-0000-7000-8000-00000000000a", "b0000000-0000-7000-8000-00000000000b", "cleo")
EVERYBODY = [ANN, BEN, CLEO]
SEED = "0190b5a4-0000-7000-8000-000000000000"


def parts(name, *values):
    """Return Ann, Ben and so on, each with a value of that name."""
    return [{"member_id": each, name: value} for each, value in zip(EVERYBODY, values, strict=False)]


def ids(*member_ids):
    return [{"member_id": each} for each in member_ids]


def item(amount, participants=None, split="equal", **fields):
    return {"amount": amount, "split": split} | fields | ({"participants": participants} if participants else {})


def division(amount, split="equal", participants=None, *, seed=SEED, everybody=EVERYBODY, **sent):
    sent = {"payer": ANN, "payers": None, "allowed": EVERYBODY} | sent
    return divide(seed, amount, split=split, participants=participants, everybody=everybody, **sent)


def owed(*args, **sent):
    return division(*args, **sent).owed


def refusal(*args, **sent):
    """Return the pointer, the code and the words of the one refusal."""
    with pytest.raises(Invalid) as raised:
        division(*args, **sent)
    [error] = raised.value.members["errors"]
    assert error["in"] == "body"
    assert error["detail"] == str(raised.value)
    return error["pointer"], error["code"], error["detail"]


def valued(name, **values):
    """Return members by their ids, each with a value of that name."""
    return [{"member_id": each, name: value} for each, value in values.items()]


def bodies(ann, kim):
    """What is sent of every split, and what Ann and Kim owe of 9000 then."""
    return {
        "equal": ({"participants": [{"member_id": ann}, {"member_id": kim}]}, 4500, 4500),
        "exact": ({"participants": valued("amount", **{ann: 8999, kim: 1})}, 8999, 1),
        "percent": ({"participants": valued("percent", **{ann: 33.3333, kim: 66.6667})}, 3000, 6000),
        "shares": ({"participants": valued("shares", **{ann: 0.5, kim: 7})}, 600, 8400),
        "adjustment": ({"participants": [{"member_id": ann}, *valued("adjustment", **{kim: -250})]}, 4625, 4375),
        "itemised": (
            {
                "items": [
                    {"description": "Wine", "amount": 3000, "participants": [{"member_id": kim}]},
                    {"amount": 5000, "split": "percent", "participants": valued("percent", **{ann: 60, kim: 40})},
                ],
                "tax": 500,
                "tip": 1000,
                "discount": 500,
            },
            3375,
            5625,
        ),
    }


# Cases of every split: an amount, the split, and its participants.

amounts = st.integers(1, amount_max)


def members(minimum=1, maximum=12):
    return st.lists(st.uuids().map(str), min_size=minimum, max_size=maximum, unique=True)


@st.composite
def equal_cases(draw):
    return draw(amounts), "equal", ids(*draw(members()))


@st.composite
def exact_cases(draw):
    shares = {each: draw(st.integers(0, amount_max // 12)) for each in draw(members())}
    shares[next(iter(shares))] += 1
    return sum(shares.values()), "exact", [{"member_id": each, "amount": share} for each, share in shares.items()]


@st.composite
def percent_cases(draw):
    found = draw(members())
    cuts = sorted(draw(st.lists(st.integers(0, 100 * scale), min_size=len(found) - 1, max_size=len(found) - 1)))
    percentages = [(end - start) / scale for start, end in itertools.pairwise([0, *cuts, 100 * scale])]
    participants = [{"member_id": each, "percent": part} for each, part in zip(found, percentages, strict=True)]
    return draw(amounts), "percent", participants


@st.composite
def shares_cases(draw):
    one = st.one_of(st.integers(0, weight_max), st.integers(0, 3), st.integers(0, weight_max * scale).map(down))
    weights = draw(st.dictionaries(st.uuids().map(str), one, min_size=1, max_size=12).filter(any_value))
    return draw(amounts), "shares", [{"member_id": each, "shares": weight} for each, weight in weights.items()]


def down(ten_thousandths):
    return ten_thousandths / scale


def any_value(found):
    return any(found.values())


@st.composite
def adjustment_cases(draw):
    found = draw(members())
    rest = draw(st.integers(0, amount_max // 2))
    # No share can be negative.
    one = st.none() | st.integers(-(rest // len(found)), amount_max // 24)
    adjustments = {each: draw(one) for each in found}
    amount = rest + sum(filter(None, adjustments.values()))
    assume(amount)
    participants = [
        {"member_id": each} | ({} if adjustment is None else {"adjustment": adjustment})
        for each, adjustment in adjustments.items()
    ]
    return amount, "adjustment", participants


cases = st.one_of(equal_cases(), exact_cases(), percent_cases(), shares_cases(), adjustment_cases())


@st.composite
def bills(draw):
    """An itemised expense: what `divide` takes of it by keyword, with its amount."""
    items = [
        {"description": None, "amount": amount, "split": split, "participants": participants}
        for amount, split, participants in draw(st.lists(cases, min_size=1, max_size=5))
    ]
    # So that members are in several items.
    for each in items[1:]:
        each["participants"][0]["member_id"] = items[0]["participants"][0]["member_id"]
    tax, tip = (draw(st.none() | st.integers(0, amount_max)) for _ in range(2))
    total = sum(each["amount"] for each in items) + (tax or 0) + (tip or 0)
    discount = draw(st.none() | st.integers(0, total - 1))
    return {"amount": total - (discount or 0), "items": items, "tax": tax, "tip": tip, "discount": discount}
