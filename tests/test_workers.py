"""`serve --workers`: several processes behind one address, watched by one that replaces them and ends with them."""

import asyncio
import contextlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from service.__main__ import main
from service.process import workers
from service.process.workers import Worker, listen, merged, seconds_to_prove
from tests.process import ANSWER_SECONDS_MAX, Process, on


def group(database, tmp_path, *, wait=True):
    return Process(tmp_path / "data", wait=wait, arguments=("--workers", "2"), **on(database))


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
        started = re.search(r'^process_start_time_seconds{worker="0"} (\S+)$', scrape_of_both(served), re.MULTILINE)
        assert float(started[1]) == new.create_time()
        assert '"a worker ended"' in served.output()
        assert served.end() == 0


def test_one_that_ends_at_once_ends_all(database, tmp_path):
    with group(database, tmp_path, wait=False) as served:
        # Not when they are ready, which may take them longer than they have to prove themselves.
        found = both_workers(served)
        found[0].kill()
        assert served.process.wait(ANSWER_SECONDS_MAX) == 1
        assert served.output().splitlines()[-1] == "expenses: Worker 0 ended at once, with status -9."
        assert alive(found) == []


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
        first, second = Worker(0, Path(directory)), Worker(1, Path(directory))
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


def test_all_addresses_of_a_host_are_listened_on_at_one_port():
    sockets = listen("", 0)
    try:
        assert len({each.getsockname()[1] for each in sockets}) == 1
        assert len({each.family for each in sockets}) == len(sockets)
    finally:
        for each in sockets:
            each.close()
