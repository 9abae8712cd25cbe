"""What a write changed, as the API shows it: nothing of the columns that only the service sees."""

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from service.history import subjects

# The fields that can change, by subject, in the order in which they are told.
fields: dict[str, tuple[str, ...]] = {
    "expense": (
        *("kind", "description", "amount", "currency", "spent_on", "category", "payers", "split", "participants"),
        *("items", "tax", "tip", "discount", "notes", "external_id", "metadata"),
    ),
    "settlement": ("from", "to", "amount", "currency", "settles", "settled_on", "notes", "external_id", "metadata"),
    "member": ("name", "role", "user_id", "left_at"),
    "team": ("name", "currency", "time_zone", "archived_at", "closed_until"),
}
times = ("left_at", "archived_at")

Shown = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Write:
    """A revision: an action of somebody, and its subject before and after it, with the fields of the API.

    Rows that other releases wrote may lack fields: these are in neither.
    """

    action: str
    actor_id: str
    subject_id: str
    before: Shown | None
    after: Shown | None
    version: int | None

    @property
    def subject(self) -> str:
        """Return what kind of thing was written."""
        return subject_of(self.action)


def subject_of(action: str) -> str:
    """Return what an action writes, in the singular; `other` for what this release does not know."""
    return subjects.get(action.partition(".")[0], "other")


def write_of(
    action: str, actor_id: str, subject_id: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> Write:
    """Return a revision's write, of the rows that it holds."""
    subject, _, verb = subject_of(action), *action.partition(".")[1:]
    if verb == "create" and subject != "member":
        before = None
    elif verb == "delete" and subject != "member":
        after = None
    version = (after or {}).get("version")
    if version is None and before and isinstance(before.get("version"), int):
        version = before["version"] + 1
    return Write(action, actor_id, subject_id, shown(subject, before), shown(subject, after), version)


def shown(subject: str, row: Mapping[str, Any] | None) -> Shown | None:
    """Return the fields of a row that can change, as the API shows them."""
    if row is None:
        return None
    if subject == "settlement":
        row = _settlement(row)
    found = {name: row[name] for name in fields.get(subject, ()) if name in row}
    for name in ("payers", "participants"):
        if isinstance(found.get(name), list):
            # Their order tells nothing.
            found[name] = sorted(found[name], key=lambda part: str(part.get("member_id")))
    for name in times:
        if found.get(name):
            found[name] = datetime.datetime.fromisoformat(found[name]).astimezone(datetime.UTC)
    return found


def _settlement(row: Mapping[str, Any]) -> Shown:
    """Return a settlement's row with who paid whom, and with what was handed over as its amount."""
    found = {name: value for name, value in row.items() if name not in {"amount", "currency"}}
    counted = {name: row[name] for name in ("amount", "currency") if name in row}
    is_exchanged = row.get("handed_amount") is not None
    handed = {"amount": row.get("handed_amount"), "currency": row.get("handed_currency")}
    found |= (handed if is_exchanged else counted) | {"settles": counted if is_exchanged else None}
    for name, side in (("from", "payers"), ("to", "participants")):
        if row.get(side):
            found[name] = row[side][0].get("member_id")
    if "spent_on" in row:
        found["settled_on"] = row["spent_on"]
    return found


def differences(write: Write) -> list[dict[str, Any]]:
    """Return the fields that a write changed, each with its value before and after.

    What was recorded had no values before, and what was deleted has none after.
    """
    before, after = write.before, write.after
    if before is None and after is None:
        return []
    names = fields.get(write.subject, ())
    # A field that one of two rows lacks did not change: the release that wrote that one did not have it.
    pairs = [
        (name, (before or {}).get(name), (after or {}).get(name))
        for name in names
        if (before is None or name in before) and (after is None or name in after)
    ]
    return [{"field": name, "before": old, "after": new} for name, old, new in pairs if (old or None) != (new or None)]


def member_ids(write: Write) -> Iterator[str]:
    """Yield the ids of the members that a write names, also twice."""
    yield write.actor_id
    if write.subject == "member":
        yield write.subject_id
    for side in (write.before or {}, write.after or {}):
        parts = [*(side.get("payers") or ()), *(side.get("participants") or ())]
        found = [side.get("from"), side.get("to"), *(part.get("member_id") for part in parts)]
        yield from (each for each in found if each)
