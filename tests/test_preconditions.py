"""If-Match and If-None-Match: a precondition that is sent is never ignored, whatever a proxy did to the ETag."""

import pytest

from tests.rows import all_rows


async def expense_path(team):
    return f"{team.path}/expenses/{(await team.spend())['expense_id']}"


# What proxies that compress make of `"1"`: nginx the first, Apache and Caddy those with an ending.
SAME_TAG = ['"1"', 'W/"1"', '"1-gzip"', '"1-br"', '"1-zstd"', '"1-deflate"', 'W/"1-gzip"']
CURRENT = [*SAME_TAG, "*", " * ", ' "1" ', '"7", "1"', 'W/"7",W/"1"', '"x" , "1"', '"1",', ', "1"']
CURRENT += ['"a,b", "1"', '"", "1"']


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_tag_is_a_version_whatever_a_proxy_made_of_it(flat, method, subtests):
    for sent in CURRENT:
        with subtests.test(sent):
            path = await expense_path(flat)
            body = {"amount": 1} if method == "PATCH" else None
            answer = await flat.owner.call(method, path, body, headers={"If-Match": sent})
            assert answer.status in {200, 204}, answer.body


async def test_tags_may_come_in_several_headers(flat):
    headers = [("If-Match", '"7"'), ("If-Match", 'W/"1"'), ("Authorization", f"Bearer {flat.owner.token}")]
    url = flat.owner.service.url + await expense_path(flat)
    async with flat.owner.service.http.patch(url, json={"amount": 1}, headers=headers) as response:
        assert response.status == 200


OTHER = ['"2"', 'W/"2"', '"2-gzip"', '"2", "3"', '"0"', '"01"', '"1-x"', '"-1"', '"1.0.0"', '"1,1"', '"x"', '""', '"٣"']
OTHER += ['"1--gzip"', f'"{2**31}"', f'"{2**64}"', f'"{"1" * 5000}"']


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_another_version_is_refused_and_the_current_one_is_said(flat, db, method, subtests):
    path = await expense_path(flat)
    before = await all_rows(db)
    for sent in OTHER:
        with subtests.test(ascii(sent)[:80]):
            body = {"amount": 1} if method == "PATCH" else None
            answer = await flat.owner.call(method, path, body, headers={"If-Match": sent})
            assert (answer.status, answer.body["type"]) == (412, "/problems/precondition-failed")
            assert answer.body["detail"].endswith('; the current version is "1".')
    assert await all_rows(db) == before
    answer = await flat.owner.delete(path, 'W/"2", "3"')
    assert answer.body["detail"] == 'If-Match has "2" or "3"; the current version is "1".'
    answer = await flat.owner.delete(path, '"x"')
    assert answer.body["detail"] == 'If-Match has no ETag of this service; the current version is "1".'


MALFORMED = ["", "1", "version 1", '"', '"1', '1"', "W/1", 'w/"1"', '"1" 2', '*, "1"', '"1", *', ", ,", "'1'", '"a b"']


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_what_is_no_tag_is_refused_with_what_to_send(flat, db, method, subtests):
    path = await expense_path(flat)
    before = await all_rows(db)
    for sent in MALFORMED:
        with subtests.test(sent):
            body = {"amount": 1} if method == "PATCH" else None
            answer = await flat.owner.call(method, path, body, headers={"If-Match": sent})
            [error] = answer.body["errors"]
            assert (answer.status, error["in"], error["pointer"]) == (422, "header", "/If-Match")
            assert error["code"] == "not_etags"
            assert 'must be the ETag that you read, with its quotes, such as "2"' in error["detail"]
    assert await all_rows(db) == before


async def test_a_reader_is_told_that_nothing_is_new_whatever_a_proxy_made_of_the_tag(flat, subtests):
    path = await expense_path(flat)
    for sent in CURRENT:
        with subtests.test(sent):
            answer = await flat.owner.get(path, headers={"If-None-Match": sent})
            assert (answer.status, answer.headers["ETag"]) == (304, '"1"')
    for sent in [*OTHER, "1", "", "W/1", '"1']:
        with subtests.test(ascii(sent)[:80]):
            assert (await flat.owner.get(path, headers={"If-None-Match": sent})).status == 200


async def test_the_document_says_what_if_match_takes(served):
    operations = served.contract.document["paths"]["/v1/teams/{team_id}/expenses/{expense_id}"]
    for method in ("patch", "delete"):
        [header] = [each for each in operations[method]["parameters"] if each["in"] == "header"]
        assert (header["name"], header["required"]) == ("If-Match", True)
        assert all(each in header["description"] for each in ('`"2"`', '`W/"2"`', "`*`", "commas"))
