"""Deleting: off the path of decisions, again after a crash, and no matter to anyone when it fails."""

import errno
import os
import threading

import pytest

from asha_nas.checkpoints import Cleaner, Removal
from asha_nas.checkpoints import cleaner as module
from asha_nas.store import Asked, Reported, Store, Told
from tests.asha_nas import test_runner as runs
from trials import checkpoint, course, storage
from trials.contract import Report


def make(folder, *names):
    for name in names:
        storage.write(str(folder), name, b"x")


def names(folder):
    return {path.name for path in folder.iterdir()} if folder.exists() else None


def test_named_files_go_and_the_folder_with_the_last(tmp_path):
    cleaner = Cleaner()
    one, two = tmp_path / "trial-00000", tmp_path / "trial-00001"
    make(one, "a.ckpt", "b.ckpt", "lost.ckpt.part", "notes.txt")
    make(two, "a.ckpt")
    cleaner.remove(Removal(str(one), ("a.ckpt", "gone.ckpt")))
    assert cleaner.wait()
    assert names(one) == {"b.ckpt", "lost.ckpt.part", "notes.txt"}
    cleaner.remove(Removal(str(one), (), frozenset(["b.ckpt"])))
    cleaner.remove(Removal(str(two), (), frozenset()))
    assert cleaner.wait()
    assert names(one) == {"b.ckpt", "notes.txt"}
    assert names(two) is None


def test_a_sweep_looks_once_and_touches_only_folders_with_something_to_delete(tmp_path, monkeypatch):
    looked, touched = [], []
    tree, remove = storage.tree, module._remove
    monkeypatch.setattr(storage, "tree", lambda folder: looked.append(folder) or tree(folder))
    monkeypatch.setattr(module, "_remove", lambda removal: touched.append(removal.folder) or remove(removal))
    folders = [tmp_path / f"trial-{n:05d}" for n in range(4)]
    make(folders[0], "a.ckpt", "b.ckpt")
    make(folders[1], "b.ckpt")
    make(folders[2], "unknown.ckpt")
    cleaner = Cleaner()
    removals = [Removal(str(folder), ("a.ckpt",)) for folder in folders[:2]]
    removals += [Removal(str(folder), (), frozenset(["b.ckpt"])) for folder in folders[1:]]
    cleaner.sweep(str(tmp_path), removals)
    assert cleaner.wait()
    assert (looked, touched) == ([str(tmp_path)], [str(folders[0]), str(folders[2])])
    assert [names(folder) for folder in folders] == [{"b.ckpt"}, {"b.ckpt"}, set(), None]


def test_nothing_waits_for_a_file_system_that_hangs(monkeypatch):
    hang = threading.Event()
    monkeypatch.setattr(storage, "delete", lambda folder, names: hang.wait(60))
    cleaner = Cleaner()
    cleaner.remove(Removal("/x", ("a",)))
    assert not cleaner.wait(0.01)
    hang.set()
    assert cleaner.wait(60)


def test_whatever_a_file_system_raises_the_next_order_is_carried_out(tmp_path, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    make(tmp_path, "a.ckpt")
    cleaner = Cleaner()
    with monkeypatch.context() as patched:
        patched.setattr(storage, "delete", broken)
        patched.setattr(storage, "tree", broken)
        cleaner.remove(Removal(str(tmp_path), ("a.ckpt",)))
        cleaner.sweep(str(tmp_path), [Removal(str(tmp_path), ("a.ckpt",))])
        assert cleaner.wait()
    cleaner.remove(Removal(str(tmp_path), ("a.ckpt",)))
    assert cleaner.wait()
    assert names(tmp_path) == set()


# --- studies -------------------------------------------------------------------------------------------


def objective(task):
    """Real checkpoints, each epoch; fails if it cannot go on where it was."""
    state, found, damaged = checkpoint.load_newest(task.folder, task.checkpoints)
    begun = found.epoch if found else 0
    assert begun >= task.start, f"{task} begins at {begun}"
    assert not damaged
    total = state["total"] if state else 0.0
    for epoch in range(begun + 1, task.stop + 1):
        total += task.config["lr"] / epoch
        saved = checkpoint.save(task.folder, f"epoch-{epoch:05d}.ckpt", epoch, {"total": total})
        yield Report(epoch, {"loss": total}, checkpoint=saved)


@pytest.fixture
def store(tmp_path):
    store = Store(str(tmp_path / "studies.db"))
    yield store
    store.close()


def go_on(store, record, spec, folder, **more):
    problem = runs.build(spec, objective)
    return runs.run(record, spec, problem, store, runs.InlineEngine(), folder=str(folder), **more)


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.ckpt"))


def best_file(log):
    asked = {event.job: event for event in log if isinstance(event, Asked)}
    _, _, job = min((e.loss, -asked[e.job].stop, e.job) for e in log if isinstance(e, Told) and e.loss is not None)
    trial = asked[job].trial
    newest = max(e.epoch for e in log if isinstance(e, Reported) and asked[e.job].trial == trial)
    return f"trial-{trial:05d}/epoch-{newest:05d}.ckpt"


def test_at_the_end_the_best_trial_s_newest_checkpoint_is_left(store, tmp_path):
    spec = runs.spec_of()
    record = runs.begin(store, spec)
    assert go_on(store, record, spec, tmp_path / "x") == "done"
    assert files(tmp_path / "x") == [best_file(runs.events(store, record))]


def test_keep_all_keeps_all(store, tmp_path):
    spec = runs.spec_of(keep="all")
    record = runs.begin(store, spec)
    go_on(store, record, spec, tmp_path / "x")
    log = runs.events(store, record)
    assert len(files(tmp_path / "x")) == sum(isinstance(event, Reported) for event in log)


def test_cleaning_decides_nothing(store, tmp_path):
    logs = []
    for keep in ("needed", "all"):
        spec = runs.spec_of(keep, keep=keep)
        record = runs.begin(store, spec)
        go_on(store, record, spec, tmp_path / keep)
        logs.append(runs.decided(runs.events(store, record)))
    assert logs[0] == logs[1]


def test_a_study_killed_anywhere_with_nothing_deleted_yet_comes_out_clean(store, tmp_path, monkeypatch):
    """The driver dies before its deletions are carried out, again and again; the resume makes up for it."""

    class Killed(BaseException):
        pass

    written = []

    def die(event):
        written.append(event)
        if len(written) == 5:
            raise Killed

    spec, folder = runs.spec_of(), tmp_path / "x"
    record = runs.begin(store, spec)
    for _ in range(100):
        written.clear()
        with monkeypatch.context() as patched:
            patched.setattr(Cleaner, "remove", lambda self, removal: None)
            patched.setattr(Cleaner, "sweep", lambda self, folder, removals: None)
            try:
                reason = go_on(store, record, spec, folder, listeners=[die])
            except Killed:
                continue
        break
    assert reason == "done"
    log = runs.events(store, record)
    assert len(files(folder)) > 10
    assert go_on(store, record, spec, folder) == "done"
    assert files(folder) == [best_file(log)]
    other = runs.spec_of("whole")
    record = runs.begin(store, other)
    go_on(store, record, other, tmp_path / "y")
    assert runs.decided(log) == runs.decided(runs.events(store, record))


def test_a_study_whose_folder_takes_nothing_ends_with_all_its_results(store, tmp_path, monkeypatch):
    """Every result counts, higher rungs are trained again from the start, and the figures are the same."""

    def unwritten(task):
        saver, learner = course.Saver(task, None), Learner()
        course.resume(learner, task)
        while learner.epoch < task.stop:
            learner.train(task.config["lr"])
            saved, notes = saver.save(learner)
            yield Report(learner.epoch, {"loss": learner.total}, checkpoint=saved, notes=notes)

    logs = []
    for name in ("whole", "full"):
        if name == "full":
            monkeypatch.setattr(storage, "write", _full)
        spec = runs.spec_of(name)
        record = runs.begin(store, spec)
        problem = runs.build(spec, unwritten)
        folder = str(tmp_path / name)
        assert runs.run(record, spec, problem, store, runs.InlineEngine(), folder=folder) == "done"
        logs.append(runs.events(store, record))
    told = [[(e.job, e.loss, e.failure) for e in log if isinstance(e, Told)] for log in logs]
    assert told[0] == told[1]
    assert not (tmp_path / "full").exists()
    notes = [e.notes for e in logs[1] if isinstance(e, Reported)]
    assert all("No space left" in note["checkpoint_not_written"] for note in notes)


def _full(folder, name, content):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Learner:
    """A training in miniature."""

    def __init__(self):
        self.epoch, self.total = 0, 0.0

    def train(self, rate):
        self.epoch += 1
        self.total += rate / self.epoch

    def state(self):
        return {"epoch": self.epoch, "total": self.total}

    def restore(self, state):
        self.epoch, self.total = state["epoch"], state["total"]
