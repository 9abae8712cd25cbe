"""What was written, in words: a table of cases, and that nothing that may be in a row makes a sentence fail."""

import re
from pathlib import Path

import pytest

from service.history import actions
from service.history.differences import differences, write_of
from service.history.sentences import sentence, title, told_by
from service.history.words import money

SQL = Path(__file__).parents[2] / "sql"
ANN, BOB, CLEO, DAN, EVE, FAY, GUS = (f"019a5b3c-0000-7000-8000-00000000000{n}" for n in range(1, 8))
NAMES = {ANN: "Ann", BOB: "Bob", CLEO: "Cleo", DAN: "Dan", EVE: "Eve", FAY: "Fay", GUS: "Gus"}
EXPENSE = "019a5b40-0000-7000-8000-000000000001"


def parts(field="amount", **values):
    """Return a list of payers or participants by the first letters of their names."""
    ids = {name[0].lower(): member_id for member_id, name in NAMES.items()}
    return [{"member_id": ids[each], field: value} for each, value in values.items()]


def weighted(field, amounts, **values):
    both = zip(parts(**amounts), parts(field, **values), strict=True)
    return [amount | value for amount, value in both]


DINNER = {
    "expense_id": EXPENSE,
    "kind": "expense",
    "description": "Dinner",
    "category": None,
    "amount": 9000,
    "currency": "EUR",
    "handed_amount": None,
    "handed_currency": None,
    "spent_on": "2026-05-17",
    "notes": None,
    "external_id": None,
    "metadata": {},
    "split": "equal",
    "payers": parts(a=9000),
    "participants": parts(a=3000, b=3000, c=3000),
    "items": None,
    "tax": None,
    "tip": None,
    "discount": None,
    "typed": {"payer": ANN},
    "created_by": ANN,
    "recorded_revision": 4,
    "version": 1,
}
EXACT = DINNER | {"split": "exact"}
PERCENT = {"split": "percent", "participants": weighted("percent", {"a": 4500, "b": 4500}, a=50, b=50)}
SHARES = {"split": "shares", "participants": weighted("shares", {"a": 6000, "b": 3000}, a=2, b=1)}
BILL = {"split": "itemised", "items": [{"description": "Wine", "amount": 8000}], "tip": 1000}
SEVEN = dict.fromkeys("abcdefg", 1000)

CHANGED = [
    ({"amount": 9500}, "changed the amount from 90.00 EUR to 95.00 EUR"),
    ({"currency": "JPY"}, "changed the amount from 90.00 EUR to 9000 JPY"),
    ({"amount": 1250, "currency": "KWD"}, "changed the amount from 90.00 EUR to 1.250 KWD"),
    (
        {"amount": 9500, "payers": parts(a=9500), "participants": parts(a=4750, c=4750)},
        "changed the amount from 90.00 EUR to 95.00 EUR and took Bob out",
    ),
    ({"participants": parts(c=9000)}, "took Ann and Bob out"),
    ({"participants": parts(a=2250, b=2250, c=2250, d=2250)}, "added Dan"),
    ({"participants": parts(a=3000, b=3000, d=3000)}, "took Cleo out and added Dan"),
    ({"participants": parts(**SEVEN)}, "added Dan, Eve, Fay and Gus"),
    ({"participants": parts(a=2999, b=3000, c=3001)}, "changed the shares"),
    ({"participants": parts(c=3000, b=3000, a=3000)}, 'saved the expense "Dinner" without changing anything'),
    ({}, 'saved the expense "Dinner" without changing anything'),
    ({"description": "Lunch"}, 'changed the description from "Dinner" to "Lunch"'),
    ({"description": 'Say "hi"'}, 'changed the description from "Dinner" to "Say "hi""'),
    ({"spent_on": "2026-05-18"}, "changed the date from 2026-05-17 to 2026-05-18"),
    ({"kind": "income"}, "made it an income"),
    ({"category": "food"}, 'set the category to "food"'),
    ({"notes": "with wine\nand more"}, 'set the notes to "with wine and more"'),
    ({"notes": "x" * 100}, f'set the notes to "{"x" * 59}…"'),
    ({"external_id": "bank:17"}, 'set the external id to "bank:17"'),
    ({"metadata": {"order": "A-17"}}, 'set the metadata order to "A-17"'),
    ({"payers": parts(b=9000)}, "changed who paid from Ann to Bob"),
    (
        {"payers": parts(a=6000, b=3000)},
        "added Bob to those who paid and changed what Ann paid from 90.00 EUR to 60.00 EUR",
    ),
    (PERCENT, "split it by percentages instead of equally and took Cleo out"),
    ({"split": "shares"}, "split it by shares instead of equally"),
    ({"split": "by weight"}, 'split it by "by weight" instead of equally'),
    (BILL, "split it by the items of the bill instead of equally and set the tip to 10.00 EUR"),
    (
        {"amount": 9500, "spent_on": "2026-05-18", "category": "food", "participants": parts(a=4750, c=4750)},
        (
            "changed the amount from 90.00 EUR to 95.00 EUR, changed the date from 2026-05-17 to 2026-05-18, set the "
            'category to "food" and took Bob out'
        ),
    ),
]

# Where the row before is another one than the dinner's.
CHANGED_FROM = [
    ({"category": "food"}, {"category": "fun"}, 'changed the category from "food" to "fun"'),
    ({"category": "food"}, {"category": None}, 'removed the category "food"'),
    ({"notes": "old"}, {"notes": None}, 'removed the notes "old"'),
    ({"external_id": "1"}, {"external_id": None}, 'removed the external id "1"'),
    (
        {"metadata": {"a": "1", "b": "2", "c": "3"}},
        {"metadata": {"a": "1", "b": "4"}},
        'changed the metadata b from "2" to "4" and removed the metadata c "3"',
    ),
    ({"kind": "income"}, {"kind": "expense"}, "made it an expense"),
    ({"kind": "income"}, {"kind": "income", "payers": parts(b=9000)}, "changed who received it from Ann to Bob"),
    (
        {"payers": parts(a=6000, b=3000)},
        {"payers": parts(a=4500, b=4500)},
        "changed what Ann paid from 60.00 EUR to 45.00 EUR and changed what Bob paid from 30.00 EUR to 45.00 EUR",
    ),
    (
        {"payers": parts(a=6000, b=3000)},
        {"payers": parts(a=9000)},
        "removed Bob from those who paid and changed what Ann paid from 60.00 EUR to 90.00 EUR",
    ),
    (
        {"payers": parts(a=6000, b=3000)},
        {"payers": parts(a=6667, b=3333), "amount": 10000},
        "changed the amount from 90.00 EUR to 100.00 EUR",
    ),
    (
        EXACT,
        {"participants": parts(a=1500, b=4500, c=3000)},
        "changed Ann's share from 30.00 EUR to 15.00 EUR and changed Bob's share from 30.00 EUR to 45.00 EUR",
    ),
    (
        EXACT,
        {"amount": 12000, "participants": parts(a=4000, b=4000, c=4000)},
        "changed the amount from 90.00 EUR to 120.00 EUR",
    ),
    (
        EXACT,
        {"amount": 10500, "participants": parts(a=3000, b=4500, c=3000)},
        "changed the amount from 90.00 EUR to 105.00 EUR and changed Bob's share from 30.00 EUR to 45.00 EUR",
    ),
    (
        EXACT | {"participants": parts(**SEVEN)},
        {"participants": parts(**dict.fromkeys("abcde", 2000), f=1000, g=1000)},
        "changed 5 shares",
    ),
    (PERCENT, {"amount": 10000}, "changed the amount from 90.00 EUR to 100.00 EUR"),
    (
        PERCENT,
        {"participants": weighted("percent", {"a": 3600, "b": 5400}, a=40, b=60)},
        "changed Ann's share from 50% to 40% and changed Bob's share from 50% to 60%",
    ),
    (
        SHARES,
        {"participants": weighted("shares", {"a": 4500, "b": 4500}, a=2, b=2)},
        "changed Bob's shares from 1 to 2",
    ),
    (
        {"split": "adjustment", "participants": parts(a=3000, b=3000, c=3000)},
        {"participants": weighted("adjustment", {"a": 2800, "b": 3400, "c": 2800}, a=0, b=600, c=0)},
        "changed Bob's adjustment from 0.00 EUR to 6.00 EUR",
    ),
    (BILL, {"items": [{"description": "Beer", "amount": 8000}]}, "changed the items of the bill"),
    (BILL, {"tip": None, "tax": 500}, "set the tax to 5.00 EUR and removed the tip 10.00 EUR"),
    ({"split": "shares"}, {"split": "exact"}, "split it by exact amounts instead of by shares"),
]


def said(action, before, after, subject_id=EXPENSE, actor_id=ANN):
    return sentence(write_of(action, actor_id, subject_id, before, after), NAMES)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [({}, *case) for case in CHANGED] + CHANGED_FROM,
    ids=[case[-1] for case in CHANGED + CHANGED_FROM],
)
def test_a_changed_expense_in_words(before, after, words):
    assert said("expenses.update", DINNER | before, DINNER | before | after) == f"Ann {words}"


PAID = DINNER | {"kind": "settlement", "split": "exact", "payers": parts(b=4500), "participants": parts(c=4500)}
PAID |= {"amount": 4500, "description": "Settlement"}
EXCHANGED = PAID | {"amount": 5400, "currency": "USD", "handed_amount": 4500, "handed_currency": "EUR"}
KIM = {"member_id": BOB, "user_id": None, "name": "Bob", "role": "member", "left_at": None, "version": 1}
LEFT = KIM | {"left_at": "2026-05-17T19:30:12.482913+02:00"}
FLAT = {"team_id": EXPENSE, "name": "Flat", "currency": "EUR", "time_zone": "UTC", "archived_at": None, "version": 1}
CLOSED = FLAT | {"archived_at": "2026-05-17T19:30:12+00:00"}
OPEN = FLAT | {"closed_until": None}
SHUT = FLAT | {"closed_until": "2026-03-31"}
LATER = FLAT | {"closed_until": "2026-04-30"}
OTHERS = [
    ("expenses.create", None, DINNER, 'added the expense "Dinner" of 90.00 EUR, paid by Ann'),
    ("expenses.create", None, DINNER | {"kind": "income"}, 'added the income "Dinner" of 90.00 EUR, received by Ann'),
    (
        "expenses.create",
        None,
        DINNER | {"payers": parts(**SEVEN)},
        'added the expense "Dinner" of 90.00 EUR, paid by Ann, Bob, Cleo, Dan and 3 others',
    ),
    ("expenses.delete", DINNER, None, 'deleted the expense "Dinner" of 90.00 EUR'),
    ("settlements.create", None, PAID, "recorded that Bob paid Cleo 45.00 EUR"),
    ("settlements.create", None, EXCHANGED, "recorded that Bob paid Cleo 45.00 EUR for 54.00 USD"),
    ("settlements.delete", PAID, None, "deleted the settlement of 45.00 EUR from Bob to Cleo"),
    ("settlements.update", PAID, PAID | {"amount": 50}, "changed the amount from 45.00 EUR to 0.50 EUR"),
    ("settlements.update", PAID, PAID | {"payers": parts(d=1)}, "changed who paid from Bob to Dan"),
    ("settlements.update", PAID, PAID | {"participants": parts(d=1)}, "changed who received it from Cleo to Dan"),
    ("settlements.update", PAID, EXCHANGED, "set the debt that it settles to 54.00 USD"),
    ("settlements.update", EXCHANGED, PAID, "removed the debt that it settles 54.00 USD"),
    (
        "settlements.update",
        PAID,
        PAID | {"spent_on": "2026-05-18", "notes": "By bank"},
        'changed the date from 2026-05-17 to 2026-05-18 and set the notes to "By bank"',
    ),
    ("settlements.update", PAID, PAID, "saved the settlement without changing anything"),
    ("members.create", None, KIM, "added Bob as a member"),
    ("members.create", None, KIM | {"role": "admin"}, "added Bob as an admin"),
    ("members.create", None, KIM | {"role": "guest"}, "added Bob as a guest"),
    ("members.create", LEFT, KIM, "took Bob back as a member"),
    ("members.update", KIM, KIM | {"name": "Rob"}, 'renamed "Bob" to "Rob"'),
    ("members.update", KIM, KIM | {"role": "owner"}, "made Bob an owner instead of a member"),
    ("members.update", KIM, KIM | {"user_id": ANN}, "changed the account"),
    ("members.update", KIM, KIM, "saved Bob without changing anything"),
    ("members.delete", KIM, LEFT, "removed Bob"),
    ("teams.create", None, FLAT, 'created the team "Flat" with the currency EUR'),
    ("teams.update", FLAT, FLAT | {"name": "House"}, 'renamed the team from "Flat" to "House"'),
    ("teams.update", FLAT, FLAT | {"currency": "USD"}, "changed the currency from EUR to USD"),
    ("teams.update", FLAT, FLAT | {"time_zone": "Asia/Tokyo"}, "changed the time zone from UTC to Asia/Tokyo"),
    ("teams.update", FLAT, CLOSED, "archived the team"),
    ("teams.update", FLAT, FLAT | {"closed_until": "2026-03-31"}, "saved the team without changing anything"),
    ("teams.update", OPEN, SHUT, "closed the books until 2026-03-31"),
    ("teams.update", SHUT, LATER, "closed the books until 2026-04-30 instead of 2026-03-31"),
    ("teams.update", SHUT, OPEN, "opened the books, which were closed until 2026-03-31"),
    ("teams.update", CLOSED, FLAT | {"name": "House"}, 'renamed the team from "Flat" to "House" and restored the team'),
    ("teams.update", FLAT, FLAT, "saved the team without changing anything"),
    ("teams.delete", FLAT, None, 'deleted the team "Flat"'),
    ("teams.restore", FLAT, FLAT | {"version": 3}, 'restored the deleted team "Flat"'),
    # As releases before left them, or one to come.
    ("teams.update", {"name": "Flat"}, FLAT | {"name": "House"}, 'renamed the team from "Flat" to "House"'),
    ("teams.delete", None, None, "removed the team"),
    ("members.delete", None, LEFT, "removed somebody"),
    ("expenses.update", None, DINNER, "changed the expense"),
    ("expenses.merge", DINNER, DINNER, "did something else (expenses.merge)"),
    ("budgets.create", None, {"limit": 7}, "did something else (budgets.create)"),
    ("strange", None, None, "did something else (strange)"),
]


@pytest.mark.parametrize(("action", "before", "after", "words"), OTHERS, ids=[case[-1] for case in OTHERS])
def test_what_else_is_written_in_words(action, before, after, words):
    subject_id = BOB if action.startswith("members") else EXPENSE
    assert said(action, before, after, subject_id) == f"Ann {words}"


@pytest.mark.parametrize(
    ("action", "before", "after", "words"),
    [
        ("members.delete", KIM, LEFT, "left the team"),
        ("members.update", KIM, KIM | {"name": "Rob"}, 'changed their name from "Bob" to "Rob"'),
        ("members.update", KIM, KIM | {"role": "viewer"}, "made themselves a viewer instead of a member"),
    ],
)
def test_what_somebody_does_to_themselves(action, before, after, words):
    assert said(action, before, after, BOB, BOB) == f"Bob {words}"


@pytest.mark.parametrize(
    ("amount", "currency", "words"),
    [
        (9000, "EUR", "90.00 EUR"),
        (5, "EUR", "0.05 EUR"),
        (0, "EUR", "0.00 EUR"),
        (-50, "EUR", "-0.50 EUR"),
        (500, "JPY", "500 JPY"),
        (1250, "KWD", "1.250 KWD"),
        (7, "KWD", "0.007 KWD"),
        (10**15, "EUR", "10000000000000.00 EUR"),
        (None, "EUR", "an amount"),
    ],
)
def test_an_amount_has_its_currency_s_decimals(amount, currency, words):
    assert money(amount, currency) == words


def test_every_action_that_is_written_is_told():
    written = set()
    for path in SQL.rglob("*.sql"):
        text = path.read_text()
        if "insert into revisions" in text:
            found = set(re.findall(r"'(\w+\.\w+)'", text))
            for verb in re.findall(r"\|\| '(\.\w+)'", text):
                found |= {f"{feature}{verb}" for feature in ("expenses", "settlements")}
            assert found, path
            written |= found
    assert written == set(actions)
    assert {(write_of(each, ANN, BOB, None, None).subject, each.split(".")[1]) for each in actions} == set(told_by)
    assert written <= {case[0] for case in OTHERS} | {"expenses.update"}


ROWS = {"expenses": DINNER | BILL, "settlements": EXCHANGED, "members": KIM, "teams": CLOSED}


@pytest.mark.parametrize("action", actions)
def test_no_field_that_is_missing_or_null_makes_it_fail(action):
    row = ROWS[action.split(".", maxsplit=1)[0]]
    poor = [{key: row[key] for key in row if key != name} for name in row] + [row | {name: None} for name in row]
    for each in [*poor, {}, row]:
        for before, after in ((each, row), (row, each), (each, each), (None, each), (each, None)):
            write = write_of(action, ANN, BOB, before, after)
            assert sentence(write, {}).startswith("somebody ")
            title(write, {})
            differences(write)


def test_what_only_the_service_sees_is_no_difference():
    changed = DINNER | {"typed": {}, "recorded_revision": 9, "version": 2, "updated_at": "2026-01-01", "deleted_at": 1}
    assert differences(write_of("expenses.update", ANN, EXPENSE, DINNER, changed)) == []
    marked = KIM | {"read_revision": 9, "joined_at": "2026-01-01"}
    assert differences(write_of("members.update", ANN, BOB, KIM, marked)) == []
