"""Opening a database: where it is, how SQLite is set up, and bringing its tables up to date."""

from __future__ import annotations

import os
import sqlite3
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import platformdirs
import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from asha_nas.errors import StoreUnavailable
from asha_nas.store.schema import REVISION

ENVIRONMENT = "ASHA_NAS_STORE"
_OURS = {"studies", "events"}
"""Tables by which a store is known. (``studies`` alone is also Optuna's.)"""
BUSY_SECONDS = 30.0
"""How long a writer waits for another one before it gives up."""


def default_url() -> str:
    """``ASHA_NAS_STORE``, or an SQLite file in the user's data folder."""
    folder = Path(platformdirs.user_data_dir("asha-nas"))
    return os.environ.get(ENVIRONMENT) or f"sqlite:///{folder / 'studies.db'}"


def connect(url: str | None = None, create: bool = True) -> Engine:
    """Open the database and bring its tables to the version this code writes.

    Args:
        url: an SQLAlchemy URL, or a path to an SQLite file; by default :func:`default_url`.
        create: False to insist that an SQLite file is there; the default one in the user's data folder is always made.

    Raises:
        StoreUnavailable: it cannot be opened or written, is not there, is another program's, or was
            written by a newer version.
    """
    create = create or not (url or os.environ.get(ENVIRONMENT))
    text = url or default_url()
    if "://" not in text:
        text = f"sqlite:///{text}"
    try:
        engine = _engine(text, create)
        with engine.connect() as connection:
            _migrate(connection)
    except ModuleNotFoundError as error:
        package = "psycopg[binary]" if make_url(text).get_backend_name() == "postgresql" else error.name
        raise StoreUnavailable(
            f"store {_shown(text)}: the database's driver is not installed ({error})\n"
            f"Install it: pip install '{package}'"
        ) from None
    except (ArgumentError, NoSuchModuleError) as error:
        raise StoreUnavailable(
            f"store {text!r}: {error}\nGive a URL such as sqlite:////path/studies.db, or a path."
        ) from None
    except (SQLAlchemyError, OSError) as error:
        raise unavailable(text, error) from None
    return engine


def full_url(url: URL) -> str:
    """A URL that means the same in any process: with its password, and with the whole path of a file."""
    if url.get_backend_name() == "sqlite" and url.database and not url.database.startswith((":memory:", "file:")):
        url = url.set(database=str(Path(url.database).absolute()))
    return url.render_as_string(hide_password=False)


def unavailable(url: str, error: Exception) -> StoreUnavailable:
    """Say what is wrong in the words of the database, without its statements and parameters."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    remedy = f"Choose a place that exists and that you may write with --store or {ENVIRONMENT}."
    if "malformed" in str(cause) or "not a database" in str(cause):
        remedy = f"Is it the right file? Bring it back from a backup, or choose another with --store or {ENVIRONMENT}."
    return StoreUnavailable(f"store {_shown(url)}: {cause}\n{remedy}")


def _shown(url: str) -> str:
    return make_url(url).render_as_string(hide_password=True)


def _engine(url: str, create: bool) -> Engine:
    parsed = make_url(url)
    if parsed.drivername == "postgresql" and find_spec("psycopg2") is None:
        parsed = parsed.set(drivername="postgresql+psycopg")  # SQLAlchemy's own default is the older psycopg2
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(parsed)
    if parsed.database and not parsed.database.startswith((":memory:", "file:")):
        path = Path(parsed.database).expanduser()
        if not create and not path.exists():
            raise StoreUnavailable(f"there is no store at {path}\nasha-nas asha --store {path} makes one.")
        path.parent.mkdir(parents=True, exist_ok=True)
        parsed = parsed.set(database=str(path))
    engine = sa.create_engine(parsed, connect_args={"timeout": BUSY_SECONDS})
    sa.event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # NORMAL: a commit survives the death of any process; after a loss of power the last ones may be
    # missing, which replay takes as work to do again.
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")


def _migrate(connection: Connection) -> None:
    tables, found = _tables_and_revision(connection)
    if tables and not tables.issuperset(_OURS):
        raise StoreUnavailable(
            f"store {_shown(str(connection.engine.url))}: is another program's database\n"
            f"Choose another place with --store or {ENVIRONMENT}."
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
            f"store {connection.engine.url!s}: written by a newer asha-nas (tables {found}, known {REVISION})\n"
            "Install that version, or use another store."
        )
    connection.rollback()  # end the read above, so that the migration starts with a write lock
    if connection.engine.dialect.name == "sqlite":
        # WAL: readers (a live page, `show`) never block the driver, and a killed process leaves the file whole.
        # The file remembers it, so it is set once, when it is known that the file is ours.
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        connection.rollback()
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        if _tables_and_revision(connection)[1] == REVISION:  # another process was faster
            return
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()


def _tables_and_revision(connection: Connection) -> tuple[set[str], str | None]:
    tables = set(sa.inspect(connection).get_table_names())
    if "alembic_version" not in tables:
        return tables, None
    return tables, connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
