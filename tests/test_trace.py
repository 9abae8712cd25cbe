"""The trace that a request belongs to (W3C Trace Context, Level 1), in its answer and in its line of the log."""

import multiprocessing
import re

import pytest

from service.me import service as me
from service.telemetry.logs import configure
from service.telemetry.trace import trace_of

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT_ID = "b7ad6b7169203331"
GOOD = f"00-{TRACE_ID}-{PARENT_ID}-01"
HEX = re.compile(r"[0-9a-f]{32}")

# §3.2.2 is the header's format, §4.3 what to do with one of a version to come.
ACCEPTED = [
    GOOD,
    f"00-{TRACE_ID}-{PARENT_ID}-00",
    f"00-{TRACE_ID}-{PARENT_ID}-ff",
    f"01-{TRACE_ID}-{PARENT_ID}-01",
    f"01-{TRACE_ID}-{PARENT_ID}-01-what-comes-then",
    f"cc-{TRACE_ID}-{PARENT_ID}-01-",
    f"fe-{TRACE_ID}-{PARENT_ID}-01",
]
REFUSED = {
    "nothing": "",
    "version ff": f"ff-{TRACE_ID}-{PARENT_ID}-01",
    "version 00 with more": f"{GOOD}-what-comes-then",
    "version 00 with a dash": f"{GOOD}-",
    "version 01 with more and no dash": f"01-{TRACE_ID}-{PARENT_ID}-01what-comes-then",
    "version 01 with a dot": f"01-{TRACE_ID}-{PARENT_ID}-01.what-comes-then",
    "version of one digit": f"0-{TRACE_ID}-{PARENT_ID}-01",
    "version of three digits": f"000-{TRACE_ID}-{PARENT_ID}-01",
    "version that is none": f"0x-{TRACE_ID}-{PARENT_ID}-01",
    "no version": f"{TRACE_ID}-{PARENT_ID}-01",
    "trace of zeros": f"00-{'0' * 32}-{PARENT_ID}-01",
    "parent of zeros": f"00-{TRACE_ID}-{'0' * 16}-01",
    "trace in upper case": f"00-{TRACE_ID.upper()}-{PARENT_ID}-01",
    "parent in upper case": f"00-{TRACE_ID}-{PARENT_ID.upper()}-01",
    "flags in upper case": f"00-{TRACE_ID}-{PARENT_ID}-0A",
    "trace too short": f"00-{TRACE_ID[1:]}-{PARENT_ID}-01",
    "trace too long": f"00-{TRACE_ID}0-{PARENT_ID}-01",
    "trace that is none": f"00-{TRACE_ID[1:]}g-{PARENT_ID}-01",
    "trace in other digits": f"00-{TRACE_ID[1:]}٣-{PARENT_ID}-01",
    "parent too short": f"00-{TRACE_ID}-{PARENT_ID[1:]}-01",
    "no parent": f"00-{TRACE_ID}-01",
    "flags of one digit": f"00-{TRACE_ID}-{PARENT_ID}-1",
    "no flags": f"00-{TRACE_ID}-{PARENT_ID}",
    "flags that are none": f"00-{TRACE_ID}-{PARENT_ID}-0x",
    "underscores": GOOD.replace("-", "_"),
    "two at once": f"{GOOD},{GOOD}",
    "space before": f" {GOOD}",
    "line behind": f"{GOOD}\n",
}


@pytest.mark.parametrize("traceparent", ACCEPTED)
def test_a_good_traceparent_is_continued(traceparent):
    trace = trace_of(traceparent)
    assert trace.trace_id == TRACE_ID
    version, trace_id, our_id, flags = trace.response().split("-")
    assert (version, trace_id, flags) == ("00", TRACE_ID, f"{int(traceparent.split('-')[3], 16) & 1:02x}")
    assert re.fullmatch(r"[0-9a-f]{16}", our_id)
    assert our_id != PARENT_ID


@pytest.mark.parametrize("case", REFUSED)
def test_a_malformed_traceparent_begins_a_trace_of_our_own(case):
    trace = trace_of(REFUSED[case])
    assert HEX.fullmatch(trace.trace_id)
    assert trace.trace_id != TRACE_ID
    assert not trace.flags


def new_ids(number):
    ids = [trace_of(None).trace_id for _ in range(number)]
    other = trace_of(GOOD)
    return [*ids, other.request_id(), other.response().split("-")[2]]


def test_processes_that_are_forked_make_ids_of_their_own():
    with multiprocessing.get_context("fork").Pool(3) as workers:
        found = [workers.apply_async(new_ids, [100]) for _ in range(30)]
        ids = [each for answer in found for each in answer.get(30)] + new_ids(100)
    assert len(set(ids)) == len(ids) == 31 * 102


async def test_an_answer_and_its_line_name_the_trace_of_the_request(served, ann, lines):
    answers = [await ann.get("/v1/me", headers={"Traceparent": GOOD}) for _ in range(2)]
    for answer, line in zip(answers, lines()[-2:], strict=True):
        assert re.fullmatch(f"00-{TRACE_ID}-[0-9a-f]{{16}}-01", answer.headers["Traceresponse"])
        assert line["trace_id"] == TRACE_ID
        assert line["request_id"] == answer.headers["X-Request-Id"]
        assert HEX.fullmatch(line["request_id"])
    # A trace may have many requests, and a request has an id of its own.
    assert len({answer.headers["X-Request-Id"] for answer in answers} | {TRACE_ID}) == 3
    assert len({answer.headers["Traceresponse"] for answer in answers}) == 2


async def test_a_request_without_a_trace_has_one_id_for_both(served, ann, lines):
    for headers in ({}, {"Traceparent": "nonsense"}):
        answer = await ann.get("/v1/me", headers=headers)
        line = lines()[-1]
        assert HEX.fullmatch(line["trace_id"])
        assert line["trace_id"] == line["request_id"] == answer.headers["X-Request-Id"]
        assert "Traceresponse" not in answer.headers


async def test_an_id_that_was_sent_stays_beside_the_trace(served, ann, lines):
    await ann.get("/v1/me", headers={"X-Request-Id": "abc-1", "Traceparent": GOOD})
    line = lines()[-1]
    assert (line["request_id"], line["trace_id"]) == ("abc-1", TRACE_ID)


async def test_what_is_logged_on_the_way_names_the_request_and_the_trace(served, ann, lines, root_logger, monkeypatch):
    async def crash(*_, **__):
        raise RuntimeError

    monkeypatch.setattr(me, "get", crash)
    configure("info")
    answer = await ann.get("/v1/me", headers={"Traceparent": GOOD})
    crashed, request = lines()[-2:]
    assert crashed["message"] == "crash"
    for line in (crashed, request):
        assert (line["request_id"], line["trace_id"]) == (answer.headers["X-Request-Id"], TRACE_ID)
