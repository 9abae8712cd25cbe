"""An answer can be sent back: what was read is accepted as a change, with some of it changed or nothing."""

import pytest

from service.expenses.splits import splits
from service.routes import routes
from tests.rows import all_rows

# What a split takes of each of two participants, for an amount of 9001.
TAKEN = {
    "equal": ({}, {}),
    "exact": ({"amount": 9001}, {"amount": 0}),
    "percent": ({"percent": 33.3333}, {"percent": 66.6667}),
    "shares": ({"shares": 2.5}, {"shares": 0}),
    "adjustment": ({}, {"adjustment": -500}),
    "itemised": ({"shares": 1}, {"shares": 2.5}),
}
BILL = {"tax": 700, "discount": 199}


async def read(person, path):
    answer = await person.get(path)
    assert answer.status == 200
    return answer.body, answer.headers["ETag"]


async def expense_path(team, split="equal", **fields):
    guest = await team.guest("Kim")
    parts = [{"member_id": each} | taken for each, taken in zip((team.owner_id, guest), TAKEN[split], strict=True)]
    shared = {"participants": parts}
    if split == "itemised":
        items = [{"amount": 8000, "split": "shares", "participants": parts}, {"amount": 500, "description": "Wine"}]
        shared = BILL | {"items": items}
    expense = await team.spend(9001, split=split, **shared, **fields)
    return f"{team.path}/expenses/{expense['expense_id']}"


async def paths(team, bob):
    """What can be changed: each with its name, and who may."""
    yield "me", team.owner, "/v1/me"
    yield "team", team.owner, team.path
    yield "owner", team.owner, f"{team.path}/members/{team.owner_id}"
    yield "guest", team.owner, f"{team.path}/members/{await team.guest()}"
    yield "member", bob, f"{team.path}/members/{await team.add(bob)}"
    for split in splits:
        yield split, team.owner, await expense_path(team, split, category="food", notes="with\nwine")
        yield f"{split}, short", team.owner, await expense_path(team, split)


BOOKKEEPING = ("version", "revision", "updated_at")


def without_bookkeeping(document):
    return {name: value for name, value in document.items() if name not in BOOKKEEPING}


def test_every_change_takes_every_field_of_what_it_changes():
    changes = {name: handler for method, _, handler, name in routes if method == "PATCH"}
    assert set(changes) == {"me.update", "teams.update", "members.update", "expenses.update", "settlements.update"}
    for name, handler in changes.items():
        [taken] = [each["schema"].fields for each in handler.__apispec__["schemas"] if each["location"] == "json"]
        assert set(handler.answer.schema().fields) <= set(taken), name


def test_every_mode_of_splitting_is_tried():
    assert set(TAKEN) == set(splits)


async def test_what_was_read_is_accepted_and_changes_nothing(flat, bob, db, subtests):
    async for name, person, path in paths(flat, bob):
        with subtests.test(name):
            document, etag = await read(person, path)
            typed = await db.fetchval("select jsonb_agg(typed order by expense_id) from expenses")
            ledger = await db.fetch("select * from entries order by expense_id, member_id")
            answer = await person.patch(path, document, etag)
            assert answer.status == 200, answer.body
            assert without_bookkeeping(answer.body) == without_bookkeeping(document)
            assert answer.body["version"] == document["version"] + 1
            assert await db.fetchval("select jsonb_agg(typed order by expense_id) from expenses") == typed
            assert await db.fetch("select * from entries order by expense_id, member_id") == ledger
            # The same document again is of a version that is no longer the current one.
            assert (await person.patch(path, document, etag)).status == 412


async def test_one_field_of_what_was_read_can_be_changed(flat, bob, subtests):
    async for name, person, path in paths(flat, bob):
        with subtests.test(name):
            document, etag = await read(person, path)
            field = "description" if "description" in document else "name"
            answer = await person.patch(path, document | {field: "Another"}, etag)
            assert answer.status == 200, answer.body
            assert without_bookkeeping(answer.body) == without_bookkeeping(document) | {field: "Another"}


@pytest.mark.parametrize("field", ["payers", "participants"])
async def test_a_share_that_the_split_does_not_make_is_refused_with_both_numbers(flat, db, field):
    path = await expense_path(flat)
    document, etag = await read(flat.owner, path)
    document[field][0]["amount"] -= 1
    before = await all_rows(db)
    answer = await flat.owner.patch(path, document, etag)
    assert answer.status == 422
    [error] = answer.body["errors"]
    if field == "payers":
        assert error["detail"] == "The payers' amounts come to 9000, 1 less than the amount."
    else:
        now, sent = document[field][0]["amount"] + 1, document[field][0]["amount"]
        assert error["pointer"] == "/participants/0/amount"
        assert error["detail"].startswith(f"The equal split makes this `amount` {now}, and {sent} was sent.")
    assert await all_rows(db) == before


@pytest.mark.parametrize("split", [each for each in splits if each != "exact"])
async def test_what_was_read_can_be_sent_back_with_another_amount(flat, split):
    path = await expense_path(flat, split)
    document, etag = await read(flat.owner, path)
    # The payer paid all of it, and what is computed is computed again.
    document |= {"amount": 20000}
    if split == "itemised":
        document["items"].insert(0, {"amount": 20000 - 9001})
    answer = await flat.owner.patch(path, document, etag)
    assert answer.status == 200, answer.body
    assert answer.body["payers"] == [{"member_id": flat.owner_id, "amount": 20000}]
    assert sum(share["amount"] for share in answer.body["participants"]) == 20000
    typed = [{name: value for name, value in share.items() if name != "amount"} for share in document["participants"]]
    again = [
        {name: value for name, value in share.items() if name != "amount"} for share in answer.body["participants"]
    ]
    assert again == typed


async def test_shares_and_payments_that_were_typed_have_to_come_to_another_amount(flat, db):
    path = await expense_path(flat, "exact")
    document, etag = await read(flat.owner, path)
    before = await all_rows(db)
    answer = await flat.owner.patch(path, document | {"amount": 9002}, etag)
    assert answer.body["type"].endswith("/shares-miss-amount")
    guest = document["participants"][1]["member_id"]
    paid = [{"member_id": flat.owner_id, "amount": 9000}, {"member_id": guest, "amount": 1}]
    tea = await flat.spend(9001, payers=paid)
    path = f"{flat.path}/expenses/{tea['expense_id']}"
    document, etag = await read(flat.owner, path)
    before = await all_rows(db)
    answer = await flat.owner.patch(path, document | {"amount": 9002}, etag)
    assert answer.body["detail"] == "The payers' amounts come to 9001, 1 less than the amount."
    assert await all_rows(db) == before


async def test_shares_that_neither_were_read_nor_come_out_are_refused(flat, db):
    path = await expense_path(flat)
    document, etag = await read(flat.owner, path)
    document |= {"amount": 20, "payers": [{"member_id": flat.owner_id, "amount": 20}]}
    document["participants"][0]["amount"] = 11
    before = await all_rows(db)
    answer = await flat.owner.patch(path, document, etag)
    assert (answer.status, answer.body["errors"][0]["pointer"]) == (422, "/participants/0/amount")
    assert "The equal split makes this `amount` 10, and 11" in answer.body["detail"]
    assert await all_rows(db) == before
    for share in document["participants"]:
        share["amount"] = 10
    assert (await flat.owner.patch(path, document, etag)).body["participants"] == document["participants"]


async def test_a_new_expense_takes_the_shares_that_come_out(flat, db):
    guest = await flat.guest()
    shares = [{"member_id": guest, "amount": 50}, {"member_id": flat.owner_id, "amount": 50}]
    expense = await flat.spend(100, participants=shares)
    assert expense["participants"] == shares
    assert await db.fetchval("select typed -> 'participants' -> 0 from expenses") == f'{{"member_id": "{guest}"}}'
    body = {"description": "Tea", "amount": 100, "participants": [shares[0], shares[1] | {"amount": 49}]}
    answer = await flat.owner.post(f"{flat.path}/expenses", body)
    [error] = answer.body["errors"]
    assert (error["pointer"], error["code"]) == ("/participants/1/amount", "not_in_split")
    assert error["detail"].startswith("The equal split makes this `amount` 50, and 49 was sent.")


async def test_a_field_that_cannot_be_changed_is_refused_with_both_values(flat, bob, db, subtests):
    async for name, person, path in paths(flat, bob):
        document, _ = await read(person, path)
        change = "description" if "description" in document else "name"
        before = await all_rows(db)
        [schema] = [
            each["schema"].fields
            for _, route, handler, route_name in routes
            for each in handler.__apispec__["schemas"]
            if route_name.endswith(".update")
            and each["location"] == "json"
            and len(route.split("/")) == len(path.split("/"))
            and route.split("/")[-2] == path.split("/")[-2]
        ]
        fixed = [each for each in document if schema[each].metadata.get("readOnly")]
        assert {"version"} < set(fixed)
        for field in fixed:
            with subtests.test(f"{name} {field}"):
                sent = 99 if isinstance(document[field], int) else "2001-02-03T04:05:06Z"
                answer = await person.call("PATCH", path, {change: "Another", field: sent}, headers={"If-Match": "*"})
                [error] = answer.body["errors"]
                assert (answer.status, error["pointer"], error["code"]) == (422, f"/{field}", "read_only")
                shown = "null" if document[field] is None else document[field]
                assert error["detail"].replace('"', "") == (
                    f"`{field}` is {shown} and cannot be changed; {sent} was sent."
                )
        assert await all_rows(db) == before


async def test_the_same_time_may_be_written_in_another_way(ann, subtests):
    me, _ = await read(ann, "/v1/me")
    for sent in (me["created_at"].replace("Z", "+00:00"), me["created_at"].replace("T", " ")):
        with subtests.test(sent):
            assert (await ann.patch("/v1/me", {"name": "Anna", "created_at": sent})).status == 200
    for sent in (me["created_at"].replace("Z", ""), me["created_at"].replace("Z", "+01:00"), "now", ""):
        with subtests.test(sent):
            answer = await ann.patch("/v1/me", {"name": "Anna", "created_at": sent})
            assert (answer.status, answer.body["errors"][0]["code"]) == (422, "read_only")


async def test_a_team_that_others_write_to_can_be_sent_back(flat):
    document, etag = await read(flat.owner, flat.path)
    await flat.spend()
    answer = await flat.owner.patch(flat.path, document | {"name": "House"}, etag)
    assert (answer.status, answer.body["revision"]) == (200, document["revision"] + 2)
    for revision in (4, 0, -1, True, "1", None):
        answer = await flat.owner.patch(flat.path, {"name": "Home", "revision": revision})
        assert (answer.status, answer.body["errors"][0]["pointer"]) == (422, "/revision"), revision
    assert (await flat.owner.get(flat.path)).body["name"] == "House"


async def test_a_team_can_be_sent_back_with_the_balances_of_before(flat):
    await flat.guest()
    await flat.spend(900)
    document, _ = await read(flat.owner, flat.path)
    assert document["balances"] == [{"currency": "EUR", "net": 450}]
    await flat.spend(100)
    answer = await flat.owner.patch(flat.path, document | {"name": "House"})
    assert (answer.status, answer.body["balances"]) == (200, [{"currency": "EUR", "net": 500}])
    for balances in (1, None, "none", {}, [1], [{"currency": "EUR"}], [{"currency": "EUR", "net": 4.5}]):
        answer = await flat.owner.patch(flat.path, {"name": "Home", "balances": balances})
        assert answer.status == 422, balances
        assert answer.body["errors"][0]["pointer"].startswith("/balances"), balances


async def test_an_archived_team_can_be_sent_back_as_it_is_or_taken_back(flat):
    await flat.owner.patch(flat.path, {"archived": True})
    document, etag = await read(flat.owner, flat.path)
    assert (await flat.owner.patch(flat.path, document | {"name": "House"}, etag)).body["type"].endswith("archived")
    answer = await flat.owner.patch(flat.path, document, etag)
    assert without_bookkeeping(answer.body) == without_bookkeeping(document)
    document, etag = await read(flat.owner, flat.path)
    answer = await flat.owner.patch(flat.path, document | {"name": "House", "archived": False}, etag)
    assert (answer.status, answer.body["name"], answer.body["archived_at"]) == (200, "House", None)


async def test_a_guest_stays_a_guest_and_an_account_becomes_none(flat):
    guest = f"{flat.path}/members/{await flat.guest()}"
    for path, role, status in (
        (guest, "guest", 200),
        (guest, "viewer", 422),
        (f"{flat.path}/members/{flat.owner_id}", "guest", 422),
    ):
        answer = await flat.owner.patch(path, {"name": "Kim", "role": role})
        assert answer.status == status
        assert status == 200 or answer.body["errors"][0]["pointer"] == "/role"


async def test_the_address_that_there_is_needs_no_password_but_another_does(ann, db):
    document, _ = await read(ann, "/v1/me")
    assert (await ann.patch("/v1/me", document | {"name": "Anna"})).body["name"] == "Anna"
    assert (await ann.patch("/v1/me", {"email": ann.email.upper()})).status == 200
    before = await all_rows(db)
    answer = await ann.patch("/v1/me", {"name": "Eve", "email": "eve@example.com"})
    assert (answer.status, answer.body["errors"][0]["pointer"]) == (422, "/current_password")
    assert await all_rows(db) == before
