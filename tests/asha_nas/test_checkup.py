"""What `doctor STUDY` says of a study before it runs."""

import errno
import json
import os

import pytest

from asha_nas import checkup
from asha_nas.analysis import JobRecord
from asha_nas.checkup import check_study, clock_check, room_check
from asha_nas.cli.show import _lost
from asha_nas.store import Store
from asha_nas.study import make_spec
from trials import storage

GB = 10**9


@pytest.mark.parametrize(
    ("end", "peak", "free", "quota", "state", "words"),
    [
        (GB, 2 * GB, 9 * GB, None, "ok", "about 2.0 GB of checkpoints at most, 1.0 GB at the end; 9.0 GB free"),
        (GB, 2 * GB, 9 * GB, GB, "note", "quota 1.0 GB"),
        (GB, 2 * GB, 2 * GB, 5 * GB, "note", "2.0 GB free"),
        (GB, 2 * GB, None, None, "ok", "free space unknown"),
        (None, None, GB // 2, None, "note", "size of checkpoints unknown, 500.0 MB free"),
    ],
)
def test_room(end, peak, free, quota, state, words):
    found = room_check(end, peak, free, quota)
    assert (found.state, words in found.found) == (state, True)
    assert bool(found.remedy) == (state != "ok")


@pytest.mark.parametrize(
    ("seen", "newest", "state", "words"),
    [
        (None, None, "ok", "agrees"),
        (1003.0, 900.0, "ok", "agrees"),
        (1060.0, None, "note", "by 60 s"),
        (940.0, None, "note", "by 60 s"),
        (1000.0, 4600.0, "note", "3600 s in the future"),
    ],
)
def test_clock(seen, newest, state, words):
    found = clock_check(1000.0, seen, newest)
    assert (found.state, words in found.found) == (state, True)


def spec_in(folder):
    return make_spec({"name": "a", "scheduler": {"configs": 3, "R": 4}, "checkpoints": str(folder)})


def test_a_folder_is_tried_and_left_as_it_was(tmp_path):
    store = Store(str(tmp_path / "studies.db"))
    checks = check_study(spec_in(tmp_path / "x"), store)
    assert (checks[0].name, checks[0].state) == ("checkpoints", "ok")
    assert {check.name for check in checks} == {"checkpoints", "room", "clock"}
    assert list((tmp_path / "x").iterdir()) == []
    store.close()


def test_a_folder_that_cannot_be_written_or_is_slow(tmp_path, monkeypatch):
    def full(folder, name, content):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patched:
        patched.setattr(storage, "write", full)
        check, seen = checkup._written(str(tmp_path))
    assert (check.state, seen) == ("bad", None)
    assert "cannot be written (Read-only file system)" in check.found
    monkeypatch.setattr(checkup, "SLOW_SECONDS", -1.0)
    check, seen = checkup._written(str(tmp_path))
    assert (check.state, "is slow" in check.found) == ("note", True)


def test_doctor_of_a_file_and_of_a_study(cli, tmp_path):
    file = tmp_path / "small.toml"
    file.write_text('quota = "1kB"\n[scheduler]\nconfigs = 2\nR = 1\n[engine]\nkind = "inline"\n'
                    "[problem]\nrecipe = { train_limit = 60 }\n")  # fmt: skip
    code, out, err = cli("doctor", str(file), "--json")
    assert code == 0, err
    checks = {check["name"]: check for check in json.loads(out)}
    assert checks["checkpoints"]["state"] == "ok"
    assert (checks["room"]["state"], "size of checkpoints" in checks["room"]["found"]) == ("note", False)
    code, out, err = cli("run", str(file))
    assert code == 1, "two checkpoints are more than 1 kB"
    assert "stopped before it is full: 0.0 MB are left of the quota" in out
    assert "asha-nas resume small" in out and "--quota SIZE" in out
    assert "room" in {check["name"] for check in json.loads(cli("doctor", "small", "--json")[1])}
    code, out, err = cli("ls")
    assert "full" in out
    code, out, err = cli("resume", "small", "--quota", "1GB")
    assert code == 0, out + err
    assert len(list((tmp_path / "data").rglob("*.ckpt"))) == 1, "that of the best"
    assert cli("doctor", "nowhere")[0] == 2


@pytest.mark.parametrize(
    ("notes", "words"),
    [
        ({}, ""),
        ({"checkpoint_not_written": "checkpoint a: could not be written (full)"},
         "checkpoint a: could not be written (full)"),
        ({"checkpoint_not_written": "not written", "retrained_from_epoch": 2},
         "not written; its last checkpoint was lost; trained again from epoch 2"),
    ],
)  # fmt: skip
def test_show_says_what_became_of_checkpoints(notes, words):
    assert _lost(JobRecord(0, 0, 0, 0, 1, 0, 0.0, notes=notes)) == words
