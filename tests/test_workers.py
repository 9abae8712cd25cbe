"""`serve --workers`: several processes behind one address, watched by one that replaces them and ends with them."""

import asyncio
import contextlib
import json
import mmap
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from functools import partial
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from service.__main__ import main
from service.process import workers
from service.process.workers import Place, Worker, listen, merged, seconds_to_prove, wait_seconds_max
from tests.process import ANSWER_SECONDS_MAX, READY_SECONDS_MAX, Process, on


def group(database, tmp_path, *, wait=True, **environment):
    return Process(tmp_path / "data", wait=wait, arguments=("--workers", "2"), **on(database) | environment)


def workers_of(served):
    return psutil.Process(served.process.pid).children()


def both_workers(served):
    """Return the workers once there are two: one of them may be ready before the other is there."""
    return until(lambda: len(found := workers_of(served)) == 2 and found)


def alive(processes):
    """Return those that run; one that has ended may be left as a zombie where nothing reaps orphans."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def until(happens, seconds=ANSWER_SECONDS_MAX):
    """Return what comes of a function once it comes to something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := happens():
            return result
        time.sleep(0.05)
    pytest.fail(f"it did not happen within {seconds} s")
    return None


def scrape(served):
    with urllib.request.urlopen(served.url + "/metrics", timeout=ANSWER_SECONDS_MAX) as response:
        return response.read().decode()


def scrape_of_both(served):
    """Return the metrics once both workers tell theirs."""

    def both():
        text = scrape(served)
        return text if {"0", "1"} == set(re.findall(r'worker="(\d+)"', text)) else ""

    return until(both)


def replacement(served, others):
    """Return the worker that is there besides the others, once it is."""
    return until(lambda: set(workers_of(served)) - set(others)).pop()


def serves(served, worker):
    """Tell whether the first worker's metrics are those of a process, which its start tells from others."""
    pattern = r'^process_start_time_seconds{worker="0"} (\S+)$'
    return float(re.search(pattern, scrape_of_both(served), re.MULTILINE)[1]) == worker.create_time()


def answers(served, count):
    """Ask on a new connection each time, so that both workers get to answer."""
    return [served.call("/readyz")["status"] for _ in range(count)]


async def test_both_answer_and_finish_what_is_in_flight_when_they_are_stopped(database, tmp_path):
    with group(database, tmp_path) as served:
        found = both_workers(served)
        requests = await asyncio.gather(*(served.begin_to_register(f"ann{number}@example.com") for number in range(8)))
        served.process.send_signal(signal.SIGTERM)
        await served.wait_until_said("stopping", times=2)
        lines = [await request.finish() for request in requests]
        assert lines == [b"HTTP/1.1 201 Created\r\n"] * 8
        assert await asyncio.to_thread(served.process.wait, ANSWER_SECONDS_MAX) == 0
        assert alive(found) == []
        assert "Traceback" not in served.output()


def test_one_scrape_has_the_metrics_of_both_each_described_once(database, tmp_path):
    with group(database, tmp_path) as served:
        assert answers(served, 20) == ["ok"] * 20
        text = scrape_of_both(served)
        for worker in ("0", "1"):
            assert f'process_resident_memory_bytes{{worker="{worker}"}}' in text
        counts = re.findall(r'^http_requests_total\{.*route="ops.ready".* (\d+)$', text, re.MULTILINE)
        # What the start itself asked is in it, too.
        assert sum(map(int, counts)) >= 20
        samples = [line for line in text.splitlines() if not line.startswith("#")]
        assert all('worker="' in line for line in samples)
        assert len({line.rsplit(" ", 1)[0] for line in samples}) == len(samples)
        for kind in ("HELP", "TYPE"):
            names = re.findall(rf"^# {kind} (\w+) ", text, re.MULTILINE)
            assert len(names) == len(set(names)) > 10
        if shutil.which("promtool"):
            done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_one_that_ends_is_replaced_and_no_request_fails(database, tmp_path):
    with group(database, tmp_path) as served:
        first, second = both_workers(served)
        time.sleep(max(0, first.create_time() + seconds_to_prove + 1.5 - time.time()))
        first.kill()
        until(lambda: first not in workers_of(served))
        assert answers(served, 30) == ["ok"] * 30
        [new] = until(lambda: set(workers_of(served)) - {second})
        assert answers(served, 30) == ["ok"] * 30
        assert serves(served, new)
        assert '"a worker ended"' in served.output()
        assert served.end() == 0


def test_one_that_is_killed_soon_after_its_restart_is_replaced_again(database, tmp_path):
    with group(database, tmp_path) as served:
        first, second = both_workers(served)
        scrape_of_both(served)
        killed = [first]
        # The first and the next are killed when they serve, the two after that while they start.
        for is_waited_for in (True, False, False, True):
            killed[-1].kill()
            killed.append(replacement(served, [*killed, second]))
            if is_waited_for:
                until(partial(serves, served, killed[-1]))
        assert answers(served, 20) == ["ok"] * 20
        ended = [line for line in map(json.loads, served.output().splitlines()) if line["message"] == "a worker ended"]
        assert [(line["worker"], line["status"]) for line in ended] == [(0, -9)] * 4
        assert all(0 <= line["wait_seconds"] <= wait_seconds_max for line in ended)
        assert served.end() == 0


def test_the_wait_for_the_next_grows_to_a_limit_while_they_end_early():
    place = Place(started_at=time.monotonic())
    assert [place.vacate() for _ in range(7)] == [1, 2, 4, 8, 16, wait_seconds_max, wait_seconds_max]
    place.started_at = time.monotonic() - seconds_to_prove
    assert place.vacate() == 0
    place.started_at = time.monotonic()
    assert place.vacate() == 1


@pytest.fixture
def one_connection(database):
    """The address of a database as a user who may connect once at a time."""
    before, name = conninfo_to_dict(database), f"one_{conninfo_to_dict(database)['dbname']}"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"create role {name} login connection limit 1 password '{before.get('password', 'none')}'")
        connection.execute(f"grant all on all tables in schema public to {name}")
        yield database.replace(f"//{before['user']}", f"//{name}", 1)
        connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", (name,))
        connection.execute(f"drop owned by {name}")
        connection.execute(f"drop role {name}")


def test_one_that_never_starts_ends_all(one_connection, tmp_path):
    with group(one_connection, tmp_path, wait=False) as served:
        assert served.process.wait(READY_SECONDS_MAX) == 1
        lines = served.output().splitlines()
        assert re.fullmatch(r"expenses: Worker [01] ended before it had started, with status 1\.", lines[-1])
        assert any(line.startswith("expenses: The database refuses the connection: too many") for line in lines)
        assert "Traceback" not in served.output()


def test_the_number_of_workers_is_a_setting_too_and_the_option_goes_before_it(database, tmp_path):
    with Process(tmp_path / "data", **on(database), EXPENSES_WORKERS="2") as served:
        assert both_workers(served)
        scrape_of_both(served)
    with group(database, tmp_path, EXPENSES_WORKERS="3") as served:
        scrape_of_both(served)
        assert len(workers_of(served)) == 2


def test_none_is_left_when_the_one_that_watches_is_killed(database, tmp_path):
    with group(database, tmp_path) as served:
        found = both_workers(served)
        served.end(signal.SIGKILL)
        until(lambda: not alive(found))
        assert served.output().count("expenses: The process that watches the workers is gone.") == 2
        assert "Traceback" not in served.output()


@pytest.mark.parametrize("number", ["0", "65", "x", "-1", "1.5", ""])
def test_a_number_of_workers_that_is_none_says_what_is_accepted(number, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["expenses", "serve", f"--workers={number}"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith(f"argument --workers: {number} is not a number from 1 to 64\n")


async def test_workers_that_are_gone_or_do_not_answer_are_left_out(monkeypatch):
    monkeypatch.setattr(workers, "answer_seconds_max", 1)
    with (
        tempfile.TemporaryDirectory(prefix="expenses-") as directory,
        socket.socket(socket.AF_UNIX) as gone,
        socket.socket(socket.AF_UNIX) as silent,
    ):
        gone.bind(f"{directory}/2")
        silent.bind(f"{directory}/3")
        silent.listen()
        served = mmap.mmap(-1, 2)
        first, second = Worker(0, Path(directory), served), Worker(1, Path(directory), served)
        async with first.answering(lambda: "of the first"), second.answering(lambda: "of the second"):
            assert await first.metrics_of_others() == ["of the second"]


def test_metrics_of_several_are_merged_by_metric():
    text = "# HELP a About a.\n# TYPE a counter\na{worker='0'} 1\n# HELP b About b.\n# TYPE b gauge\nb{worker='0'} 2\n"
    assert merged([text, text.replace("'0'", "'1'")]).splitlines() == [
        "# HELP a About a.",
        "# TYPE a counter",
        "a{worker='0'} 1",
        "a{worker='1'} 1",
        "# HELP b About b.",
        "# TYPE b gauge",
        "b{worker='0'} 2",
        "b{worker='1'} 2",
    ]


@pytest.mark.parametrize("host", ["", "::", "0::0"])
def test_all_addresses_are_those_of_both_families_each_with_a_socket_of_its_own(host):
    sockets = listen(host, 0)
    try:
        found = {each.family: each for each in sockets}
        assert found.keys() == {socket.AF_INET, socket.AF_INET6}
        # One socket for both would show IPv4 clients as ::ffff:192.0.2.1, which is another place to the limits.
        assert found[socket.AF_INET6].getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    finally:
        for each in sockets:
            each.close()


def test_addresses_that_this_machine_does_not_have_are_left_out_while_there_are_others(monkeypatch):
    # As on a machine whose name has an address that is gone; 192.0.2.1 is nobody's.
    entry = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    names = {"both": ["192.0.2.1", "127.0.0.1"], "gone": ["192.0.2.1"]}
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port, **_: [(*entry, (each, port)) for each in names[host]])
    [here] = listen("both", 0)
    with here:
        assert here.getsockname()[0] == "127.0.0.1"
        with pytest.raises(OSError, match="Address already in use"):
            listen("both", here.getsockname()[1])
    with pytest.raises(OSError, match="Cannot assign requested address"):
        listen("gone", 0)


def test_all_addresses_of_a_host_are_listened_on_at_one_port():
    sockets = listen("", 0)
    try:
        assert len({each.getsockname()[1] for each in sockets}) == 1
        assert len({each.family for each in sockets}) == len(sockets)
    finally:
        for each in sockets:
            each.close()
