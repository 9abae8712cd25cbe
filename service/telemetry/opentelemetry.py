"""Traces for OpenTelemetry. Only imported with EXPENSES_TRACING; needs the `otel` extra.

OpenTelemetry's own variables (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER, …) set where traces go and how many are
sampled.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Any

from aiohttp import web
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.propagate import extract
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode, Tracer

from service import __version__
from service.telemetry.trace import TRACE, Trace


class OfRequests(BatchSpanProcessor):
    """Exports the spans of requests, and leaves out those of background polls."""

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span that has ended."""
        if span.parent or span.kind is SpanKind.SERVER:
            super().on_end(span)


def trace(app: web.Application) -> None:
    """Make an app that is not started yet record a span for every request and, within it, for every statement."""
    os.environ.setdefault("OTEL_SERVICE_NAME", "expenses")
    provider = TracerProvider(resource=Resource.create({"service.version": __version__}))
    provider.add_span_processor(OfRequests(OTLPSpanExporter()))
    statements: Any = AsyncPGInstrumentor  # Its constructor is untyped.

    async def instrumented(_: web.Application) -> AsyncIterator[None]:
        statements().instrument(tracer_provider=provider)
        yield
        statements().uninstrument()
        provider.shutdown()

    app.cleanup_ctx.append(instrumented)
    app.middlewares.insert(0, _recording(provider.get_tracer(__name__)))


def _recording(tracer: Tracer) -> Any:
    @web.middleware
    async def record(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Record a request's span, with the names of OpenTelemetry's semantic conventions for HTTP."""
        resource = request.match_info.route.resource
        attributes = {"http.request.method": request.method, "http.route": resource.canonical if resource else ""}
        name = request.match_info.route.name or "unmatched"
        with tracer.start_as_current_span(name, extract(request.headers), SpanKind.SERVER, attributes) as span:
            context = span.get_span_context()
            # The log lines and the response then name the recorded trace.
            request[TRACE] = Trace(f"{context.trace_id:032x}", f"{context.trace_flags:02x}", f"{context.span_id:016x}")
            response = await handler(request)
            span.set_attribute("http.response.status_code", response.status)
            if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                span.set_status(StatusCode.ERROR)
            return response

    return record
