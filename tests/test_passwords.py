"""Passwords: argon2id in a few threads, with a queue that has an end."""

import asyncio
import threading
import time

import pytest
from argon2 import extract_parameters

from service.auth import passwords as module
from service.auth.passwords import Passwords, hash_queue_of_peer_max
from service.errors import Unavailable


@pytest.fixture
def passwords():
    made = Passwords()
    yield made
    made.close()


async def test_it_knows_the_password_that_it_hashed(passwords):
    password_hash = await passwords.hash("correct horse battery")
    assert await passwords.verify(password_hash, "correct horse battery") is True
    assert await passwords.verify(password_hash, "correct horse batterY") is False


async def test_it_takes_the_parameters_from_the_configuration():
    made = Passwords(memory_kib=20_000, passes=3)
    parameters = extract_parameters(await made.hash("x"))
    made.close()
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (20_000, 3, 1)


async def test_it_has_parameters_of_at_least_the_owasp_minimum(passwords):
    assert (await passwords.hash("x")).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_its_hash_of_nobody_takes_as_long_as_any(passwords):
    assert extract_parameters(passwords.nobody) == extract_parameters(await passwords.hash("x"))


async def test_nobody_has_no_password(passwords):
    passwords.nobody = passwords.hasher.hash("x")
    assert await passwords.verify(None, "x") is False


async def test_it_refuses_every_password_where_the_hash_is_none(passwords):
    for stored in ("!", "x" * 97):
        assert await passwords.verify(stored, "x") is False


async def test_it_knows_a_hash_of_other_parameters_and_whether_it_is_outdated(passwords):
    stronger = Passwords(passes=3)
    password_hash = await passwords.hash("x")
    assert await stronger.verify(password_hash, "x") is True
    assert stronger.is_outdated(password_hash)
    assert not stronger.is_outdated(await stronger.hash("x"))
    # Two processes with different parameters would replace each other's hashes for ever.
    assert not passwords.is_outdated(await stronger.hash("x"))
    stronger.close()


async def test_it_lets_so_many_wait_and_no_more(passwords, monkeypatch):
    monkeypatch.setattr(module, "hash_queue_max", 3)
    results = await asyncio.gather(*(passwords.hash("x") for _ in range(5)), return_exceptions=True)
    assert [type(each) for each in results] == [str, str, str, Unavailable, Unavailable]
    assert int(results[3].headers["Retry-After"]) > 0
    # Those who waited make room, also when their work failed.
    with pytest.raises(UnicodeEncodeError):
        await passwords.hash("\ud800")
    assert passwords.pending == 0
    results = await asyncio.gather(*(passwords.verify(None, "x") for _ in range(4)), return_exceptions=True)
    assert [type(each) for each in results] == [bool, bool, bool, Unavailable]


async def test_it_does_not_stop_the_event_loop(passwords):
    hashes = asyncio.gather(*(passwords.hash("x") for _ in range(20)))
    started = before = time.perf_counter()
    lag_seconds = 0.0
    while not hashes.done():
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        lag_seconds, before = max(lag_seconds, now - before), now
    await hashes
    # Hashes in the loop itself would be one lag as long as all of them together.
    assert lag_seconds < (before - started) / 2


async def test_it_has_as_many_threads_as_configured_until_it_is_closed():
    def threads():
        return [each for each in threading.enumerate() if each.name.startswith("argon2")]

    made = Passwords(threads=3)
    await asyncio.gather(*(made.hash("x") for _ in range(6)))
    assert len(threads()) == 3
    made.close()
    assert threads() == []


async def test_one_address_does_not_take_the_whole_queue(passwords):
    passwords.pending_from["192.0.2.1"] = hash_queue_of_peer_max
    with pytest.raises(Unavailable):
        await passwords.hash("a long password", "192.0.2.1")
    assert await passwords.hash("a long password", "192.0.2.2")
    assert "192.0.2.2" not in passwords.pending_from
