"""How many connections clients may open: what one takes too many of, others still have."""

import asyncio
import contextlib
import json
import subprocess
import sys
from dataclasses import replace

import aiohttp
import pytest
import yarl

from tests.conftest import running
from tests.process import ROOT, Process, on

ALIVE = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"


@contextlib.asynccontextmanager
async def connections(url, number, address="127.0.0.1"):
    """Open connections from an address, ask for /livez on each, and yield the first bytes of the answers."""
    opened = []
    try:
        for _ in range(number):
            opened.append(  # noqa: PERF401 -- those opened before a failure are closed, too.
                await asyncio.open_connection(yarl.URL(url).host, yarl.URL(url).port, local_addr=(address, 0))
            )
        answers = []
        for reader, writer in opened:
            answer = b""
            with contextlib.suppress(ConnectionError):
                writer.write(ALIVE)
                answer = await asyncio.wait_for(reader.read(1024), 30)
            answers.append(answer[:12])
        yield answers
    finally:
        for _, writer in opened:
            writer.close()


def alive(answers):
    return answers.count(b"HTTP/1.1 200")


async def test_one_client_leaves_room_for_others(config):
    async with running(replace(config, connections=80)) as served:
        async with connections(served.url, 30) as answers, connections(served.url, 10, "127.0.0.2") as of_another:
            assert (alive(answers), alive(of_another)) == (10, 10)
            assert answers[:10] == [b"HTTP/1.1 200"] * 10
        # Those that are closed can be opened again.
        async with asyncio.timeout(30):
            while (await metrics(served, "127.0.0.3"))["http_connections"] > 1:  # noqa: ASYNC110 -- nothing tells of it.
                await asyncio.sleep(0.02)
        async with connections(served.url, 10) as answers:
            assert alive(answers) == 10
        assert (await metrics(served, "127.0.0.3"))['http_connections_refused_total{limit="client"}'] == 20


async def test_all_clients_leave_room_for_health_checks_and_operators(config):
    async with (
        running(replace(config, connections=100, trusted_proxies=1)) as served,
        connections(served.url, 120) as answers,
        connections(served.url, 4, "127.0.0.2") as of_another,
    ):
        assert (alive(answers), alive(of_another)) == (95, 4)
        found = await metrics(served, "127.0.0.3")
        assert found['http_connections_refused_total{limit="all"}'] == 25
        assert found["http_connections"] == found["http_connections_max"] == 100


async def test_a_connection_too_many_is_told_so(config):
    async with running(replace(config, connections=32)) as served, connections(served.url, 4):
        reader, writer = await asyncio.open_connection(yarl.URL(served.url).host, yarl.URL(served.url).port)
        head, _, body = (await asyncio.wait_for(reader.read(), 30)).partition(b"\r\n\r\n")
        writer.close()
        assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"\r\nRetry-After: 5" in head
        assert b"\r\nContent-Type: application/problem+json" in head
        problem = json.loads(body)
        assert problem["type"] == "/problems/unavailable"
        assert problem["detail"] == "Too many connections are open. Close some, or try again."


@contextlib.asynccontextmanager
async def stranger():
    """A client with another address."""
    connector = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(30)) as http:
        yield http


async def metrics(served, address):
    """Return what /metrics says to a client of another address."""
    reader, writer = await asyncio.open_connection(
        yarl.URL(served.url).host, yarl.URL(served.url).port, local_addr=(address, 0)
    )
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    text = (await asyncio.wait_for(reader.read(), 30)).decode()
    writer.close()
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("http_connections")]
    return {name: float(value) for name, value in lines}


@pytest.mark.parametrize(("limits", "expected"), [("-n 300", "190"), ("-Sn 300", "2000"), ("-n 50", "1")])
def test_it_makes_room_among_the_descriptors(limits, expected):
    code = "from service.process.descriptors import room; print(room(2000, servers=10))"
    command = f'ulimit {limits} && exec "$0" -c "$1"'
    found = subprocess.run(["bash", "-c", command, sys.executable, code], cwd=ROOT, capture_output=True, text=True)
    assert found.stdout == f"{expected}\n", found.stderr
    assert ("fewer connections than configured" in found.stderr) == (expected != "2000")


async def test_descriptors_do_not_run_out(database, tmp_path):
    with Process(tmp_path / "data", descriptors=250, **on(database)) as process:
        async with connections(process.url, 300) as answers, stranger() as http:
            assert 0 < alive(answers) < 140
            async with http.get(process.url + "/readyz") as answer:
                assert answer.status == 200
