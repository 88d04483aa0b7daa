"""A PostgreSQL server of the tests' own: in a temporary folder, on a socket there, and gone when they end.

It refuses to run as root; then it runs as `postgres` or `nobody`. No server that is installed and running is touched.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

USER = "asha"
PASSWORD = "päss:wörd/@%s1"  # all that is difficult in a URL
SUPERUSER = "boss"
STARTING = 60.0
"""Seconds that a server may take to start or to stop on a busy machine."""


def binaries():
    """The folder of initdb and postgres, or None where no server is installed."""
    found = [Path(path).resolve().parent for path in [shutil.which("initdb")] if path]
    if shutil.which("pg_config"):
        found.append(Path(subprocess.check_output(["pg_config", "--bindir"], text=True).strip()))
    versions = Path("/usr/lib/postgresql")
    if versions.is_dir():
        found += [folder / "bin" for folder in sorted(versions.iterdir(), key=_version, reverse=True)]
    return next((folder for folder in found if {"initdb", "postgres"} <= _names(folder)), None)


def missing():
    """Why there can be no server here; empty if there can."""
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return "psycopg is not installed"
    if binaries() is None:
        return "no PostgreSQL server is installed (initdb, postgres)"
    if _is_root() and _account() is None:
        return "PostgreSQL does not run as root, and there is no user postgres or nobody"
    return ""


class Server:
    """One server with its data; started and stopped as often as a test likes."""

    def __init__(self, folder, *options):
        self._folder, self._bin, self._options = Path(folder), binaries(), options
        self._process = None
        self._folder.chmod(0o755)  # whoever the server runs as has to pass
        self._data = self._folder / "data"
        words = self._folder / "words"
        words.write_text(PASSWORD)
        self._data.mkdir(mode=0o700)
        if _is_root():
            for path in (self._folder, self._data, words):
                os.chown(path, _account().pw_uid, _account().pw_gid)
        initdb = [self._bin / "initdb", "-D", self._data, "-U", SUPERUSER, "--pwfile", words, "--auth=scram-sha-256"]
        initdb += ["--encoding=UTF8", "--locale=C", "--no-sync"]
        done = subprocess.run(initdb, capture_output=True, text=True, check=False, **_as_account(self._folder))
        assert done.returncode == 0, done.stdout + done.stderr
        words.unlink()

    def url(self, database="postgres", user=SUPERUSER, password=PASSWORD):
        """Of a database on the server's socket."""
        return f"postgresql://{user}:{quote(password, safe='')}@/{database}?host={self._folder}"

    def connect(self, database="postgres"):
        """A plain connection of the superuser, in autocommit; a context manager that closes it."""
        import psycopg

        return psycopg.connect(
            host=str(self._folder), user=SUPERUSER, password=PASSWORD, dbname=database, autocommit=True
        )

    def start(self):
        """Start it, and wait until it answers."""
        if self.running:
            return
        command = [self._bin / "postgres", "-D", self._data, "-k", self._folder, "-c", "listen_addresses="]
        command += [word for option in self._options for word in ("-c", option)]
        with (self._folder / "log").open("a") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, **_as_account(self._folder)
            )
        end = time.monotonic() + STARTING
        while not self._answers():
            assert self.running and time.monotonic() < end, (self._folder / "log").read_text()
            time.sleep(0.02)

    def stop(self, how=signal.SIGQUIT):
        """Stop it: SIGQUIT at once, as a crash does; SIGINT in order, SIGKILL its main process alone."""
        if self.running:
            self._process.send_signal(how)
            self._process.wait(STARTING)

    @property
    def pid(self):
        """Of its main process."""
        return self._process.pid

    @property
    def running(self):
        return self._process is not None and self._process.poll() is None

    def add_user(self):
        """The ordinary user whom databases belong to."""
        from psycopg import sql

        with self.connect() as connection:
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(USER), sql.Literal(PASSWORD))
            )

    @contextmanager
    def database(self, encoding="UTF8"):
        """The URL of a fresh database that belongs to an ordinary user; gone afterwards."""
        name = f"t{uuid.uuid4().hex}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name} OWNER {USER} ENCODING '{encoding}' TEMPLATE template0")
        try:
            yield self.url(name, USER)
        finally:
            self.start()  # a test may have left it down
            with self.connect() as connection:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def drop_connections(self, connection, user=USER):
        """End all sessions of a user, as an administrator or a failing network does; gives how many."""
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s"
        return len(connection.execute(query, (user,)).fetchall())

    def _answers(self):
        import psycopg

        try:
            with self.connect():
                return True
        except psycopg.OperationalError:
            return False


@contextmanager
def server(*options):
    """A running server with settings such as `fsync=off`. Its folder is short: sockets lie in it."""
    folder = tempfile.mkdtemp(prefix="pg-", dir="/tmp")
    one = None
    try:
        one = Server(folder, *options)
        one.start()
        one.add_user()
        yield one
    finally:
        if one is not None:
            one.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _is_root():
    return os.geteuid() == 0


def _account():
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def _as_account(folder):
    """Arguments of Popen."""
    if not _is_root():
        return {"cwd": folder}
    return {"cwd": folder, "user": _account().pw_uid, "group": _account().pw_gid, "extra_groups": []}


def _names(folder):
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def _version(folder):
    return float(folder.name) if folder.name.replace(".", "", 1).isdecimal() else 0.0
