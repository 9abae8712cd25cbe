"""Applies the files in migrations/: each exactly once, in order, whole or not at all.

yoyo finds, splits and marks the files. Three things are done here instead of by yoyo:

- Its lock is a row, which a killed process leaves behind. Ours is a PostgreSQL session lock, held by the connection
  that runs the migrations, so it ends when their work ends, even if the process is killed.
- It marks a file on another connection after committing it. Here the mark is part of the file's transaction.
- It does not notice that an applied file was edited. Here a checksum is kept beside the mark.

The connection must be a direct one: a pooler in transaction mode would lose the session lock and the settings.
`preflight.check_to_migrate` refuses it.
"""

import glob
import hashlib
import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict
from yoyo import internalmigrations, read_migrations
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI
from yoyo.exceptions import BadMigration
from yoyo.migrations import Migration, default_migration_table, read_sql_migration

from service.postgres import folders as paths
from service.process.exits import ConfigError, MigrationError

logging.getLogger("yoyo").setLevel(logging.WARNING)

# Any number that nothing else in the database locks.
LOCK_KEY = int.from_bytes(b"expenses")

# A statement that waits for a table's lock makes every later query on that table wait behind it, so it must not wait
# long. And without the check interval, a server notices that its client was killed only when the statement is over.
# What limits the role's other sessions is not for migrations, which may have to read a whole table.
SESSION_SETTINGS = """
reset all;
set statement_timeout = 0;
set idle_in_transaction_session_timeout = 0;
set transaction_timeout = 0;
set lock_timeout = '4s';
set client_connection_check_interval = '1s'
"""

# Matches a statement, after comments, that begins or ends a transaction: each file already runs inside one.
ENDS_TRANSACTION = re.compile(r"(?is)(\s|--[^\n]*\n|/\*.*?\*/)*(begin|start|commit|end|rollback|abort)\b")


def migrate(
    dsn: str,
    folder: Path | None = None,
    *,
    wait_seconds: float = 60,
    say: Callable[[str], None] = lambda _: None,
) -> list[str]:
    """Apply what is not applied yet, in order, and return the ids applied.

    Several processes may call it at once: one works, the others wait up to `wait_seconds` for it. `say` gets a line for
    each migration applied, and one for each that is applied in the database but not in the folder. Raises
    MigrationError when nothing could be applied or a file failed; the files before that one stay applied.
    """
    migrations = _read(folder)
    with _locked(dsn, wait_seconds) as backend:
        checksums = _applied_checksums(backend)
        for migration_id in sorted(checksums.keys() - {migration.id for migration in migrations}):
            say(f"{migration_id} is applied but has no file here: the database is newer than this release")
        _refuse_edited(migrations, checksums)
        todo = [migration for migration in migrations if migration.id not in checksums]
        for migration in todo:
            started = time.perf_counter()
            _apply(backend, migration)
            say(f"applied {migration.id} ({time.perf_counter() - started:.2f} s)")
    return [migration.id for migration in todo]


def rollback(dsn: str, folder: Path | None = None, *, count: int = 1) -> list[str]:
    """Roll back the newest `count` applied migrations, newest first, and return their ids.

    Raises MigrationError before anything is rolled back if one of them has no rollback file, or if the database has
    newer migrations than the folder.
    """
    if count < 1:
        raise MigrationError(f"cannot roll back {count} migrations: the count must be at least 1")
    migrations = _read(folder)
    with _locked(dsn, wait_seconds=60) as backend:
        applied = _applied_checksums(backend).keys()
        if newer := applied - {migration.id for migration in migrations}:
            raise MigrationError(f"roll back with the release that has these migrations: {', '.join(sorted(newer))}")
        todo = [migration for migration in reversed(migrations) if migration.id in applied][:count]
        for migration in todo:
            if not _rollback_file(migration).is_file():
                raise MigrationError(
                    f"{_rollback_file(migration).name} does not exist: {migration.id} cannot be rolled back"
                )
        for migration in todo:
            _roll_back(backend, migration)
    return [migration.id for migration in todo]


def known(folder: Path | None = None) -> list[str]:
    """Return the ids (the files' names without .sql) of all migrations in the folder, in order."""
    return [str(migration.id) for migration in _read(folder)]


def _read(folder: Path | None) -> list[Migration]:
    """Read and check all files, so that a bad one is found before any is applied."""
    folder = folder or paths.folder("migrations")
    migrations = [found for found in read_migrations(glob.escape(str(folder))) if found.is_raw_sql()]
    if not migrations:
        raise MigrationError(f"there are no migrations in {folder}")
    for position, migration in enumerate(migrations):
        try:
            _check(migration, migrations[:position])
        except (BadMigration, KeyError, ValueError) as error:
            raise MigrationError(f"{migration.id}.sql cannot be used: {error}") from error
    return migrations


def _check(migration: Migration, earlier: list[Migration]) -> None:
    migration.load()
    if not migration.depends <= set(earlier):
        raise ValueError("it depends on a file that does not come before it")
    for file in (Path(migration.path), _rollback_file(migration)):
        _, _, statements = read_sql_migration(str(file))
        if any(map(ENDS_TRANSACTION.match, statements)):
            raise ValueError("it has its own begin or commit, but must be one transaction with its mark")


@contextmanager
def _connected(dsn: str) -> Iterator[PostgresqlPsycopgBackend]:
    """Connect, and close afterwards; an error of PostgreSQL becomes a MigrationError."""
    uri = DatabaseURI("postgresql+psycopg", None, None, None, None, **connection_arguments(dsn))
    try:
        backend = PostgresqlPsycopgBackend(uri, default_migration_table)
        with closing(backend.connection):
            yield backend
    except psycopg.Error as error:
        raise MigrationError(f"the database reported: {_one_line(error)}") from error


def connection_arguments(dsn: str) -> dict[str, object]:
    """Parse the URL with libpq, since yoyo's own parser misreads some and shows the password of others in errors.

    Raises ConfigError if it is not a valid URL.
    """
    try:
        arguments = conninfo_to_dict(dsn)
    except psycopg.Error:
        arguments = {}
    # A password with an unencoded @ or / spills into these parts, and from there into messages.
    spilled = any("@" in str(arguments.get(name)) for name in ("host", "port", "dbname"))
    if not arguments or spilled:
        raise ConfigError(
            "DATABASE_URL is not of the form postgresql://user:password@host:port/name"
            " (percent-encode special characters in the password)"
        )
    arguments.setdefault("connect_timeout", 10)
    return {"database": arguments.pop("dbname", None), "args": arguments}


@contextmanager
def _locked(dsn: str, wait_seconds: float) -> Iterator[PostgresqlPsycopgBackend]:
    """Connect as the only migrator, with the bookkeeping tables in place."""
    with _connected(dsn) as backend:
        deadline = time.monotonic() + wait_seconds
        # Not pg_advisory_lock(): it waits inside a statement, and CREATE INDEX CONCURRENTLY in the process that has
        # the lock waits for all statements that are under way. The two would wait for each other for ever.
        while not backend.connection.execute("select pg_try_advisory_lock(%s)", (LOCK_KEY,)).fetchone()[0]:
            if time.monotonic() >= deadline:
                raise MigrationError(
                    f"another migration is still running after {wait_seconds:g} s: wait for it or stop it"
                )
            time.sleep(0.1)
        backend.connection.execute(SESSION_SETTINGS)
        internalmigrations.upgrade(backend)
        backend.connection.execute(
            "create table if not exists migration_checksums"
            " (migration_id text primary key, sha256 text not null, applied_at timestamptz not null default now())"
        )
        yield backend


def _applied_checksums(backend: PostgresqlPsycopgBackend) -> dict[str, str | None]:
    """Return the checksums of the applied migrations by id; None for those marked with yoyo's own command."""
    rows = backend.connection.execute(
        "select migration_id, sha256 from _yoyo_migration left join migration_checksums using (migration_id)"
    )
    return dict(rows.fetchall())


def _checksum(migration: Migration) -> str:
    # read_text() turns CRLF into LF, so that other line ends in a checkout do not count as an edit.
    return hashlib.sha256(Path(migration.path).read_text("utf-8").encode()).hexdigest()


def _refuse_edited(migrations: list[Migration], checksums: dict[str, str | None]) -> None:
    for migration in migrations:
        if checksums.get(migration.id) not in (None, _checksum(migration)):
            raise MigrationError(
                f"{migration.id}.sql was edited after it was applied: restore it and put the change in a new migration"
            )


def _rollback_file(migration: Migration) -> Path:
    return Path(migration.path).with_suffix(".rollback.sql")


def _apply(backend: PostgresqlPsycopgBackend, migration: Migration) -> None:
    with _executed(backend, migration, Path(migration.path)):
        backend.mark_one(migration, log=False)
        backend.connection.execute(
            "insert into migration_checksums (migration_id, sha256) values (%s, %s)",
            (migration.id, _checksum(migration)),
        )


def _roll_back(backend: PostgresqlPsycopgBackend, migration: Migration) -> None:
    with _executed(backend, migration, _rollback_file(migration)):
        backend.unmark_one(migration, log=False)
        backend.connection.execute("delete from migration_checksums where migration_id = %s", (migration.id,))


@contextmanager
def _executed(backend: PostgresqlPsycopgBackend, migration: Migration, file: Path) -> Iterator[None]:
    """Execute the file's statements; the body of the `with` is in the same transaction."""
    connection = backend.connection
    _, _, statements = read_sql_migration(str(file))
    kept = "all of it was rolled back"
    try:
        if not migration.use_transactions:
            kept = "its statements before that were kept"
            # CREATE INDEX CONCURRENTLY waits for all older transactions, and nothing waits behind it.
            connection.execute("set lock_timeout = 0")
            for statement in statements:
                connection.execute(statement)
            statements = []
        with connection.transaction():
            for statement in statements:
                connection.execute(statement)
            # The file may have set a search_path or a timeout, which must not outlive it.
            connection.execute(SESSION_SETTINGS)
            yield
    except psycopg.Error as error:
        raise MigrationError(f"{file.name} failed, {kept}: {_one_line(error)}") from error


def _one_line(error: psycopg.Error) -> str:
    return error.diag.message_primary or " ".join(str(error).split())
