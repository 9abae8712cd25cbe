"""GET /v1/teams/{team_id}/changes?wait=, until something is written."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from service.auth.keys import REVOCATIONS
from service.changes import waiting as waiting_module
from service.changes.keys import WAITING
from service.web.keys import DB, LIFECYCLE
from tests.conftest import Person, Team, running

# Reached only by a failure.
SECONDS_MAX = 20


def held(person, team, after=1, wait=50, **kwargs):
    """Ask for changes that are still to come."""
    return asyncio.create_task(person.get(f"{team.path}/changes?after={after}&wait={wait}", **kwargs))


async def until(served, number):
    """Return once so many requests wait."""
    async with asyncio.timeout(SECONDS_MAX):
        while len(served.app[WAITING].waiters) != number:  # noqa: ASYNC110 -- nothing tells of it.
            await asyncio.sleep(0.01)


@pytest.fixture
def no_look(monkeypatch):
    """Let nobody find out by asking the database."""
    monkeypatch.setattr(waiting_module, "look_seconds", 3600)


async def test_a_write_of_the_same_process_ends_the_wait_at_once(no_look, served, flat):
    asked = held(flat.owner, flat)
    await until(served, 1)
    # The one look that is made at the beginning.
    await asyncio.sleep(0.2)
    assert not asked.done()
    kim = await flat.guest("Kim")
    async with asyncio.timeout(SECONDS_MAX):
        answer = await asked
    assert (answer.status, answer.headers["ETag"]) == (200, '"2"')
    assert [each["subject_id"] for each in answer.body["items"]] == [kim]
    await until(served, 0)
    assert served.app[WAITING].by_team == {}
    assert not served.app[WAITING].of_account


async def test_a_write_of_another_process_ends_the_wait(config, served, flat):
    async with running(config) as other:
        asked = held(Person(other, "", flat.owner.user_id, flat.owner.token, ""), flat)
        await until(other, 1)
        await asyncio.sleep(0.3)
        assert not asked.done()
        await flat.guest()
        async with asyncio.timeout(SECONDS_MAX):
            answer = await asked
        assert answer.body["revision"] == 2


async def test_it_answers_at_once_where_there_is_something(flat):
    await flat.guest()
    async with asyncio.timeout(SECONDS_MAX):
        assert (await held(flat.owner, flat, after=1)).body["revision"] == 2


async def test_after_so_many_seconds_there_is_nothing(served, flat):
    started = time.monotonic()
    empty, same = await asyncio.gather(
        held(flat.owner, flat, wait=1), held(flat.owner, flat, wait=1, headers={"If-None-Match": '"1"'})
    )
    assert time.monotonic() - started >= 1
    assert (empty.status, empty.body) == (200, {"items": [], "revision": 1, "more": False})
    assert same.status == 304
    assert (await served.metrics())['changes_waits_total{end="time"}'] == 2


async def test_other_teams_wake_nobody_and_neither_do_dry_runs_and_refusals(no_look, served, bob, flat):
    asked = held(flat.owner, flat)
    await until(served, 1)
    other = await bob.team()
    await other.guest()
    await flat.owner.post(f"{flat.path}/expenses?dry_run=true", {"description": "Tea", "amount": 1})
    assert (await flat.owner.delete(f"{flat.path}/members/{flat.owner_id}")).status == 409
    # Whoever is woken asks again.
    await asyncio.sleep(0.1)
    assert (await served.metrics())['database_query_seconds_count{query="changes.page"}'] == 1
    asked.cancel()


async def test_nothing_is_asked_while_nobody_waits_and_once_for_all_who_do(served, bob, flat):
    async def number(query):
        return (await served.metrics()).get(f'database_query_seconds_count{{query="{query}"}}', 0)

    trip = await bob.team()
    await asyncio.sleep(0.3)
    assert await number("changes.look") == 0
    asked = [held(flat.owner, flat) for _ in range(5)] + [held(bob, trip) for _ in range(5)]
    await until(served, 10)
    before, started = await number("changes.look"), time.monotonic()
    await asyncio.sleep(1)
    looks = await number("changes.look") - before
    assert 1 <= looks <= (time.monotonic() - started) / waiting_module.look_seconds + 1
    # Nobody was woken by that.
    assert await number("changes.page") == 10
    await flat.guest()
    await trip.guest()
    await asyncio.gather(*asked)
    await asyncio.sleep(0.3)
    before = await number("changes.look")
    await asyncio.sleep(0.3)
    assert await number("changes.look") == before


async def test_those_who_wait_hold_no_connection(config):
    async with running(replace(config, pool_size=1)) as served:
        team = await (await served.person()).team()
        asked = [held(team.owner, team) for _ in range(10)]
        await until(served, 10)
        await team.guest()
        assert {each.status for each in await asyncio.gather(*asked)} == {200}


async def test_who_is_removed_meanwhile_sees_that_and_no_more(served, bob, flat):
    member = await flat.add(bob)
    asked = held(bob, flat, after=2)
    await until(served, 1)
    await flat.owner.delete(f"{flat.path}/members/{member}")
    answer = await asked
    assert [each["action"] for each in answer.body["items"]] == ["members.delete"]
    # Nothing will follow.
    async with asyncio.timeout(SECONDS_MAX):
        assert (await held(bob, flat, after=3)).body["items"] == []


async def test_a_session_that_ended_meanwhile_gets_nothing(served, bob, flat):
    await flat.add(bob)
    asked = held(bob, flat, after=2)
    await until(served, 1)
    await bob.post("/v1/auth/logout", None)
    await served.app[REVOCATIONS].refresh()
    await flat.guest()
    assert (await asked).status == 401


async def test_a_client_that_is_gone_waits_no_longer(served, flat, lines):
    lines()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(served.url.rsplit(":", 1)[1]))
    head = f"GET {flat.path}/changes?after=1&wait=50 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {flat.owner.token}"
    writer.write(f"{head}\r\n\r\n".encode())
    await until(served, 1)
    writer.close()
    await until(served, 0)
    await asyncio.sleep(0)
    assert [line["status"] for line in lines() if line["message"] == "request"] == [499]
    del reader


async def test_whoever_waits_is_answered_when_the_process_stops(config):
    async with running(config) as served:
        team = await (await served.person()).team()
        asked = held(team.owner, team)
        await until(served, 1)
        async with asyncio.timeout(SECONDS_MAX):
            await served.app[LIFECYCLE].drain(SECONDS_MAX)
            answer = await asked
            assert (answer.status, answer.body["items"]) == (200, [])
            # Nor does anybody wait who comes now.
            assert (await held(team.owner, team)).status == 200


async def test_an_account_may_wait_only_so_often(served, bob, flat, monkeypatch):
    monkeypatch.setattr(waiting_module, "waiting_of_account_max", 2)
    await flat.add(bob)
    asked = [held(flat.owner, flat, after=2) for _ in range(2)]
    await until(served, 2)
    refused = await held(flat.owner, flat, after=2)
    assert (refused.status, refused.body["type"]) == (429, "/problems/too-many-waiting")
    assert refused.body["detail"].startswith("2 requests of this account wait already.")
    asked.append(held(bob, flat, after=2))
    await until(served, 3)
    # Without a wait, it is answered.
    assert (await flat.owner.get(f"{flat.path}/changes?after=2")).status == 200
    await flat.guest()
    await asyncio.gather(*asked)


async def test_a_process_lets_only_so_many_wait(served, flat, monkeypatch):
    monkeypatch.setattr(waiting_module, "waiting_max", 1)
    asked = held(flat.owner, flat)
    await until(served, 1)
    refused = await held(flat.owner, flat)
    assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
    assert (await served.metrics())['unavailable_total{reason="waiting"}'] == 1
    await flat.guest()
    await asked


async def test_a_wait_is_not_measured_as_slow(served, flat, lines):
    lines()
    await held(flat.owner, flat, wait=1)
    [line] = [line for line in lines() if line["message"] == "request"]
    assert line["duration_ms"] >= line["held_ms"] >= 990
    series = 'http_request_duration_seconds_bucket{le="0.5",route="changes.page",status_class="2xx"}'
    assert (await served.metrics())[series] == 1


async def test_a_database_that_is_gone_ends_no_wait(served, flat, monkeypatch):
    async def gone(*_, **__):
        raise waiting_module.Unavailable(reason="unreachable")
        yield

    monkeypatch.setattr(waiting_module, "unavailable_seconds", 0.1)
    with monkeypatch.context() as patch:
        patch.setattr(waiting_module.queries.changes, "look", gone)
        asked = held(flat.owner, flat)
        await until(served, 1)
        await asyncio.sleep(0.3)
        assert not asked.done()
    await served.app[DB].ask("fetch", "test", "update teams set revision = 2", [])
    async with asyncio.timeout(SECONDS_MAX):
        assert (await asked).body["revision"] == 2


async def test_a_thousand_that_wait_take_less_than_50_mib(config, flat):
    # Fewer here, because of the limit of open files: their clients are in this process as well.
    number, bytes_max = 200, 50 * 2**20 / 5
    async with running(replace(config, trusted_proxies=1)) as served:
        served.app[WAITING].of_account.subtract({flat.owner.user_id: number})
        team = Team(Person(served, "", flat.owner.user_id, flat.owner.token, ""), flat.team_id, flat.owner_id)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as served.http:
            before = resident_bytes()
            asked = [held(team.owner, team) for _ in range(number)]
            await until(served, number)
            assert resident_bytes() - before < bytes_max
            await flat.guest()
            assert {each.body["revision"] for each in await asyncio.gather(*asked)} == {2}


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
