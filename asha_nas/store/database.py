"""A database as a store uses it: how connections are set up, transactions that outlast an outage, and its tables."""

from __future__ import annotations

import os
import re
import sqlite3
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError, SQLAlchemyError

from asha_nas.errors import StoreUnavailable
from asha_nas.store.patience import ENVIRONMENT as PATIENCE
from asha_nas.store.patience import Patience, passes, passes_at_opening, patience
from asha_nas.store.place import ENVIRONMENT, Place
from asha_nas.store.schema import REVISION

T = TypeVar("T")

_OURS = {"studies", "events"}
"""Tables by which a store is known. (``studies`` alone is also Optuna's.)"""
BUSY_SECONDS = 5.0
"""How long SQLite itself waits for another writer, before it is asked again."""
_NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_LIBPQ = {
    "client_encoding": "utf8", "application_name": "asha-nas", "connect_timeout": "10",
    # A network that swallows everything is noticed within half a minute, not in hours.
    "keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3", "tcp_user_timeout": "25000",
}  # fmt: skip
"""Arguments of a connection, where the URL says nothing else."""
_SESSION = {
    # A driver whose machine vanished must not hold the lock on its lease for hours: the server finds out, too.
    "tcp_keepalives_idle": "30", "tcp_keepalives_interval": "10", "tcp_keepalives_count": "3",
    "idle_in_transaction_session_timeout": "60s", "lock_timeout": "20s",
}  # fmt: skip
"""Settings of PostgreSQL for each of our connections."""
_REMEDIES = (
    (r"malformed|not a database", "Is it the right file? Bring it back from a backup, or choose another"),
    (
        r"password|pg_hba",
        "Put the password into ~/.pgpass or the file that PGPASSFILE names, or give a URL that holds it",
    ),
    (r"database .* does not exist", "Make it with createdb, or choose another"),
    (r"^connection|closed the connection|resolve", "Is it running, and reachable from here? Choose another"),
    ("", "Choose a place that exists and that you may write"),
)
"""What to do, by a sign in what the database says; the first that fits. Each goes on "with --store or …"."""
_MIGRATING = 0x617368616E6173
"""Key of the advisory lock under which tables are made: "ashanas"."""


class Database:
    """An open database whose tables are of this version."""

    def __init__(self, place: Place, create: bool = True) -> None:
        """Open it, and bring its tables to the version this code writes.

        Args:
            place: where it is.
            create: False to insist that an SQLite file is there.

        Raises:
            StoreUnavailable: it cannot be opened or written, is not there, is another program's, or was
                written by a newer version.
            InvalidValue: ``ASHA_NAS_STORE_PATIENCE`` is no number of seconds.
        """
        self.place = place
        self._patience = Patience(patience(), str(place))
        try:
            self.engine = _engine(place, create)
            self._finalizer = weakref.finalize(self, _dispose, self.engine, os.getpid())
            self._patience.run(self._migrate, passes_at_opening)
        except ModuleNotFoundError as error:
            raise StoreUnavailable(
                f"store {place}: the database's driver is not installed ({error})\n"
                "Install it: pip install 'asha-nas[postgres]', or pip install 'psycopg[binary]'"
            ) from None
        except (SQLAlchemyError, OSError) as error:
            raise self._unavailable(error) from None

    @property
    def kind(self) -> str:
        """Such as ``SQLite 3.46.1`` or ``PostgreSQL 15.18``."""
        dialect = self.engine.dialect
        return f"{_NAMES[dialect.name]} {'.'.join(map(str, dialect.server_version_info or ()))}"

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()

    def once(self, work: Callable[[Connection], T]) -> T:
        """Do ``work`` in a transaction, with no patience at all.

        Raises:
            SQLAlchemyError: it failed.
        """
        with self.engine.begin() as connection:
            return work(connection)

    def at_once(self, work: Callable[[Connection], T]) -> T:
        """The same, with the errors of :meth:`transact`.

        Raises:
            StoreUnavailable: it failed.
        """
        try:
            return self.once(work)
        except SQLAlchemyError as error:
            raise self._unavailable(error) from None

    def transact(self, work: Callable[[Connection], T]) -> T:
        """Do ``work`` in a transaction, and wait for a database that is away for a while.

        When a connection is lost, nobody knows whether the transaction was committed; it is done again then.
        So ``work`` must find out what is there already.

        Raises:
            StoreUnavailable: it failed; or the outage is too long, and it may have been done or not.
            IntegrityError: it broke a rule of the tables.
        """
        return self._patiently(lambda: self.once(work))

    def read(self, work: Callable[[Connection], T]) -> T:
        """The same for what changes nothing."""

        def attempt() -> T:
            with self.engine.connect() as connection:
                return work(connection)

        return self._patiently(attempt)

    def _patiently(self, attempt: Callable[[], T]) -> T:
        try:
            return self._patience.run(attempt)
        except IntegrityError:
            raise
        except SQLAlchemyError as error:
            raise self._unavailable(error) from None

    def _migrate(self) -> None:
        with self.engine.connect() as connection:
            _migrate(connection, self.place)

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        """What is wrong in the words of the database, without its statements and parameters."""
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        text = " ".join(str(cause).split())
        if isinstance(error, DBAPIError) and passes(error) and self._patience.waited:
            return StoreUnavailable(
                f"store {self.place}: {text} (waited {self._patience.seconds:g} s: {PATIENCE})\n"
                "Nothing that was written is lost. Once it is back, go on with: asha-nas resume STUDY"
            )
        remedy = next(remedy for sign, remedy in _REMEDIES if re.search(sign, text))
        return StoreUnavailable(f"store {self.place}: {text}\n{remedy} with --store or {ENVIRONMENT}.")


def _dispose(engine: Engine, process: int) -> None:
    """For a store that nobody closed. In a fork, the connections are the parent's to close."""
    engine.dispose(close=os.getpid() == process)


# --- connections -------------------------------------------------------------------------------------


def _engine(place: Place, create: bool) -> Engine:
    make = _sqlite if place.url.drivername == "sqlite" else _postgres
    engine = make(place, create)
    sa.event.listen(engine, "connect", _note_process)
    sa.event.listen(engine, "checkout", _refuse_after_fork)
    return engine


def _sqlite(place: Place, create: bool) -> Engine:
    if place.file is not None:
        if not create and not place.file.exists():
            raise StoreUnavailable(f"there is no store at {place.file}\nasha-nas asha --store {place.file} makes one.")
        place.file.parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(place.url, connect_args={"timeout": min(BUSY_SECONDS, patience())}, hide_parameters=True)
    sa.event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # NORMAL: a commit survives the death of any process; after a loss of power the last ones may be
    # missing, which replay takes as work to do again.
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")


def _postgres(place: Place, _create: bool) -> Engine:
    arguments = {key: value for key, value in _LIBPQ.items() if key not in place.url.query}
    # READ COMMITTED whatever the server's default is: who has waited for the lock on a lease sees what was written
    # meanwhile, and numbers its event after that.
    engine = sa.create_engine(
        place.url, connect_args=arguments | dict(place.passwords), isolation_level="READ COMMITTED",
        hide_parameters=True,
    )  # fmt: skip
    sa.event.listen(engine, "connect", _set_up_postgres)
    return engine


def _set_up_postgres(connection: Any, _record: Any) -> None:
    setting = ", ".join(["set_config(%s, %s, false)"] * len(_SESSION))
    connection.execute(f"SELECT {setting}", [word for pair in _SESSION.items() for word in pair])
    connection.commit()


def _note_process(_connection: Any, record: Any) -> None:
    record.info["process"] = os.getpid()


def _refuse_after_fork(_connection: Any, record: Any, proxy: Any) -> None:
    """A forked process must not speak over its parent's connections; it gets new ones."""
    if record.info["process"] != os.getpid():
        record.dbapi_connection = proxy.dbapi_connection = None
        raise DisconnectionError


# --- tables ------------------------------------------------------------------------------------------


def _migrate(connection: Connection, place: Place) -> None:
    tables, found = _tables_and_revision(connection)
    if tables and not tables.issuperset(_OURS):
        raise StoreUnavailable(
            f"store {place}: is another program's database\nChoose another place with --store or {ENVIRONMENT}."
        )
    if found == REVISION:
        return
    # Imported here: alembic takes longer to import than every other command takes to run.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    if found is not None and found not in {s.revision for s in ScriptDirectory.from_config(config).walk_revisions()}:
        raise StoreUnavailable(
            f"store {place}: written by a newer asha-nas (tables {found}, known {REVISION})\n"
            "Install that version, or use another store."
        )
    connection.rollback()  # end the read above, so that the migration starts with a lock
    _LOCK[connection.dialect.name](connection, place)
    if _tables_and_revision(connection)[1] == REVISION:  # another process was faster
        return
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()


def _lock_sqlite(connection: Connection, _place: Place) -> None:
    # WAL: readers (a live page, `show`) never block the driver, and a killed process leaves the file whole.
    # The file remembers it, so it is set once, when it is known that the file is ours.
    connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    connection.rollback()
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _lock_postgres(connection: Connection, place: Place) -> None:
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATING)))
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
    if encoding != "UTF8":
        raise StoreUnavailable(
            f"store {place}: its encoding is {encoding}, and must be UTF8\n"
            "Make the database with: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )


_LOCK: dict[str, Callable[[Connection, Place], None]] = {"sqlite": _lock_sqlite, "postgresql": _lock_postgres}


def _tables_and_revision(connection: Connection) -> tuple[set[str], str | None]:
    tables = set(sa.inspect(connection).get_table_names())
    if "alembic_version" not in tables:
        return tables, None
    return tables, connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
