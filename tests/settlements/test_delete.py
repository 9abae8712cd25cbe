"""DELETE /v1/teams/{team_id}/settlements/{settlement_id}."""

ACCESS = (401, 401, 404, 404, 403, 403, 204, 204, 204, 404)


async def test_the_debt_is_open_again(bob, flat, db):
    bob_id = await flat.add(bob)
    await flat.spend(9000)
    settlement = await flat.settle(bob_id, flat.owner_id, 4500)
    path = f"{flat.path}/settlements/{settlement['settlement_id']}"
    assert (await flat.owner.delete(path)).status == 428
    assert (await flat.owner.delete(path, if_match='"2"')).status == 412
    assert (await flat.owner.delete(path, if_match='"1"')).status == 204
    assert (await flat.owner.delete(path, if_match='"1"')).status == 404
    assert (await flat.owner.get(path)).status == 404
    assert await flat.nets() == {flat.owner_id: 4500, bob_id: -4500}
    assert await db.fetchval("select action from revisions order by revision desc limit 1") == "settlements.delete"


async def test_it_deletes_no_expense(flat):
    expense = await flat.spend()
    assert (await flat.owner.delete(f"{flat.path}/settlements/{expense['expense_id']}", if_match="*")).status == 404
    assert (await flat.owner.get(f"{flat.path}/expenses/{expense['expense_id']}")).status == 200
