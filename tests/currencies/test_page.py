"""GET /v1/currencies."""


async def test_it_lists_code_name_and_decimals(served):
    answer = await served.call("GET", "/v1/currencies")
    assert answer.status == 200
    items = answer.body["items"]
    found = {each["code"]: each for each in items}
    assert found["EUR"] == {"code": "EUR", "name": "Euro", "decimals": 2}
    assert (found["JPY"]["decimals"], found["KWD"]["decimals"], found["VND"]["decimals"]) == (0, 3, 0)
    # Gold and the codes for tests are none; withdrawn ones cannot be chosen.
    assert not {"XAU", "XTS", "XXX", "DEM"} & set(found)
    assert [each["code"] for each in items] == sorted(found)
