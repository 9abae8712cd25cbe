"""GET /v1/me/balances."""

from tests.rows import teams


async def own(person):
    answer = await person.get("/v1/me/balances")
    assert answer.status == 200
    return [(each["team_name"], each["is_archived"], each["currency"], each["net"]) for each in answer.body["items"]]


async def test_it_lists_what_is_open_in_every_team_the_newest_first(ann, bob):
    flat, trip = await ann.team("Flat"), await bob.team("Trip", "JPY")
    bob_id, ann_id = await flat.add(bob), await trip.add(ann)
    await flat.spend(1000)
    await flat.spend(500, currency="USD", payer=bob_id)
    await trip.spend(900)
    assert await own(ann) == [("Trip", False, "JPY", -450), ("Flat", False, "EUR", 500), ("Flat", False, "USD", -250)]
    assert await own(bob) == [("Trip", False, "JPY", 450), ("Flat", False, "EUR", -500), ("Flat", False, "USD", 250)]
    items = (await ann.get("/v1/me/balances")).body["items"]
    assert [(each["team_id"], each["member_id"]) for each in items] == [
        (trip.team_id, ann_id),
        *[(flat.team_id, flat.owner_id)] * 2,
    ]


async def test_it_leaves_out_what_is_settled_and_teams_of_others(ann, bob, flat):
    assert await own(ann) == []
    await flat.spend(1000)
    assert await own(ann) == []
    guest = await flat.guest()
    await flat.spend(1000)
    await flat.spend(500, payer=guest, participants=[{"member_id": flat.owner_id}])
    assert await own(ann) == []
    trip = await bob.team("Trip")
    await trip.guest()
    await trip.spend(1000)
    assert await own(ann) == []


async def test_it_lists_archived_teams_and_none_that_is_deleted_or_left(ann, bob, flat):
    await flat.add(bob, "owner")
    await flat.spend(1000)
    await ann.patch(flat.path, {"archived": True})
    assert await own(ann) == [("Flat", True, "EUR", 500)]
    await ann.delete(f"{flat.path}/members/{flat.owner_id}?keep_balance=true")
    assert await own(ann) == []
    assert await own(bob) == [("Flat", True, "EUR", -500)]
    await bob.delete(f"{flat.path}?keep_balance=true")
    assert await own(bob) == []


async def test_it_knows_sums_beyond_what_one_amount_can_be(ann, flat, db):
    await flat.guest()
    await flat.spend(2)
    await db.execute("update totals set paid = 9000000000000000000 where paid > 0")
    await db.execute(
        """
        insert into totals (team_id, member_id, currency, kind, month, paid, owed)
        select team_id, member_id, currency, kind, month - 31, paid, 0 from totals where paid > 0
        """
    )
    assert await own(ann) == [("Flat", False, "EUR", 18 * 10**18 - 1)]


async def test_it_asks_for_an_account(served):
    assert (await served.call("GET", "/v1/me/balances")).status == 401


async def test_many_teams_without_anything_are_no_rows(ann, db):
    await teams(db, ann.user_id, 300)
    assert await own(ann) == []
