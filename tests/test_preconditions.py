"""If-Match and If-None-Match: a precondition that is sent is never ignored, whatever a proxy did to the ETag."""

import asyncio

import pytest

from service.routes import routes
from tests.conftest import PASSWORD
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


NOBODY, OTHERS = (f"01930b7e-7a3c-7d6a-8a35-2f6a3f1d9a1{number}" for number in range(2))
# A body that each write takes, and whether it must say which version it is meant for; None if it takes none.
WRITES = {
    "auth.register": ({"email": "carl@example.com", "password": PASSWORD, "name": "Carl"}, None),
    "auth.login": ({"email": "ann@example.com", "password": PASSWORD}, None),
    "auth.token": ({"grant_type": "password", "username": "ann@example.com", "password": PASSWORD}, None),
    "auth.refresh": ({"refresh_token": "x"}, None),
    "auth.logout": (None, None),
    "me.update": ({"name": "Anna"}, "optional"),
    "teams.create": ({"name": "Trip", "currency": "EUR"}, None),
    "teams.update": ({"name": "House"}, "optional"),
    "teams.delete": (None, "optional"),
    "teams.restore": (None, None),
    "members.create": ({"name": "Kim"}, None),
    "members.update": ({"name": "Kim"}, "optional"),
    "members.delete": (None, "optional"),
    "expenses.create": ({"description": "Lunch", "amount": 1}, None),
    "expenses.update": ({"amount": 1}, "required"),
    "expenses.delete": (None, "required"),
    "history.read": ({"revision": 1}, None),
    "settlements.create": ({"from": NOBODY, "to": OTHERS, "amount": 1}, None),
    "settlements.update": ({"amount": 1}, "required"),
    "settlements.delete": (None, "required"),
    "settlements.transfer": ({"from": NOBODY, "to": OTHERS, "amount": 1, "currency": "EUR"}, "required"),
}
ROUTES = [(method, path, name) for method, path, _, name in routes if method not in {"GET", "HEAD"}]
# A transfer is of the plan, which has the team's revision; tests/settlements/test_transfer.py has that.
VERSIONED = [each for each in ROUTES if WRITES[each[2]][1] and each[2] != "settlements.transfer"]
UNVERSIONED = [each for each in ROUTES if not WRITES[each[2]][1]]


def by_name(cases):
    return pytest.mark.parametrize(("method", "path", "name"), cases, ids=[name for _, _, name in cases])


@pytest.fixture
async def target(flat):
    """Return what fills in the path of a route. All that it leads to was changed once, so its version is 2."""
    guest = await flat.guest()
    expense = await flat.spend(participants=[{"member_id": flat.owner_id}])
    settlement = await flat.settle(guest, flat.owner_id, 5)
    await flat.spend(5, participants=[{"member_id": guest}])
    ids = {
        "team_id": flat.team_id,
        "member_id": guest,
        "expense_id": expense["expense_id"],
        "settlement_id": settlement["settlement_id"],
    }
    for name, body in (("/v1/me", {"name": "Annie"}), (flat.path, {"name": "Home"})):
        assert (await flat.owner.patch(name, body)).status == 200
    assert (await flat.owner.patch(f"{flat.path}/members/{guest}", {"name": "Lee"})).status == 200
    assert (await flat.owner.patch(f"{flat.path}/expenses/{expense['expense_id']}", {"amount": 9}, "*")).status == 200
    path = f"{flat.path}/settlements/{settlement['settlement_id']}"
    assert (await flat.owner.patch(path, {"amount": 5}, "*")).status == 200
    return lambda path: path.format(**ids)


async def write(person, method, path, name, headers):
    body = WRITES[name][0]
    sent = {"data": body} if name == "auth.token" else {"body": body}
    return await person.call(method, path, headers=headers, **sent)


def test_every_write_is_here():
    assert {name for _, _, name in ROUTES} == set(WRITES)


@by_name(VERSIONED)
async def test_a_write_that_is_meant_for_an_old_version_changes_nothing(flat, db, target, *, method, path, name):
    before = await all_rows(db)
    for sent in ('"1"', 'W/"1"', '"1", "3"', '"x"'):
        answer = await write(flat.owner, method, target(path), name, {"If-Match": sent})
        assert (answer.status, answer.body["type"]) == (412, "/problems/precondition-failed"), sent
        assert answer.body["detail"].endswith('; the current version is "2".')
    answer = await write(flat.owner, method, target(path), name, {"If-Match": "2"})
    assert (answer.status, answer.body["errors"][0]["pointer"]) == (422, "/If-Match")
    answer = await write(flat.owner, method, target(path), name, {"If-None-Match": "*"})
    assert (answer.status, answer.body["errors"][0]["pointer"]) == (422, "/If-None-Match")
    assert await all_rows(db) == before


@by_name(VERSIONED)
@pytest.mark.parametrize("sent", ["as read", "the version alone", "weak", "any"])
async def test_a_write_that_is_meant_for_the_current_version_is_done(flat, target, *, method, path, name, sent):
    read = await flat.owner.get(target(path))
    etag = read.headers["ETag"]
    headers = {"as read": etag, "the version alone": f'"{read.body["version"]}"', "weak": f"W/{etag}", "any": "*"}
    answer = await write(flat.owner, method, target(path), name, {"If-Match": headers[sent]})
    assert answer.status in {200, 204}, answer.body
    if method == "PATCH":
        assert answer.body["version"] == read.body["version"] + 1
        assert answer.headers["ETag"] == (await flat.owner.get(target(path))).headers["ETag"] != etag


@by_name(VERSIONED)
async def test_a_version_is_required_where_it_is_documented_to_be(flat, db, target, *, method, path, name):
    [header] = [
        each
        for each in flat.owner.service.contract.document["paths"][path][method.lower()]["parameters"]
        if each["in"] == "header"
    ]
    assert header["required"] == (WRITES[name][1] == "required")
    before = await all_rows(db)
    answer = await write(flat.owner, method, target(path), name, {})
    assert (answer.status == 428) == header["required"] == (await all_rows(db) == before)


@by_name(UNVERSIONED)
async def test_a_write_that_takes_no_version_refuses_one(flat, db, target, *, method, path, name):
    before = await all_rows(db)
    for header, sent in (("If-Match", '"1"'), ("If-Match", 'W/"2"'), ("If-Match", "x"), ("If-None-Match", "*")):
        answer = await write(flat.owner, method, target(path), name, {header: sent})
        assert answer.status == 422, (header, sent)
        [error] = answer.body["errors"]
        assert (error["in"], error["pointer"]) == ("header", f"/{header}")
    assert await all_rows(db) == before


@pytest.mark.parametrize("path", ["/v1/me", "", "/members/{member_id}"])
async def test_changes_of_one_version_at_once_lose_none(flat, db, path):
    """Of two who change what both have read, one is told."""
    target = path if path.startswith("/v1") else flat.path + path.format(member_id=flat.owner_id)
    etag = (await flat.owner.get(target)).headers["ETag"]
    answers = await asyncio.gather(*(flat.owner.patch(target, {"name": f"Name {n}"}, etag) for n in range(5)))
    assert sorted(answer.status for answer in answers) == [200, 412, 412, 412, 412]
    [changed] = [answer.body for answer in answers if answer.status == 200]
    assert (await flat.owner.get(target)).body["name"] == changed["name"]
    assert changed["version"] == 2


async def test_the_version_of_a_team_counts_its_own_changes(flat, db):
    assert (await flat.owner.get(flat.path)).headers["ETag"] == '"1.1"'
    await flat.guest()
    await flat.spend(participants=[{"member_id": flat.owner_id}])
    # Neither changes the team, but both change what is shown of it.
    read = await flat.owner.get(flat.path)
    assert (read.headers["ETag"], read.body["version"], read.body["revision"]) == ('"1.3"', 1, 3)
    assert (await flat.owner.get(flat.path, headers={"If-None-Match": '"1.3"'})).status == 304
    assert (await flat.owner.get(flat.path, headers={"If-None-Match": '"1.1"'})).status == 200
    changed = await flat.owner.patch(flat.path, {"archived": True}, '"1.1"')
    assert (changed.status, changed.headers["ETag"]) == (200, '"2.4"')
    answer = await flat.owner.patch(flat.path, {"archived": False}, '"1.4"')
    assert (answer.status, answer.body["detail"]) == (412, 'If-Match has "1"; the current version is "2".')
    assert (await flat.owner.delete(flat.path, '"2"')).status == 204
    assert await db.fetchval("select version from teams") == 3


async def test_the_version_of_a_member_counts_all_that_happens_to_them(bob, flat):
    added = await flat.owner.post(f"{flat.path}/members", {"email": bob.email})
    path = f"{flat.path}/members/{added.body['member_id']}"
    assert (added.headers["ETag"], added.body["version"]) == ('"1"', 1)
    versions = []
    for method, target, body in (
        ("PATCH", path, {"role": "admin"}),
        ("PATCH", path, {"name": "Bob B."}),
        ("DELETE", path, None),
        ("POST", f"{flat.path}/members", {"email": bob.email}),
    ):
        before = (await flat.owner.get(path)).headers["ETag"]
        assert (await flat.owner.call(method, target, body)).status < 300
        read = await flat.owner.get(path, headers={"If-None-Match": before})
        assert read.headers["ETag"] == f'"{read.body["version"]}"'
        versions.append(read.body["version"])
    assert versions == [2, 3, 4, 5]
    await flat.spend()
    assert (await flat.owner.get(path, headers={"If-None-Match": '"5"'})).status == 304


async def test_lists_show_the_versions(ann, flat):
    await ann.patch(flat.path, {"name": "House"})
    await ann.patch(f"{flat.path}/members/{flat.owner_id}", {"name": "Anna"})
    for path in ("/v1/teams", f"{flat.path}/members"):
        assert [each["version"] for each in (await ann.get(path)).body["items"]] == [2]
