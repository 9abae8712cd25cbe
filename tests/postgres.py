"""The PostgreSQL server that the tests talk to: one that is given, one in Docker, or an embedded one."""

import os
import re
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from service.postgres.embedded import EmbeddedPostgres

_DOCKER_TIMEOUT_SECONDS = 2
_FAST_AND_LOSSY = "postgres -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200"


@dataclass(frozen=True)
class Server:
    """A running server; `url` is the DSN of a database of it whose user may create others."""

    description: str
    url: str

    def dsn(self, database: str) -> str:
        """Return the DSN of one of its databases, for asyncpg and psycopg alike."""
        return re.sub(r"://([^/?]*)(/[^?]*)?", rf"://\1/{database}", self.url, count=1)


@contextmanager
def server() -> Iterator[Server]:
    """Give the first of: TEST_DATABASE_URL, a Testcontainers server where Docker can start it, an embedded server.

    TEST_POSTGRES=testcontainers or TEST_POSTGRES=embedded leaves no choice.
    """
    with ExitStack() as resources:
        kind, url = _start(resources)
        with psycopg.connect(url) as connection:
            version = connection.info.parameter_status("server_version") or "of unknown version"
        yield Server(description=f"{kind}, PostgreSQL {version.split(' (')[0]}", url=url)


def _start(resources: ExitStack) -> tuple[str, str]:
    forced = os.environ.get("TEST_POSTGRES", "")
    if forced not in {"", "testcontainers", "embedded"}:
        raise ValueError(f"TEST_POSTGRES is testcontainers or embedded or not set, but not {forced!r}")
    if not forced and (given := os.environ.get("TEST_DATABASE_URL")):
        return "TEST_DATABASE_URL", given
    if forced == "testcontainers":
        return _start_container(resources)
    if not forced and docker_answers():
        from docker.errors import DockerException  # noqa: PLC0415 - Slow, and needed only where Docker answers.

        try:
            return _start_container(resources)
        except DockerException:
            # A Docker that answers may still not have the image, nor a registry to pull it from.
            pass
    return _start_embedded(resources)


def docker_answers() -> bool:
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not host.startswith("unix://"):
        return True
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_DOCKER_TIMEOUT_SECONDS)
            connection.connect(host.removeprefix("unix://"))
            connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in connection.recv(64)
    except OSError:
        return False


def _start_container(resources: ExitStack) -> tuple[str, str]:
    without_missing_reaper()
    from testcontainers.community.postgres import PostgresContainer  # noqa: PLC0415 - After the environment is set.

    image = os.environ.get("TEST_POSTGRES_IMAGE", "postgres:18-alpine")
    container = PostgresContainer(image, driver=None).with_command(_FAST_AND_LOSSY)
    resources.enter_context(container)
    return f"Testcontainers {image}", container.get_connection_url()


def without_missing_reaper() -> None:
    """Testcontainers pulls its reaper, which may be impossible; without it only a killed run leaves a container."""
    import docker  # noqa: PLC0415 - Slow, and needed only where Docker answers.

    client = docker.from_env()
    try:
        client.images.get(os.environ.get("RYUK_CONTAINER_IMAGE", "testcontainers/ryuk:0.8.1"))
    except docker.errors.ImageNotFound:
        os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    finally:
        client.close()


def _start_embedded(resources: ExitStack) -> tuple[str, str]:
    directory = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="expenses-test-")))
    # For root the server runs as another user, who must get through.
    directory.chmod(0o711)
    return "embedded", resources.enter_context(EmbeddedPostgres(directory, durable=False))
