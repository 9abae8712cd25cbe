"""Expenses and incomes, the client's own ids and values, and dry runs: on create, change and in lists."""

import asyncio

import pytest

from tests.rows import all_rows


def path(team, expense):
    return f"{team.path}/expenses/{expense['expense_id']}"


def owed(expense):
    return {each["member_id"]: each["amount"] for each in expense["participants"]}


async def test_an_income_turns_the_ledger_s_sides(bob, flat, db):
    bob_id = await flat.add(bob)
    income = await flat.spend(9000, kind="income", description="Deposit back")
    assert (income["kind"], income["amount"]) == ("income", 9000)
    # Ann received what is for both.
    assert income["payers"] == [{"member_id": flat.owner_id, "amount": 9000}]
    assert owed(income) == {flat.owner_id: 4500, bob_id: 4500}
    assert await flat.nets() == {flat.owner_id: -4500, bob_id: 4500}
    assert await db.fetchval("select bool_and(paid >= 0 and owed >= 0) from entries")
    await flat.spend(9000)
    assert await flat.nets() == {flat.owner_id: 0, bob_id: 0}
    changed = await flat.owner.patch(path(flat, income), {"kind": "expense"}, "*")
    assert (changed.status, changed.body["kind"]) == (200, "expense")
    assert await flat.nets() == {flat.owner_id: 9000, bob_id: -9000}


async def test_a_list_has_the_kinds_that_are_asked_for(flat, subtests):
    kim = await flat.guest("Kim")
    await flat.spend(1)
    await flat.spend(2, kind="income")
    await flat.settle(kim, flat.owner_id, 3)
    for query, expected in [
        ("", {1, 2}),
        ("?kind=expense", {1}),
        ("?kind=income", {2}),
        ("?kind=settlement", {3}),
        (f"?payer={flat.owner_id}", {1, 2}),
        (f"?payer={kim}", set()),
        (f"?payer={kim}&kind=settlement", {3}),
    ]:
        for sort in ("spent_on", "created_at"):
            with subtests.test(f"{query} {sort}"):
                answer = await flat.owner.get(f"{flat.path}/expenses{query}{'&' if query else '?'}sort={sort}")
                assert {each["amount"] for each in answer.body["items"]} == expected


async def test_a_settlement_is_shown_but_not_changed_or_deleted_as_an_expense(flat, db):
    settlement = await flat.settle(await flat.guest(), flat.owner_id, 100)
    path = f"{flat.path}/expenses/{settlement['settlement_id']}"
    shown = await flat.owner.get(path)
    assert (shown.status, shown.body["kind"]) == (200, "settlement")
    before = await all_rows(db)
    for answer in (
        await flat.owner.patch(path, {"notes": "Cash"}, shown.headers["ETag"]),
        await flat.owner.delete(path, if_match=shown.headers["ETag"]),
    ):
        assert (answer.status, answer.body["type"]) == (409, "/problems/is-settlement")
        assert answer.body["existing"] == f"{flat.path}/settlements/{settlement['settlement_id']}"
    assert await all_rows(db) == before
    assert (await flat.owner.delete(answer.body["existing"], if_match=shown.headers["ETag"])).status == 204


async def test_an_external_id_is_taken_once_also_by_what_is_deleted(bob, flat, db):
    first = await flat.spend(external_id="bank:17", metadata={"import": "a", "row": "1"})
    assert (first["external_id"], first["metadata"]) == ("bank:17", {"import": "a", "row": "1"})
    body = {"description": "Again", "amount": 1, "external_id": "bank:17"}
    for is_deleted in (False, True):
        before = await all_rows(db)
        answer = await flat.owner.post(f"{flat.path}/expenses", body)
        assert (answer.status, answer.body["type"]) == (409, "/problems/external-id-taken")
        assert (answer.body["existing"], answer.body["existing_is_deleted"]) == (path(flat, first), is_deleted)
        assert ("which was deleted" in answer.body["detail"]) == is_deleted
        assert await all_rows(db) == before
        await flat.owner.delete(path(flat, first), if_match="*")
    second = await flat.spend(external_id="bank:18")
    changed = await flat.owner.patch(path(flat, second), {"external_id": "bank:17"}, "*")
    assert (changed.status, changed.body["existing"]) == (409, path(flat, first))
    assert changed.body["existing_is_deleted"]
    assert (await flat.owner.patch(path(flat, second), {"external_id": "bank:18", "amount": 5}, "*")).status == 200
    assert (await flat.owner.patch(path(flat, second), {"external_id": None}, "*")).body["external_id"] is None
    assert (await (await bob.team("Trip")).spend(external_id="bank:17"))["external_id"] == "bank:17"


async def test_one_of_many_at_once_gets_an_external_id(flat, db):
    body = {"description": "Tea", "amount": 1, "external_id": "one"}
    answers = await asyncio.gather(*(flat.owner.post(f"{flat.path}/expenses", body) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7
    assert await db.fetchval("select count(*) from expenses") == 1


async def test_the_database_itself_refuses_a_second_external_id(flat, db):
    await flat.spend(external_id="one")
    await flat.spend()
    with pytest.raises(Exception, match="expenses_external_id_key"):
        await db.execute("update expenses set external_id = 'one'")


async def test_it_is_found_by_external_id_and_metadata(bob, flat, subtests):
    await (await bob.team("Trip")).spend(7, external_id="a", metadata={"order": "1"})
    await flat.spend(1, external_id="a", metadata={"order": "1", "shop": "x:y"})
    await flat.spend(2, external_id="b", metadata={"order": "12"})
    await flat.spend(3)
    for query, expected in [
        ("external_id=a", [1]),
        ("external_id=c", []),
        ("metadata=order:1", [1]),
        ("metadata=order:12", [2]),
        ("metadata=shop:x:y", [1]),
        ("metadata=shop:x", []),
        ("metadata=Order:1", []),
    ]:
        with subtests.test(query):
            answer = await flat.owner.get(f"{flat.path}/expenses?{query}")
            assert [each["amount"] for each in answer.body["items"]] == expected
    for query in ("metadata=order", "metadata=:1", "metadata=a b:1", "metadata=order:", "external_id="):
        with subtests.test(query):
            assert (await flat.owner.get(f"{flat.path}/expenses?{query}")).status == 422


BAD_METADATA = [
    ([], "", "invalid"),
    ({"a b": "1"}, "/a b", "key"),
    ({"k" * 41: "1"}, "/" + "k" * 41, "key"),
    ({"a": 1}, "/a", "invalid"),
    ({"a": ""}, "/a", "too_short"),
    ({"a": "x" * 501}, "/a", "too_long"),
    ({str(number): "1" for number in range(21)}, "", "too_many"),
]


async def test_bad_metadata_is_refused(flat, db, subtests):
    expense = await flat.spend(metadata={f"key{number}": "1" for number in range(15)})
    before = await all_rows(db)
    for metadata, pointer, code in [*BAD_METADATA, ({"a": None}, "/a", "invalid"), (None, "", "null")]:
        with subtests.test(str(metadata)[:50]):
            body = {"description": "Tea", "amount": 1, "metadata": metadata}
            answer = await flat.owner.post(f"{flat.path}/expenses", body)
            assert answer.status == 422
            [error] = answer.body["errors"]
            assert (error["pointer"], error["code"]) == (f"/metadata{pointer}", code)
    more = {f"more{number}": "1" for number in range(6)}
    answer = await flat.owner.patch(path(flat, expense), {"metadata": more}, "*")
    assert answer.body["errors"][0]["detail"] == "This has 21 keys, 1 more than the maximum of 20."
    assert await all_rows(db) == before
    removed = {f"key{number}": None for number in range(15)}
    changed = await flat.owner.patch(path(flat, expense), {"metadata": more | removed}, "*")
    assert changed.body["metadata"] == more


@pytest.mark.parametrize("amount", [1, 100, 3001, 10**15])
async def test_a_dry_run_tells_what_the_write_then_does(flat, db, amount):
    for name in ("Kim", "Lee"):
        await flat.guest(name)
    body = {"description": "Dinner", "amount": amount}
    before = await all_rows(db)
    tried = await flat.owner.post(f"{flat.path}/expenses?dry_run=true", body)
    assert tried.status == 200
    assert not {"Location", "ETag"} & set(tried.headers)
    assert await all_rows(db) == before
    written = (await flat.owner.post(f"{flat.path}/expenses", body)).body
    said = {"expense_id", "created_at", "updated_at"}
    assert {name: value for name, value in tried.body.items() if name not in said} == {
        name: value for name, value in written.items() if name not in said
    }
    change = {"amount": max(1, amount - 1), "description": "Supper"}
    before = await all_rows(db)
    tried = await flat.owner.patch(f"{path(flat, written)}?dry_run=true", change, '"1"')
    assert (tried.status, tried.body["version"]) == (200, 2)
    assert await all_rows(db) == before
    changed = (await flat.owner.patch(path(flat, written), change, '"1"')).body
    assert tried.body | {"updated_at": changed["updated_at"]} == changed


async def test_a_dry_run_refuses_what_the_write_would(bob, flat, db):
    await flat.add(bob, "viewer")
    expense = await flat.spend(external_id="one")
    before = await all_rows(db)
    tries = [
        (flat.owner, "POST", "/expenses", {"description": "Tea", "amount": 0}, 422),
        (flat.owner, "POST", "/expenses", {"description": "Tea", "amount": 1, "external_id": "one"}, 409),
        (flat.owner, "POST", "/expenses", {"description": "Tea", "amount": 1, "payer": expense["expense_id"]}, 422),
        (bob, "POST", "/expenses", {"description": "Tea", "amount": 1}, 403),
        (bob, "PATCH", f"/expenses/{expense['expense_id']}", {"amount": 1}, 403),
        (flat.owner, "PATCH", f"/expenses/{expense['expense_id']}", {"version": 4, "amount": 1}, 422),
    ]
    for person, method, where, body, status in tries:
        answer = await person.call(method, f"{flat.path}{where}?dry_run=true", body, headers={"If-Match": "*"})
        assert answer.status == status, (method, body)
    assert (await flat.owner.post(f"{flat.path}/expenses?dry_run=1", {"description": "x", "amount": 1})).status == 422
    assert await all_rows(db) == before


async def test_a_viewer_shares_nothing_by_default(bob, flat):
    bob_id = await flat.add(bob, "viewer")
    kim = await flat.guest("Kim")
    assert set(owed(await flat.spend())) == {flat.owner_id, kim}
    named = await flat.spend(participants=[{"member_id": bob_id}])
    assert owed(named) == {bob_id: 9000}


async def test_today_is_that_of_the_team_s_time_zone(flat, db, subtests):
    # One of the two is on another day than UTC at any time.
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        with subtests.test(zone):
            assert (await flat.owner.patch(flat.path, {"time_zone": zone})).body["time_zone"] == zone
            today = await db.fetchval("select (now() at time zone $1)::date", zone)
            assert (await flat.spend())["spent_on"] == str(today)
            settlement = await flat.settle(await flat.guest(zone), flat.owner_id, 1)
            assert settlement["settled_on"] == str(today)
            latest = await db.fetchval("select (now() at time zone $1)::date + 366", zone)
            assert (await flat.spend(spent_on=str(latest)))["spent_on"] == str(latest)
            after = await db.fetchval("select (now() at time zone $1)::date + 367", zone)
            body = {"description": "Tea", "amount": 1, "spent_on": str(after)}
            answer = await flat.owner.post(f"{flat.path}/expenses", body)
            assert (answer.status, answer.body["errors"][0]["code"]) == (422, "out_of_range")
            assert str(latest) in answer.body["detail"]
            expense = await flat.spend()
            answer = await flat.owner.patch(path(flat, expense), {"spent_on": str(after)}, "*")
            assert answer.status == 422
