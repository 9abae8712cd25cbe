"""The connections at hand: which are kept, which are not, and that none is ever lost, shared or one too many."""

import asyncio
import contextlib
import socket
import time
from dataclasses import replace
from urllib.parse import urlsplit

import asyncpg
import pytest

from service.errors import NotFound, Unavailable
from service.postgres import connections as module
from service.postgres.pool import connect
from service.web.keys import DB, LIFECYCLE
from tests.conftest import running
from tests.proxy import proxied

PID = "select pg_backend_pid()"
OURS = "from pg_stat_activity where application_name = 'expenses' and datname = current_database()"


@pytest.fixture
def database(direct):
    """With nothing in between: a connection is told from another by the process of the server at its end."""
    return direct


@pytest.fixture
async def pool(database):
    async with connect(database, size=3, wait_seconds=1, statement_seconds=2) as opened:
        yield opened


async def ask(pool, sql):
    return await pool.ask("fetchval", "tests.ask", sql, [])


async def at_once(pool, number):
    """Return the process ids of so many connections, which are all in use at the same time."""
    async with contextlib.AsyncExitStack() as stack:
        taken = [await stack.enter_async_context(pool.connections.use()) for _ in range(number)]
        return [await each.fetchval(PID) for each in taken]


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 -- nothing tells of it.
            await asyncio.sleep(0.005)


async def is_whole(pool, size=3):
    """Fail unless every connection that there may be can be used at once, and all add up."""
    connections = pool.connections
    assert len(set(await at_once(pool, size))) == size
    assert (connections.in_use(), connections.idle(), connections.waiting) == (0, size, 0)
    assert connections.slots + len(connections.at_hand) == size


async def test_the_one_that_was_used_last_is_used_next(pool):
    first, second, third = await at_once(pool, 3)
    async with pool.connections.use() as one, pool.connections.use() as two:
        # A block is left from the inside out, so the first of three was given back last.
        assert [await one.fetchval(PID), await two.fetchval(PID)] == [first, second]
    assert [await ask(pool, PID) for _ in range(3)] == [first] * 3
    assert third in await at_once(pool, 3)


@pytest.mark.parametrize(
    ("sql", "error"),
    [("select 1 / 0", asyncpg.DivisionByZeroError), ("select nothing", asyncpg.UndefinedColumnError)],
)
async def test_a_plain_error_leaves_its_connection_at_hand(pool, sql, error):
    pid = await ask(pool, PID)
    with pytest.raises(error):
        await ask(pool, sql)
    with pytest.raises(error):
        async with pool.transaction() as transaction:
            await ask(transaction, sql)
    assert len(pool.connections.at_hand) == 1
    assert await ask(pool, PID) == pid


async def test_a_transaction_that_is_refused_leaves_its_connection_at_hand(pool, db):
    pid = await ask(pool, PID)

    async def refuse():
        async with pool.transaction() as transaction:
            await ask(transaction, "create table never (a int)")
            raise NotFound

    with pytest.raises(NotFound):
        await refuse()
    assert len(pool.connections.at_hand) == 1
    assert await ask(pool, PID) == pid
    assert await db.fetchval("select to_regclass('never')") is None


async def ask_and_cancel(pool):
    asking = asyncio.create_task(ask(pool, "select pg_sleep(60)"))
    await asyncio.sleep(0.1)
    asking.cancel()
    await asking


async def write_and_cancel(pool):
    async def write():
        async with pool.transaction() as transaction:
            await ask(transaction, "create table never (a int)")
            await ask(transaction, "select pg_sleep(60)")

    writing = asyncio.create_task(write())
    await asyncio.sleep(0.1)
    writing.cancel()
    await writing


async def wait_too_long(pool):
    await ask(pool, "select pg_sleep(60)")


async def end_its_process(pool):
    await ask(pool, "select pg_terminate_backend(pg_backend_pid())")


async def meet_a_standby(pool):
    await ask(pool, "do $$ begin raise read_only_sql_transaction; end $$")


async def ask_two_at_once(pool):
    async with pool.connections.use() as connection:
        await asyncio.gather(connection.fetchval("select pg_sleep(0.1)"), connection.fetchval(PID))


async def crash_in_a_transaction(pool):
    async with pool.transaction() as transaction:
        await ask(transaction, "create table never (a int)")
        raise RuntimeError


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (ask_and_cancel, asyncio.CancelledError),
        (write_and_cancel, asyncio.CancelledError),
        (wait_too_long, Unavailable),
        (end_its_process, Unavailable),
        (meet_a_standby, Unavailable),
        (ask_two_at_once, asyncpg.InterfaceError),
        (crash_in_a_transaction, RuntimeError),
    ],
)
async def test_after_anything_else_a_connection_is_not_kept_at_hand(pool, db, spoil, error):
    await ask(pool, PID)
    with pytest.raises(error):
        await spoil(pool)
    assert pool.connections.at_hand == []
    assert pool.connections.slots == 3
    assert await db.fetchval(f"select count(*) {OURS} and state <> 'idle'") == 0
    assert await db.fetchval("select to_regclass('never')") is None
    await is_whole(pool)


async def test_a_statement_that_is_still_being_cancelled_has_its_connection_to_itself(database):
    async with proxied(database) as proxy, connect(proxy.dsn, size=1, wait_seconds=0.3) as pool:
        asking = asyncio.create_task(ask(pool, "select pg_sleep(60)"))
        await asyncio.sleep(0.1)
        proxy.swallow()
        asking.cancel()
        with pytest.raises(Unavailable):
            # Nobody knows yet whether the statement has ended.
            await ask(pool, PID)
        with pytest.raises(asyncio.CancelledError):
            await asking
        proxy.heal()
        await is_whole(pool, 1)


async def test_a_transaction_that_is_left_open_is_not_handed_on(pool, db):
    async with pool.connections.use() as connection:
        await connection.execute("begin; create table never (a int)")
    assert pool.connections.at_hand == []
    await is_whole(pool)
    assert await db.fetchval("select to_regclass('never')") is None


async def test_connections_that_broke_at_hand_cost_no_request(database):
    async with proxied(database) as proxy, connect(proxy.dsn, size=3) as pool:
        before = await at_once(pool, 3)
        proxy.reset()
        await until(lambda: pool.connections.idle() == 0)
        assert len(set(await at_once(pool, 3)) - set(before)) == 3
        await is_whole(pool)


async def test_a_connection_that_breaks_in_use_frees_its_place(database):
    async with proxied(database) as proxy, connect(proxy.dsn, size=1) as pool:
        asking = asyncio.create_task(ask(pool, "select pg_sleep(60)"))
        await asyncio.sleep(0.1)
        waiting = asyncio.create_task(ask(pool, PID))
        await until(lambda: pool.connections.waiting == 1)
        proxy.reset()
        with pytest.raises(Unavailable):
            await asking
        assert await waiting
        await is_whole(pool, 1)


async def test_a_connection_that_breaks_right_after_its_answer_frees_its_place(pool):
    async with pool.connections.use() as connection:
        await connection.fetchval(PID)
        connection.terminate()
    assert pool.connections.at_hand == []
    await is_whole(pool)


async def test_a_failover_replaces_those_at_hand_now_and_those_in_use_when_they_come_back(pool):
    before = await at_once(pool, 3)
    async with pool.connections.use() as connection:
        kept = await connection.fetchval(PID)
        with pytest.raises(Unavailable):
            await meet_a_standby(pool)
        assert pool.connections.at_hand == []
        # What is in use may finish.
        assert await connection.fetchval(PID) == kept
    assert pool.connections.at_hand == []
    assert set(await at_once(pool, 3)).isdisjoint(before)
    await is_whole(pool)


async def test_who_waits_is_not_handed_a_standby(database):
    async with connect(database, size=1) as pool:
        standby = await ask(pool, PID)
        meeting = asyncio.create_task(
            ask(pool, "do $$ begin perform pg_sleep(0.2); raise read_only_sql_transaction; end $$")
        )
        await asyncio.sleep(0.1)
        [waiting] = await line_up(pool, 1)
        with pytest.raises(Unavailable):
            await meeting
        assert await waiting != standby
        await is_whole(pool, 1)


async def test_nobody_waits_longer_than_allowed(database):
    async with connect(database, size=1, wait_seconds=0.2) as pool, pool.connections.use():
        started = time.perf_counter()
        with pytest.raises(Unavailable) as refused:
            await ask(pool, PID)
        assert 0.2 <= time.perf_counter() - started < 1
        assert str(refused.value) == "No connection to the database became free within 0.2 s. Send the request again."
        assert pool.connections.waiting == 0


async def test_those_who_wait_are_served_in_the_order_in_which_they_came(pool):
    order = []

    async def wait(number):
        async with pool.connections.use():
            order.append(number)

    async with contextlib.AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(pool.connections.use())
        waiting = []
        for number in range(8):
            waiting.append(asyncio.create_task(wait(number)))
            await until(lambda: pool.connections.waiting == len(waiting))
    # Whoever comes now finds none at hand, and is served last.
    await asyncio.gather(*waiting, wait(8))
    assert order == list(range(9))
    await is_whole(pool)


async def line_up(pool, number):
    """Return tasks that wait in line, in this order."""
    tasks = []
    for _ in range(number):
        tasks.append(asyncio.create_task(ask(pool, PID)))
        await until(lambda: pool.connections.waiting == len(tasks))
    return tasks


@pytest.mark.parametrize("lost", [False, True])
async def test_who_gives_up_at_the_moment_of_being_served_passes_it_on(database, *, lost):
    async with connect(database, size=1) as pool:
        connections = pool.connections
        held = await connections.wait()
        first, second = await line_up(pool, 2)
        if lost:
            # What is passed on is then the right to make a new one.
            connections.discard(held)
        else:
            connections.give_back(held)
        first.cancel()
        assert await second
        assert first.cancelled()
        await is_whole(pool, 1)


async def test_who_runs_out_of_time_at_the_moment_of_being_served_passes_it_on(database):
    async with connect(database, size=1, wait_seconds=0.2) as pool:
        connections = pool.connections
        held = await connections.wait()
        [first] = await line_up(pool, 1)
        await asyncio.sleep(0.1)
        [second] = [asyncio.create_task(ask(pool, PID))]
        await until(lambda: connections.waiting == 2)
        loop = asyncio.get_running_loop()
        loop.call_later(0.02, connections.give_back, held)
        # Both that and the end of the first one's time are late, and come in the same turn of the loop.
        time.sleep(0.15)  # noqa: ASYNC251 -- this is what makes them late.
        with pytest.raises(Unavailable):
            await first
        assert await second
        await is_whole(pool, 1)


async def test_those_who_gave_up_are_passed_over(pool):
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(pool.connections.use())
        tasks = await line_up(pool, 4)
        for each in tasks[:3]:
            each.cancel()
        await asyncio.sleep(0)
    assert await tasks[3]
    await is_whole(pool)


async def test_there_are_never_more_than_allowed(pool, db):
    counts = set()

    async def ask_on():
        for _ in range(20):
            await ask(pool, PID)
            assert pool.connections.pool.get_size() <= 3
            assert pool.connections.in_use() <= 3

    async def count_on():
        while True:
            await db.execute("select pg_stat_clear_snapshot()")
            counts.add(await db.fetchval(f"select count(*) {OURS}"))

    counting = asyncio.create_task(count_on())
    # The first ones connect, all at once.
    await asyncio.gather(*(ask_on() for _ in range(30)))
    counting.cancel()
    assert max(counts) == 3
    await is_whole(pool)


async def test_a_connection_that_cannot_be_made_gives_its_place_to_the_next_in_line(database, monkeypatch):
    async with proxied(database) as proxy, connect(proxy.dsn, size=1) as pool:
        connections = pool.connections
        await connections.expire()
        connect_to_server, failures = proxy._connect, 0

        async def fail_once():
            nonlocal failures
            failures += 1
            if failures == 1:
                await asyncio.sleep(0.1)
                raise ConnectionRefusedError
            return await connect_to_server()

        monkeypatch.setattr(proxy, "_connect", fail_once)
        first, second = asyncio.create_task(ask(pool, PID)), asyncio.create_task(ask(pool, PID))
        with pytest.raises(Unavailable):
            await first
        assert await second
        assert failures == 2
        await is_whole(pool, 1)


async def test_connecting_takes_no_longer_than_waiting_may(database):
    async with proxied(database) as proxy, connect(proxy.dsn, size=1, wait_seconds=0.2) as pool:
        await pool.connections.expire()
        proxy.swallow()
        started = time.perf_counter()
        with pytest.raises(Unavailable):
            await ask(pool, PID)
        assert time.perf_counter() - started < 1
        assert pool.connections.slots == 1
        proxy.heal()
        await is_whole(pool, 1)


async def test_connections_that_nobody_needs_are_closed(database, db, monkeypatch):
    monkeypatch.setattr(module, "look_every_seconds", 0.05)
    monkeypatch.setattr(module, "idle_seconds_max", 0.3)
    async with connect(database, size=3) as pool:
        busy = (await at_once(pool, 3))[0]
        for _ in range(30):
            await asyncio.sleep(0.02)
            # The last one that was used, again and again.
            assert await ask(pool, PID) == busy
        assert await db.fetchval(f"select count(*) {OURS}") == 1
        assert pool.connections.slots == 2
        await is_whole(pool)


async def test_broken_connections_at_hand_do_not_wait_to_be_found(database, monkeypatch):
    monkeypatch.setattr(module, "look_every_seconds", 0.05)
    async with proxied(database) as proxy, connect(proxy.dsn, size=3) as pool:
        await at_once(pool, 3)
        proxy.reset()
        await until(lambda: pool.connections.at_hand == [])
        await is_whole(pool)


async def test_a_connection_that_is_old_is_closed_after_its_use(database, db, monkeypatch):
    async with connect(database, size=3) as pool:
        pid = await ask(pool, PID)
        assert await ask(pool, PID) == pid
        monkeypatch.setattr(module, "age_seconds_max", 0.0)
        assert await ask(pool, PID) == pid
        assert pool.connections.at_hand == []
        monkeypatch.undo()
        assert await ask(pool, PID) != pid
        await is_whole(pool)


async def test_closing_leaves_nothing_open(database, db):
    async with connect(database, size=3) as pool:
        await at_once(pool, 3)
        last = asyncio.create_task(ask(pool, "select pg_sleep(0.3)"))
        await asyncio.sleep(0.05)
        started = time.perf_counter()
    # What was in use is waited for, but nothing else.
    assert time.perf_counter() - started < 2
    assert last.done()
    assert await db.fetchval(f"select count(*) {OURS}") == 0
    with pytest.raises(Unavailable):
        await ask(pool, PID)


async def test_closing_does_not_leave_those_who_wait_hanging(database, db):
    async with connect(database, size=1, wait_seconds=5) as pool:
        using = asyncio.create_task(ask(pool, "select pg_sleep(0.3)"))
        await asyncio.sleep(0.05)
        waiting = await line_up(pool, 2)
    done = await asyncio.wait_for(asyncio.gather(using, *waiting, return_exceptions=True), 2)
    assert {type(each) for each in done[1:]} <= {int, Unavailable}
    assert await db.fetchval(f"select count(*) {OURS}") == 0


async def test_tasks_that_are_cancelled_at_any_moment_leave_all_connections_usable(pool, db):
    async def work():
        async with pool.transaction() as transaction:
            await ask(transaction, "select pg_sleep(0.002)")
        await ask(pool, "select pg_sleep(0.001)")

    for delay_ms in range(60):
        tasks = [asyncio.create_task(work()) for _ in range(6)]
        await asyncio.sleep(delay_ms / 4000)
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await until(lambda: pool.connections.in_use() == 0)
    await is_whole(pool)
    assert await db.fetchval(f"select count(*) {OURS} and state <> 'idle'") == 0


async def test_clients_that_vanish_leave_all_connections_usable(config, db):
    async with running(replace(config, pool_size=3)) as served:
        ann = await served.person()
        team = await ann.team()
        address = urlsplit(served.url)
        body = b'{"description": "Dinner", "amount": 1}'
        head = f"POST {team.path}/expenses HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {ann.token}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"

        async def vanish(number):
            _, writer = await asyncio.open_connection(address.hostname, address.port)
            # Some within the body, most while they are being answered.
            writer.write(head.encode() + (body[:9] if number % 10 == 0 else body))
            await writer.drain()
            await asyncio.sleep(number / 3000)
            # Without a farewell: the server is sent a reset.
            linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()

        await asyncio.gather(*(vanish(number) for number in range(60)))
        await served.app[LIFECYCLE].idle.wait()
        pool = served.app[DB]
        await until(lambda: pool.connections.in_use() == 0)
        assert await db.fetchval(f"select count(*) {OURS} and state <> 'idle'") == 0
        # The service itself asks for ended sessions now and then.
        async with asyncio.timeout(5):
            pids = await at_once(pool, 3)
        assert len(set(pids)) == 3
        await until(lambda: pool.connections.in_use() == 0)
        assert pool.connections.slots + len(pool.connections.at_hand) == 3
        assert (await ann.get(f"{team.path}/expenses")).status == 200
