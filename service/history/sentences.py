"""What was written to a team, each in one sentence: who did what, with names as they are now. Nothing here can fail.

Rows of other releases may lack fields, and have actions and values that this one does not know: of these, a sentence
says less.
"""

from collections.abc import Callable, Mapping
from typing import Any

from service.history.differences import Shown, Write, differences
from service.history.expenses import expense_changes, who_paid
from service.history.words import Names, joined, money, name_of, quoted, setting, with_article


def sentence(write: Write, names: Names) -> str:
    """Return a write as a sentence; `names` has the names of all members in it, by their ids."""
    subject, verb = write.subject, write.action.rpartition(".")[2]
    told = told_by.get((subject, verb))
    if told is None:
        what = f"did something else ({write.action})"
    elif (write.before is None and verb != "create") or (write.after is None and verb != "delete"):
        # The row is missing that tells what was there.
        what = f"{past.get(verb)} {'somebody' if subject == 'member' else f'the {subject}'}"
    else:
        what = told(write, write.before or {}, write.after or {}, names)
    return f"{name_of(write.actor_id, names)} {what}"


def title(write: Write, names: Names) -> str | None:
    """Return what the subject of a write is called: by a description, a name, or who paid whom; None if not known."""
    side = write.after or write.before or {}
    if write.subject == "settlement":
        return f"{name_of(side.get('from'), names)} to {name_of(side.get('to'), names)}"
    if write.subject == "member":
        return name_of(write.subject_id, names)
    found = side.get("description" if write.subject == "expense" else "name")
    return None if found is None else str(found)


past = {"create": "added", "update": "changed", "delete": "removed", "restore": "restored"}

# What the fields are called where there is nothing more to say of them.
labels = {
    "participants": "the shares",
    "payers": "what was paid",
    "user_id": "the account",
    "left_at": "the membership",
}


def _changes(write: Write, phrases: list[str], what: str) -> str:
    """Return phrases as the rest of a sentence; without any, what else has changed, or that nothing has."""
    if phrases:
        return joined(phrases)
    found = [labels.get(each["field"], f"the {each['field'].replace('_', ' ')}") for each in differences(write)]
    return f"changed {joined(found)}" if found else f"saved {what} without changing anything"


def _expense(side: Shown) -> str:
    return f"the {side.get('kind') or 'expense'} {quoted(side.get('description') or '')}"


def _expense_created(_write: Write, _before: Shown, after: Shown, names: Names) -> str:
    return f"added {_expense(after)} of {money(after.get('amount'), after.get('currency'))}{who_paid(after, names)}"


def _expense_updated(write: Write, before: Shown, after: Shown, names: Names) -> str:
    return _changes(write, expense_changes(before, after, names), _expense(after))


def _expense_deleted(_write: Write, before: Shown, _after: Shown, _names: Names) -> str:
    return f"deleted {_expense(before)} of {money(before.get('amount'), before.get('currency'))}"


def _payment(side: Shown) -> str:
    paid, settles = money(side.get("amount"), side.get("currency")), side.get("settles")
    return f"{paid} for {money(settles.get('amount'), settles.get('currency'))}" if settles else paid


def _settlement_created(_write: Write, _before: Shown, after: Shown, names: Names) -> str:
    who, whom = (name_of(after.get(side), names) for side in ("from", "to"))
    return f"recorded that {who} paid {whom} {_payment(after)}"


def _settlement_updated(write: Write, before: Shown, after: Shown, names: Names) -> str:
    phrases = []
    for field, label in (("from", "who paid"), ("to", "who received it")):
        if before.get(field) != after.get(field):
            phrases.append(setting(label, name_of(before.get(field), names), name_of(after.get(field), names)))
    phrases += expense_changes(before, after, names)
    old, new = before.get("settles"), after.get("settles")
    if old != new:
        debts = [each and money(each.get("amount"), each.get("currency")) for each in (old, new)]
        phrases.append(setting("the debt that it settles", *debts))
    return _changes(write, phrases, "the settlement")


def _settlement_deleted(_write: Write, before: Shown, _after: Shown, names: Names) -> str:
    who, whom = (name_of(before.get(side), names) for side in ("from", "to"))
    return f"deleted the settlement of {_payment(before)} from {who} to {whom}"


def _member_created(write: Write, before: Shown, after: Shown, names: Names) -> str:
    member, role = name_of(write.subject_id, names), with_article(after.get("role") or "member")
    return f"took {member} back as {role}" if before else f"added {member} as {role}"


def _member_updated(write: Write, before: Shown, after: Shown, names: Names) -> str:
    is_self = write.subject_id == write.actor_id
    member = "themselves" if is_self else name_of(write.subject_id, names)
    phrases = []
    if before.get("name") != after.get("name"):
        old, new = quoted(before.get("name")), quoted(after.get("name"))
        phrases.append(f"changed their name from {old} to {new}" if is_self else f"renamed {old} to {new}")
    if before.get("role") != after.get("role"):
        phrases.append(f"made {member} {with_article(after.get('role'))} instead of {with_article(before.get('role'))}")
    return _changes(write, phrases, member)


def _member_deleted(write: Write, _before: Shown, _after: Shown, names: Names) -> str:
    return "left the team" if write.subject_id == write.actor_id else f"removed {name_of(write.subject_id, names)}"


def _team_created(_write: Write, _before: Shown, after: Shown, _names: Names) -> str:
    return f"created the team {quoted(after.get('name') or '')} with the currency {after.get('currency')}"


def _team_updated(write: Write, before: Shown, after: Shown, _names: Names) -> str:
    phrases = []
    if before.get("name") != after.get("name"):
        phrases.append(f"renamed the team from {quoted(before.get('name'))} to {quoted(after.get('name'))}")
    changed = {each["field"] for each in differences(write)}
    for field, label in (("currency", "the currency"), ("time_zone", "the time zone")):
        if field in changed:
            phrases.append(setting(label, before.get(field), after.get(field)))
    if "archived_at" in changed:
        phrases.append("archived the team" if after.get("archived_at") else "restored the team")
    if "closed_until" in changed:
        phrases.append(_closing(before.get("closed_until"), after.get("closed_until")))
    return _changes(write, phrases, "the team")


def _closing(before: Any, after: Any) -> str:
    if after is None:
        return f"opened the books, which were closed until {before}"
    return f"closed the books until {after}" + (f" instead of {before}" if before else "")


def _team_deleted(_write: Write, before: Shown, _after: Shown, _names: Names) -> str:
    return f"deleted the team {quoted(before.get('name') or '')}"


def _team_restored(_write: Write, _before: Shown, after: Shown, _names: Names) -> str:
    return f"restored the deleted team {quoted(after.get('name') or '')}"


Teller = Callable[[Write, Shown, Shown, Names], str]

told_by: Mapping[tuple[str, str], Teller] = {
    ("expense", "create"): _expense_created,
    ("expense", "update"): _expense_updated,
    ("expense", "delete"): _expense_deleted,
    ("settlement", "create"): _settlement_created,
    ("settlement", "update"): _settlement_updated,
    ("settlement", "delete"): _settlement_deleted,
    ("member", "create"): _member_created,
    ("member", "update"): _member_updated,
    ("member", "delete"): _member_deleted,
    ("team", "create"): _team_created,
    ("team", "update"): _team_updated,
    ("team", "delete"): _team_deleted,
    ("team", "restore"): _team_restored,
}
