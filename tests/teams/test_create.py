"""POST /v1/teams."""

import json

import pytest

ACCESS = (401, 401, 201, 201, 201, 201, 201, 201, 201, 201)
BODY = {"name": "Trip", "currency": "EUR"}


async def test_it_makes_the_creator_its_first_owner(ann, db):
    answer = await ann.post("/v1/teams", {"name": "Flat", "currency": "EUR"})
    assert answer.status == 201
    team = answer.body
    assert (team["name"], team["currency"], team["role"]) == ("Flat", "EUR", "owner")
    assert (team["revision"], team["archived_at"]) == (1, None)
    assert answer.headers["Location"] == f"/v1/teams/{team['team_id']}"
    row = await db.fetchrow("select name, currency, revision, archived_at, deleted_at from teams")
    assert tuple(row) == ("Flat", "EUR", 1, None, None)
    row = await db.fetchrow("select team_id::text, member_id::text, user_id::text, name, role, left_at from members")
    assert tuple(row) == (team["team_id"], team["member_id"], ann.user_id, "Ann", "owner", None)


async def test_it_writes_the_first_revision(ann, db):
    team = await ann.team()
    [row] = await db.fetch("select * from revisions")
    assert (str(row["team_id"]), row["revision"], row["action"]) == (team.team_id, 1, "teams.create")
    assert (str(row["actor_id"]), str(row["subject_id"])) == (team.owner_id, team.team_id)
    assert row["before"] is None
    assert json.loads(row["after"])["currency"] == "EUR"


async def test_it_makes_another_team_of_the_same_name(ann):
    first, second = await ann.team("Flat"), await ann.team("Flat")
    assert first.team_id != second.team_id
    assert first.owner_id != second.owner_id


@pytest.mark.parametrize("currency", ["JPY", "KWD", "CHF"])
async def test_it_takes_currencies_with_any_number_of_decimals(ann, currency):
    answer = await ann.post("/v1/teams", {"name": "Trip", "currency": currency})
    assert (answer.status, answer.body["currency"]) == (201, currency)


async def test_it_refuses_what_is_not_a_team(ann, db, subtests):
    for change, pointer, code in [
        ({"name": None}, "/name", "null"),
        ({"name": " "}, "/name", "too_short"),
        ({"name": "x" * 101}, "/name", "too_long"),
        ({"currency": "eur"}, "/currency", "invalid"),
        ({"currency": "XXX"}, "/currency", "invalid"),
        ({"currency": "XAU"}, "/currency", "invalid"),
        ({"role": "owner"}, "/role", "unknown"),
        ({"team_id": "00000000-0000-7000-8000-000000000000"}, "/team_id", "unknown"),
        ({"revision": 7}, "/revision", "unknown"),
    ]:
        with subtests.test(str(change)[:80]):
            answer = await ann.post("/v1/teams", {"name": "Flat", "currency": "EUR"} | change)
            assert answer.status == 422, change
            assert [(each["pointer"], each["code"]) for each in answer.body["errors"]] == [(pointer, code)]
    assert await db.fetchval("select count(*) from teams") == 0


@pytest.mark.parametrize("missing", ["name", "currency"])
async def test_it_refuses_a_team_without_a_name_or_a_currency(ann, missing):
    body = {"name": "Flat", "currency": "EUR"}
    del body[missing]
    answer = await ann.post("/v1/teams", body)
    assert answer.status == 422
    assert answer.body["errors"][0]["pointer"] == f"/{missing}"


async def test_it_refuses_an_account_that_does_not_exist_any_more(ann, db):
    await db.execute("delete from sessions; delete from login_places; delete from users")
    answer = await ann.post("/v1/teams", {"name": "Flat", "currency": "EUR"})
    assert answer.status == 401
    assert await db.fetchval("select count(*) from teams") == 0
