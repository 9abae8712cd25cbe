"""Phrases for what was changed of an expense, an income or a settlement."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from service.history.differences import Shown
from service.history.words import Names, money, name_of, named, quoted, setting, with_article

# How an amount is split, after "split it".
ways = {
    "equal": "equally",
    "exact": "by exact amounts",
    "percent": "by percentages",
    "shares": "by shares",
    "adjustment": "equally with adjustments",
    "itemised": "by the items of the bill",
}
# What a split takes for each participant, and what that is called; those of the other splits follow from the rest.
typed = {"exact": ("amount", "share"), "percent": ("percent", "share"), "shares": ("shares", "shares")} | {
    "adjustment": ("adjustment", "adjustment")
}
# Of more, a sentence says only how many changed.
told_max = 4


def who_paid(side: Shown, names: Names) -> str:
    """Return who paid an expense or received an income, to be appended to what was recorded."""
    payers = [part.get("member_id") for part in side.get("payers") or ()]
    word = "received" if side.get("kind") == "income" else "paid"
    return f", {word} by {named(payers, names)}" if payers else ""


def expense_changes(before: Shown, after: Shown, names: Names) -> list[str]:
    """Return what was changed, as phrases that follow somebody's name."""
    # What one of them lacks is of another release, and did not change.
    known = before.keys() & after.keys()
    before, after = ({name: side[name] for name in side if name in known} for side in (before, after))
    phrases = []
    if before.get("kind") != after.get("kind"):
        phrases.append(f"made it {with_article(after.get('kind'))}")
    phrases += _texts(before, after, ["description"])
    sums = [(side.get("amount"), side.get("currency")) for side in (before, after)]
    if sums[0] != sums[1]:
        phrases.append(setting("the amount", *(money(*each) for each in sums)))
    for field in ("spent_on", "settled_on"):
        if before.get(field) != after.get(field):
            phrases.append(setting("the date", before.get(field), after.get(field)))
    phrases += _texts(before, after, ["category"])
    phrases += _payers(before, after, names)
    phrases += _participants(before, after, names)
    phrases += _bill(before, after)
    phrases += _texts(before, after, ["notes", "external_id"])
    return phrases + _metadata(before.get("metadata") or {}, after.get("metadata") or {})


def _texts(before: Shown, after: Shown, fields: list[str]) -> list[str]:
    return [
        setting(f"the {field.replace('_', ' ')}", _quoted(before.get(field)), _quoted(after.get(field)))
        for field in fields
        if before.get(field) != after.get(field)
    ]


def _quoted(text: Any) -> str | None:
    return None if text is None else quoted(text)


def _metadata(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return [
        setting(f"the metadata {key}", _quoted(before.get(key)), _quoted(after.get(key)))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def _amounts(side: Shown, field: str, value: str = "amount") -> dict[str, Any]:
    """Return the members of a list of a side, with one of their values each."""
    return {str(part.get("member_id")): part.get(value) for part in side.get(field) or ()}


def _follows(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Return whether amounts are as they were before, in proportion to what they come to, but for the rounding."""
    if before.keys() != after.keys() or not all(type(each) is int for each in (*before.values(), *after.values())):
        return False
    old, new = sum(before.values()), sum(after.values())
    return old > 0 and all(abs(after[each] * old - before[each] * new) < old for each in before)


def _payers(before: Shown, after: Shown, names: Names) -> list[str]:
    old, new = _amounts(before, "payers"), _amounts(after, "payers")
    word = "received" if after.get("kind") == "income" else "paid"
    if len(old) == len(new) == 1 and old.keys() != new.keys():
        return [
            setting(
                "who received it" if word == "received" else "who paid",
                named(list(old), names),
                named(list(new), names),
            )
        ]
    phrases = []
    if left := [each for each in old if each not in new]:
        phrases.append(f"removed {named(left, names)} from those who {word}")
    if added := [each for each in new if each not in old]:
        phrases.append(f"added {named(added, names)} to those who {word}")
    if (len(old) > 1 or len(new) > 1) and (phrases or not _follows(old, new)):
        words = [partial(_said, side=side, field="amount") for side in (before, after)]
        label = f"what {{}} {word}"
        phrases += _each(
            [old, new], words, lambda each: label.format(name_of(each, names)), f"what {{}} of them {word}"
        )
    return phrases


def _each(
    values: Sequence[Mapping[str, Any]], words: Sequence[Callable[[Any], str]], label: Callable[[str], str], many: str
) -> list[str]:
    """Return what changed for each member of both sides, unless that is too much to tell.

    `values` and `words` are of the sides: each member's value, and how to say it; `many` takes the number of members.
    """
    changed = [each for each in values[0] if each in values[1] and (values[0][each] or 0) != (values[1][each] or 0)]
    if len(changed) > told_max:
        return [f"changed {many.format(len(changed))}"]
    return [setting(label(each), words[0](values[0][each]), words[1](values[1][each])) for each in changed]


def _said(value: Any, side: Shown, field: str) -> str:
    if field in {"percent", "shares"}:
        return f"{value}{'%' * (field == 'percent')}"
    return money(value or 0, side.get("currency"))


def _participants(before: Shown, after: Shown, names: Names) -> list[str]:
    phrases = []
    ways_of = [side.get("split") for side in (before, after)]
    if ways_of[0] != ways_of[1]:
        old, new = (ways.get(str(way), f"by {quoted(way)}") for way in ways_of)
        phrases.append(f"split it {new} instead of {old}")
    shares = [_amounts(side, "participants") for side in (before, after)]
    if left := [each for each in shares[0] if each not in shares[1]]:
        phrases.append(f"took {named(left, names)} out")
    if added := [each for each in shares[1] if each not in shares[0]]:
        phrases.append(f"added {named(added, names)}")
    split = str(ways_of[1])
    if ways_of[0] != split or split not in typed or (split == "exact" and _follows(*shares)):
        return phrases
    field, word = typed[split]
    values = [_amounts(side, "participants", field) for side in (before, after)]
    words = [partial(_said, side=side, field=field) for side in (before, after)]
    many = f"{{}} {word.removesuffix('s')}s"
    return phrases + _each(values, words, lambda each: f"{name_of(each, names)}'s {word}", many)


def _bill(before: Shown, after: Shown) -> list[str]:
    phrases = []
    if before.get("items") and after.get("items") and before["items"] != after["items"]:
        phrases.append("changed the items of the bill")
    for field in ("tax", "tip", "discount"):
        amounts = [
            None if side.get(field) is None else money(side[field], side.get("currency")) for side in (before, after)
        ]
        if before.get(field) != after.get(field):
            phrases.append(setting(f"the {field}", *amounts))
    return phrases
