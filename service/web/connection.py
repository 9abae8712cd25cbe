"""Connections of clients: how many there may be, how long the head of a request may take, and what is no request.

aiohttp answers what it cannot read as plain text that names it and its version, and limits neither the number of
connections nor the time of a request's head. aiohttp's own classes are extended here, and nowhere else.
"""

import asyncio
import socket
from http import HTTPStatus
from typing import Any, cast

import orjson
from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_exceptions import HTTPExpectationFailed
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from service import errors
from service.web.answers import security_headers
from service.web.connection_limit import ConnectionLimit
from service.web.keys import CONNECTION_LIMIT, GONE, PUBLIC_URL, REFUSED, REQUEST_ID
from service.web.middleware import observe, problem_details
from service.web.request import place

# The request line and the headers, all together and each, and how long they may take.
head_bytes_max = 32 * 1024
line_bytes_max = 8 * 1024
headers_max = 100
head_seconds_max = 15
# A client that takes nothing of an answer for this long is disconnected.
unread_seconds_max = 60


class Server(web.Server):
    """aiohttp's server, with our connections."""

    def __init__(self, *arguments: Any, limit: ConnectionLimit | None, public_url: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.limit = limit
        self.public_url = public_url
        self.too_many = _closing(
            errors.Unavailable(
                "Too many connections are open. Close some, or try again.", reason="connections", retry_after_seconds=5
            ),
            public_url,
        )

    def __call__(self) -> RequestHandler:
        """Return the protocol of a new connection."""
        return Connection(self, loop=self._loop, **self._kwargs)


class Connection(RequestHandler):
    """aiohttp's protocol, within our limits; every answer is a problem document that is logged and counted."""

    __slots__ = ("head_bytes", "head_timer", "limit", "peer", "public_url", "too_many")

    def __init__(self, server: Server, **options: Any) -> None:
        super().__init__(server, **options)
        self.limit = server.limit
        self.public_url = server.public_url
        self.too_many = server.too_many
        self.peer: str | None = None
        self.head_bytes = 0
        self.head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or refuse it if there are too many."""
        transport = cast("asyncio.Transport", transport)
        if self.limit:
            peer = _peer(transport)
            if not self.limit.take(peer):
                transport.write(self.too_many)
                transport.close()
                return
            self.peer = peer
        _limit_unread(transport)
        self.head_timer = self._loop.call_later(head_seconds_max, self._head_is_late)
        super().connection_made(transport)

    def connection_lost(self, error: BaseException | None) -> None:
        """Give the connection back."""
        if self.limit and self.peer is not None:
            self.limit.give_back(self.peer)
            self.peer = None
        if self._current_request is not None and (gone := self._current_request.get(GONE)):
            gone()
        self._head_is_complete()
        super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """Read what came; refuse the head of a request if it is too large or takes too long."""
        if self.transport is None:
            return
        super().data_received(data)
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            # The head of a request has begun, and is not complete.
            self.head_bytes += len(data)
            if self.head_bytes > head_bytes_max:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            elif self.head_timer is None:
                self.head_timer = self._loop.call_later(head_seconds_max, self._head_is_late)
        elif self._request_count:
            self._head_is_complete()

    def finish_response(self, request: Any, response: Any, started: float | None) -> Any:
        """Send an answer; what aiohttp refuses before our middlewares becomes a problem document, too."""
        if isinstance(response, HTTPExpectationFailed):
            return self._refuse_expectation(request, started)
        return super().finish_response(request, response, started)

    def handle_error(
        self, request: Any, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Return the answer after a crash outside of the middlewares, which aiohttp logs."""
        response = super().handle_error(request, status, exc, message)
        document = errors.InternalError().problem(request.get(REQUEST_ID, ""), self.public_url)
        answer = web.Response(body=orjson.dumps(document), status=response.status, content_type=problem_type)
        answer.headers.update(security_headers)
        answer.force_close()
        return answer

    def _make_error_handler(self, err_info: _ErrInfo) -> Any:
        async def refuse(request: web.Request) -> web.StreamResponse:
            if self._request_handler is None:
                raise ConnectionResetError
            request[REFUSED] = _refusal(err_info)
            response = await self._request_handler(request)
            response.force_close()
            return response

        return refuse

    async def _refuse_expectation(self, request: web.Request, started: float | None) -> tuple[web.StreamResponse, bool]:
        request[REFUSED] = errors.ExpectationFailed()
        response = await observe(request, _refused)
        response.force_close()
        return await super().finish_response(request, response, started)

    def _head_is_complete(self) -> None:
        self.head_bytes = 0
        if self.head_timer is not None:
            self.head_timer.cancel()
            self.head_timer = None

    def _head_is_late(self) -> None:
        self.head_timer = None
        if self.head_bytes:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.force_close()

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer a request whose head is not complete, and then close the connection."""
        self._head_is_complete()
        if self._waiter is not None and not self._waiter.done():
            self._request_count += 1
            self._messages.append((_ErrInfo(status, TimeoutError(), ""), EMPTY_PAYLOAD))
            self._waiter.set_result(None)
        # What else comes is ignored.
        self._close = True


class Runner(web.AppRunner):
    """aiohttp's runner of an app, on our server."""

    async def _make_server(self) -> Server:
        made = await super()._make_server()
        return Server(
            made.request_handler,
            request_factory=made.request_factory,
            limit=self.app.get(CONNECTION_LIMIT),
            public_url=self.app.get(PUBLIC_URL, ""),
            **self._kwargs,
        )


problem_type = "application/problem+json"


def _closing(refusal: errors.Refusal, public_url: str) -> bytes:
    """Return a whole answer, for a connection that is closed at once."""
    body = orjson.dumps(refusal.problem("", public_url))
    headers = security_headers | refusal.headers
    headers |= {"Content-Type": problem_type, "Content-Length": str(len(body)), "Connection": "close"}
    lines = [f"HTTP/1.1 {refusal.status.value} {refusal.status.phrase}", *(f"{n}: {v}" for n, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _refused(request: web.Request) -> web.StreamResponse:
    return await problem_details(request, _never)


async def _never(_: web.Request) -> web.StreamResponse:
    raise errors.InternalError


def _refusal(found: _ErrInfo) -> errors.Refusal:
    """Return our refusal of what aiohttp cannot read; its own message quotes the client."""
    if found.status == HTTPStatus.REQUEST_TIMEOUT:
        return errors.RequestTimeout(f"The headers did not arrive within {head_seconds_max} seconds.")
    if isinstance(found.exc, LineTooLong):
        return errors.HeadersTooLarge(f"The address, or a header, is longer than {line_bytes_max} bytes.")
    if found.status == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
        return errors.HeadersTooLarge(f"The headers are larger than {head_bytes_max} bytes in all.")
    if isinstance(found.exc, BadHttpMessage) and found.exc.message.startswith("Too many headers"):
        return errors.HeadersTooLarge(f"There are more than {headers_max} headers.")
    return errors.Malformed("This is not a request of HTTP/1.1.")


def _peer(transport: asyncio.Transport) -> str:
    """Return the place that a connection comes from; that of a Unix socket is empty."""
    found = transport.get_extra_info("peername")
    return place(str(found[0])) if isinstance(found, tuple) else ""


def _limit_unread(transport: asyncio.Transport) -> None:
    """Let the system close the connection if its client takes nothing of an answer for long, where it can."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family != socket.AF_UNIX and hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, unread_seconds_max * 1000)
