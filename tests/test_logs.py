"""What is said of logs is true of the lines that are written: docs/logs.md, and the collector's example."""

import asyncio
import json
import logging
import re
from datetime import datetime
from pathlib import Path

import pytest
import yaml

from service.telemetry import logs

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
async def lines(served, flat, caplog, capfd):
    """A line of a request, and one that is none."""
    caplog.set_level(logging.INFO)
    capfd.readouterr()
    await flat.owner.get(flat.path)
    return [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]


async def test_the_lines_of_one_turn_are_written_at_once_in_order_and_in_parts_that_a_pipe_keeps_whole(monkeypatch):
    written = []
    monkeypatch.setattr(logs, "_write", written.append)
    lines = logs.Lines()
    sent = [b"%03d%s\n" % (number, b"x" * 300) for number in range(30)]
    for line in sent:
        lines.add(line)
    assert written == []
    await asyncio.sleep(0)
    assert b"".join(written) == b"".join(sent)
    assert len(written) == 3
    assert max(map(len, written)) <= 4096
    assert all(part.endswith(b"\n") for part in written)
    lines.add(b"y" * 5000)
    await asyncio.sleep(0)
    assert written[3:] == [b"y" * 5000]


def test_a_loop_that_ended_before_it_wrote_keeps_no_line_back(monkeypatch):
    written = []
    monkeypatch.setattr(logs, "_write", written.append)
    lines = logs.Lines()

    async def add(line):
        lines.add(line)

    with asyncio.Runner() as first:
        # The turn in which it would be written does not come any more.
        first.run(add(b"a"))
        lines.loop = first.get_loop()
        lines.lines = [b"a"]
    asyncio.run(asyncio.wait_for(add(b"b"), 1))
    assert b"".join(written).endswith(b"ab")


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
