"""Checkpoints are whole or refused, wherever they lie."""

import errno
import io
import os
import pickle
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
import torch
from fsspec.core import url_to_fs
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces.errors import UserError
from trials import checkpoint
from trials.checkpoint import CheckpointDamaged, CheckpointMissing, CheckpointNotWritten
from trials.contract import Checkpoint

STATE = {"epoch": 3, "weights": {"a": torch.arange(6.0)}, "rates": [0.1, None, True], "name": "x"}


@pytest.fixture(params=["local", "memory"])
def folder(request, tmp_path):
    return str(tmp_path / "new" / "trial") if request.param == "local" else f"memory://{uuid4()}/trial"


def test_what_is_saved_is_what_is_loaded(folder):
    saved = checkpoint.save(folder, "epoch-00003.ckpt", 3, STATE)
    state = checkpoint.load(folder, saved)
    assert torch.equal(state["weights"]["a"], STATE["weights"]["a"])
    assert all(state[name] == STATE[name] for name in ("epoch", "rates", "name"))
    assert (saved.name, saved.epoch) == ("epoch-00003.ckpt", 3)
    assert saved.size > 0
    assert len(saved.sha256) == 64


def test_saving_again_replaces(folder):
    checkpoint.save(folder, "a.ckpt", 1, {"x": 1})
    second = checkpoint.save(folder, "a.ckpt", 2, {"x": 2})
    assert checkpoint.load(folder, second)["x"] == 2


def test_no_temporary_file_stays(tmp_path):
    checkpoint.save(str(tmp_path), "a.ckpt", 1, STATE)
    assert [path.name for path in tmp_path.iterdir()] == ["a.ckpt"]


def test_missing(folder):
    saved = checkpoint.save(folder, "a.ckpt", 1, STATE)
    with pytest.raises(CheckpointMissing, match=r"b\.ckpt: no such file\nRestore it"):
        checkpoint.load(folder, replace(saved, name="b.ckpt"))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_cut_or_altered_file_is_never_taken_for_whole(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("trial")
    saved = checkpoint.save(str(folder), "a.ckpt", 1, {"x": torch.arange(3)})
    path = folder / "a.ckpt"
    content = path.read_bytes()
    if data.draw(st.booleans()):
        path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    else:
        position = data.draw(st.integers(0, len(content) - 1))
        altered = bytearray(content)
        altered[position] ^= data.draw(st.integers(1, 255))
        path.write_bytes(altered)
    with pytest.raises(CheckpointDamaged, match=r"a\.ckpt"):
        checkpoint.load(str(folder), saved)


def test_right_digest_but_no_checkpoint(tmp_path):
    content = b"not a checkpoint"
    (tmp_path / "a.ckpt").write_bytes(content)
    fake = Checkpoint("a.ckpt", 1, checkpoint.hashlib.sha256(content).hexdigest(), len(content))
    with pytest.raises(CheckpointDamaged, match="does not decode"):
        checkpoint.load(str(tmp_path), fake)


class _Evil:
    def __reduce__(self):
        return os.mkdir, ("evil",)


def test_code_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    buffer = io.BytesIO()
    torch.save({"x": _Evil()}, buffer)
    content = buffer.getvalue()
    (tmp_path / "a.ckpt").write_bytes(content)
    fake = Checkpoint("a.ckpt", 1, checkpoint.hashlib.sha256(content).hexdigest(), len(content))
    with pytest.raises(CheckpointDamaged):
        checkpoint.load(str(tmp_path), fake)
    assert not (tmp_path / "evil").exists()
    assert pickle.dumps(_Evil())  # the trap itself is sound


def test_full_disk_leaves_the_old_file_and_no_rest(tmp_path, monkeypatch):
    old = checkpoint.save(str(tmp_path), "a.ckpt", 1, {"x": 1})

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointNotWritten, match=r"No space left on device.*\nFree space") as caught:
        checkpoint.save(str(tmp_path), "a.ckpt", 2, {"x": 2})
    assert isinstance(caught.value, UserError)
    assert checkpoint.load(str(tmp_path), old)["x"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.ckpt"]


def test_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointNotWritten, match="could not be written"):
        checkpoint.save(str(tmp_path / "file"), "a.ckpt", 1, STATE)


def test_newest_falls_back_to_the_next_older_one(folder):
    one, two, three = (checkpoint.save(folder, f"{n}.ckpt", n, {"n": n}) for n in (1, 2, 3))
    gone, bad = replace(two, name="gone.ckpt"), replace(three, sha256="0" * 64)
    assert checkpoint.load_newest(folder, (three, one)) == ({"n": 3}, three, ())
    assert checkpoint.load_newest(folder, (bad, gone, one)) == ({"n": 1}, one, ("3.ckpt", "gone.ckpt"))
    assert checkpoint.load_newest(folder, (bad,)) == (None, None, ("3.ckpt",))
    assert checkpoint.load_newest(folder, ()) == (None, None, ())


def test_prune_keeps_what_is_named_and_what_is_not_its_own(folder):
    kept, *_ = [checkpoint.save(folder, f"{n}.ckpt", n, {"n": n}) for n in (1, 2, 3)]
    files, root = url_to_fs(folder)
    for name in ("4.ckpt.part", "notes.txt"):
        files.pipe_file(f"{root}/{name}", b"x")
    assert checkpoint.prune(folder, ["1.ckpt", "never.ckpt"]) == ("2.ckpt", "3.ckpt", "4.ckpt.part")
    assert sorted(Path(path).name for path in files.ls(root, detail=False)) == ["1.ckpt", "notes.txt"]
    assert checkpoint.load(folder, kept) == {"n": 1}


def test_prune_of_a_folder_that_is_not_there(tmp_path):
    assert checkpoint.prune(str(tmp_path / "none"), []) == ()
