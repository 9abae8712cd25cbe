"""Values that no field takes: each is refused by its name, with the numbers, and nothing is changed."""

import asyncio
import gc
import json
import logging
import re
import tracemalloc
import unicodedata
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import yarl

from service.history import actions
from service.routes import routes
from service.web import text as text_module
from tests.conftest import PASSWORD, Person, Team
from tests.rows import all_rows, guests

MISSING_ID = "01890000-0000-7000-8000-000000000000"
FIELDS_OF_OURS = ["balance", "created_at", "created_by", "deleted_at", "expense_id", "kind"]
FIELDS_OF_OURS += ["member_id", "owner_id", "role_id", "team_id", "user_id", "version"]


@dataclass(frozen=True)
class Kind:
    """Bad values with a part of what is said of them: strings, which a query can have too, and other JSON literals."""

    strings: dict[str, str]
    literals: dict[str, str] = field(default_factory=dict)


def kind(strings: dict[str, str], literals: dict[str, str] | None = None, *, takes: type | None = None) -> Kind:
    wrong_types = {
        int: {"0": "must", "7": "must"},
        float: {"1.5": "must", "1e400": "must"},
        bool: {"true": "must", "false": "must"},
        list: {"[]": "must", '["x"]': "must", "[[[[]]]]": "must"},
        dict: {"{}": "must", '{"a": {"b": null}}': "must"},
    }
    found = {raw: said for each, values in wrong_types.items() if each is not takes for raw, said in values.items()}
    return Kind(strings, found | {"null": "must not be null"} | (literals or {}))


def password(minimum: int = 1) -> Kind:
    found = text(256, minimum)
    # A password may have any direction, and any marks, if it has more than those.
    return Kind({value: said for value, said in found.strings.items() if "(" not in said}, found.literals)


def text(maximum: int, minimum: int = 1, *, nullable: bool = False, lines: bool = False) -> Kind:
    unprintable = {"a\0b": "U+0000", "\ud800": "U+D800", "a\udfff": "U+DFFF", "\x1b[31m": "U+001B", "a\x7f": "U+007F"}
    unprintable |= {} if lines else {"a\nb": "U+000A", "a\tb": "U+0009", "a\r\nX-Evil: 1": "U+000D"}
    unprintable |= {
        "\u202ea": "U+202E (right-to-left override)",
        "a\u202a": "U+202A (left-to-right embedding)",
        "a\u2067b": "U+2067 (right-to-left isolate)",
        "a\u2069": "U+2069 (pop directional isolate)",
    }
    blank = dict.fromkeys(["\u3164\u0301", "\u200b\u2060", "\ufeff", "\ufe0f\u034f", "\u2800"], "no visible characters")
    blank |= {"": "has 0 characters", "   ": ""} if minimum else {}
    long = {"x" * (maximum + 1): f"has {maximum + 1} characters, 1 more than the maximum of {maximum}"}
    short = {"x" * (minimum - 1): f"has {minimum - 1} characters; it must have at least {minimum}"} if minimum else {}
    found = kind(unprintable | blank | long | short)
    return Kind(found.strings, {raw: said for raw, said in found.literals.items() if raw != "null" or not nullable})


refused = "not an accepted e-mail address"
email = kind(
    dict.fromkeys(
        [
            *["", " ", "a", "a@", "@example.com", "a@b", "a@b@example.com", "a b@example.com", "a@example .com"],
            *[
                "a@example\n.com",
                "\u202ea@example.com",
                "a@b.invalid",
                "a\0@example.com",
                "\ud800@example.com",
                "a@exa\x1bmple.com",
            ],
            *["\uff41dmin@example.com", "İ@example.com", "ß@example.com", "a@[127.0.0.1]", "a@localhost"],
            *["Ann <a@example.com>", "a@" + "x" * 64 + ".com", "a" * 60_000],
        ],
        refused,
    )
)
identifier = kind(
    dict.fromkeys(
        [
            *["", "x", "0", MISSING_ID + "\n", MISSING_ID[:-1] + "\0", MISSING_ID[:-1] + "٣", MISSING_ID + "0"],
            *[
                MISSING_ID.replace("-", ""),
                "urn:uuid:" + MISSING_ID,
                "{" + MISSING_ID + "}",
                MISSING_ID[:-1] + "\ud800",
            ],
        ],
        "must be a UUID",
    )
)
currency = kind(
    dict.fromkeys(["", "eur", "Eur", "XXX", "XAU", "EURO", "€", " EUR", "EUR\0", "\uff25\uff35\uff32"], "ISO 4217")
)
no_date = [
    "",
    "20240101",
    "2024-W01-1",
    "10000-01-01",
    "2023-02-29",
    "\uff12\uff10\uff12\uff14-01-01",
    "2024-1-1",
    "2024-01-01T00:00:00",
]
day = kind(
    dict.fromkeys([*no_date, "0000-01-01", "2024-01-01 ", "2024-00-10", "٢٠٢٤-01-01", "today", "\0"], "YYYY-MM-DD")
)
spent_on = kind(
    day.strings
    | dict.fromkeys(["0001-01-01", "1999-12-31"], "2000-01-01 or later")
    | {"9999-12-31": "366 days from today in the team's time zone"}
)

closing = kind(day.strings | {"9999-12-31": "which is today for the team, or earlier"})
del closing.literals["null"]


limit_of_amounts = 10**15


def amount(minimum: int, *, nullable: bool = False) -> Kind:
    limit = limit_of_amounts
    too_large = [str(limit + 1), str(2**63), str(2**64), "9" * 5000]
    too_small = {"-1": "is -1", "-9" + "9" * 5000: f"is -{limit}"} | ({"0": "is 0", "-0": "is 0"} if minimum else {})
    found = kind(
        dict.fromkeys(["", "1", "1.5", "1e2", "٣"], "must be an integer"),
        dict.fromkeys(["1.0", "1.5", "1e2", "1E400", "-1e400", "0.1" + "0" * 5000], "must be an integer"),
        takes=int,
    )
    literals = dict.fromkeys(too_large, f"must be at most {limit}.")
    literals |= {raw: f"{said}; it must be at least {minimum}" for raw, said in too_small.items()}
    literals = found.literals | literals
    return Kind(found.strings, {raw: said for raw, said in literals.items() if raw != "null" or not nullable})


def adjustment() -> Kind:
    found = amount(0)
    too_small = dict.fromkeys([str(-limit_of_amounts - 1), "-9" + "9" * 5000], f"must be at least -{limit_of_amounts}")
    return Kind(
        found.strings, {raw: said for raw, said in found.literals.items() if "must be at least" not in said} | too_small
    )


def weight(maximum: int) -> Kind:
    bad = dict.fromkeys(["", "1", "1.5", "1e2", "٣"], "must be a number with up to 4 decimals")
    too_large = dict.fromkeys([f"{maximum}.0001", str(maximum + 1), "1e308", "1e400", "9" * 5000], "be at most")
    too_small = dict.fromkeys(["-1", "-0.0001", "-1e400", "-9" + "9" * 5000], "must be at least 0")
    too_precise = {"0.00001": "is 0.00001, with 5 decimals", "33.33333": "with 5 decimals; it must have at most 4"}
    wrong = {raw: said for raw, said in kind({}, takes=float).literals.items() if raw not in {"0", "7"}}
    return Kind(bad, wrong | too_large | too_small | too_precise)


def choice(*words: str) -> Kind:
    bad = ["", "x", words[0].upper(), words[0] + " ", words[0] + "\0", ", ".join(words)]
    return kind(dict.fromkeys(bad, f"must be one of: {', '.join(words)}"))


flag = kind(dict.fromkeys(["", "true", "false", "1", "yes", "on"], "must be true or false"), takes=bool)
flag_word = kind(dict.fromkeys(["", "True", "FALSE", "1", "0", "yes", "true ", "t"], "must be true or false"))
limit = kind(
    dict.fromkeys(
        ["", "0", "-1", "+5", " 5", "5 ", "1.0", "1e2", "1_000", "٣", "0x10", "007", "five"],
        "must be a whole number, at least 1",
    )
)


def whole(maximum: int) -> Kind:
    wrong = ["", "-1", "-0", "+5", " 5", "5 ", "1.0", "1e2", "1_000", "٣", "0x10", "007", "five"]
    too_large = [str(maximum + 1), str(2**64), "9" * 5000]
    return kind(
        dict.fromkeys(wrong, "must be a whole number, at least 0")
        | dict.fromkeys(too_large, f"must be at most {maximum}")
    )


cursor = Kind(
    text(200).strings
    | dict.fromkeys(
        ["x", "!!!", "é" * 10, "A" * 199, "A" * 200, "bnVsbA", "W10", "e30", "WzEsMiwzXQ", "WyJpZCIsbnVsbCwieCJd"],
        "not the `next` of a page",
    )
)


def several(one_too_many: str, said: str) -> Kind:
    nested = ["[null]", "[1]", '["x"]', "[[]]", "[[[[]]]]", "[{}]", '[{"member_id": {}}]', '[{"a": [{"b": {}}]}]']
    literals = dict.fromkeys(nested, "") | {"[]": "has 0 items; it must have at least 1"}
    literals |= {one_too_many: said}
    return kind({"": "must be a list"}, literals, takes=list)


part = json.dumps({"member_id": MISSING_ID, "amount": 1})
participants = several(f"[{', '.join([part] * 201)}]", "has 201 items, 1 more than the maximum of 200")
items = several(f"[{', '.join(['{}'] * 101)}]", "has 101 items, 1 more than the maximum of 100")
items.literals[f"[{', '.join([json.dumps({'participants': [{}] * 11})] * 55)}]"] = (
    "have 605 participants in all, 5 more"
)
del items.literals["null"]
charge = amount(0, nullable=True)
roles = choice("owner", "admin", "member", "viewer")
roles_and_guest = choice("owner", "admin", "member", "viewer", "guest")


time_zone = kind(
    dict.fromkeys(
        [
            "",
            "x",
            "europe/paris",
            "Europe/Paris ",
            "../UTC",
            "EUR",
            "UTC\0",
            "+01:00",
            "x" * 65,
            "localtime",
            "Factory",
        ],
        "time zone",
    )
)


def metadata(*, is_change: bool = False) -> Kind:
    bad = {
        '{"a b": "1"}': "A key has",
        '{"": "1"}': "A key has",
        '{"é": "1"}': "A key has",
        json.dumps({"k" * 41: "1"}): "A key has",
        json.dumps({"k" * 60_000: "1"}): "A key has",
        '{"a": 1}': "must be a string",
        '{"a": {"b": "c"}}': "must be a string",
        '{"a": "a\\u0000"}': "U+0000",
        '{"a": ""}': "has 0 characters",
        json.dumps({"a": "x" * 501}): "has 501 characters",
        json.dumps({f"{number}": "1" for number in range(21)}): "has 21 keys, 1 more than the maximum of 20",
        json.dumps({f"{number}": "1" for number in range(41)}): "has 41 keys, 21 more than the maximum of 20",
    }
    found = kind(dict.fromkeys(["", "x", "{}"], "must be an object"), bad, takes=dict)
    return Kind(found.strings, {raw: said for raw, said in found.literals.items() if raw != "null" or not is_change})


metadata_filter = kind(
    {"": "a key, a colon", "x": "a key, a colon", ":1": "A key has", "a b:1": "A key has", "é:1": "A key has"}
    | {"a:": "has 0 characters", "a:\0": "U+0000", "a:" + "x" * 501: "has 501 characters", "k" * 41 + ":1": "A key has"}
)


def read_only(*, null: bool = False) -> Kind:
    """Return what differs from the value of a field that cannot be changed, which may be null."""
    literals = ["0", "-1", "77", "1.5", "1e400", "true", "[]", "{}", '[["x"]]', *([] if null else ["null"])]
    said = "cannot be changed"
    return Kind(dict.fromkeys(["", "x", MISSING_ID, "9999-12-31", "\ud800"], said), dict.fromkeys(literals, said))


# No balances at all may be those of before.
nets = Kind(read_only().strings, {raw: said for raw, said in read_only().literals.items() if raw != "[]"})


def participants_in(pointer: str) -> dict[str, Kind]:
    return {
        f"{pointer}/participants": participants,
        f"{pointer}/participants/0/member_id": identifier,
        f"{pointer}/participants/0/amount": amount(0),
        f"{pointer}/participants/0/percent": weight(100),
        f"{pointer}/participants/0/shares": weight(10**6),
        f"{pointer}/participants/0/adjustment": adjustment(),
    }


expense = {
    "/kind": choice("expense", "income"),
    "/external_id": text(100, nullable=True),
    "/description": text(200),
    "/amount": amount(1),
    "/currency": currency,
    "/spent_on": spent_on,
    "/category": text(50, nullable=True),
    "/notes": text(2000, nullable=True, lines=True),
    "/payer": identifier,
    "/payers": participants,
    "/payers/0/member_id": identifier,
    "/payers/0/amount": amount(1),
    "/split": choice("equal", "exact", "percent", "shares", "adjustment", "itemised"),
    **participants_in(""),
    "/items": items,
    "/items/0/description": text(200, nullable=True),
    "/items/0/amount": amount(1),
    "/items/0/split": choice("equal", "exact", "percent", "shares", "adjustment"),
    **participants_in("/items/0"),
    "/tax": charge,
    "/tip": charge,
    "/discount": charge,
}
expense_as_read = {
    f"/{name}": read_only() for name in ("expense_id", "created_by", "version", "created_at", "updated_at")
}
settlement = {
    "/from": identifier,
    "/to": identifier,
    "/amount": amount(1),
    "/currency": currency,
    "/settles": kind(
        {"": "must be an object"},
        {
            '{"amount": 1}': "is required",
            '{"currency": "EUR"}': "is required",
            '{"amount": 0, "currency": "EUR"}': "must be at least 1",
            '{"amount": 1, "currency": "eur"}': "ISO 4217",
            '{"amount": 1, "currency": "XXX"}': "ISO 4217",
            '{"amount": 1, "currency": "EUR", "a": 1}': "There is no field or parameter of this name.",
            '{"amount": 1, "currency": "EUR"}': "in the same currency they must be equal",
        },
        takes=dict,
    ),
    "/settled_on": spent_on,
    "/notes": text(2000, nullable=True, lines=True),
    "/external_id": text(100, nullable=True),
}
del settlement["/settles"].literals["null"]
settlement_as_read = {
    f"/{name}": read_only() for name in ("settlement_id", "kind", "created_by", "version", "created_at", "updated_at")
}
BODIES = {
    "auth.register": {"/email": email, "/password": password(12), "/name": text(100)},
    "auth.login": {"/email": email, "/password": password()},
    "auth.token": {
        "/grant_type": choice("password", "refresh_token"),
        "/username": email,
        "/password": password(),
        "/refresh_token": text(200),
        "/scope": text(200, 0),
        "/client_id": text(200, 0),
        "/client_secret": text(200, 0),
    },
    "auth.refresh": {"/refresh_token": text(200)},
    "me.update": {
        "/name": text(100),
        "/email": email,
        "/password": password(12),
        "/current_password": password(),
        **{f"/{name}": read_only() for name in ("user_id", "version", "created_at")},
    },
    "teams.create": {"/name": text(100), "/currency": currency, "/time_zone": time_zone},
    "teams.update": {
        "/name": text(100),
        "/currency": currency,
        "/time_zone": time_zone,
        "/archived": flag,
        **{f"/{name}": read_only() for name in ("team_id", "member_id", "role", "revision", "version", "created_at")},
        **{f"/{name}": read_only(null=True) for name in ("archived_at", "deleted_at", "purge_at")},
        "/closed_until": closing,
        "/balances": nets,
    },
    "members.create": {"/name": text(100), "/email": email, "/member_id": identifier, "/role": roles},
    "members.update": {
        "/name": text(100),
        "/role": roles_and_guest,
        **{f"/{name}": read_only() for name in ("member_id", "version", "joined_at")},
        "/user_id": read_only(null=True),
        "/left_at": read_only(null=True),
    },
    "expenses.create": expense | {"/metadata": metadata()},
    "expenses.update": expense | {"/metadata": metadata(is_change=True)} | expense_as_read,
    "settlements.create": settlement | {"/metadata": metadata()},
    "settlements.update": settlement | {"/metadata": metadata(is_change=True)} | settlement_as_read,
    "settlements.transfer": {name: bad for name, bad in settlement.items() if name != "/settles"}
    # Of a code that is none, the plan has nothing.
    | {"/currency": kind({code: said for code, said in currency.strings.items() if code not in {"XXX", "XAU"}})}
    | {"/metadata": metadata()},
}
revision = kind(
    dict.fromkeys(["", "1", "1.5"], "must be a whole number"),
    {
        **dict.fromkeys(["1.0", "1e2", "-0.5"], "must be a whole number"),
        **dict.fromkeys([str(limit_of_amounts + 1), str(2**63), "9" * 5000], f"must be at most {limit_of_amounts}."),
        **dict.fromkeys(["-1", "-9" + "9" * 5000], "must be at least 0"),
        "1000": "the team's latest revision is",
    },
    takes=int,
)
BODIES["history.read"] = {"/revision": revision, "/back": flag}
page = {"/limit": limit, "/after": cursor}
QUERIES = {
    "teams.page": page | {"/status": choice("active", "archived", "deleted", "all")},
    "members.page": page | {"/status": choice("active", "former", "all")},
    "members.delete": {"/keep_balance": flag_word},
    "teams.delete": {"/keep_balance": flag_word},
    **{
        name: {"/dry_run": flag_word}
        for name in (
            *("expenses.create", "expenses.update"),
            *("settlements.create", "settlements.update", "settlements.transfer"),
        )
    },
    "settlements.page": page
    | {
        "/from": identifier,
        "/to": identifier,
        "/member": identifier,
        "/settled_from": day,
        "/settled_to": day,
        "/external_id": text(100),
        "/metadata": metadata_filter,
        "/sort": choice("settled_on", "created_at"),
    },
    "expenses.page": page
    | {
        "/kind": choice("expense", "income", "settlement"),
        "/external_id": text(100),
        "/metadata": metadata_filter,
        "/payer": identifier,
        "/participant": identifier,
        "/category": text(50),
        "/spent_from": day,
        "/spent_to": day,
        "/q": text(200),
        "/sort": choice("spent_on", "created_at"),
    },
    "changes.mine": {
        "/after": Kind(
            text(8000).strings
            | dict.fromkeys(
                ["x", "!!!", "é" * 10, "A" * 199, "bnVsbA", "AQ==", "AQA", "AR", "ARAaWzwNEHw-mkE_bSuOHAGM"],
                "not the `next` of an answer",
            )
        ),
        "/limit": limit,
        "/wait": whole(60),
    },
    "changes.page": {"/after": whole(10**18), "/limit": limit, "/wait": whole(60)},
    "balances.get": {"/as_of": day},
    # In a currency that is none, a balance consists of nothing.
    "balances.explain": page
    | {"/currency": Kind({code: said for code, said in currency.strings.items() if not code.startswith("X")})},
}

QUERIES |= {f"history.{name}": page for name in ("expense", "settlement", "member", "team")}
QUERIES["balances.statement"] = page | {"/member_id": identifier, "/from": day, "/to": day}
QUERIES["history.activity"] = page | {
    "/actor": identifier,
    "/action": choice(*actions),
    "/subject": choice("expense", "settlement", "member", "team"),
    "/subject_id": identifier,
    "/from": day,
    "/to": day,
}


@dataclass
class World:
    """Ann with a team that has a guest and an expense, and the means to send anything in her name."""

    ann: Person
    team: Team
    guest_id: str
    expense_id: str
    settlement_id: str
    db: Any

    def operations(self) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
        """Yield the name, method and path of every operation, the ids filled in, and what is documented of it."""
        for path, operations in self.ann.service.contract.document["paths"].items():
            for method, operation in operations.items():
                yield operation["operationId"], method.upper(), self.fill(path), operation

    def fill(self, path: str, **ids: str) -> str:
        own = {
            "team_id": self.team.team_id,
            "member_id": self.guest_id,
            "expense_id": self.expense_id,
            "settlement_id": self.settlement_id,
        }
        return path.format(**own | {"file": "docs.js", "slug": "invalid"} | ids)

    def good(self, name: str) -> dict[str, Any]:
        """Return a body that the operation takes."""
        shares = [{"member_id": self.guest_id, "amount": 9000}]
        # It is what settles the team.
        paid = {"from": self.guest_id, "to": self.team.owner_id, "amount": 4400, "currency": "EUR"}
        return {
            "settlements.create": paid,
            "settlements.update": {"amount": 4300},
            "settlements.transfer": paid,
            "auth.register": {"email": "carl@example.com", "password": PASSWORD, "name": "Carl"},
            "auth.login": {"email": self.ann.email, "password": PASSWORD},
            "auth.token": {"grant_type": "password", "username": self.ann.email, "password": PASSWORD},
            "auth.refresh": {"refresh_token": self.ann.refresh_token},
            "me.update": {"name": "Anna"},
            "teams.create": {"name": "Trip", "currency": "EUR"},
            "teams.update": {"name": "House"},
            "members.create": {"name": "Another guest"},
            "members.update": {"name": "A known guest"},
            "history.read": {"revision": 1},
            "expenses.create": {"description": "Lunch", "amount": 9000, "split": "exact", "participants": shares},
            "expenses.update": {"description": "Lunch", "amount": 9000, "split": "exact", "participants": shares},
        }[name]

    async def send(self, name: str, method: str, path: str, body: str) -> Any:
        form = name == "auth.token"
        headers = {"Content-Type": "application/x-www-form-urlencoded" if form else "application/json", "If-Match": "*"}
        return await self.ann.call(method, path, headers=headers, data=body)

    async def rows(self) -> list[tuple[str, str]]:
        return await all_rows(self.db)


@pytest.fixture
async def world(ann, flat, db):
    guest_id = await flat.guest()
    spent = await flat.spend()
    settled = await flat.settle(guest_id, flat.owner_id, 100)
    return World(ann, flat, guest_id, spent["expense_id"], settled["settlement_id"], db)


@pytest.fixture(autouse=True)
def _nothing_crashes(caplog):
    yield
    assert [each.getMessage() for each in caplog.get_records("call") if each.levelno >= logging.ERROR] == []


def documented_fields(schema: dict[str, Any], schemas: dict[str, Any], pointer: str = "") -> Iterator[str]:
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[-1]]
    for name, each in schema.get("properties", {}).items():
        yield f"{pointer}/{name}"
        yield from documented_fields(each.get("items", {}), schemas, f"{pointer}/{name}/0")


def test_it_knows_every_field_that_is_documented(served):
    document = served.contract.document
    bodies, queries = {}, {}
    for operations in document["paths"].values():
        for operation in operations.values():
            name = operation["operationId"]
            for content in operation.get("requestBody", {}).get("content", {}).values():
                bodies[name] = set(documented_fields(content["schema"], document["components"]["schemas"]))
            if found := {"/" + each["name"] for each in operation.get("parameters", []) if each["in"] == "query"}:
                queries[name] = found
    assert {name: set(fields) for name, fields in BODIES.items()} == bodies
    assert {name: set(fields) for name, fields in QUERIES.items()} == queries


def with_value(body: dict[str, Any], pointer: str, raw: str) -> str:
    """Return the body as JSON text that has a literal at the pointer."""
    *parents, name = pointer.strip("/").split("/")
    inner = changed = json.loads(json.dumps(body))
    for parent in parents[::2]:
        least = {"amount": 9000} if parent == "items" else {"member_id": MISSING_ID, "amount": 9000}
        inner = inner.setdefault(parent, [least])[0]
    inner[name] = "literal"
    return json.dumps(changed).replace('"literal"', raw)


def bodies_with(body: dict[str, Any], pointer: str, bad: Kind, *, form: bool) -> Iterator[tuple[str, str]]:
    """Yield a body with each bad value in turn, and what is to be said of it."""
    for value, said in bad.strings.items():
        if not form:
            yield with_value(body, pointer, json.dumps(value)), said
        elif value and "\ud800" not in value and "\udfff" not in value:
            # An empty value of a form is as none (RFC 6749 §3.2), and a surrogate cannot be sent in one.
            yield urlencode(body | {pointer[1:]: value}), said
    for raw, said in {} if form else bad.literals.items():
        yield with_value(body, pointer, raw), said


def complaint(answer: Any, place: str, pointer: str, said: str) -> str:
    """Return what is wrong with a refusal, or nothing."""
    if answer.status != 422:
        return f"{answer.status} {answer.body}"
    matching = [
        each
        for each in answer.body["errors"]
        if each["in"] == place and f"{each['pointer']}/".startswith(f"{pointer}/") and said in each["detail"]
    ]
    return "" if matching and all(each["code"] for each in matching) else f"{said!r} is not in {answer.body['errors']}"


@pytest.mark.parametrize("name", BODIES)
async def test_it_names_the_field_of_a_body_and_changes_nothing(world, name):
    method, path = next((method, path) for each, method, path, _ in world.operations() if each == name)
    form = name == "auth.token"
    good = world.good(name)
    before = await world.rows()
    wrong = []
    for pointer, bad in BODIES[name].items():
        for body, said in bodies_with(good, pointer, bad, form=form):
            answer = await world.send(name, method, path, body)
            if found := complaint(answer, "body", pointer, said):
                wrong.append(f"{pointer} {body[:200]}: {found[:300]}")
    assert wrong == []
    assert await world.rows() == before
    answer = await world.send(name, method, path, urlencode(good) if form else json.dumps(good))
    assert answer.status in {200, 201, 204}
    assert await world.rows() != before


@pytest.mark.parametrize("name", QUERIES)
async def test_it_names_the_field_of_a_query_and_changes_nothing(world, name):
    method, path = next((method, path) for each, method, path, _ in world.operations() if each == name)
    before = await world.rows()
    wrong = []
    for pointer, bad in QUERIES[name].items():
        for value, said in bad.strings.items():
            if "\ud800" in value or "\udfff" in value:
                continue
            answer = await world.ann.call(method, f"{path}?{pointer[1:]}={quote(value, safe='')}")
            if found := complaint(answer, "query", pointer, said):
                wrong.append(f"{pointer}={value[:100]!r}: {found[:300]}")
    assert wrong == []
    assert await world.rows() == before
    if name not in BODIES:
        assert (await world.ann.call(method, path)).status in {200, 409}


@pytest.mark.parametrize("name", BODIES)
async def test_it_refuses_fields_that_are_not_there_to_be_set(world, name, subtests):
    method, path = next((method, path) for each, method, path, _ in world.operations() if each == name)
    before = await world.rows()
    for extra in [*FIELDS_OF_OURS, "__proto__", "a/b~c", "", "ä" * 300]:
        with subtests.test(ascii(extra)[:80]):
            body = world.good(name) | {extra: "1"}
            text_of_body = urlencode(body) if name == "auth.token" else json.dumps(body)
            answer = await world.send(name, method, path, text_of_body)
            pointer = "/" + extra.replace("~", "~0").replace("/", "~1")
            if pointer in BODIES[name] and "cannot be changed" not in BODIES[name][pointer].strings.values():
                continue
            said = "cannot be changed" if pointer in BODIES[name] else "There is no field or parameter of this name."
            assert complaint(answer, "body", pointer, said) == "", extra
    assert await world.rows() == before


async def test_it_refuses_unknown_and_repeated_query_parameters_everywhere(world):
    before = await world.rows()
    wrong = []
    for name, method, path, operation in world.operations():
        body = {"json": world.good(name)} if name in BODIES else {}
        known = [each["name"] for each in operation.get("parameters", []) if each["in"] == "query"]
        tries = [("nonsense=1", "nonsense"), ("%00=%00", "\0"), ("Limit=1", "Limit")]
        tries += [(f"{each}=a&{each}=a", each) for each in known]
        for query, pointer in tries:
            answer = await world.ann.call(method, f"{path}?{query}", headers={"If-Match": "*"}, **body)
            if found := complaint(answer, "query", f"/{pointer}", ""):
                wrong.append(f"{name} {query}: {found}")
    assert wrong == []
    assert await world.rows() == before


async def test_it_survives_a_query_that_is_not_utf_8(world, subtests):
    for sent in ("%ED%A0%80", "%FF", "%", "%zz", "%C0%80", "%F4%90%80%80"):
        for query in (f"q={sent}", f"after={sent}", f"{sent}=1", f"payer={sent}"):
            with subtests.test(query):
                answer = await world.ann.get(f"{world.team.path}/expenses?{query}")
                assert answer.status in {200, 422}, query


async def test_it_refuses_a_query_with_empty_pairs(served, ann, subtests):
    for query in ("&", "&&&", "limit=1&", "&limit=1", "limit=1&&sort=spent_on", "limit"):
        for path in ("/livez", "/v1/teams"):
            with subtests.test(f"{path}?{query}"):
                answer = await ann.get(f"{path}?{query}")
                expected = "The query is not made of names and values: `name=value&…`."
                assert complaint(answer, "query", "", expected) == ""


async def test_queries_leave_little_behind(flat, served):
    reader, writer = await asyncio.open_connection(yarl.URL(served.url).host, yarl.URL(served.url).port)

    async def status(path):
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {flat.owner.token}\r\n\r\n".encode()
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        await reader.readexactly(int(re.search(r"Content-Length: (\d+)", head)[1]))
        return head.split()[1]

    async def ask(numbers):
        for number in numbers:
            # 200 characters of text, in 2,400 characters of the address.
            emoji = [f"%F0%9F%98%{0x80 + digit:X}" for digit in divmod(number, 64)]
            assert await status("/livez?" + "&" * (7000 + number)) == "422"
            assert await status(f"{flat.path}/expenses?q={''.join(emoji) * 100}") == "200"

    tracemalloc.start()
    try:
        # The last ones are kept, by yarl and by us.
        await ask(range(550))
        gc.collect()
        before = tracemalloc.take_snapshot()
        await ask(range(550, 1000))
        # What only waits to be collected is not kept.
        gc.collect()
        grown = tracemalloc.take_snapshot().compare_to(before, "filename")
    finally:
        tracemalloc.stop()
        writer.close()
    # The queries are 4.2 MB; those with a text alone, with what is made of them, 1.7 MB.
    ours = ("/service/", "/urllib/parse.py", "/aiohttp/", "/yarl/", "/marshmallow/", "/functools.py")
    kept_bytes = sum(each.size_diff for each in grown if any(part in each.traceback[0].filename for part in ours))
    assert kept_bytes < 1_000_000


async def test_a_limit_above_the_most_gives_the_most(world, subtests):
    await guests(world.db, world.team.team_id, 250)
    for sent, expected in ((200, 200), (201, 200), (1000, 200), (10**20, 200), ("9" * 5000, 200), (1, 1)):
        with subtests.test(str(sent)[:80]):
            answer = await world.ann.get(f"{world.team.path}/members?limit={sent}")
            assert len(answer.body["items"]) == expected


async def test_a_body_that_is_no_object_changes_nothing(world, subtests):
    before = await world.rows()
    for name, method, path, _ in world.operations():
        if name in BODIES and name != "auth.token":
            for sent in ("null", "[]", '""', "1", "true", "[{}]", '[["a", 1]]'):
                with subtests.test(f"{name} {sent}"):
                    answer = await world.send(name, method, path, sent)
                    assert complaint(answer, "body", "", "This must be an object.") == "", name
    assert await world.rows() == before


async def test_a_change_of_nothing_is_refused(world, subtests):
    tried = set()
    for name, method, path, _ in world.operations():
        if method != "PATCH":
            continue
        with subtests.test(name):
            tried.add(name)
            answer = await world.send(name, method, path, "{}")
            assert complaint(answer, "body", "", "at least one field to change") == "", name
    assert tried == {"me.update", "teams.update", "members.update", "expenses.update", "settlements.update"}


async def test_another_teams_ids_lead_nowhere(world, bob, subtests):
    theirs = await bob.team("Cottage")
    their_expense = await theirs.spend()
    guest_id = await theirs.guest()
    their_settlement = await theirs.settle(guest_id, theirs.owner_id, 1)
    foreign = {
        "team_id": theirs.team_id,
        "member_id": guest_id,
        "expense_id": their_expense["expense_id"],
        "settlement_id": their_settlement["settlement_id"],
    }
    tries = [{key: foreign[key] for key in keys} for keys in (*([each] for each in foreign), foreign)]
    before = await world.rows()
    tried = Counter()
    for name, method, path, _ in world.operations():
        if not path.startswith("/v1/teams/"):
            continue
        template = path.replace(world.team.team_id, "{team_id}").replace(world.guest_id, "{member_id}")
        template = template.replace(world.expense_id, "{expense_id}").replace(world.settlement_id, "{settlement_id}")
        for ids in tries + [dict.fromkeys(each, MISSING_ID) for each in tries]:
            if not any("{" + key + "}" in template for key in ids):
                continue
            with subtests.test(f"{name} {ids}"):
                tried[name] += 1
                body = {"json": world.good(name)} if name in BODIES else {}
                target = world.fill(template, **ids)
                answer = await world.ann.call(method, target, headers={"If-Match": "*"}, **body)
                assert answer.status == 404, (name, ids, answer.body)
    assert await world.rows() == before
    of_teams = {name: path.count("{") for _, path, _, name in routes if "{team_id}" in path}
    # Each one that is not of the team, and all at once; each also as one that nobody has.
    assert tried == {name: 2 * (1 + ids) for name, ids in of_teams.items()}


@pytest.mark.parametrize("name", ["expenses.create", "expenses.update"])
async def test_another_teams_member_neither_pays_nor_takes_part(world, bob, name, subtests):
    theirs = await bob.team("Cottage")
    former = await world.team.guest("Former")
    await world.ann.delete(f"{world.team.path}/members/{former}")
    method, path = next((method, path) for each, method, path, _ in world.operations() if each == name)
    before = await world.rows()
    for member_id in (theirs.owner_id, former, MISSING_ID, bob.user_id, world.team.team_id):
        shares = [{"member_id": member_id, "amount": 9000}]
        for changed, pointer in (
            ({"payer": member_id}, "/payer"),
            ({"payers": shares}, "/payers"),
            ({"participants": shares}, "/participants"),
            ({"participants": [{"member_id": member_id}], "split": "equal"}, "/participants"),
        ):
            with subtests.test(f"{pointer} {member_id}"):
                answer = await world.send(name, method, path, json.dumps(world.good(name) | changed))
                assert complaint(answer, "body", pointer, f"{member_id} is neither an active member nor") == ""
        for wanted in ("payer", "participant"):
            with subtests.test(f"{wanted} {member_id}"):
                answer = await world.ann.get(f"{world.team.path}/expenses?{wanted}={member_id}")
                assert answer.body["items"] == []
    assert await world.rows() == before


async def test_a_cursor_gives_no_more_than_a_position(world, bob):
    theirs = await bob.team("Cottage")
    for team in (world.team, theirs):
        for _ in range(3):
            await team.spend()
    answer = await bob.get(f"{theirs.path}/expenses?limit=1")
    answer = await world.ann.get(f"{world.team.path}/expenses?after={answer.body['next']}")
    own = await world.ann.get(f"{world.team.path}/expenses")
    # The others' last expense is newer than all of these.
    assert len(own.body["items"]) == 4
    assert answer.body["items"] == own.body["items"]


async def test_it_refuses_the_cursor_of_another_order_or_list(world, subtests):
    await world.team.spend()
    members = await world.ann.get(f"{world.team.path}/members?limit=1")
    by_day = await world.ann.get(f"{world.team.path}/expenses?limit=1")
    by_time = await world.ann.get(f"{world.team.path}/expenses?limit=1&sort=created_at")
    for after, target in (
        (members.body["next"], "/expenses?"),
        (by_day.body["next"], "/expenses?sort=created_at&"),
        (by_time.body["next"], "/expenses?"),
        (by_day.body["next"], "/members?"),
    ):
        with subtests.test(f"{target}{after}"):
            answer = await world.ann.get(f"{world.team.path}{target}after={after}")
            assert complaint(answer, "query", "/after", "not the `next`") == ""


async def test_it_survives_made_up_cursors(world, subtests):
    times = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2024-01-01T00:00:00", "2024-W01-1", "", None, 7]
    for sort, key in [(sort, time) for time in times for sort in ("created_at", "spent_on", "id")]:
        for last in (MISSING_ID, "\0", 7, None):
            with subtests.test(ascii((sort, key, last))):
                end = key[:10] if sort == "spent_on" and isinstance(key, str) else key
                made_up = urlsafe_b64encode(json.dumps([sort, end, last]).encode()).decode()
                target = "/members?" if sort == "id" else f"/expenses?sort={sort}&"
                answer = await world.ann.get(f"{world.team.path}{target}after={quote(made_up)}")
                assert answer.status in {200, 422}


SPLITS = [
    ({"split": "exact", "shares": (4000, 4999)}, "/participants", "The shares come to 8999, 1 less than the amount."),
    ({"split": "exact", "shares": (4000, 5001)}, "/participants", "The shares come to 9001, 1 more than the amount."),
    ({"split": "exact", "shares": (0, 0)}, "/participants", "The shares come to 0, 9000 less than the amount."),
    (
        {"split": "exact", "shares": (10**15, 10**15)},
        "/participants",
        "come to 2000000000000000, 1999999999991000 more",
    ),
    ({"split": "exact", "shares": (9000, None)}, "/participants/1/amount", "requires each participant's `amount`"),
    (
        {"split": "equal", "shares": (4499, 4501)},
        "/participants/0/amount",
        "makes this `amount` 4500, and 4499 was sent",
    ),
    ({"split": "equal", "shares": (None, 0)}, "/participants/1/amount", "makes this `amount` 4500, and 0 was sent"),
    ({"payers": (8999,)}, "/payers", "The payers' amounts come to 8999, 1 less than the amount."),
    ({"payers": (9001,)}, "/payers", "The payers' amounts come to 9001, 1 more than the amount."),
    ({"payers": (4500, 4501)}, "/payers", "The payers' amounts come to 9001, 1 more than the amount."),
    ({"payers": (9000,), "payer": MISSING_ID}, "/payers", "either `payer` or `payers`"),
    ({"split": "exact", "twice": {"amount": 4500}}, "/participants/1/member_id", "is in the list twice"),
    ({"split": "equal", "twice": {}}, "/participants/1/member_id", "is in the list twice"),
]


@pytest.mark.parametrize("name", ["expenses.create", "expenses.update"])
async def test_it_tells_by_how_much_a_split_is_off(world, name, subtests):
    members = [world.team.owner_id, world.guest_id]
    method, path = next((method, path) for each, method, path, _ in world.operations() if each == name)
    before = await world.rows()
    for changed, pointer, said in SPLITS:
        with subtests.test(str(changed)):
            body = {"description": "Lunch", "amount": 9000} | changed
            if "shares" in body:
                shares = zip(members, body.pop("shares"), strict=True)
                body["participants"] = [
                    {"member_id": each} | ({} if n is None else {"amount": n}) for each, n in shares
                ]
            if "twice" in body:
                body["participants"] = [{"member_id": world.guest_id} | body.pop("twice")] * 2
            if "payers" in body:
                pairs = zip(members, body["payers"], strict=False)
                body["payers"] = [{"member_id": each, "amount": n} for each, n in pairs]
            answer = await world.send(name, method, path, json.dumps(body))
            assert complaint(answer, "body", pointer, said) == ""
    assert await world.rows() == before


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_change_needs_the_version_that_it_is_meant_for(world, method, subtests):
    path = f"{world.team.path}/expenses/{world.expense_id}"
    body = {"json": {"amount": 1}} if method == "PATCH" else {}
    before = await world.rows()
    assert (await world.ann.call(method, path, **body)).status == 428
    for sent, status in (('"2"', 412), ("1", 422)):
        with subtests.test(sent):
            assert (await world.ann.call(method, path, headers={"If-Match": sent}, **body)).status == status
    assert await world.rows() == before


@pytest.mark.parametrize("if_match", ["*", ' "1" ', '"7", "1"', 'W/"1","1"'])
async def test_a_change_may_be_meant_for_one_of_several_versions(world, if_match):
    path = f"{world.team.path}/expenses/{world.expense_id}"
    answer = await world.ann.call("PATCH", path, headers={"If-Match": if_match}, json={"amount": 1})
    assert answer.status == 200
    assert answer.headers["ETag"] == '"2"'
    answer = await world.ann.call("DELETE", path, headers={"If-Match": if_match.replace('"1"', '"2"')})
    assert answer.status == 204


async def test_sums_beyond_64_bits_are_exact(world):
    # What a member paid in a month fits 64 bits, or is refused; what they paid in many months need not.
    await world.db.execute(
        """
        insert into totals (team_id, member_id, currency, kind, month, paid, owed)
        select $1, unnest(array[$2, $3]::uuid[]), 'EUR', 'expense', date '2001-01-01' + month * interval '1 month',
            unnest(array[$4, 0::bigint]), unnest(array[0, $4])
        from generate_series(1, 5) as month
        """,
        *(world.team.team_id, world.team.owner_id, world.guest_id, 9 * 10**18),
    )
    total = 45 * 10**18
    nets = await world.team.nets()
    assert nets == {world.team.owner_id: total + 4400, world.guest_id: -total - 4400}


async def test_text_to_search_for_is_taken_as_it_is(world, subtests):
    for description in ("100% wool", "snake_case", "back\\slash", "It's", "Straße", "plain"):
        await world.team.spend(description=description)
    for sought, found in (
        *[("%", ["100% wool"]), ("_", ["snake_case"]), ("\\", ["back\\slash"]), ("'", ["It's"]), ("%%", [])],
        *[("PLAIN", ["plain"]), ("p%n", []), ("plai_", []), ("\\%", []), ("' or true --", []), ("straße", ["Straße"])],
    ):
        with subtests.test(sought):
            answer = await world.ann.get(f"{world.team.path}/expenses?q={quote(sought)}")
            assert [each["description"] for each in answer.body["items"]] == found, sought


@pytest.mark.parametrize(("field", "slow"), [("password", "unicodedata"), ("email", "validate_email")])
async def test_text_far_too_long_is_refused_before_anything_is_done_with_it(served, monkeypatch, field, slow):
    # Marks are sorted when text is normalised, which takes time with the square of their number.
    marks = "\u0300" * 15_900 + "\u0327" * 15_900
    # What takes time with every character is not even there.
    monkeypatch.delattr(text_module, slow)
    body = {"email": "ann@example.com", "password": PASSWORD} | {field: marks}
    sent = json.dumps(body, ensure_ascii=False).encode()
    answer = await served.call("POST", "/v1/auth/login", data=sent, headers={"Content-Type": "application/json"})
    [error] = answer.body["errors"]
    assert (answer.status, error["pointer"]) == (422, f"/{field}")
    assert f"has {len(marks)} characters" in error["detail"]


async def test_text_of_decomposed_characters_is_as_long_as_what_it_becomes(ann):
    # One character of four code points each, which are one in NFC.
    name = unicodedata.normalize("NFD", "\u1f82") * 100
    assert len(name) == 400
    answer = await ann.patch("/v1/me", {"name": name})
    assert (answer.status, answer.body["name"]) == (200, "\u1f82" * 100)
    assert (await ann.patch("/v1/me", {"name": name + "x"})).status == 422
