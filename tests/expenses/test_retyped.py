"""A change computes from what was typed before, and keeps nothing that another split typed."""

import pytest

from service.errors import Invalid
from service.expenses.splits import divide, retyped, splits
from tests.splits import ANN, BEN, CLEO, EVERYBODY, SEED, division, ids, item, parts


def shown(divided):
    """An expense as it was read: what `retyped` asks of it."""
    return {
        "split": divided.split,
        "payers": divided.payers,
        "participants": divided.participants,
        "items": divided.items,
    }


def changed(divided, changes=None, *, amount=None, typed=..., **sent):
    amount = amount or sum(divided.paid.values())
    keywords = retyped(shown(divided), divided.typed if typed is ... else typed, changes or {})
    return divide(SEED, amount, **keywords, **{"allowed": [*EVERYBODY, "late"], "everybody": EVERYBODY} | sent)


BEFORE = {
    "equal": division(900, "equal", ids(ANN, BEN)),
    "exact": division(900, "exact", parts("amount", 200, 700)),
    "percent": division(900, "percent", parts("percent", 33.3333, 66.6667)),
    "shares": division(900, "shares", parts("shares", 2.5, 0)),
    "adjustment": division(900, "adjustment", [{"member_id": ANN}, {"member_id": BEN, "adjustment": -100}]),
    "itemised": division(900, "itemised", items=[item(500, ids(ANN)), item(300, ids(BEN, ANN))], tax=120, discount=20),
}


def test_there_is_one_of_every_split():
    assert set(BEFORE) == set(splits)


@pytest.mark.parametrize("split", splits)
@pytest.mark.parametrize("payers", [None, parts("amount", 300, 600)])
def test_a_change_of_something_else_changes_no_share(split, payers):
    before = changed(BEFORE[split], {"payers": payers} if payers else {})
    assert changed(before) == before
    assert changed(before, {"split": split, "description": "Supper"}) == before
    assert before.owed == BEFORE[split].owed
    assert retyped(shown(before), before.typed, {}).keys() == (
        {"split", "payer", "payers", "participants", "items", "tax", "tip", "discount"}
    )


@pytest.mark.parametrize("split", splits)
def test_what_was_read_changes_nothing(split):
    before = BEFORE[split]
    sent = {name: getattr(before, name) for name in ("split", "payers", "participants", "items", "tax", "discount")}
    assert changed(before, sent | {"tip": None}) == before


@pytest.mark.parametrize("split", splits)
def test_an_equal_split_keeps_nothing_but_who_shared(split):
    after = changed(BEFORE[split], {"split": "equal"})
    assert after.typed == {"payer": ANN, "participants": ids(ANN, BEN)}
    assert after.owed == {ANN: 450, BEN: 450}
    assert (after.items, after.tax, after.tip, after.discount) == (None, None, None, None)


@pytest.mark.parametrize("split", splits)
def test_an_exact_split_starts_from_the_amounts(split):
    after = changed(BEFORE[split], {"split": "exact"})
    amounts_before = [{"member_id": each, "amount": share} for each, share in BEFORE[split].owed.items()]
    assert after.typed == {"payer": ANN, "participants": amounts_before}
    assert after.owed == BEFORE[split].owed


@pytest.mark.parametrize("split", splits)
@pytest.mark.parametrize("other", ["percent", "shares", "adjustment", "itemised"])
def test_other_splits_need_their_values(split, other):
    if split == other:
        return
    with pytest.raises(Invalid) as raised:
        changed(BEFORE[split], {"split": other})
    place = "/items" if other == "itemised" else "/participants"
    assert [(each["pointer"], each["code"]) for each in raised.value.members["errors"]] == [(place, "required")]
    after = changed(
        BEFORE[split],
        {"split": other} | ({"items": [item(900)]} if other == "itemised" else {"participants": typed_of(other)}),
    )
    assert after.split == other
    assert set(after.typed) == {"payer", "items" if other == "itemised" else "participants"}


def typed_of(split):
    return BEFORE[split].typed["participants"]


def test_values_of_the_split_before_are_refused_and_not_kept():
    # Read in percent, and sent back with another split.
    stale = BEFORE["percent"].participants
    with pytest.raises(Invalid, match="The equal split takes no `percent`"):
        changed(BEFORE["percent"], {"split": "equal", "participants": stale})
    with pytest.raises(Invalid, match="The shares split takes no `percent`"):
        changed(BEFORE["percent"], {"split": "shares", "participants": stale})
    with pytest.raises(Invalid, match="The equal split takes no `items`"):
        changed(BEFORE["itemised"], {"split": "equal", "items": BEFORE["itemised"].items})
    # Amounts of another split are not those of this one.
    with pytest.raises(Invalid, match=r"The equal split makes this `amount` 450, and 200 was sent."):
        changed(BEFORE["exact"], {"split": "equal", "participants": BEFORE["exact"].participants})


@pytest.mark.parametrize("split", ["percent", "shares", "adjustment", "equal"])
def test_a_changed_amount_is_split_by_what_was_typed(split):
    after = changed(BEFORE[split], amount=1800)
    assert after.typed == BEFORE[split].typed
    assert after.paid == {ANN: 1800}
    assert sum(after.owed.values()) == 1800
    assert after == changed(BEFORE[split], {"participants": typed_of(split)}, amount=1800)


def test_a_changed_amount_asks_for_what_was_exact():
    with pytest.raises(Invalid, match=r"The shares come to 900, 100 less than the amount."):
        changed(BEFORE["exact"], amount=1000)
    with pytest.raises(Invalid, match="The items, tax and tip less the discount come to 900, 100 less"):
        changed(BEFORE["itemised"], amount=1000)
    several = changed(BEFORE["equal"], {"payers": parts("amount", 300, 600)})
    with pytest.raises(Invalid, match=r"The payers' amounts come to 900, 100 less than the amount."):
        changed(several, amount=1000)
    assert changed(several, {"payer": BEN}, amount=1000).paid == {BEN: 1000}


def test_one_of_the_charges_can_be_changed_or_taken_away():
    after = changed(BEFORE["itemised"], {"tip": 100}, amount=1000)
    assert (after.tax, after.tip, after.discount) == (120, 100, 20)
    assert after.typed["items"] == BEFORE["itemised"].typed["items"]
    after = changed(BEFORE["itemised"], {"tax": None, "discount": 0}, amount=800)
    assert (after.tax, after.tip, after.discount) == (None, None, 0)
    with pytest.raises(Invalid, match="The itemised split requires `items`"):
        changed(BEFORE["itemised"], {"items": None})


@pytest.mark.parametrize("split", ["equal", "exact"])
def test_what_the_release_before_recorded_follows_from_the_amounts(split):
    assert changed(BEFORE[split], typed=None) == BEFORE[split]
    assert changed(BEFORE[split], {"split": "equal"}, typed=None).owed == {ANN: 450, BEN: 450}
    assert changed(BEFORE[split], {"split": "exact"}, typed=None).owed == BEFORE[split].owed


def test_who_joins_later_changes_nothing_of_what_was_typed():
    before = division(900)
    assert before.owed == {ANN: 300, BEN: 300, CLEO: 300}
    again = changed(before, everybody=[*EVERYBODY, "late"])
    assert again == division(900, "equal", ids(*EVERYBODY))
    bill = division(900, "itemised", items=[item(900)])
    assert changed(bill, everybody=[*EVERYBODY, "late"]).owed == bill.owed
