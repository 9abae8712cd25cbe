"""Pages for operators and newcomers: health, metrics, documentation."""

import html
import re
from pathlib import Path

from aiohttp import web
from marshmallow import fields

from service import errors
from service.ops import service
from service.process.workers import merged
from service.web.answers import Media, Ok, security_headers
from service.web.endpoint import endpoint
from service.web.keys import DB, DOCUMENT, LIFECYCLE, METRICS, PUBLIC_URL, WORKER
from service.web.schemas import Output

ui = Path(__file__).parents[1] / "web" / "ui"
ui_policy = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ui_types = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
ui_files = {path.name: path for path in ui.rglob("*") if path.suffix in ui_types}


@endpoint(Media("text/html"), public=True)
async def home(request: web.Request) -> web.Response:
    """Show links to the documentation, the health checks and the metrics."""
    page = (ui / "home.html").read_text()
    if public_url := request.app[PUBLIC_URL]:
        page = page.replace("http://localhost:8080", html.escape(public_url))
    return _html(page)


class Health(Output):
    """The service's health."""

    status = fields.String(required=True, metadata={"enum": ["ok"]})


@endpoint(Ok(Health), public=True)
async def live(_: web.Request) -> dict[str, str]:
    """Tell whether the process is running.

    Never asks the database: restarting this process would not repair it.
    """
    return {"status": "ok"}


@endpoint(Ok(Health), refuses=(errors.Unavailable,), public=True)
async def ready(request: web.Request) -> dict[str, str]:
    """Tell whether requests can be answered.

    They can if the database answers and the newest migration is applied.
    """
    if request.app[LIFECYCLE].stopping:
        raise errors.Unavailable("The service is stopping.", reason="stopping", retry_after_seconds=5)
    await service.require_migrated(request.app[DB])
    return {"status": "ok"}


@endpoint(Media("text/plain"), public=True)
async def metrics(request: web.Request) -> web.Response:
    """Return the metrics of all workers in Prometheus' text format."""
    text = request.app[METRICS].text()
    if worker := request.app[WORKER]:
        text = merged([text, *await worker.metrics_of_others()])
    return web.Response(text=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


@endpoint(Media("application/json"), public=True)
async def document(request: web.Request) -> web.Response:
    """Return this API's OpenAPI document."""
    return web.Response(body=request.app[DOCUMENT], content_type="application/json")


@endpoint(Media("text/html"), public=True)
async def docs(_: web.Request) -> web.Response:
    """Show the documentation in Swagger UI, where you can also try the API."""
    return _html((ui / "docs.html").read_text())


@endpoint(Media("*/*"), refuses=(errors.NotFound,), public=True)
async def docs_file(_: web.Request, file: str) -> web.StreamResponse:
    """Return a script, style sheet or icon of the pages."""
    path = ui_files.get(file)
    if path is None:
        raise errors.NotFound
    headers = {"Content-Type": ui_types[path.suffix], **security_headers, "Cache-Control": "public, max-age=3600"}
    return web.FileResponse(path, headers=headers)


@endpoint(Media("text/html"), refuses=(errors.NotFound,), public=True)
async def problem(_: web.Request, slug: str) -> web.Response:
    """Explain a type of problem."""
    for refusal in errors.refusals():
        if refusal.slug() == slug:
            page = (ui / "problem.html").read_text()
            about = re.sub("`(.+?)`", r"<code>\1</code>", html.escape(refusal.about()))
            return _html(page.format(slug=refusal.slug(), status=refusal.status.value, about=about))
    raise errors.NotFound


def _html(page: str) -> web.Response:
    return web.Response(
        text=page, content_type="text/html", headers={**security_headers, "Content-Security-Policy": ui_policy}
    )
