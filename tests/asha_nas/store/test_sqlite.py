"""The store in an SQLite file: the suite of all stores, and what is SQLite's own."""

import gc
import sqlite3
import sys
import threading

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from asha_nas.errors import StoreUnavailable
from asha_nas.store import Store, database, patience, place
from asha_nas.store.schema import REVISION, metadata
from tests.contracts.store import StoreContract, log
from tests.contracts.store_processes import reported


class TestSQLite(StoreContract):
    @pytest.fixture
    def url(self, tmp_path):
        return f"sqlite:///{tmp_path / 'studies.db'}"

    @pytest.fixture
    def broken(self):
        def broken(_connection_or_cursor):
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = sqlite3.SQLITE_BUSY
            return error

        return broken


def message(url):
    with pytest.raises(StoreUnavailable) as caught:
        Store(str(url))
    text = str(caught.value)
    assert "[SQL" not in text
    assert "Traceback" not in text
    assert len(text.splitlines()) == 2
    return text


def test_the_place_is_a_path_a_url_or_the_environment(tmp_path, monkeypatch):
    new = tmp_path / "not" / "there" / "yet" / "a b.db"
    Store(str(new)).close()
    assert new.is_file()
    Store(f"sqlite:///{tmp_path / 'url.db'}").close()
    assert (tmp_path / "url.db").is_file()
    monkeypatch.setenv(place.ENVIRONMENT, str(tmp_path / "environment.db"))
    Store().close()
    assert (tmp_path / "environment.db").is_file()
    monkeypatch.delenv(place.ENVIRONMENT)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    Store().close()
    assert (tmp_path / "xdg" / "asha-nas" / "studies.db").is_file()


@pytest.mark.parametrize("form", ["~/mine/studies.db", "sqlite:///~/mine/studies.db"])
def test_a_tilde_is_the_home(tmp_path, monkeypatch, form):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    Store(form).close()
    assert (tmp_path / "mine" / "studies.db").is_file()
    assert not (tmp_path / "~").exists()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    text = message(tmp_path / "file" / "studies.db")
    assert "Choose a place that exists and that you may write with --store or ASHA_NAS_STORE." in text
    assert str(tmp_path / "file" / "studies.db") in text


def test_a_folder_in_place_of_the_file(tmp_path):
    assert "unable to open database file" in message(tmp_path)


def test_a_file_that_is_no_database(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("These are my notes. " * 100)
    text = message(path)
    assert "file is not a database\nIs it the right file? Bring it back from a backup, or choose another with" in text
    assert path.read_text() == "These are my notes. " * 100


def test_a_database_that_may_not_be_written(tmp_path, monkeypatch):
    path = tmp_path / "studies.db"
    sqlite3.connect(path).close()
    monkeypatch.chdir(tmp_path)
    assert "readonly database" in message(f"sqlite:///file:{path}?mode=ro&uri=true")
    assert [file.name for file in tmp_path.iterdir()] == ["studies.db"]


@pytest.mark.parametrize(
    "url", ["mysql://x", "nonsense://x", "sqlite+nonsense:///x.db", "://", "postgresql+psycopg2://h/x"]
)
def test_a_url_that_names_no_database(url):
    with pytest.raises(StoreUnavailable, match=r"Give a path, or a URL such as sqlite:////path/studies\.db"):
        Store(url)


def test_a_damaged_file(tmp_path):
    path = tmp_path / "studies.db"
    Store(str(path)).close()
    content = bytearray(path.read_bytes())
    content[100:4000] = bytes([7]) * 3900  # the table of tables
    path.write_bytes(content)
    assert "malformed" in (text := message(path))
    assert "Bring it back from a backup" in text


@pytest.mark.parametrize("url", ["postgresql://me:secret@host/x", "postgresql+psycopg://h/x", "postgres://h/x"])
def test_a_driver_that_is_not_installed(monkeypatch, url):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    text = message(url)
    assert "the database's driver is not installed" in text
    assert text.endswith("Install it: pip install 'asha-nas[postgres]', or pip install 'psycopg[binary]'")
    assert "secret" not in text


def test_to_look_makes_no_store(tmp_path, monkeypatch):
    missing = tmp_path / "nowhere" / "studies.db"
    for url in (str(missing), f"sqlite:///{missing}"):
        with pytest.raises(StoreUnavailable, match=r"no store at .*nowhere/studies\.db\nasha-nas asha .*makes"):
            Store(url, create=False)
    monkeypatch.setenv(place.ENVIRONMENT, str(missing))
    with pytest.raises(StoreUnavailable, match="there is no store at"):
        Store(create=False)
    assert list(tmp_path.iterdir()) == []
    Store().close()
    Store(create=False).close()


def test_the_default_store_is_made_even_to_look(tmp_path, monkeypatch):
    monkeypatch.delenv(place.ENVIRONMENT, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    Store(create=False).close()
    assert (tmp_path / "asha-nas" / "studies.db").is_file()


@pytest.mark.parametrize("tables", [("notes",), ("studies", "trials"), ("alembic_version",)])
def test_another_program_s_database_is_left_alone(tmp_path, tables):
    path = tmp_path / "theirs.db"
    with sqlite3.connect(path) as connection:
        for table in tables:
            connection.execute(f"CREATE TABLE {table} (version_num TEXT)")
    connection.close()
    before = path.read_bytes()
    assert "is another program's database\nChoose another place" in message(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["theirs.db"]


def test_tables_of_a_newer_version(tmp_path):
    path = tmp_path / "studies.db"
    Store(str(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    text = message(path)
    assert f"written by a newer asha-nas (tables 9999, known {REVISION})" in text
    assert "Install that version, or use another store." in text


def test_a_write_that_fails_says_so_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv(patience.ENVIRONMENT, "0.1")
    path = tmp_path / "studies.db"
    store = Store(str(path))
    study = store.create("nas", "{}", "{}")
    lease = store.lease(study)
    store.append(lease, reported(0))
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(
        StoreUnavailable, match=r"database is locked \(waited 0.1 s: ASHA_NAS_STORE_PATIENCE\)\nNothing"
    ):
        store.append(lease, reported(1))
    assert log(store, study) == [reported(0)]  # reading goes on
    blocker.execute("ROLLBACK")
    blocker.close()
    store.append(lease, reported(2))
    lease.release()
    assert log(store, study) == [reported(0), reported(2)]
    store.close()


def test_a_writer_waits_for_another_one_longer_than_sqlite_does(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.01)
    path = tmp_path / "studies.db"
    store = Store(str(path))
    study = store.create("nas", "{}", "{}")
    lease = store.lease(study)
    blocker = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    blocker.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.5, blocker.execute, ["ROLLBACK"])
    timer.start()
    store.append(lease, reported(0))
    timer.join()
    blocker.close()
    lease.release()
    assert log(store, study) == [reported(0)]
    store.close()


def test_a_store_that_nobody_closed_lets_go_of_its_connections(tmp_path):
    store = Store(str(tmp_path / "studies.db"))
    pool = store._database.engine.pool
    assert pool.checkedin() == 1
    engine = store._database.engine
    del store
    gc.collect()
    assert engine.pool is not pool  # disposed of


def test_the_migrations_make_the_schema(tmp_path):
    store = Store(str(tmp_path / "studies.db"))
    with store._database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == REVISION
        unique = sa.inspect(connection).get_unique_constraints("events")
        assert [(rule["name"], rule["column_names"]) for rule in unique] == [("events_once", ["study", "key"])]
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    store.close()


def test_an_up_to_date_store_opens_without_alembic(tmp_path, monkeypatch):
    path = str(tmp_path / "studies.db")
    Store(path).close()
    monkeypatch.setitem(__import__("sys").modules, "alembic", None)
    Store(path).close()


def test_opening_again_keeps_everything(tmp_path):
    path = str(tmp_path / "studies.db")
    for _ in range(2):
        store = Store(path)
        if not store.studies():
            study = store.create("nas", "{}", "{}")
            lease = store.lease(study)
            store.append(lease, reported(0))
            lease.release()
        assert log(store, store.study("nas")) == [reported(0)]
        store.close()
