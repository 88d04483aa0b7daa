"""Opening a database: where it is, how SQLite is set up, and bringing its tables up to date."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import platformdirs
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from asha_nas.errors import StoreUnavailable
from asha_nas.store.schema import REVISION

ENVIRONMENT = "ASHA_NAS_STORE"
BUSY_SECONDS = 30.0
"""How long a writer waits for another one before it gives up."""


def default_url() -> str:
    """``ASHA_NAS_STORE``, or an SQLite file in the user's data folder."""
    folder = Path(platformdirs.user_data_dir("asha-nas"))
    return os.environ.get(ENVIRONMENT) or f"sqlite:///{folder / 'studies.db'}"


def connect(url: str | None = None) -> Engine:
    """Open the database and bring its tables to the version this code writes.

    Args:
        url: an SQLAlchemy URL, or a path to an SQLite file; by default :func:`default_url`.

    Raises:
        StoreUnavailable: it cannot be opened or written, or was written by a newer version.
    """
    text = url or default_url()
    if "://" not in text:
        text = f"sqlite:///{text}"
    try:
        engine = _create(text)
        with engine.connect() as connection:
            _migrate(connection)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise StoreUnavailable(
            f"store {text!r}: {error}\nGive a URL such as sqlite:////path/studies.db, or a path."
        ) from None
    except (SQLAlchemyError, OSError) as error:
        raise unavailable(text, error) from None
    return engine


def unavailable(url: str, error: Exception) -> StoreUnavailable:
    """Say what is wrong in the words of the database, without its statements and parameters."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return StoreUnavailable(
        f"store {_shown(url)}: {cause}\n"
        f"Choose a place that exists and that you may write with --store or {ENVIRONMENT}."
    )


def _shown(url: str) -> str:
    return make_url(url).render_as_string(hide_password=True)


def _create(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(parsed)
    if parsed.database and not parsed.database.startswith((":memory:", "file:")):
        path = Path(parsed.database).expanduser()
        path.parent.mkdir(parents=True, exist_ok=True)
        parsed = parsed.set(database=str(path))
    engine = sa.create_engine(parsed, connect_args={"timeout": BUSY_SECONDS})
    sa.event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # WAL: readers (a live page, `show`) never block the driver, and a killed process leaves the file whole.
    # NORMAL: a commit survives the death of any process; after a loss of power the last ones may be
    # missing, which replay takes as work to do again.
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")


def _migrate(connection: Connection) -> None:
    found = _revision(connection)
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
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        if _revision(connection) == REVISION:  # another process was faster
            return
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()


def _revision(connection: Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
