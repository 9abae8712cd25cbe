"""Words for what a sentence is made of: amounts, quotes, names, lists, and values that were set, changed or removed."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.money import decimals

# A list of more names than these ends in how many others there are.
names_max = 6
names_shown = 4
# Notes are told by their beginning.
quoted_length_max = 60

Names = Mapping[str, str]


def money(amount: Any, currency: Any) -> str:
    """Return an amount as people write it: 9000 is 90.00 EUR, 500 JPY, 1.250 KWD."""
    if not isinstance(amount, int) or not isinstance(currency, str):
        return "an amount"
    digits = decimals(currency)
    sign, number = "-" * (amount < 0), str(abs(amount)).rjust(digits + 1, "0")
    return f"{sign}{number[: len(number) - digits]}{'.' * (digits > 0)}{number[len(number) - digits :]} {currency}"


def quoted(text: Any) -> str:
    """Return a text in quotes, on one line, and not all of a long one."""
    line = " ".join(str(text).split())
    return f'"{line}"' if len(line) <= quoted_length_max else f'"{line[: quoted_length_max - 1].rstrip()}…"'


def name_of(member_id: Any, names: Names) -> str:
    """Return a member's name."""
    return names.get(member_id, "somebody") if isinstance(member_id, str) else "somebody"


def joined(parts: Sequence[str]) -> str:
    """Return parts with commas between them, and an `and` before the last."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def named(member_ids: Sequence[str], names: Names) -> str:
    """Return the names of some members in a list: of many, some."""
    found = sorted(name_of(each, names) for each in member_ids)
    if len(found) > names_max:
        found[names_shown:] = [f"{len(found) - names_shown} others"]
    return joined(found)


def setting(label: str, before: str | None, after: str | None) -> str:
    """Return that a value was set, changed or removed; None stands for no value."""
    if before is None:
        return f"set {label} to {after}"
    return f"removed {label} {before}" if after is None else f"changed {label} from {before} to {after}"


def with_article(word: Any) -> str:
    """Return a word with its indefinite article."""
    return f"{'an' if str(word)[:1] in set('aeiou') else 'a'} {word}"
