"""The store in PostgreSQL: the suite of all stores, and what is PostgreSQL's own."""

import os
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import make_url

from asha_nas.errors import StoreUnavailable, StudyLocked
from asha_nas.store import Store
from asha_nas.store.place import locate
from asha_nas.store.schema import REVISION, metadata
from tests.contracts.postgres_server import PASSWORD, SUPERUSER, USER
from tests.contracts.store import StoreContract, log
from tests.contracts.store_processes import reported


class TestPostgreSQL(StoreContract):
    @pytest.fixture
    def url(self, postgres):
        with postgres.database() as url:
            yield url

    @pytest.fixture
    def broken(self):
        """The connection is closed in earnest, as far as this side of it goes."""
        import psycopg

        def broken(found):
            (getattr(found, "driver_connection", None) or found.connection).close()
            return psycopg.OperationalError("server closed the connection unexpectedly")

        return broken


@pytest.fixture
def url(postgres):
    with postgres.database() as url:
        yield url


def message(url):
    with pytest.raises(StoreUnavailable) as caught:
        Store(url).check_writable()
    text = str(caught.value)
    assert "[SQL" not in text
    assert PASSWORD not in text
    assert len(text.splitlines()) == 2
    return text


def execute(postgres, url, *statements):
    """As the superuser, in the database of this URL."""
    with postgres.connect(make_url(url).database) as connection:
        for statement in statements:
            connection.execute(statement)


def test_the_migrations_make_the_schema(url):
    store = Store(url)
    with store._database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == REVISION
        columns = {column["name"]: str(column["type"]) for column in sa.inspect(connection).get_columns("events")}
        assert columns["time"] == "DOUBLE PRECISION"
    store.close()


def test_sessions_are_as_we_need_them_whatever_the_server_s_defaults(postgres, url):
    execute(
        postgres, url,
        f"ALTER ROLE {USER} SET default_transaction_isolation = 'serializable'",
        f"ALTER ROLE {USER} SET client_encoding = 'latin1'",
    )  # fmt: skip
    try:
        store = Store(url)
        with store._database.engine.connect() as connection:
            shown = {name: connection.exec_driver_sql(f"SHOW {name}").scalar() for name in (
                "transaction_isolation", "client_encoding", "lock_timeout", "idle_in_transaction_session_timeout",
            )}  # fmt: skip
        assert list(shown.values()) == ["read committed", "UTF8", "20s", "1min"]
        assert store.kind.startswith("PostgreSQL 1")
        store.close()
    finally:
        execute(postgres, url, f"ALTER ROLE {USER} RESET ALL")


def test_an_up_to_date_store_is_read_by_who_may_only_read(postgres, url):
    Store(url).close()
    execute(postgres, url, f"ALTER ROLE {USER} SET default_transaction_read_only = on")
    try:
        store = Store(url, create=False)
        assert store.studies() == []
        store.close()
    finally:
        execute(postgres, url, f"ALTER ROLE {USER} RESET ALL")


def test_a_database_that_may_not_be_written(postgres, url):
    Store(url).close()
    execute(postgres, url, f"ALTER TABLE events OWNER TO {SUPERUSER}", f"REVOKE ALL ON events FROM {USER}")
    assert "permission denied for table events\nChoose a place that exists and that you may write" in message(url)


def test_a_user_that_may_make_no_tables(postgres, url):
    execute(postgres, url, f"ALTER SCHEMA public OWNER TO {SUPERUSER}", "REVOKE ALL ON SCHEMA public FROM PUBLIC")
    assert "schema" in message(url)


def test_a_schema_of_its_own_beside_another_program(postgres, url):
    execute(postgres, url, "CREATE TABLE studies (study_id integer)", f"CREATE SCHEMA asha AUTHORIZATION {USER}")
    assert "is another program's database\nChoose another place" in message(url)
    store = Store(f"{url}&options=-csearch_path%3Dasha")
    made = store.create("nas", "{}", "{}")
    store.close()
    with postgres.connect(make_url(url).database) as connection:
        assert connection.execute("SELECT name FROM asha.studies").fetchall() == [(made.exact,)]


def test_tables_of_a_newer_version(postgres, url):
    Store(url).close()
    execute(postgres, url, "UPDATE alembic_version SET version_num = '9999'")
    assert f"written by a newer asha-nas (tables 9999, known {REVISION})\nInstall that version" in message(url)


def test_a_database_of_another_encoding(postgres):
    with postgres.database("SQL_ASCII") as url:
        assert "its encoding is SQL_ASCII, and must be UTF8\nMake the database with: CREATE DATABASE" in message(url)


@pytest.mark.parametrize(
    ("change", "what", "remedy"),
    [
        ({"database": "nowhere"}, 'database "nowhere" does not exist', "Make it with createdb, or"),
        ({"user": "nobody", "password": "wrong"}, "password authentication failed", "Put the password into ~/.pgpass"),
        ({"folder": "/nowhere"}, "No such file or directory", "Is it running, and reachable from here?"),
        ({"option": "nonsense=1"}, 'invalid connection option "nonsense"', "Choose a place"),
    ],
)
def test_a_server_that_is_not_there_or_does_not_let_us_in(postgres, change, what, remedy):
    url = postgres.url(
        change.get("database", "postgres"), change.get("user", SUPERUSER), change.get("password", PASSWORD)
    )
    url = url.replace(postgres.url().partition("?host=")[2], change["folder"]) if "folder" in change else url
    text = message(f"{url}&{change['option']}" if "option" in change else url)  # at once: no minute is waited
    assert what in text
    assert remedy in text


def test_a_password_from_the_file_of_passwords(postgres, url, tmp_path, monkeypatch):
    words = tmp_path / "pgpass"
    words.write_text("*:*:*:*:" + PASSWORD.replace("\\", "\\\\").replace(":", "\\:") + "\n")
    words.chmod(0o600)
    plain = str(locate(url))
    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "none"))
    assert "no password supplied\nPut the password into ~/.pgpass or the file" in message(plain)
    monkeypatch.setenv("PGPASSFILE", str(words))
    store = Store(plain)
    assert not store.has_password
    store.check_writable()
    store.close()


def test_a_driver_whose_clock_is_wrong_keeps_its_lease(url, monkeypatch):
    """All go by the server's."""
    store, other, right = Store(url), Store(url), time.time
    study = store.create("nas", "{}", "{}")
    monkeypatch.setattr(time, "time", lambda: right() - 7200)
    lease = store.lease(study)
    store.append(lease, reported(0))
    monkeypatch.setattr(time, "time", right)
    assert other.is_leased(study)
    with pytest.raises(StudyLocked, match="last sign of life 0 s ago"):
        other.lease(study)
    lease.release()
    store.close()
    other.close()


def test_a_fork_does_not_speak_over_its_parent_s_connections(url):
    store = Store(url)
    study = store.create("nas", "{}", "{}")
    lease = store.lease(study)
    store.append(lease, reported(0))
    for number in range(1, 4):
        child = get_context("fork").Process(target=_read, args=(store, study, number))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python warns of forks beside threads
            child.start()
        store.append(lease, reported(number))
        child.join(60)
        assert child.exitcode == 0
    lease.release()
    assert log(store, study) == [reported(number) for number in range(4)]
    store.close()


def _read(store, study, written):
    """In the fork; its exit code tells."""
    found = log(store, study)
    assert found in ([reported(n) for n in range(written)], [reported(n) for n in range(written + 1)])
    os._exit(0)


def test_two_writers_who_both_believe_in_their_lease_are_numbered_one_after_the_other(url):
    """Not that it may happen: but then the row of the lease is what they queue for."""
    one, two = Store(url), Store(url)
    study = one.create("nas", "{}", "{}")
    lease = one.lease(study)

    def write(store, first):
        for number in range(first, first + 50):
            store._next.clear()
            store.append(lease, reported(number))

    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(write, one, 0), threads.submit(write, two, 50)]:
            done.result()
    found = [event.job for event in log(one, study)]
    assert sorted(found) == list(range(100))
    assert [job for job in found if job < 50] == list(range(50))
    lease.release()
    one.close()
    two.close()
