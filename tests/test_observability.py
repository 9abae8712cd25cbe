"""Request ids, log lines, counts of requests, and health."""

import asyncio
import json
import logging
import re
import sys

from aiohttp.http_exceptions import BadStatusLine

from service.telemetry.logs import Formatter, configure, writer
from tests.process import ROOT, clean


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


async def test_a_request_s_line_names_its_team(served, ann, flat, lines):
    await ann.get(f"{flat.path}/expenses")
    assert lines()[-1]["team"] == flat.team_id
    await ann.get("/v1/me")
    assert lines()[-1]["team"] is None


async def test_a_team_that_is_no_id_is_not_logged(ann, lines):
    assert (await ann.get("/v1/teams/zeppelin")).status == 404
    line = lines()[-1]
    assert (line["route"], line["status"], line["team"]) == ("teams.get", 404, None)
    assert "zeppelin" not in str(line)


async def test_requests_are_not_logged_above_the_level_of_information(served, lines, caplog):
    caplog.set_level(logging.WARNING)
    await served.call("GET", "/v1/me")
    assert lines() == []


async def test_no_line_has_a_secret(served, ann, caplog, capfd):
    caplog.set_level(logging.DEBUG, logger="service")
    await served.call("POST", "/v1/auth/login", {"email": ann.email, "password": "not the right one"})
    text = "\n".join(str(record.__dict__) for record in caplog.records if record.name.startswith("service"))
    writer.flush()
    text += capfd.readouterr().err
    assert "auth.login" in text
    assert ann.token not in text
    assert ann.email not in text
    assert "not the right one" not in text


def test_a_line_is_one_json_object(capfd, root_logger):
    configure("info")
    logging.getLogger("service").info("two\nlines", extra={"answer": 42})
    writer.flush()
    line = json.loads(capfd.readouterr().err)
    assert line["message"] == "two\nlines"
    assert line["level"] == "INFO"
    assert line["answer"] == 42
    assert line["time"].endswith("Z")
    assert (line["request_id"], line["trace_id"]) == (None, None)


def test_a_traceback_is_inside_the_line():
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        record = logging.getLogger("x").makeRecord("x", 40, "f", 1, "crash", (), __import__("sys").exc_info())
    text = Formatter("%(message)s").format(record)
    assert "\n" not in text
    assert "RuntimeError: boom" in json.loads(text)["exc_info"]


async def test_requests_are_counted_by_route_name_never_by_path(served, ann):
    await ann.get("/v1/me")
    await ann.get("/v1/nothing-like-that")
    found = await served.metrics()
    assert found['http_requests_total{method="GET",route="me.get",status="200"}'] == 1
    assert found['http_requests_total{method="GET",route="unmatched",status="404"}'] == 1
    assert found['http_request_duration_seconds_count{route="me.get",status_class="2xx"}'] == 1
    assert found['refusals_total{type="not-found"}'] == 1
    assert not any("nothing-like-that" in name for name in found)


async def test_a_method_that_nobody_knows_is_not_a_label(served):
    await served.call("PROPFIND", "/v1/me")
    assert any('method="other"' in name for name in await served.metrics())


async def test_the_pool_and_what_is_in_flight_are_measured(served, ann):
    found = await served.metrics()
    assert found["database_pool_connections_max"] == 10
    assert found['database_pool_connections{state="idle"}'] >= 1
    assert found["http_requests_in_flight"] == 1


async def test_health(served):
    assert (await served.call("GET", "/livez")).body == {"status": "ok"}
    assert (await served.call("GET", "/readyz")).body == {"status": "ok"}


async def asked(**environment):
    """Ask as the image's HEALTHCHECK does; return the status and what was said."""
    command = [sys.executable, "-m", "service.process.health"]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=clean() | environment, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    return process.returncode, said.decode()


async def test_a_container_is_healthy_while_its_service_is_ready(served, db):
    port = served.url.rsplit(":", 1)[1]
    assert await asked(EXPENSES_PORT=port) == (0, "")
    await db.execute("delete from _yoyo_migration where migration_id = (select max(migration_id) from _yoyo_migration)")
    status, said = await asked(EXPENSES_PORT=port)
    assert status == 1
    assert "is not applied" in said


async def test_a_container_without_a_service_is_not_healthy():
    status, said = await asked(EXPENSES_PORT="1")
    assert status == 1
    assert re.fullmatch(r"not ready: .* Connection refused\n", said)


async def test_it_is_not_ready_without_the_newest_migration(served, db):
    await db.execute("delete from _yoyo_migration where migration_id = (select max(migration_id) from _yoyo_migration)")
    answer = await served.call("GET", "/readyz")
    assert answer.status == 503
    assert "is not applied" in answer.body["detail"]
    assert answer.headers["Retry-After"] == "5"


def test_what_clients_do_wrong_below_http_is_no_error_of_ours(capfd, root_logger):
    configure("info")
    for error in (BadStatusLine("x"), RuntimeError("boom")):
        logging.getLogger("aiohttp.server").error("Error handling request", exc_info=error)
    writer.flush()
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "boom" in lines[0]
