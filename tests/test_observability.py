"""Request ids, log lines, metrics and health."""

import json
import logging
import re

import pytest
from aiohttp.http_exceptions import BadStatusLine

from service.logs import Formatter, configure


@pytest.fixture
def lines(caplog, capfd):
    """What the requests so far wrote to standard error."""
    caplog.set_level(logging.INFO)
    return lambda: [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]


async def test_a_request_has_a_line_with_who_what_and_how_long(served, ann, lines):
    await ann.get("/v1/me", headers={"X-Request-Id": "abc-1"})
    line = lines()[-1]
    assert line["request_id"] == "abc-1"
    assert line["actor"] == ann.user_id
    assert (line["method"], line["route"], line["status"], line["refusal"]) == ("GET", "me.get", 200, None)
    assert 0 < line["duration_ms"] < 60_000
    assert (line["level"], line["logger"], line["message"]) == ("INFO", "service.access", "request")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line["time"])


async def test_a_refused_request_s_line_says_why(served, lines):
    answer = await served.call("GET", "/v1/me")
    line = lines()[-1]
    assert (line["status"], line["refusal"], line["actor"]) == (401, "unauthenticated", None)
    assert line["request_id"] == answer.headers["X-Request-Id"] == answer.body["instance"]


async def test_requests_are_not_logged_above_the_level_of_information(served, lines, caplog):
    caplog.set_level(logging.WARNING)
    await served.call("GET", "/v1/me")
    assert lines() == []


async def test_no_line_has_a_secret(served, ann, caplog, capfd):
    caplog.set_level(logging.DEBUG, logger="service")
    await served.call("POST", "/v1/auth/login", {"email": ann.email, "password": "not the right one"})
    text = "\n".join(str(record.__dict__) for record in caplog.records if record.name.startswith("service"))
    text += capfd.readouterr().err
    assert "auth.login" in text
    assert ann.token not in text
    assert ann.email not in text
    assert "not the right one" not in text


def test_a_line_is_one_json_object(capsys):
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        configure("info")
        logging.getLogger("service").info("two\nlines", extra={"answer": 42})
    finally:
        root.handlers[:], root.level = handlers, level
    line = json.loads(capsys.readouterr().err)
    assert line["message"] == "two\nlines"
    assert line["level"] == "INFO"
    assert line["answer"] == 42
    assert line["time"].endswith("Z")
    assert "request_id" in line


def test_a_traceback_is_inside_the_line():
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        record = logging.getLogger("x").makeRecord("x", 40, "f", 1, "crash", (), __import__("sys").exc_info())
    text = Formatter("%(message)s").format(record)
    assert "\n" not in text
    assert "RuntimeError: boom" in json.loads(text)["exc_info"]


async def metrics(served) -> dict[str, float]:
    answer = await served.call("GET", "/metrics")
    assert answer.status == 200
    lines = answer.body.decode().splitlines()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if line and line[0] != "#"}


async def test_requests_are_counted_by_route_name_never_by_path(served, ann):
    await ann.get("/v1/me")
    await ann.get("/v1/nothing-like-that")
    found = await metrics(served)
    assert found['http_requests_total{method="GET",route="me.get",status="200"}'] == 1
    assert found['http_requests_total{method="GET",route="unmatched",status="404"}'] == 1
    assert found['http_request_duration_seconds_count{route="me.get"}'] == 1
    assert found['refusals_total{type="not-found"}'] == 1
    assert not any("nothing-like-that" in name for name in found)


async def test_a_method_that_nobody_knows_is_not_a_label(served):
    await served.call("PROPFIND", "/v1/me")
    assert any('method="other"' in name for name in await metrics(served))


async def test_the_pool_and_what_is_in_flight_are_measured(served, ann):
    found = await metrics(served)
    assert found["database_pool_connections_max"] == 10
    assert found['database_pool_connections{state="idle"}'] >= 1
    assert found["http_requests_in_flight"] == 1


async def test_health(served):
    assert (await served.call("GET", "/livez")).body == {"status": "ok"}
    assert (await served.call("GET", "/readyz")).body == {"status": "ok"}


async def test_it_is_not_ready_without_the_newest_migration(served, db):
    await db.execute("delete from _yoyo_migration where migration_id = (select max(migration_id) from _yoyo_migration)")
    answer = await served.call("GET", "/readyz")
    assert answer.status == 503
    assert "is not applied" in answer.body["detail"]
    assert answer.headers["Retry-After"] == "5"


def test_what_clients_do_wrong_below_http_is_no_error_of_ours(capsys):
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        configure("info")
        for error in (BadStatusLine("x"), RuntimeError("boom")):
            logging.getLogger("aiohttp.server").error("Error handling request", exc_info=error)
    finally:
        root.handlers[:], root.level = handlers, level
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "boom" in lines[0]
