"""What a split refuses, where and in which words; and what would be a mistake of ours."""

import pytest

from service.expenses.itemised import item_participants_max, items_max
from service.expenses.modes import Mode, modes, percent_max, weight_max
from service.expenses.splits import named, splits
from service.money import amount_max
from service.weights import scale
from tests.splits import ANN, BEN, CLEO, EVERYBODY, division, ids, item, owed, parts, refusal


@pytest.mark.parametrize(
    ("split", "participants", "expected"),
    [
        ("exact", parts("amount", 4, 4), ("", "sum", "The shares come to 8, 1 less than the amount.")),
        ("exact", parts("amount", 4, 6), ("", "sum", "The shares come to 10, 1 more than the amount.")),
        ("exact", ids(ANN), ("/0/amount", "required", "The exact split requires each participant's `amount`.")),
        (
            "exact",
            [*parts("amount", 9), *ids(BEN)],
            ("/1/amount", "required", "The exact split requires each participant's `amount`."),
        ),
        ("exact", None, ("", "required", "The exact split requires `participants`, with their `amount`.")),
        (
            "percent",
            parts("percent", 33.33, 33.33, 33.33),
            ("", "sum", "The percentages come to 99.99, 0.01 less than 100."),
        ),
        (
            "percent",
            parts("percent", 50, 50.0001),
            ("", "sum", "The percentages come to 100.0001, 0.0001 more than 100."),
        ),
        ("percent", parts("percent", 0, 0), ("", "sum", "The percentages come to 0, 100 less than 100.")),
        (
            "percent",
            [*parts("percent", 100), *ids(BEN)],
            ("/1/percent", "required", "The percent split requires each participant's `percent`."),
        ),
        ("percent", ids(ANN), ("/0/percent", "required", "The percent split requires each participant's `percent`.")),
        ("percent", None, ("", "required", "The percent split requires `participants`, with their `percent`.")),
        (
            "shares",
            parts("shares", 0, 0.0),
            ("", "sum", "All shares are 0: at least one must be more."),
        ),
        ("shares", ids(ANN), ("/0/shares", "required", "The shares split requires each participant's `shares`.")),
        ("shares", None, ("", "required", "The shares split requires `participants`, with their `shares`.")),
        (
            "adjustment",
            parts("adjustment", 5, 5),
            ("", "sum", "The adjustments come to 10, 1 more than the amount."),
        ),
        (
            "adjustment",
            parts("adjustment", 0, -12, 0),
            (
                "/1/adjustment",
                "negative",
                "An equal part is 7, so that `adjustment` must be at least -7; -12 was sent.",
            ),
        ),
        (
            "adjustment",
            None,
            (
                "",
                "required",
                "The adjustment split requires `participants`, with their `adjustment`, if they have one.",
            ),
        ),
        (
            "equal",
            parts("amount", 8),
            (
                "/0/amount",
                "not_in_split",
                'The equal split makes this `amount` 9, and 8 was sent. Leave it out, or send `"split": "exact"`.',
            ),
        ),
        (
            "percent",
            [*parts("percent", 100), {"member_id": BEN, "percent": 0, "amount": 1}],
            (
                "/1/amount",
                "not_in_split",
                'The percent split makes this `amount` 0, and 1 was sent. Leave it out, or send `"split": "exact"`.',
            ),
        ),
        (
            "exact",
            [*parts("amount", 9), {"member_id": BEN, "amount": 0, "shares": 1}],
            ("/1/shares", "not_in_split", "The exact split takes no `shares`. Leave it out."),
        ),
    ],
)
def test_it_says_what_does_not_add_up(split, participants, expected):
    """Of a whole expense, and of an item."""
    pointer, code, words = expected
    assert refusal(9, split, participants) == (f"/participants{pointer}", code, words)
    items = [item(1), item(9, participants, split)]
    assert refusal(10, "itemised", items=items) == (f"/items/1/participants{pointer}", code, words)


def test_chance_does_not_decide_whether_an_adjustment_is_too_large():
    # Without the -5, an equal part is 14 / 3: 4 or, with an odd unit, 5.
    words = "An equal part is 4, so that `adjustment` must be at least -4; -5 was sent."
    for number in range(20):
        seed = f"{number}"
        refused = refusal(9, "adjustment", parts("adjustment", -5, 0, 0), seed=seed)
        assert refused == ("/participants/0/adjustment", "negative", words)
        assert owed(10, "adjustment", parts("adjustment", -5, 0, 0), seed=seed) == {ANN: 0, BEN: 5, CLEO: 5}
        assert min(owed(9, "adjustment", parts("adjustment", -4, 0, 0), seed=seed).values()) in {0, 1}


VALUES = {
    "equal": {},
    "exact": {"amount": 9},
    "percent": {"percent": 100},
    "shares": {"shares": 1},
    "adjustment": {"adjustment": 0},
}


@pytest.mark.parametrize("split", modes)
@pytest.mark.parametrize("name", ["percent", "shares", "adjustment"])
def test_a_value_that_a_split_does_not_take_is_refused(split, name):
    sent = [{"member_id": ANN, **VALUES[split], name: VALUES[name][name]}]
    if name in VALUES[split]:
        assert owed(9, split, sent) == {ANN: 9}
        return
    expected = ("not_in_split", f"The {split} split takes no `{name}`. Leave it out.")
    assert refusal(9, split, sent) == (f"/participants/0/{name}", *expected)
    assert refusal(9, "itemised", items=[item(9, sent, split)]) == (f"/items/0/participants/0/{name}", *expected)


@pytest.mark.parametrize("split", modes)
def test_a_member_who_is_listed_twice_is_refused(split):
    twice = [each | VALUES[split] for each in ids(ANN, BEN, ANN)]
    expected = ("repeated", f"{ANN} is in the list twice.")
    assert refusal(9, split, twice) == ("/participants/2/member_id", *expected)
    assert refusal(9, "itemised", items=[item(9, twice, split)]) == ("/items/0/participants/2/member_id", *expected)


def test_nobody_to_share_is_refused():
    assert refusal(9, "equal", []) == ("/participants", "too_few", "This has 0 items; it must have at least 1.")
    assert owed(9, "equal", None) == {ANN: 3, BEN: 3, CLEO: 3}


@pytest.mark.parametrize(
    ("payers", "expected"),
    [
        (
            parts("amount", 4, 4),
            ("/payers", "sum", "The payers' amounts come to 8, 1 less than the amount."),
        ),
        (
            parts("amount", 10),
            ("/payers", "sum", "The payers' amounts come to 10, 1 more than the amount."),
        ),
        (
            [{"member_id": ANN, "amount": 4}, {"member_id": ANN, "amount": 5}],
            ("/payers/1/member_id", "repeated", f"{ANN} is in the list twice."),
        ),
    ],
)
def test_payers_who_did_not_pay_the_amount_are_refused(payers, expected):
    assert refusal(9, payers=payers) == expected


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({"payer": "dan"}, "/payer"),
        ({"payers": [{"member_id": ANN, "amount": 4}, {"member_id": "dan", "amount": 5}]}, "/payers/1/member_id"),
        ({"participants": ids(ANN, "dan")}, "/participants/1/member_id"),
        ({"split": "itemised", "items": [item(4), item(5, ids("dan"))]}, "/items/1/participants/0/member_id"),
    ],
)
def test_who_is_not_allowed_is_refused_wherever_they_are_named(sent, pointer):
    words = "dan is neither an active member nor a former one with an open balance."
    assert refusal(9, **sent) == (pointer, "not_a_member", words)
    assert division(9, **sent, allowed=[*EVERYBODY, "dan"]).owed
    sent = {"payer": ANN, "payers": None, "participants": None} | sent
    assert named(**sent) == {"dan"} | ({ANN} if "payer" not in sent or sent["payer"] == ANN else set())


def test_all_whom_an_expense_names_are_those_in_its_lists():
    assert named(ANN, None, None) == {ANN}
    assert named(ANN, None, ids(BEN)) == {ANN, BEN}
    assert named(ANN, ids(CLEO), ids(BEN)) == {BEN, CLEO}
    assert named(ANN, None, None, [item(1, ids(BEN)), item(2), item(3, ids(CLEO))]) == {ANN, BEN, CLEO}


@pytest.mark.parametrize("split", modes)
@pytest.mark.parametrize("name", ["items", "tax", "tip", "discount"])
def test_what_only_a_bill_has_is_refused_elsewhere(split, name):
    words = f'The {split} split takes no `{name}`. Leave it out, or send `"split": "itemised"`.'
    for value in [[item(9)]] if name == "items" else [0, 1]:
        assert refusal(9, split, ids(ANN), **{name: value}) == (f"/{name}", "not_in_split", words)


@pytest.mark.parametrize("charges", [{}, {"tax": 1, "tip": 1, "discount": 1}])
def test_a_bill_needs_items(charges):
    expected = ("/items", "required", "The itemised split requires `items`, each with its `amount`.")
    assert refusal(9, "itemised", **charges) == expected


@pytest.mark.parametrize(
    ("amount", "charges", "words"),
    [
        (9000, {"tax": 499, "tip": 500}, "come to 8999, 1 less than the amount."),
        (9000, {"tax": 500, "tip": 502, "discount": 1}, "come to 9001, 1 more than the amount."),
        (1, {"discount": 8000}, "come to 0, 1 less than the amount."),
        (1, {"discount": 9000}, "come to -1000, 1001 less than the amount."),
    ],
)
def test_a_bill_that_does_not_come_to_the_amount_is_refused(amount, charges, words):
    expected = ("/items", "sum", f"The items, tax and tip less the discount {words}")
    assert refusal(amount, "itemised", items=[item(5000), item(3000)], **charges) == expected


def test_charges_are_spread_in_proportion_to_the_items():
    items = [item(2000, ids(ANN)), item(1000, ids(BEN)), item(1000, ids(ANN, CLEO))]
    assert owed(4000, "itemised", items=items) == {ANN: 2500, BEN: 1000, CLEO: 500}
    assert owed(4400, "itemised", items=items, tax=280, tip=120) == {ANN: 2750, BEN: 1100, CLEO: 550}
    assert owed(2000, "itemised", items=items, discount=2000) == {ANN: 1250, BEN: 500, CLEO: 250}
    assert owed(1, "itemised", items=items, discount=3999) == {ANN: 1, BEN: 0, CLEO: 0}
    assert owed(4000, "itemised", items=items, tax=0, tip=500, discount=500) == {ANN: 2500, BEN: 1000, CLEO: 500}


def test_a_bill_keeps_what_was_typed_and_everybody_where_nobody_was():
    items = [
        item(600, description="Wine"),
        item(400, parts("percent", 75, 25), "percent", description=None),
    ]
    divided = division(1100, "itemised", items=items, tip=100, discount=0)
    kept = [
        {"description": "Wine", "amount": 600, "split": "equal", "participants": ids(*EVERYBODY)},
        {"description": None, "amount": 400, "split": "percent", "participants": parts("percent", 75, 25)},
    ]
    assert divided.typed == {"payer": ANN, "items": kept, "tip": 100, "discount": 0}
    assert (divided.tax, divided.tip, divided.discount) == (None, 100, 0)
    shown = [dict(each) for each in kept]
    shown[0]["participants"] = parts("amount", 200, 200, 200)
    shown[1]["participants"] = [
        {"member_id": ANN, "percent": 75, "amount": 300},
        {"member_id": BEN, "percent": 25, "amount": 100},
    ]
    assert divided.items == shown
    assert divided.participants == parts("amount", 550, 330, 220)
    columns = divided.columns()
    assert {name: columns[name] for name in ("items", "tax", "tip", "discount")} == {
        "items": shown,
        "tax": None,
        "tip": 100,
        "discount": 0,
    }


def test_it_tells_whether_everybody_shares_by_default():
    assert division(9).is_by_default
    assert not division(9, "equal", ids(*EVERYBODY)).is_by_default
    assert division(9, "itemised", items=[item(4, ids(ANN)), item(5)]).is_by_default
    assert not division(9, "itemised", items=[item(4, ids(ANN)), item(5, ids(BEN))]).is_by_default


def test_participants_of_a_bill_are_those_of_its_items_or_none():
    items = [item(4, ids(ANN)), item(5, ids(BEN))]

    def sent(participants):
        return refusal(9, "itemised", participants, items=items)

    assert owed(9, "itemised", parts("amount", 4, 5), items=items) == {ANN: 4, BEN: 5}
    assert owed(9, "itemised", ids(BEN, ANN), items=items) == {ANN: 4, BEN: 5}
    assert sent(parts("amount", 4, 6)) == (
        "/participants/1/amount",
        "not_in_split",
        'The itemised split makes this `amount` 5, and 6 was sent. Leave it out, or send `"split": "exact"`.',
    )
    assert sent(ids(ANN, CLEO)) == ("/participants/1/member_id", "not_in_split", f"{CLEO} is in none of the items.")
    assert sent(ids(ANN)) == (
        "/participants",
        "not_in_split",
        "The items name 2 members, and `participants` names 1. Leave it out.",
    )
    assert sent(ids(ANN, ANN))[:2] == ("/participants/1/member_id", "repeated")
    assert sent(parts("percent", 50, 50)) == (
        "/participants/0/percent",
        "not_in_split",
        "The itemised split takes no `percent`. Leave it out.",
    )


def test_participants_of_items_are_counted_with_everybody():
    everybody = [f"member {number}" for number in range(40)]
    most = item_participants_max // 40
    sent = {"everybody": everybody, "allowed": [ANN, *everybody]}
    divided = division(most, "itemised", items=[item(1)] * most, **sent)
    assert sum(len(each["participants"]) for each in divided.items) == item_participants_max
    items = [*[item(1)] * most, item(1, ids(ANN, "member 1"))]
    assert refusal(most + 1, "itemised", items=items, **sent) == (
        "/items",
        "too_many",
        "The items have 602 participants in all, 2 more than the maximum of 600.",
    )


# Guards against mistakes of ours.


@pytest.mark.parametrize("made", [{ANN: 5, BEN: 5}, {ANN: 10, BEN: -1}, {ANN: 0}])
def test_a_mode_that_loses_or_makes_money_is_an_error_of_ours(made, monkeypatch):
    monkeypatch.setitem(modes, "broken", Mode(takes=(), divide=lambda *_: made))
    for sent in ({"split": "broken"}, {"split": "itemised", "items": [item(9, split="broken")]}):
        with pytest.raises(AssertionError, match=r"^a split of 9 came to \{"):
            division(9, **sent)


@pytest.mark.parametrize("module", ["itemised", "modes"])
def test_shares_that_lose_money_are_an_error_of_ours(module, monkeypatch):
    monkeypatch.setattr(f"service.expenses.{module}.apportion", lambda *_: {ANN: 8})
    with pytest.raises(AssertionError, match="a split of 9 came to"):
        division(9, "itemised", items=[item(9, parts("amount", 9), "exact" if module == "itemised" else "equal")])


def test_payers_who_lose_money_are_an_error_of_ours(monkeypatch):
    monkeypatch.setattr("service.expenses.splits.summed", lambda *_: {ANN: 8})
    with pytest.raises(AssertionError, match="a split of 9 came to"):
        division(9, payers=parts("amount", 9))


def test_limits_are_as_documented():
    assert (amount_max, percent_max, weight_max, scale) == (10**15, 100, 10**6, 10**4)
    assert (items_max, item_participants_max) == (100, 600)
    assert modes.keys() == {"equal", "exact", "percent", "shares", "adjustment"}
    assert splits == ("equal", "exact", "percent", "shares", "adjustment", "itemised")
