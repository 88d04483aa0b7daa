"""Files are whole or not there, on disks and elsewhere; what is in the way is named, and what is slow only delays."""

import errno
import io
import os
import subprocess
import threading
from pathlib import Path
from uuid import uuid4

import fsspec
import pytest
import torch

from tests.contracts.object_store import ObjectStore, read_only
from trials import checkpoint, course, storage
from trials.checkpoint import CheckpointNotWritten
from trials.contract import Task

fsspec.register_implementation("objects", ObjectStore, clobber=True)


@pytest.fixture(params=["local", "memory", "objects"])
def folder(request, tmp_path):
    return str(tmp_path / "study" / "trial") if request.param == "local" else f"{request.param}://{uuid4()}/study/trial"


@pytest.fixture
def objects(monkeypatch):
    """A folder in an object store whose operations can be made to fail: sets `before`."""

    def before(function):
        monkeypatch.setattr(ObjectStore, "before", staticmethod(function))

    before.folder = f"objects://{uuid4()}/trial"
    return before


def listed(folder):
    return storage.tree(folder).get(folder, set())


# --- what holds everywhere -----------------------------------------------------------------------------


def test_what_is_written_is_read_and_listed(folder):
    storage.write(folder, "a.ckpt", b"one")
    storage.write(f"{folder}/to-00004", "b.ckpt", b"two")
    assert storage.read(folder, "a.ckpt") == b"one"
    assert storage.tree(folder) == {folder: {"a.ckpt"}, f"{folder}/to-00004": {"b.ckpt"}}
    storage.write(folder, "a.ckpt", b"three")
    assert storage.read(folder, "a.ckpt") == b"three"


def test_a_folder_that_is_not_there_is_empty(folder):
    assert storage.tree(folder) == {}
    assert storage.prune(folder, ()) == ()
    storage.drop_empty(folder)


def test_deleting_spares_what_is_not_named_and_passes_over_what_is_gone(folder):
    for name in ("a.ckpt", "b.ckpt", "notes.txt"):
        storage.write(folder, name, b"x")
    assert "b.ckpt" in storage.delete(folder, ["b.ckpt", "never.ckpt"])
    assert listed(folder) == {"a.ckpt", "notes.txt"}
    assert storage.prune(folder, ()) == ("a.ckpt",)
    assert listed(folder) == {"notes.txt"}
    storage.drop_empty(folder)
    assert listed(folder) == {"notes.txt"}


def test_what_another_process_wrote_since_is_seen(folder):
    storage.write(folder, "a.ckpt", b"x")
    files, root = fsspec.core.url_to_fs(folder)
    files.ls(root, detail=False)  # which an object store remembers
    storage.write(folder, "b.ckpt", b"x")
    assert storage.prune(folder, ["a.ckpt"]) == ("b.ckpt",)


def test_a_damaged_newest_falls_back_to_the_one_before(folder):
    one, two = (checkpoint.save(folder, f"{n}.ckpt", n, {"x": torch.ones(n)}) for n in (1, 2))
    for content in (b"", storage.read(folder, two.name)[:-1], b"other"):
        storage.write(folder, two.name, content)
        state, found, damaged = checkpoint.load_newest(folder, (two, one))
        assert (state["x"].tolist(), found, damaged) == ([1.0], one, ("2.ckpt",))


# --- object stores -------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["put", "copy", "delete"])
def test_an_upload_that_breaks_off_leaves_the_old_file_or_the_new_one(objects, operation):
    """No rename: the file has its final name when it is whole, whichever step is the last."""
    old = checkpoint.save(objects.folder, "a.ckpt", 1, {"x": 1})

    def breaks_off(found, key):
        if found == operation:
            raise ConnectionResetError(errno.ECONNRESET, "gone")

    objects(breaks_off)
    with pytest.raises(CheckpointNotWritten, match="gone"):
        checkpoint.save(objects.folder, "a.ckpt", 2, {"x": 2})
    objects(lambda found, key: None)
    content = storage.read(objects.folder, "a.ckpt")
    assert torch.load(io.BytesIO(content), weights_only=True)["x"] == (2 if operation == "delete" else 1)
    if operation != "delete":
        assert checkpoint.load(objects.folder, old) == {"x": 1}
        assert listed(objects.folder) == {"a.ckpt"}
    else:
        assert storage.prune(objects.folder, ["a.ckpt"]) == ("a.ckpt.part",)


def test_a_process_that_dies_while_it_uploads_leaves_nothing_of_that_name(objects):
    class Killed(BaseException):
        pass

    def dies(found, key):
        if found == "copy":
            raise Killed

    objects(dies)
    with pytest.raises(Killed):
        storage.write(objects.folder, "a.ckpt", b"x")
    objects(lambda found, key: None)
    assert listed(objects.folder) == {"a.ckpt.part"}
    assert storage.prune(objects.folder, ()) == ("a.ckpt.part",)


def test_a_store_that_is_read_only_is_named(objects):
    objects(read_only)
    with pytest.raises(CheckpointNotWritten, match=r"Read-only file system.*\n.*make the folder writable"):
        checkpoint.save(objects.folder, "a.ckpt", 1, {})


def test_a_slow_store_only_delays(objects):
    going, go = threading.Event(), threading.Event()

    def waits(found, key):
        if found == "put":
            going.set()
            assert go.wait(60)

    objects(waits)
    saved = []
    writer = threading.Thread(
        target=lambda: saved.append(checkpoint.save(objects.folder, "a.ckpt", 1, {"x": 1})), daemon=True
    )
    writer.start()
    assert going.wait(60)
    assert listed(objects.folder) == set(), "nothing is seen of it yet"
    go.set()
    writer.join(60)
    assert checkpoint.load(objects.folder, saved[0]) == {"x": 1}


# --- disks ---------------------------------------------------------------------------------------------


def test_free_bytes_are_known_of_disks_only(tmp_path):
    assert storage.free_bytes(str(tmp_path / "not" / "yet")) > 0
    assert storage.free_bytes("memory://x") is None


def test_an_empty_folder_is_dropped(tmp_path):
    (tmp_path / "trial").mkdir()
    storage.drop_empty(str(tmp_path / "trial"))
    assert list(tmp_path.iterdir()) == []


class Learner:
    """Something whose state is large or small."""

    def __init__(self, epoch=0, kilobytes=1):
        self.epoch, self.kilobytes = epoch, kilobytes

    def state(self):
        return {"x": torch.zeros(self.kilobytes * 256)}


def saver_in(folder, start=0):
    return course.Saver(Task(0, {}, start, 9, 0, str(folder)), None)


@pytest.mark.parametrize("code", ["ENOSPC", "EROFS", "EDQUOT"])
def test_a_folder_that_takes_nothing_costs_the_checkpoint_not_the_result(tmp_path, monkeypatch, code):
    number = getattr(errno, code)
    saver = saver_in(tmp_path)
    first, notes = saver.save(Learner(1))
    assert notes == {}

    def full(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    saved, notes = saver.save(Learner(2))
    assert saved is None
    assert os.strerror(number) in notes["checkpoint_not_written"]
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == [first.name]
    assert saver.save(Learner(3))[0].epoch == 3


@pytest.fixture
def tiny_disk(tmp_path):
    """A disk of 64 kB."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_a_disk_that_is_full(tiny_disk):
    folder = tiny_disk / "trial"
    saver = saver_in(folder)
    first, _ = saver.save(Learner(1, kilobytes=20))
    saved, notes = saver.save(Learner(2, kilobytes=100))
    assert saved is None
    assert "No space left on device" in notes["checkpoint_not_written"]
    assert [path.name for path in folder.iterdir()] == [first.name]
    assert checkpoint.load(str(folder), first)["x"].shape == (20 * 256,)
    assert saver.save(Learner(3, kilobytes=20))[0].epoch == 3


def test_a_disk_that_became_read_only(tiny_disk):
    saver = saver_in(tiny_disk / "trial")
    saver.save(Learner(1))
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    saved, notes = saver.save(Learner(2))
    assert saved is None
    assert "Read-only file system" in notes["checkpoint_not_written"]
    assert storage.delete(str(tiny_disk / "trial"), ["epoch-00001.ckpt"]) == ()
    assert Path(tiny_disk / "trial" / "epoch-00001.ckpt").exists()
