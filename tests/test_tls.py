"""The example of docs/deploy.md: a PostgreSQL with a certificate, which the service, `migrate` and `check` verify."""

import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.postgres import docker_answers, without_missing_reaper
from tests.process import SECRET, Process, run

# The server's own file of settings is written before it starts for good; its key has to belong to its user.
SETUP = """#!/bin/sh
set -eu
cp /certificates/server.crt /certificates/server.key "$PGDATA"
chmod 600 "$PGDATA/server.key"
echo "ssl = on" >> "$PGDATA/postgresql.conf"
echo "local all all trust" > "$PGDATA/pg_hba.conf"
echo "hostssl all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
"""
# What waiting does not help against is refused at once, however long a start may wait.
PATIENT = {"EXPENSES_JWT_SECRET": SECRET, "EXPENSES_PRODUCTION": "true", "EXPENSES_DATABASE_WAIT_SECONDS": "3600"}


def openssl(*arguments: str, directory: Path) -> None:
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


def authority(directory: Path, name: str) -> None:
    """Make an authority: NAME.crt and NAME.key."""
    subject = ("-subj", f"/CN={name}", "-days", "2", "-nodes")
    openssl("req", "-x509", "-newkey", "rsa:2048", *subject, "-keyout", f"{name}.key", "-out", f"{name}.crt",
            directory=directory)  # fmt: skip


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A directory with an authority, `ca`, what it signed for 127.0.0.1 alone, `server`, and a stranger, `other`."""
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl here")
    directory = tmp_path_factory.mktemp("certificates")
    authority(directory, "ca")
    authority(directory, "other")
    (directory / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=postgres", "-keyout", "server.key",
            "-out", "server.csr", directory=directory)  # fmt: skip
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "names", "-out", "server.crt", directory=directory)  # fmt: skip
    (directory / "tls.sh").write_text(SETUP)
    # The server runs as another user.
    for path in (directory, *directory.iterdir()):
        path.chmod(0o755)
    return directory


@pytest.fixture(scope="module")
def port(certificates):
    """The port of a server that takes nobody without TLS."""
    if not docker_answers():
        pytest.skip("there is no Docker here, and the embedded PostgreSQL has no TLS")
    without_missing_reaper()
    # The oldest version that is supported will do: this is about what the service asks of it.
    from docker.errors import DockerException  # noqa: PLC0415 -- slow, and needed only where Docker answers.
    from testcontainers.community.postgres import PostgresContainer  # noqa: PLC0415 -- as above.

    container = PostgresContainer(
        "postgres:17-alpine", driver=None, username="ann", password="secret", dbname="expenses"
    )
    container.with_volume_mapping(str(certificates / "tls.sh"), "/docker-entrypoint-initdb.d/tls.sh", "ro")
    container.with_volume_mapping(str(certificates), "/certificates", "ro")
    try:
        container.start()
        yield int(container.get_exposed_port(5432))
    except DockerException as error:
        pytest.skip(f"the container does not start: {error}")
    finally:
        container.stop()


@pytest.fixture
def dsn(port, certificates):
    """A function that returns the address of the server with a mode, an authority, and a host."""

    def of(mode: str, ca: str = "ca", host: str = "127.0.0.1") -> str:
        trusted = f"&sslrootcert={certificates}/{ca}.crt" if ca else ""
        return f"postgresql://ann:secret@{host}:{port}/expenses?sslmode={mode}{trusted}"

    return of


def test_everything_goes_through_verified_tls(dsn, tmp_path):
    environment = PATIENT | {"DATABASE_URL": dsn("verify-full")}
    assert "applied" in run("migrate", **environment).stdout
    assert run("check", **environment).stdout == "ready to serve\n"
    with Process(tmp_path / "data", **environment) as served:
        assert served.call("/v1/auth/register", {"email": "ann@example.com", "password": "correct horse", "name": "A"})
        with psycopg.connect(make_conninfo(dsn("verify-full"), application_name="test")) as connection:
            asked = "select distinct application_name, ssl from pg_stat_ssl join pg_stat_activity using (pid)"
            asked += " where backend_type = 'client backend' order by 1"
            assert connection.execute(asked).fetchall() == [("expenses", True), ("test", True)]
        assert "Traceback" not in served.output()


@pytest.mark.parametrize(
    ("mode", "ca", "host", "reason"),
    [
        ("verify-full", "other", "127.0.0.1", "certificate verify failed"),
        ("verify-ca", "other", "127.0.0.1", "certificate verify failed"),
        ("verify-full", "ca", "127.0.0.2", "IP address mismatch"),
        ("disable", "", "127.0.0.1", "no encryption"),
    ],
)
def test_what_cannot_be_verified_is_refused_at_once(dsn, mode, ca, host, reason):
    for command in ("check", "migrate", "serve"):
        done = run(command, **PATIENT, DATABASE_URL=dsn(mode, ca, host))
        assert done.returncode == 4
        assert reason in done.stderr
        assert "waiting for the database" not in done.stderr
        assert "secret@" not in done.stderr


def test_an_authority_alone_does_not_verify_the_name(dsn):
    assert "nothing to apply" in run("migrate", **PATIENT, DATABASE_URL=dsn("verify-ca", host="127.0.0.2")).stdout
