"""What is said of logs is true of the lines that are written: docs/logs.md, and the collector's example."""

import contextlib
import fcntl
import json
import multiprocessing
import os
import re
import select
import threading
import time
from datetime import datetime
from pathlib import Path

import aiohttp
import pytest
import yaml

from service.telemetry import logs
from tests.process import ANSWER_SECONDS_MAX, Process, on

ROOT = Path(__file__).parent.parent
COLLECTOR = yaml.safe_load((ROOT / "deploy/logs/fluent-bit.yaml").read_text())
# What https://docs.fluentbit.io/manual documents of the parts that are used.
OPTIONS = {
    "service": {"flush", "log_level"},
    "parsers": {"name", "format", "time_key", "time_format", "time_keep"},
    "inputs": {"name", "path", "multiline.parser", "tag", "db", "mem_buf_limit"},
    "filters": {"name", "match", "key_name", "parser", "reserve_data"},
    "outputs": {"name", "match", "host", "port", "labels", "label_keys", "line_format"},
}


@pytest.fixture
async def lines(flat, lines):
    """The lines of some requests."""
    await flat.owner.get(flat.path)
    return lines()


def test_lines_are_written_in_order_and_in_parts_that_a_pipe_keeps_whole(monkeypatch):
    written = []
    monkeypatch.setattr(logs, "_write", lambda part: written.append(part) or True)
    writer = logs.Writer()
    sent = [b"%03d%s\n" % (number, b"x" * 300) for number in range(30)]
    for line in [*sent, b"y" * 5000 + b"\n"]:
        writer.add(line)
    writer.flush(ANSWER_SECONDS_MAX)
    assert b"".join(written) == b"".join(sent) + b"y" * 5000 + b"\n"
    assert all(part.endswith(b"\n") for part in written)
    assert max(len(part) for part in written if b"y" not in part) <= select.PIPE_BUF


def test_a_line_is_written_after_a_pause(monkeypatch):
    written = []
    monkeypatch.setattr(logs, "_write", lambda part: written.append(part) or True)
    writer = logs.Writer()
    for line in (b"a\n", b"b\n"):
        writer.add(line)
        writer.flush(ANSWER_SECONDS_MAX)
        time.sleep(3 * logs.gather_seconds)
    assert written == [b"a\n", b"b\n"]


def test_it_drops_and_counts_what_does_not_fit_while_nobody_reads(monkeypatch):
    going_on, written = threading.Event(), []
    monkeypatch.setattr(logs, "_write", lambda part: going_on.wait() and (written.append(part) or True))
    writer = logs.Writer()
    line = b"x" * 1023 + b"\n"
    for _ in range(logs.waiting_bytes_max // len(line) + 10):
        writer.add(line)
    assert writer.dropped == 10
    writer.flush(0.01)
    going_on.set()
    writer.flush(ANSWER_SECONDS_MAX)
    assert len(b"".join(written)) == logs.waiting_bytes_max
    writer.add(b"again\n")
    writer.flush(ANSWER_SECONDS_MAX)
    assert written[-1] == b"again\n"
    assert writer.dropped == 10


@pytest.fixture
def standard_error(monkeypatch):
    """A pipe in place of standard error: the end to read, which is non-blocking, and the end to write."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    monkeypatch.setattr(logs, "STDERR", writing)
    yield reading, writing
    for each in (reading, writing):
        with contextlib.suppress(OSError):
            os.close(each)


def test_a_pipe_that_does_not_block_loses_nothing(standard_error):
    reading, writing = standard_error
    os.set_blocking(writing, False)
    writer = logs.Writer()
    for _ in range(200):
        writer.add(b"x" * 1023 + b"\n")
    received = b""
    deadline = time.monotonic() + ANSWER_SECONDS_MAX
    while len(received) < 200 * 1024 and time.monotonic() < deadline:
        with contextlib.suppress(BlockingIOError):
            received += os.read(reading, 65536)
    assert received == (b"x" * 1023 + b"\n") * 200
    assert writer.dropped == 0


def test_lines_that_cannot_be_written_are_counted(standard_error):
    os.close(standard_error[0])
    writer = logs.Writer()
    writer.add(b"one\n")
    writer.add(b"two\n")
    writer.flush(ANSWER_SECONDS_MAX)
    assert writer.dropped == 2


def test_a_forked_process_writes_its_own_lines(standard_error):
    reading, _ = standard_error
    writer = logs.Writer()
    writer.add(b"parent\n")
    writer.flush(ANSWER_SECONDS_MAX)

    def child():
        writer.add(b"child\n")
        writer.flush(ANSWER_SECONDS_MAX)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(ANSWER_SECONDS_MAX)
    assert os.read(reading, 65536) == b"parent\nchild\n"


@pytest.mark.parametrize("workers", [1, 2])
async def test_nothing_waits_for_who_does_not_read_the_log(database, tmp_path, workers):
    reading, writing = os.pipe()
    try:
        # As small as a pipe can be, so that a few lines fill it.
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, select.PIPE_BUF)
        arguments = ("--workers", str(workers))
        process = Process(tmp_path / "data", arguments=arguments, standard_error=writing, **on(database))
        with process:
            longest = "x" * 64
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(ANSWER_SECONDS_MAX)) as http:
                for number in range(workers * 2 * (logs.waiting_bytes_max // 400)):
                    headers = {"X-Request-Id": longest}
                    async with http.get(process.url + "/livez", headers=headers) as answer:
                        assert answer.status == 200, number
                async with http.get(process.url + "/metrics") as answer:
                    series = re.findall(r"^log_lines_dropped_total(?:\{.+\})? (\d+)", await answer.text(), re.MULTILINE)
            assert sum(map(int, series)) > 0
            assert process.end() == 0
    finally:
        os.close(reading)
        os.close(writing)


def test_the_fields_are_those_of_the_document(lines):
    document = (ROOT / "docs/logs.md").read_text()
    assert list(lines[-1]) == re.findall(r"^\| `(\w+)` \|", document, re.MULTILINE)
    example = json.loads(re.search(r"^    (\{.+?\})$", document, re.MULTILINE | re.DOTALL)[1])
    assert list(example) == list(lines[-1])


def test_the_collector_reads_the_time_of_a_line(lines):
    [parser] = COLLECTOR["parsers"]
    assert lines
    for line in lines:
        datetime.strptime(line[parser["time_key"]], parser["time_format"].replace("%L", "%f")).astimezone()


def test_the_collector_s_labels_have_few_values(lines):
    [loki] = COLLECTOR["pipeline"]["outputs"]
    labels = loki["label_keys"].replace("$", "").split(",")
    assert set(labels) <= {"level", "logger", "message", "method", "route", "status", "refusal"}
    assert set(labels) <= set(lines[-1])


def test_the_collector_s_parts_fit_together_and_have_options_that_exist(subtests):
    [source], [parse], [loki] = (COLLECTOR["pipeline"][part] for part in ("inputs", "filters", "outputs"))
    assert source["tag"] == parse["match"] == loki["match"]
    assert parse["parser"] == COLLECTOR["parsers"][0]["name"]
    parts = {"service": [COLLECTOR["service"]], "parsers": COLLECTOR["parsers"], **COLLECTOR["pipeline"]}
    for part, plugins in parts.items():
        for plugin in plugins:
            with subtests.test(f"{part} {plugin.get('name', '')}"):
                assert set(plugin) <= OPTIONS[part]
