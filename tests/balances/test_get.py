"""GET /v1/teams/{team_id}/balances."""


async def test_it_sums_what_everybody_paid_and_owes(flat):
    guest = await flat.guest()
    expense = await flat.spend(9001)
    answer = await flat.owner.get(f"{flat.path}/balances")
    assert answer.status == 200
    by_id = {item["member_id"]: item for item in answer.body["items"]}
    shares = {part["member_id"]: part["amount"] for part in expense["participants"]}
    assert by_id[flat.owner_id]["paid"] == 9001
    assert by_id[flat.owner_id]["net"] == 9001 - shares[flat.owner_id]
    assert by_id[guest]["net"] == -shares[guest]
    assert sum(item["net"] for item in answer.body["items"]) == 0
