"""Migrations: each file exactly once, whole or not at all, whoever starts them and however they die."""

import asyncio
import logging
import pwd
import shutil
import subprocess
import sys
import time

import asyncpg
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from service.postgres import folders as paths
from service.postgres import preflight
from service.postgres.migrate import LOCK_KEY, known, migrate, rollback
from service.process.exits import ConfigError, MigrationError, StartError

FOLDER = paths.folder("migrations")
FILES = sorted(file for file in FOLDER.glob("*.sql") if not file.name.endswith(".rollback.sql"))

ONE = {
    "0001.one.sql": "create table one (x int);",
    "0001.one.rollback.sql": "drop table one;",
}
TWO = ONE | {
    "0002.two.sql": "-- depends: 0001.one\ncreate table two (x int);",
    "0002.two.rollback.sql": "drop table two;",
}

# All that a schema consists of, a line each.
SCHEMA = """
select format('relation %s %s', relname, relkind)
from pg_class where relnamespace = 'public'::regnamespace
union all
select format(
    'column %s.%s %s %s %s %s', relname, attname, format_type(atttypid, atttypmod), attnotnull, attgenerated,
    pg_get_expr(adbin, adrelid)
)
from pg_class
join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
left join pg_attrdef on adrelid = attrelid and adnum = attnum
where relnamespace = 'public'::regnamespace
union all
select format('constraint %s.%s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
from pg_constraint where connamespace = 'public'::regnamespace
union all
select indexdef from pg_indexes where schemaname = 'public'
union all
select format('view %s %s', viewname, definition) from pg_views where schemaname = 'public'
union all
select pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
union all
select pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace and prokind in ('f', 'p')
union all
select format('type %s %s', oid::regtype, typtype)
from pg_type where typnamespace = 'public'::regnamespace and typtype in ('d', 'e', 'r')
union all
select format('extension %s', extname) from pg_extension where extname <> 'plpgsql'
"""


def write(folder, files):
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def run(dsn, sql):
    """Run one statement; return the rows, each as its only value."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(sql)
        return [value for (value,) in cursor.fetchall()] if cursor.description else []


def is_bookkeeping(line):
    return any(name in line for name in ("_yoyo_", "migration_checksums"))


def tables(dsn):
    names = run(dsn, "select tablename::text from pg_tables where schemaname = 'public' order by 1")
    return [name for name in names if not is_bookkeeping(name)]


def schema(dsn):
    return sorted(line for line in run(dsn, SCHEMA) if not is_bookkeeping(line))


def pending(dsn, folder):
    """Return the ids of what `serve` would miss."""

    async def ask():
        connection = await asyncpg.connect(dsn)
        try:
            return await preflight.pending(connection, known(folder))
        finally:
            await connection.close()

    return asyncio.run(ask())


def start(dsn, folder, function="migrate"):
    """Start another process that prints the ids it applied."""
    program = (
        "import sys; from pathlib import Path; from service.postgres import migrate;"
        f" print(*migrate.{function}(sys.argv[1], Path(sys.argv[2])))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, dsn, str(folder)],
        cwd=paths.folder("migrations").parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_while_asleep(dsn, process):
    """Kill -9 the process as soon as its session in the database sleeps."""
    deadline = time.monotonic() + 30
    while not run(
        dsn, "select pid from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
    ):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "it never slept"
        time.sleep(0.05)
    process.kill()
    process.communicate()


def test_applies_what_is_missing_in_order(empty_database, tmp_path):
    said = []
    write(tmp_path, ONE)
    assert pending(empty_database, tmp_path) == ["0001.one"]
    assert migrate(empty_database, tmp_path, say=said.append) == ["0001.one"]
    write(tmp_path, TWO)
    assert pending(empty_database, tmp_path) == ["0002.two"]
    assert migrate(empty_database, tmp_path, say=said.append) == ["0002.two"]
    assert pending(empty_database, tmp_path) == []
    assert migrate(empty_database, tmp_path, say=said.append) == []
    assert tables(empty_database) == ["one", "two"]
    assert [line.partition(" (")[0] for line in said] == ["applied 0001.one", "applied 0002.two"]
    assert said[0].endswith(" s)")


def test_asking_what_is_pending_writes_nothing(empty_database, tmp_path):
    pending(empty_database, write(tmp_path, ONE))
    assert run(empty_database, "select relname from pg_class where relnamespace = 'public'::regnamespace") == []


def test_reads_a_folder_whose_name_looks_like_a_pattern(empty_database, tmp_path):
    folder = write(tmp_path / "[a]*", TWO)
    assert known(folder)[-1] == "0002.two"
    assert migrate(empty_database, folder) == ["0001.one", "0002.two"]


def test_ignores_files_that_are_not_sql(tmp_path):
    assert (
        known(write(tmp_path, TWO | {"__init__.py": "raise SystemExit", "README.md": "# Migrations"}))[-1] == "0002.two"
    )


def test_refuses_an_empty_folder(tmp_path):
    with pytest.raises(MigrationError, match="there are no migrations in"):
        known(tmp_path)


def test_five_at_once_apply_each_file_exactly_once(empty_database, tmp_path):
    # The index is built concurrently, which would wait for ever if the others waited inside a statement.
    index = "-- depends: 0002.two\n-- transactional: false\ncreate index concurrently two_x on two (x);"
    slow = "-- depends: 0001.one\ncreate table two (x int);\nselect pg_sleep(0.5);"
    write(tmp_path, TWO | {"0002.two.sql": slow, "0003.index.sql": index})
    processes = [start(empty_database, tmp_path) for _ in range(5)]
    try:
        results = [process.communicate(timeout=60) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert [errors for _, errors in results] == [""] * 5
    assert sorted(output for output, _ in results) == ["\n"] * 4 + ["0001.one 0002.two 0003.index\n"]
    assert run(empty_database, "select count(*) from _yoyo_migration") == [3]


def test_gives_up_waiting_for_another_migrator(empty_database, tmp_path):
    write(tmp_path, ONE)
    with psycopg.connect(empty_database, autocommit=True) as other:
        other.execute("select pg_advisory_lock(%s)", (LOCK_KEY,))
        other.execute("set idle_session_timeout = '20s'")  # A waiter without an end fails the test, and does not hang.
        with pytest.raises(MigrationError, match=r"another migration is still running after 0\.3 s"):
            migrate(empty_database, tmp_path, wait_seconds=0.3)
    assert tables(empty_database) == []
    assert migrate(empty_database, tmp_path) == ["0001.one"]


def test_starts_again_soon_after_being_killed_in_a_slow_file(empty_database, tmp_path):
    run(empty_database, "create table nap as select 30 as seconds")
    slow = "-- depends: 0001.one\ncreate table two (x int);\nselect pg_sleep(seconds) from nap;"
    write(tmp_path, TWO | {"0002.two.sql": slow})
    kill_while_asleep(empty_database, start(empty_database, tmp_path))
    run(empty_database, "update nap set seconds = 0")
    started = time.monotonic()
    assert migrate(empty_database, tmp_path) == ["0002.two"]
    assert time.monotonic() - started < 10
    assert tables(empty_database) == ["nap", "one", "two"]


@pytest.mark.parametrize("table", ["_yoyo_migration", "migration_checksums"])
@pytest.mark.parametrize("function", ["migrate", "rollback"])
def test_keeps_nothing_of_a_file_when_killed_before_it_is_marked(empty_database, tmp_path, table, function):
    migrate(empty_database, write(tmp_path, ONE))
    write(tmp_path, TWO)
    if function == "rollback":
        migrate(empty_database, tmp_path)
    before = tables(empty_database)
    run(
        empty_database,
        "create function nap() returns trigger language plpgsql as"
        " $$ begin perform pg_sleep(30); return coalesce(new, old); end $$",
    )
    run(empty_database, f"create trigger nap before insert or delete on {table} for each row execute function nap()")
    kill_while_asleep(empty_database, start(empty_database, tmp_path, function))
    run(empty_database, f"drop trigger nap on {table}")
    assert tables(empty_database) == before
    assert {"migrate": migrate, "rollback": rollback}[function](empty_database, tmp_path) == ["0002.two"]


def test_keeps_nothing_of_a_file_that_fails(empty_database, tmp_path):
    write(
        tmp_path,
        TWO | {"0002.two.sql": "-- depends: 0001.one\ncreate table two (x int);\ninsert into three values (1);"},
    )
    with pytest.raises(MigrationError) as caught:
        migrate(empty_database, tmp_path)
    assert str(caught.value) == '0002.two.sql failed, all of it was rolled back: relation "three" does not exist'
    assert tables(empty_database) == ["one"]
    assert pending(empty_database, tmp_path) == ["0002.two"]
    write(tmp_path, TWO)
    assert migrate(empty_database, tmp_path) == ["0002.two"]


def test_says_that_a_file_without_a_transaction_failed_half_way(empty_database, tmp_path):
    text = "-- depends: 0001.one\n-- transactional: false\ncreate table two (x int);\ninsert into three values (1);"
    write(tmp_path, TWO | {"0002.two.sql": text})
    with pytest.raises(MigrationError, match=r"0002\.two\.sql failed, its statements before that were kept: relation"):
        migrate(empty_database, tmp_path)
    assert tables(empty_database) == ["one", "two"]
    assert pending(empty_database, tmp_path) == ["0002.two"]


def test_is_not_held_to_the_limits_of_the_role(empty_database, tmp_path):
    name = conninfo_to_dict(empty_database)["dbname"]
    for setting in ("statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout"):
        run(empty_database, f"alter database {name} set {setting} = '200ms'")
    write(tmp_path, ONE | {"0001.one.sql": "create table one (x int);\nselect pg_sleep(0.5);"})
    assert migrate(empty_database, tmp_path) == ["0001.one"]


def test_builds_an_index_concurrently_and_rolls_it_back(empty_database, tmp_path):
    index = {
        "0002.index.sql": "-- depends: 0001.one\n-- transactional: false\ncreate index concurrently one_x on one (x);",
        "0002.index.rollback.sql": "drop index concurrently one_x;",
    }
    assert migrate(empty_database, write(tmp_path, ONE | index)) == ["0001.one", "0002.index"]
    assert run(empty_database, "select indexname::text from pg_indexes where tablename = 'one'") == ["one_x"]
    assert rollback(empty_database, tmp_path) == ["0002.index"]
    assert run(empty_database, "select indexname::text from pg_indexes where tablename = 'one'") == []


def test_refuses_an_applied_file_that_was_edited(empty_database, tmp_path):
    migrate(empty_database, write(tmp_path, ONE))
    write(tmp_path, TWO | {"0001.one.sql": "create table one (x bigint);"})
    with pytest.raises(MigrationError, match=r"0001\.one\.sql was edited after it was applied"):
        migrate(empty_database, tmp_path)
    assert tables(empty_database) == ["one"]


def test_does_not_take_other_line_endings_for_an_edit(empty_database, tmp_path):
    migrate(empty_database, write(tmp_path, TWO))
    text = (tmp_path / "0002.two.sql").read_bytes()
    (tmp_path / "0002.two.sql").write_bytes(text.replace(b"\n", b"\r\n"))
    assert migrate(empty_database, tmp_path) == []


def test_forgets_the_checksum_of_what_was_rolled_back(empty_database, tmp_path):
    migrate(empty_database, write(tmp_path, TWO))
    assert rollback(empty_database, tmp_path) == ["0002.two"]
    assert run(empty_database, "select migration_id from migration_checksums") == ["0001.one"]
    write(tmp_path, {"0002.two.sql": "-- depends: 0001.one\ncreate table two (x bigint);"})
    assert migrate(empty_database, tmp_path) == ["0002.two"]


def test_takes_a_file_marked_by_yoyo_itself_as_applied(empty_database, tmp_path):
    migrate(empty_database, write(tmp_path, ONE))
    run(empty_database, "delete from migration_checksums")
    assert migrate(empty_database, tmp_path) == []


def test_lets_an_older_release_start_on_a_newer_database(empty_database, tmp_path):
    said = []
    migrate(empty_database, write(tmp_path / "new", TWO))
    assert migrate(empty_database, write(tmp_path / "old", ONE), say=said.append) == []
    assert said == ["0002.two is applied but has no file here: the database is newer than this release"]


def test_rolls_back_the_newest_first(empty_database, tmp_path):
    migrate(empty_database, write(tmp_path, TWO))
    assert rollback(empty_database, tmp_path, count=2) == ["0002.two", "0001.one"]
    assert tables(empty_database) == []
    assert rollback(empty_database, tmp_path) == []


def test_an_older_release_does_not_roll_back_under_a_newer_one(empty_database, tmp_path):
    migrate(empty_database, write(tmp_path / "new", TWO))
    with pytest.raises(MigrationError, match=r"roll back with the release that has these migrations: 0002\.two$"):
        rollback(empty_database, write(tmp_path / "old", ONE))
    assert tables(empty_database) == ["one", "two"]


def test_does_not_roll_back_past_a_file_with_no_way_back(empty_database, tmp_path):
    migrate(empty_database, write(tmp_path, TWO))
    (tmp_path / "0001.one.rollback.sql").unlink()
    with pytest.raises(MigrationError, match=r"0001\.one\.rollback\.sql does not exist"):
        rollback(empty_database, tmp_path, count=2)
    assert tables(empty_database) == ["one", "two"]


@pytest.mark.parametrize("count", [0, -1])
def test_does_not_roll_back_a_count_that_makes_no_sense(empty_database, tmp_path, count):
    migrate(empty_database, write(tmp_path, TWO))
    with pytest.raises(MigrationError, match="the count must be at least 1"):
        rollback(empty_database, tmp_path, count=count)
    assert tables(empty_database) == ["one", "two"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"-- depends: 0001.nowhere\ncreate table two (x int);", "Could not resolve dependencies"),
        (b"-- depends: 0002.two\ncreate table two (x int);", "depends on a file that does not come before it"),
        (b"-- depends: 0003.three\ncreate table two (x int);", "depends on a file that does not come before it"),
        (b"-- depends: 0001.one\n-- transactional: perhaps\nselect 1;", "'perhaps'"),
        (b"-- depends: 0001.one\nselect '\xff';", "utf-8"),
        (b"-- depends: 0001.one\nbegin;\ncreate table two (x int);\ncommit;", "its own begin or commit"),
        (b"-- depends: 0001.one\nselect 1;\n/* Done. */ Commit;", "its own begin or commit"),
    ],
    ids=["unknown-depends", "itself", "later", "transactional", "encoding", "begin", "commit"],
)
def test_applies_nothing_when_any_file_is_bad(empty_database, tmp_path, text, complaint):
    write(tmp_path, ONE | {"0003.three.sql": "-- depends: 0001.one\nselect 1;"})
    (tmp_path / "0002.two.sql").write_bytes(text)
    with pytest.raises(MigrationError, match=complaint) as caught:
        migrate(empty_database, tmp_path)
    assert "0002.two" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert tables(empty_database) == []


def test_a_begin_inside_a_function_is_none_of_the_files_own(empty_database, tmp_path):
    function = "-- Adds.\ncreate function f() returns void language plpgsql as $$\nbegin\n  null;\nend\n$$;"
    assert migrate(empty_database, write(tmp_path, {"0001.f.sql": function})) == ["0001.f"]


def test_no_file_sees_the_settings_of_the_one_before(empty_database, tmp_path):
    setting = "current_setting('lock_timeout') || ' ' || current_setting('search_path') as setting"
    write(
        tmp_path,
        {
            "0001.one.sql": f"create table one as select {setting};\nset lock_timeout = '1h';\nset search_path = '';",
            "0002.two.sql": f"-- depends: 0001.one\n-- transactional: false\ncreate table two as select {setting};",
            "0003.three.sql": f"-- depends: 0002.two\ncreate table three as select {setting};",
        },
    )
    migrate(empty_database, tmp_path)
    seen = run(empty_database, "table one union all table two union all table three")
    assert seen == ['4s "$user", public', '0 "$user", public', '4s "$user", public']


def test_does_not_queue_for_long_behind_a_query(empty_database, tmp_path):
    migrate(empty_database, write(tmp_path, ONE))
    write(tmp_path, {"0002.two.sql": "-- depends: 0001.one\nalter table one add y int;"})
    with psycopg.connect(empty_database) as other:
        other.execute("set idle_in_transaction_session_timeout = '20s'")  # As above: no waiter may hang the test.
        other.execute("select * from one")
        with pytest.raises(MigrationError, match=r"0002\.two\.sql failed, .* lock timeout"):
            migrate(empty_database, tmp_path)
    assert migrate(empty_database, tmp_path) == ["0002.two"]


def test_runs_as_a_user_that_has_no_name(empty_database, tmp_path, monkeypatch):
    def unknown(_):
        raise KeyError("uid not found")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    assert migrate(empty_database, write(tmp_path, TWO)) == ["0001.one", "0002.two"]
    assert rollback(empty_database, tmp_path) == ["0002.two"]


def test_prints_nothing(empty_database, tmp_path, capfd, caplog):
    caplog.set_level(logging.INFO)
    write(tmp_path, ONE | {"0001.one.sql": "create table one (x int);\nselect 'printed' as x;"})
    migrate(empty_database, tmp_path)
    rollback(empty_database, tmp_path)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_closes_its_connections(empty_database, tmp_path):
    others = "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    write(tmp_path, ONE)
    pending(empty_database, tmp_path)
    migrate(empty_database, tmp_path)
    write(tmp_path, TWO | {"0002.two.sql": "-- depends: 0001.one\nselect 1 / 0;"})
    with pytest.raises(MigrationError, match="division by zero"):
        migrate(empty_database, tmp_path)
    deadline = time.monotonic() + 30
    while run(empty_database, others):
        assert time.monotonic() < deadline, "a connection stays open"
        time.sleep(0.05)


def test_accepts_every_form_of_url(empty_database, tmp_path):
    write(tmp_path, ONE)
    parameters = psycopg.conninfo.conninfo_to_dict(empty_database)
    name = parameters.pop("dbname")
    query = "&".join(f"{key}={value}" for key, value in parameters.items())
    assert migrate(f"postgresql:///{name}?{query}", tmp_path) == ["0001.one"]
    assert migrate(f"postgres:///{name}?{query}&application_name=a%20b", tmp_path) == []


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://user:secret@127.0.0.1:1/name",
        "postgresql://user:secret@nowhere.invalid/name",
        "postgresql://user:secret/secret@127.0.0.1:1/name",
        "postgresql://user:secret@secret@127.0.0.1:1/name",
        "postgresql://user:secret?secret@127.0.0.1:1/name",
        "postgresql://user:secret#secret@127.0.0.1:1/name",
        "postgresql://user:secret%zz@127.0.0.1:1/name",
        "postgresql://user:12@secret:1@127.0.0.1:1/name",
        "postgresql://user:secret@127.0.0.1:port/name",
        "//user:secret@127.0.0.1:1/name",
        "secret",
        "",
    ],
)
def test_never_tells_the_password(dsn, tmp_path):
    with pytest.raises(StartError) as caught:
        migrate(dsn, write(tmp_path, ONE))
    error = caught.value
    assert "\n" not in str(error)
    while error:
        assert "secret" not in repr(error)
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("dsn", ["", "nonsense", "postgresql://user:a/b@host/name"])
def test_says_how_a_url_is_written(dsn, tmp_path):
    with pytest.raises(
        ConfigError, match=r"^DATABASE_URL is not of the form postgresql://user:password@host:port/name"
    ):
        migrate(dsn, write(tmp_path, ONE))


def test_says_that_the_database_refused(empty_database, tmp_path):
    dsn = psycopg.conninfo.make_conninfo(empty_database, dbname="nowhere")
    with pytest.raises(MigrationError, match=r'the database reported: .*"nowhere" does not exist'):
        migrate(dsn, write(tmp_path, ONE))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_migration_goes_up_down_and_up(empty_database, tmp_path, file):
    position = FILES.index(file)
    for earlier in FILES[:position]:
        shutil.copy(earlier, tmp_path)
    if position:
        migrate(empty_database, tmp_path)
    without = schema(empty_database)
    for name in (file.name, file.with_suffix(".rollback.sql").name):
        shutil.copy(FOLDER / name, tmp_path)
    assert migrate(empty_database, tmp_path) == [file.stem]
    with_it = schema(empty_database)
    assert rollback(empty_database, tmp_path) == [file.stem]
    assert schema(empty_database) == without
    assert migrate(empty_database, tmp_path) == [file.stem]
    assert schema(empty_database) == with_it


def test_rolling_back_everything_leaves_nothing(empty_database):
    ids = migrate(empty_database)
    assert ids == [file.stem for file in FILES]
    assert ids[-1] == known()[-1]
    assert schema(empty_database) != []
    assert rollback(empty_database, count=len(ids)) == ids[::-1]
    assert schema(empty_database) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_migration_has_a_rollback_and_says_what_it_depends_on(file):
    assert file.with_suffix(".rollback.sql").is_file()
    position = FILES.index(file)
    if position:
        assert f"-- depends: {FILES[position - 1].stem}" in file.read_text().splitlines()
