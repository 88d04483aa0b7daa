"""A study whose rows are damaged or another version's: told in plain words, and no hindrance to the others."""

import json
import sqlite3

import pytest

import asha_nas
from asha_nas.analysis.stored import stored_spec
from asha_nas.cli import main, show
from asha_nas.errors import StudyUnreadable
from asha_nas.store import Store

SPACE = {"x": {"range": [0.0, 1.0]}}
DAMAGE = {
    "UPDATE studies SET spec = replace(spec, '\"version\":1', '\"version\":2') WHERE name LIKE '%bad'":
        "its spec: version",
    "UPDATE studies SET spec = substr(spec, 1, 40) WHERE name LIKE '%bad'": "its spec: Invalid JSON",
    "UPDATE studies SET spec = replace(spec, 'objective', 'opera') WHERE name LIKE '%bad'": "its spec: problem",
    "UPDATE events SET payload = substr(payload, 1, 9) WHERE study = 1 AND key = 'told/1'": r"event \d+ of its log: t",
    "UPDATE events SET clock = '{' WHERE study = 1 AND key = 'opened/0'": "event 0 of its log: opened",
    "UPDATE events SET kind = 'sung' WHERE study = 1 AND key = 'told/1'": "of unknown kind 'sung'",
    "DELETE FROM events WHERE study = 1 AND key = 'asked/1'": r"event \d+ of its log is missing",
    "DELETE FROM events WHERE study = 1 AND sequence = 0": "event 0 of its log is missing",
    "UPDATE events SET payload = replace(payload, '\"job\":1', '\"job\":77') WHERE study = 1 AND key = 'asked/1'":
        r"\(\w+/1.*\) does not follow from those before it",
}  # fmt: skip


@pytest.fixture
def place(tmp_path):
    """A store with a study to damage, and a good one."""
    path = str(tmp_path / "studies.db")
    store = Store(path)
    for name in ("bad", "good"):
        asha_nas.objective_study(
            name, lambda task: task.config["x"], SPACE, asha_nas.Asha(R=3, eta=3, configs=3), store=store,
            engine=asha_nas.Workers(kind="inline"), checkpoints=str(tmp_path),
        ).run()  # fmt: skip
    store.close()
    return path


@pytest.mark.parametrize(("statement", "what"), DAMAGE.items(), ids=DAMAGE.values())
def test_one_unreadable_study(place, capsys, monkeypatch, statement, what):
    with sqlite3.connect(place) as connection:
        assert connection.execute(statement).rowcount == 1
    connection.close()
    store = Store(place)
    with pytest.raises(StudyUnreadable, match=rf"^study 'bad' cannot be read: .*{what}.*\nRead it with the version"):
        show.open_study("bad", store)
    show.open_study("good", store)
    store.close()
    show.ls(store_url=place, as_json=True)
    bad, good = json.loads(capsys.readouterr().out)
    assert (bad["name"], bad["state"], bad["trials"]) == ("bad", "unreadable", None)
    assert (good["name"], good["state"], good["trials"]) == ("good", "done", 3)
    assert bad.keys() == good.keys()
    show.ls(store_url=place)
    assert "what is wrong with it: asha-nas show bad" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["asha-nas", "show", "bad", "--store", place])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "asha-nas: study 'bad' cannot be read" in capsys.readouterr().err


def test_a_name_that_this_version_does_not_know():
    with pytest.raises(StudyUnreadable, match="its spec: unknown data set 'imagenet'"):
        stored_spec("bad", '{"name":"bad","problem":{"kind":"darts-cnn","data":"imagenet"},"scheduler":{"configs":1}}')


@pytest.mark.parametrize("command", [("ls",), ("show", "x"), ("best", "x"), ("explain", "x", "0")])
def test_reading_makes_no_store(tmp_path, capsys, monkeypatch, command):
    missing = tmp_path / "typo.db"
    monkeypatch.setattr("sys.argv", ["asha-nas", *command, "--store", str(missing)])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert f"there is no store at {missing}" in capsys.readouterr().err
    assert not missing.exists()
