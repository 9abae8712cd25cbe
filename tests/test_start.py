"""Starts that do not succeed, and `check`: one line on standard error, a status that tells which kind, nothing changed.

tests/test_config.py has the settings in detail; here is what an operator, or a script, sees of it.
"""

import asyncio
import contextlib
import json
import re
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from service.__main__ import main
from service.postgres import preflight as server
from service.postgres.embedded import EmbeddedPostgres
from service.postgres.migrate import migrate
from service.telemetry.logs import writer
from tests.process import ANSWER_SECONDS_MAX, ROOT, SECRET, clean, free_port, on, run
from tests.proxy import Proxy

SETTINGS_OF_DURABILITY = ("fsync", "full_page_writes", "synchronous_commit")


def complaint(done):
    """Return the one line on standard error that is not of the log."""
    [line] = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert line.startswith("expenses: ")
    return line


def contents(database):
    """Return what is in a database: its relations, and the rows of its tables."""
    relations = (
        "select oid::regclass::text, relkind from pg_class where relnamespace = 'public'::regnamespace order by 1"
    )
    with psycopg.connect(database) as connection:
        found = connection.execute(relations).fetchall()
        return [(name, kind == "r" and connection.execute(f"table {name}").fetchall()) for name, kind in found]


def execute(database, sql):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(sql)


@pytest.fixture
def command(monkeypatch, capfd, root_logger):
    """Run a command in this process, which takes a tenth of the time."""

    def run_here(name, **environment):
        with monkeypatch.context() as patched:
            patched.setattr(sys, "argv", ["expenses", name])
            for variable, value in environment.items():
                patched.setenv(variable, value)
            status = 0
            try:
                main()
            except SystemExit as ended:
                status = ended.code
        writer.flush()
        output = capfd.readouterr()
        return subprocess.CompletedProcess(name, status, output.out, output.err)

    return run_here


@pytest.fixture
def refused(command):
    """Run `serve` and `check`, which must fail alike, and return their line; a database stays as it was before."""

    def run_both(status, environment, *, unchanged=""):
        before = unchanged and contents(unchanged)
        runs = [run("serve", **environment), command("check", **environment)]
        assert [(done.returncode, done.stdout) for done in runs] == [(status, "")] * 2
        assert not any("waiting" in done.stderr for done in runs)
        [line] = {complaint(done) for done in runs}
        assert (unchanged and contents(unchanged)) == before
        return line

    return run_both


BAD_SETTINGS = {
    "an unknown variable": (2, "EXPENSES_PROT", {"EXPENSES_PROT": "8080"}),
    "a wrong value": (2, "EXPENSES_PORT", {"EXPENSES_PORT": "http"}),
    "a boolean that is none": (2, "EXPENSES_PRODUCTION", {"EXPENSES_PRODUCTION": "maybe"}),
    "a short secret": (2, "EXPENSES_JWT_SECRET", {"EXPENSES_JWT_SECRET": "hunter2"}),
    "a file that is not there": (2, "EXPENSES_JWT_SECRET_FILE", {"EXPENSES_JWT_SECRET_FILE": "/nowhere/hunter2"}),
    "another kind of database": (2, "DATABASE_URL", {"DATABASE_URL": "mysql://ann:hunter2@db/expenses"}),
    "a password that ends early": (2, "DATABASE_URL", {"DATABASE_URL": "postgresql://ann:hunter2/@db/expenses"}),
    "a password for a port": (2, "DATABASE_URL", {"DATABASE_URL": "postgresql://ann:hunter2#@db/expenses"}),
    "a port that is none": (2, "DATABASE_URL", {"DATABASE_URL": "postgresql://ann:hunter2@127.0.0.1:99999/expenses"}),
    "production that may forget": (
        2,
        "EXPENSES_ALLOW_UNSAFE_DATABASE",
        {"EXPENSES_PRODUCTION": "true", "EXPENSES_ALLOW_UNSAFE_DATABASE": "true"},
    ),
    "no secret": (3, "EXPENSES_JWT_SECRET", {"EXPENSES_JWT_SECRET": ""}),
    "a placeholder": (3, "EXPENSES_JWT_SECRET", {"EXPENSES_JWT_SECRET": "placeholder hunter2 hunter2 hunter2"}),
    "a placeholder in a URL": (3, "DATABASE_URL", {"DATABASE_URL": "postgresql://hunter2:placeholder@db/expenses"}),
    "a secret for development in production": (
        3,
        "EXPENSES_JWT_SECRET",
        {"EXPENSES_PRODUCTION": "true", "EXPENSES_JWT_SECRET": "development hunter2 hunter2 hunter2"},
    ),
    "production without a database": (3, "DATABASE_URL", {"EXPENSES_PRODUCTION": "true", "DATABASE_URL": ""}),
}


GOOD_SETTINGS = on("postgresql://ann@127.0.0.1:1/expenses") | {"EXPENSES_ALLOW_UNSAFE_DATABASE": "false"}


@pytest.mark.parametrize("case", BAD_SETTINGS)
def test_a_bad_setting_stops_the_start(command, case):
    status, variable, environment = BAD_SETTINGS[case]
    done = command("check", **GOOD_SETTINGS | environment)
    assert done.returncode == status
    assert variable in complaint(done)
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize("case", ["a wrong value", "no secret", "production without a database"])
def test_serve_refuses_as_check_does_and_makes_no_database(refused, case, tmp_path):
    status, _, environment = BAD_SETTINGS[case]
    refused(status, GOOD_SETTINGS | {"EXPENSES_DATA_DIR": str(tmp_path / "data")} | environment)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["127.0.0.1:1", "nowhere.invalid"])
def test_a_database_that_is_not_there_is_not_served(refused, host):
    url = f"postgresql://ann:hunter2@{host}/expenses"
    assert "hunter2" not in refused(4, on(url))


# What waiting does not help against is refused at once, however long a start may wait.
PATIENT = {"EXPENSES_DATABASE_WAIT_SECONDS": "3600"}


def test_a_database_of_another_name_is_not_served(refused, postgres):
    assert '"nowhere"' in refused(4, on(postgres.dsn("nowhere")) | PATIENT)


def test_a_database_that_lets_nobody_in_is_not_served(refused, direct):
    user = conninfo_to_dict(direct)["user"]
    stranger = direct.replace(f"//{user}", "//nobody", 1)
    assert '"nobody"' in refused(4, on(stranger) | PATIENT, unchanged=direct)


def test_a_database_with_another_password_is_not_served(refused, direct):
    password = conninfo_to_dict(direct).get("password")
    if not password:
        pytest.skip("the server of this run asks for no password")
    line = refused(4, on(direct.replace(f":{password}@", ":hunter2@", 1)) | PATIENT, unchanged=direct)
    assert "password" in line
    assert "hunter2" not in line


def test_a_server_without_tls_is_not_served_where_tls_is_asked_for(refused, database):
    with server_without_tls() as port:
        line = refused(4, on(f"postgresql://ann@127.0.0.1:{port}/expenses?sslmode=require") | PATIENT)
    assert "rejected SSL upgrade" in line


@pytest.mark.parametrize("query", ["sslmode=verify-full", "sslmode=require&sslrootcert=/nowhere/ca.crt"])
def test_certificates_that_cannot_be_read_are_named(refused, monkeypatch, tmp_path, query):
    monkeypatch.setenv("HOME", str(tmp_path))
    line = refused(2, on(f"postgresql://ann:hunter2@127.0.0.1:1/expenses?{query}") | PATIENT)
    path = "/nowhere/ca.crt" if "nowhere" in query else f"{tmp_path}/.postgresql/root.crt"
    assert f"sslrootcert, {path}, cannot be read: No such file or directory" in line
    assert "hunter2" not in line


@contextmanager
def server_without_tls():
    """Yield the port of a server that says no to TLS, as one of PostgreSQL does that has none."""

    class No(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(8)
            self.request.sendall(b"N")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), No) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield listening.server_address[1]
        listening.shutdown()
        thread.join()


SSL_REQUEST = (8).to_bytes(4) + (80877103).to_bytes(4)


async def starting(reader, writer):
    """Answer as PostgreSQL does until it has recovered."""
    if await reader.read(4096) == SSL_REQUEST:
        writer.write(b"N")
        await reader.read(4096)
    said = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"
    writer.write(b"E" + (len(said) + 4).to_bytes(4) + said)


async def closing(reader, writer):
    """Answer as a proxy does that has nothing behind it: not at all."""
    await reader.read(8)


@pytest.mark.parametrize("name", ["check", "migrate"])
@pytest.mark.parametrize("way", [None, starting, closing])
async def test_a_database_on_its_way_up_is_waited_for(database, name, way):
    proxy, port, is_up = Proxy(database), free_port(), asyncio.Event()

    async def meet(reader, writer):
        if is_up.is_set():
            await proxy.serve(reader, writer)
        else:
            await way(reader, writer)
            writer.close()

    async with contextlib.AsyncExitStack() as servers:
        if way:
            await servers.enter_async_context(await asyncio.start_server(meet, "127.0.0.1", port))
        done = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "service", name),
            cwd=ROOT,
            env=clean() | on(proxy.through(port)) | PATIENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        waiting = json.loads(await done.stderr.readline())
        assert (waiting["level"], waiting["message"]) == ("WARNING", "waiting for the database")
        assert waiting["wait_seconds"] == 1
        assert ("starting up" in waiting["error"]) == (way is starting)
        is_up.set()
        if not way:
            await servers.enter_async_context(await asyncio.start_server(meet, "127.0.0.1", port))
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            output, _ = await done.communicate()
        assert (done.returncode, output.decode()) == (0, RIGHT[name])


RIGHT = {"check": "ready to serve\n", "migrate": "nothing to apply\n"}


@pytest.mark.parametrize("host", ["127.0.0.1:1", "nowhere.invalid"])
def test_the_wait_for_a_database_has_a_limit(command, host):
    environment = on(f"postgresql://ann:hunter2@{host}/expenses") | {"EXPENSES_DATABASE_WAIT_SECONDS": "0.2"}
    done = command("check", **environment)
    assert done.returncode == 4
    assert complaint(done).endswith(" (for 0.2 s)")
    assert done.stderr.count('"waiting for the database"') >= 1
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize(("name", "status"), [("serve", 0), ("check", 130)])
@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_who_waits_for_a_database_can_be_stopped(name, status, by):
    environment = clean() | on("postgresql://ann@127.0.0.1:1/expenses") | PATIENT
    with subprocess.Popen([sys.executable, "-m", "service", name], cwd=ROOT, env=environment, stderr=-1) as waiting:
        assert b"waiting for the database" in waiting.stderr.readline()
        waiting.send_signal(by)
        assert waiting.wait(ANSWER_SECONDS_MAX) == status
        assert b"Traceback" not in waiting.stderr.read()


def test_a_database_without_the_schema_is_not_served(refused, empty_database):
    assert "run `expenses migrate`" in refused(5, on(empty_database), unchanged=empty_database)


def test_a_database_without_the_newest_migration_is_not_served(refused, database):
    execute(
        database, "delete from _yoyo_migration where migration_id = (select max(migration_id) from _yoyo_migration)"
    )
    assert "run `expenses migrate`" in refused(5, on(database), unchanged=database)


@pytest.fixture
def stranger(database):
    """Return the address of the database for a role that owns nothing in it, after some statements about that role."""
    role = f"stranger_{conninfo_to_dict(database)['dbname']}"
    execute(database, f"create role {role} login password 'hunter2'")

    def allow(*statements):
        for statement in statements:
            execute(database, statement.replace("stranger", role))
        return re.sub("//[^@/]*@", f"//{role}:hunter2@", database, count=1)

    yield allow
    execute(database, f"drop owned by {role}")
    execute(database, f"drop role {role}")


def test_a_role_to_which_the_tables_are_closed_is_told_so_and_not_that_they_are_missing(refused, database, stranger):
    line = refused(10, on(stranger()), unchanged=database)
    owner = conninfo_to_dict(database)["user"]
    assert re.search(rf'"stranger_\w+" may not read _yoyo_migration, .* more, which belong to "{owner}"', line)
    assert "hunter2" not in line


@pytest.mark.parametrize("name", ["migrate", "seed"])
def test_other_commands_tell_it_as_well(command, database, stranger, name):
    done = command(name, **on(stranger()))
    assert done.returncode == 10
    assert "may not read" in complaint(done)


def test_a_role_that_may_not_look_into_the_schema_is_told_so(refused, stranger):
    everything = "grant all on all tables in schema public to stranger"
    url = stranger(everything, "revoke usage on schema public from public")
    assert "may not read" in refused(10, on(url))


def test_a_role_to_which_one_table_is_closed_is_told_which(refused, stranger):
    everything = "grant all on all tables in schema public to stranger"
    url = stranger(everything, "revoke select on entries from stranger")
    assert "may not read entries, which" in refused(10, on(url))


def test_a_role_that_may_only_read_is_told_so(refused, stranger):
    line = refused(10, on(stranger("grant select on all tables in schema public to stranger")))
    assert "may not write to audits, ended_sessions, entries and " in line


def test_a_role_that_has_been_granted_what_the_service_does_is_served(command, stranger):
    url = stranger("grant select, insert, update, delete on all tables in schema public to stranger")
    assert command("check", **on(url)).stdout == "ready to serve\n"


def test_a_role_without_rights_on_a_fresh_database_is_told_of_the_migrations(refused, empty_database):
    role = f"stranger_{conninfo_to_dict(empty_database)['dbname']}"
    execute(empty_database, f"create role {role} login password 'hunter2'")
    try:
        url = re.sub("//[^@/]*@", f"//{role}:hunter2@", empty_database, count=1)
        assert "run `expenses migrate`" in refused(5, on(url))
    finally:
        execute(empty_database, f"drop role {role}")


def test_a_database_that_is_too_old_is_not_served(command, database, monkeypatch):
    monkeypatch.setattr(server, "oldest_major", 99)
    before = contents(database)
    done = command("check", **on(database))
    assert done.returncode == 6
    assert re.fullmatch(r"expenses: The database is PostgreSQL 1[78].*; 99 or newer is required\.", complaint(done))
    assert contents(database) == before


def test_a_database_that_forgets_is_neither_served_nor_migrated(refused, command, postgres, database):
    name = conninfo_to_dict(database)["dbname"]
    execute(postgres.dsn("postgres"), f"alter database {name} set synchronous_commit = off")
    with psycopg.connect(database) as connection:
        off = {each for each in SETTINGS_OF_DURABILITY if connection.execute(f"show {each}").fetchone() == ("off",)}
    environment = on(database) | {"EXPENSES_ALLOW_UNSAFE_DATABASE": "false"}
    line = refused(7, environment, unchanged=database)
    for name in ("migrate", "seed"):
        done = command(name, **environment)
        assert (done.returncode, complaint(done)) == (7, line)
    assert {each for each in SETTINGS_OF_DURABILITY if each in line} == off >= {"synchronous_commit"}


@pytest.fixture(scope="module")
def durable():
    """The address of a migrated database on a server that keeps what it confirms."""
    with tempfile.TemporaryDirectory(prefix="expenses-start-") as directory:
        # For root the server runs as another user, who must get through.
        Path(directory).chmod(0o711)
        with EmbeddedPostgres(Path(directory)) as url:
            migrate(url)
            yield url


def test_check_says_yes_to_a_database_that_keeps_everything_and_changes_nothing(durable):
    before = contents(durable)
    done = run("check", DATABASE_URL=durable, EXPENSES_JWT_SECRET=SECRET, EXPENSES_PRODUCTION="true")
    assert (done.returncode, done.stdout, done.stderr) == (0, "ready to serve\n", "")
    assert contents(durable) == before


@pytest.mark.parametrize("setting", SETTINGS_OF_DURABILITY)
def test_one_setting_that_is_off_is_enough(command, durable, setting):
    environment = {"DATABASE_URL": durable, "EXPENSES_JWT_SECRET": SECRET}
    of = "database expenses" if setting == "synchronous_commit" else "system"
    execute(durable, f"alter {of} set {setting} = off")
    execute(durable, "select pg_reload_conf()")
    try:
        done = command("check", **environment)
        assert done.returncode == 7
        assert [each for each in SETTINGS_OF_DURABILITY if each in complaint(done)] == [setting]
        assert command("check", **environment, EXPENSES_ALLOW_UNSAFE_DATABASE="true").returncode == 0
    finally:
        execute(durable, f"alter {of} reset {setting}")
        execute(durable, "select pg_reload_conf()")


def test_there_is_nothing_to_check_without_a_database(command, tmp_path):
    done = command("check", EXPENSES_DATA_DIR=str(tmp_path / "data"))
    assert done.returncode == 1
    assert "DATABASE_URL" in complaint(done)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_address_that_is_taken_is_not_listened_on(database, workers):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("serve", "--workers", workers, **on(database), EXPENSES_PORT=port)
        assert done.returncode == 9
        assert f"Cannot listen on 127.0.0.1:{port}: Address already in use" in complaint(done)


@pytest.mark.parametrize(("host", "reason"), [("192.0.2.1", "Cannot assign"), ("nowhere.invalid", "not known")])
def test_an_address_of_another_machine_is_not_listened_on(command, database, host, reason):
    done = command("serve", **on(database), EXPENSES_HOST=host)
    assert done.returncode == 9
    assert f"Cannot listen on {host}:8080: " in complaint(done)
    assert reason in done.stderr


def test_a_secret_can_come_from_a_file_that_ends_with_a_new_line(command, database, tmp_path):
    environment = on(database)
    for name in ("DATABASE_URL", "EXPENSES_JWT_SECRET"):
        path = tmp_path / name
        path.write_text(environment.pop(name) + "\n")
        environment[f"{name}_FILE"] = str(path)
    done = command("check", **environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ready to serve\n", "")


def test_migrate_needs_no_secret_and_serve_does(refused, command, direct):
    environment = on(direct)
    del environment["EXPENSES_JWT_SECRET"]
    assert command("migrate", **environment).stdout == "nothing to apply\n"
    assert "EXPENSES_JWT_SECRET is missing" in refused(3, environment, unchanged=direct)
