"""A TCP proxy in front of PostgreSQL, through which a network fails as networks do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

CHUNK_BYTES = 65_536


class Proxy:
    """Forwards connections to the server of a DSN; `dsn` is the way through it."""

    def __init__(self, dsn: str) -> None:
        self.target = {key: str(value) for key, value in conninfo_to_dict(dsn).items()}
        self.dsn = ""
        self.connections: set[asyncio.StreamWriter] = set()
        self.flowing = asyncio.Event()
        self.flowing.set()

    def through(self, port: int) -> str:
        """Return the DSN that leads through a port of this machine."""
        password = f":{quote(self.target['password'], safe='')}" if "password" in self.target else ""
        user = quote(self.target["user"], safe="")
        return f"postgresql://{user}{password}@127.0.0.1:{port}/{self.target['dbname']}"

    def swallow(self) -> None:
        """Let nothing through from now on, and tell nobody: the connections stay open and new ones are accepted."""
        self.flowing.clear()

    def heal(self) -> None:
        """Let everything through again, also what was held back."""
        self.flowing.set()

    def reset(self) -> None:
        """Break all connections that are open."""
        for each in self.connections:
            each.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection in both directions until an end of it closes."""
        self.connections.add(writer)
        try:
            await self.flowing.wait()
            server_reader, server_writer = await self._connect()
            self.connections.add(server_writer)
            await asyncio.gather(self._pump(reader, server_writer), self._pump(server_reader, writer))
        except (OSError, asyncio.CancelledError):
            # That the proxy's end takes its connections with it is no failure of theirs.
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = self.target.get("host", "localhost"), self.target.get("port", "5432")
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, int(port))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(CHUNK_BYTES):
                await self.flowing.wait()
                writer.write(chunk)
                await writer.drain()
        finally:
            self.connections.discard(writer)
            with suppress(OSError):
                writer.close()


@asynccontextmanager
async def proxied(dsn: str) -> AsyncIterator[Proxy]:
    """Run a proxy to the server of a DSN for as long as the block lasts."""
    proxy = Proxy(dsn)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.dsn = proxy.through(server.sockets[0].getsockname()[1])
    try:
        yield proxy
    finally:
        server.close()
        proxy.heal()
        proxy.reset()
        await asyncio.sleep(0)
