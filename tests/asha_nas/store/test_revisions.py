"""Stores that earlier versions wrote: opened, brought to the newest tables, read and gone on with.

`revisions/REVISION.DATABASE.sql` is such a store, as `sqlite3 FILE .dump` or `pg_dump --inserts --no-owner
--no-privileges` gives it, written by a version whose tables had that revision. In it are two studies of the same
spec: `done`, and `killed` after 25 events, with the lease of its driver, which
ran on another machine a long time ago, and from 0002 on what that driver claimed of a cluster.
Each new revision comes with such files of its own, made before the next one.
"""

import json
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import make_url

import asha_nas.store
from asha_nas import api
from asha_nas.store import Opened, Store
from asha_nas.store.events import payload
from asha_nas.store.place import ENVIRONMENT
from asha_nas.store.schema import REVISION, metadata
from tests.contracts.postgres_server import USER

FILES = sorted((Path(__file__).parent / "revisions").glob("*.sql"))
CONFIG = Config()
CONFIG.set_main_option("script_location", str(Path(asha_nas.store.__file__).parent / "migrations"))


def test_there_is_a_store_of_every_revision_in_every_database():
    known = ScriptDirectory.from_config(CONFIG)
    assert known.get_heads() == [REVISION]
    expected = {f"{script.revision}.{kind}" for script in known.walk_revisions() for kind in ("sqlite", "postgresql")}
    assert {file.stem for file in FILES} == expected


@pytest.fixture(params=FILES, ids=lambda file: file.stem)
def url(request, tmp_path):
    """A database as an earlier version left it."""
    text = request.param.read_text()
    if request.param.stem.endswith(".sqlite"):
        connection = sqlite3.connect(tmp_path / "studies.db")
        connection.executescript(text)
        connection.close()
        yield f"sqlite:///{tmp_path / 'studies.db'}"
        return
    server = request.getfixturevalue("postgres")
    with server.database() as url:
        name = make_url(url).database
        with server.connect(name) as connection:
            connection.execute(text)
            connection.execute("RESET search_path")
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            for (table,) in tables:
                connection.execute(f"ALTER TABLE public.{table} OWNER TO {USER}")
        yield url


def told(study):
    """What was decided and found, in order."""
    rows = study.store.rows(study.store.study(study.name))
    return [payload(row.event) for row in rows if row.event.kind not in ("opened", "closed")]


def test_opening_brings_the_tables_to_the_newest(url):
    store = Store(url)
    with store._database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert context.get_current_revision() == REVISION
        assert compare_metadata(context, metadata) == []
        assert len(connection.execute(sa.text("SELECT * FROM alembic_version")).all()) == 1
    assert [study.name for study in store.studies()] == ["done", "killed"]
    assert store.claims() == [], "claimed a long time ago"
    store.create("new", "{}", "{}")
    store.close()


def test_a_study_of_an_earlier_version_is_shown_and_gone_on_with(url, cli, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, url)
    code, out, err = cli("ls", "--json")
    assert code == 0, err
    assert [(row["name"], row["state"]) for row in json.loads(out)] == [("done", "done"), ("killed", "killed")]
    assert "best: trial" in cli("best", "done")[1]
    assert cli("show", "killed", "--json")[0] == 0
    store = Store(url)
    done, killed = api.load("done", store=store), api.load("killed", store=store)
    before = told(killed)
    assert len(before) == 24
    assert before == told(done)[:24]
    code, out, err = cli("resume", "killed")
    assert code == 0, err
    assert told(killed) == told(done)
    assert [row.event.session for row in store.rows(store.study("killed")) if isinstance(row.event, Opened)] == [0, 1]
    store.close()
