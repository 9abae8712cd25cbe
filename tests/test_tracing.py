"""Traces: what a collector is sent with EXPENSES_TRACING, and that nothing happens without."""

import gzip
import subprocess
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from service import config
from service.process.exits import ConfigError
from tests.conftest import running

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT_ID = "00f067aa0ba902b7"


@pytest.fixture
def spans(monkeypatch):
    """What a collector on this machine has been sent, as (name, span)."""
    received = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    received.extend((span.name, span) for span in scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield received
        server.shutdown()


async def test_a_request_and_its_statements_are_spans_of_the_caller_s_trace(config, spans, lines):
    async with running(replace(config, tracing=True)) as served:
        headers = {"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01"}
        answer = await served.call("GET", "/readyz", headers=headers)
        await served.call("GET", "/v1/nothing")
    # What is left is sent when the app stops.
    by_name = dict(spans)
    request, statement = by_name["ops.ready"], by_name["select"]
    assert request.trace_id.hex() == statement.trace_id.hex() == TRACE_ID
    assert request.parent_span_id.hex() == PARENT_ID
    assert statement.parent_span_id == request.span_id
    assert answer.headers["Traceresponse"] == f"00-{TRACE_ID}-{request.span_id.hex()}-01"
    logged = {line["route"]: line["trace_id"] for line in lines() if line.get("message") == "request"}
    assert logged == {"ops.ready": TRACE_ID, "unmatched": by_name["unmatched"].trace_id.hex()}


async def test_what_no_request_asked_for_is_left_out(config, spans):
    async with running(replace(config, tracing=True)) as served:
        await served.call("GET", "/livez")
    # The poll of ended sessions asked the database at the start.
    assert [name for name, _ in spans] == ["ops.live"]


async def test_a_failure_is_a_failed_span(config, spans, db):
    async with running(replace(config, tracing=True)) as served:
        await db.execute("alter table _yoyo_migration rename column migration_id to another")
        assert (await served.call("GET", "/readyz")).status == 500
    [request] = [span for name, span in spans if name == "ops.ready"]
    assert request.status.code == request.status.STATUS_CODE_ERROR
    attributes = {each.key: each.value for each in request.attributes}
    assert attributes["http.response.status_code"].int_value == 500
    assert attributes["http.route"].string_value == "/readyz"


def test_without_the_setting_nothing_of_it_is_imported():
    code = "import sys, service.__main__; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent).returncode == 0


def test_without_the_extra_the_setting_is_refused(monkeypatch):
    monkeypatch.setenv("EXPENSES_TRACING", "true")
    assert config.load().tracing
    monkeypatch.setattr(config, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="EXPENSES_TRACING needs the `otel` extra"):
        config.load()
