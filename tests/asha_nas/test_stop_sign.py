"""SIGTERM gives running trials a little time to save; what they save is what the study goes on from."""

import os
import signal
import threading
import time

import pytest

import asha_nas
from asha_nas.stop_sign import ENVIRONMENT, StopSign, grace
from asha_nas.store import Closed, Reported, Store
from spaces.errors import InvalidValue
from trials import checkpoint, storage
from trials.contract import Report


def slow(task):
    """Of many epochs; saves none of them unless it is told to."""
    _, found, _ = checkpoint.load_newest(task.folder, task.checkpoints)
    begun = found.epoch if found else 0
    for epoch in range(begun + 1, task.stop + 1):
        time.sleep(0.01)
        told = storage.exists(task.stop_sign) or epoch == task.stop
        kept = checkpoint.save(task.folder, f"epoch-{epoch:05d}.ckpt", epoch, {"epoch": epoch}) if told else None
        yield Report(epoch, {"loss": task.config["x"] + epoch}, checkpoint=kept, notes={"begun": begun})


def stubborn(task):
    """Never saves."""
    for epoch in range(1, task.stop + 1):
        time.sleep(0.01)
        yield Report(epoch, {"loss": task.config["x"]})


def make(store, function, kind="inline", R=400):
    return asha_nas.objective_study(
        "study", function, {"x": {"range": [0.0, 1.0]}}, asha_nas.Random(R=R, configs=2),
        engine=asha_nas.Workers(kind=kind, workers=None if kind == "inline" else 2), store=store,
    )  # fmt: skip


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    store = Store(str(tmp_path / "studies.db"))
    yield store
    store.close()


def terminate_at(epoch):
    """A listener that has SIGTERM come with the first report of that epoch, as from another process."""
    sent = threading.Event()

    def listen(event):
        if isinstance(event, Reported) and event.epoch >= epoch and not sent.is_set():
            sent.set()
            os.kill(os.getpid(), signal.SIGTERM)

    return listen


def events(store, kind):
    return [row.event for row in store.rows(store.study("study")) if isinstance(row.event, kind)]


@pytest.mark.parametrize("kind", ["inline", pytest.param("ray", marks=pytest.mark.ray)])
def test_running_trials_save_and_the_study_goes_on_from_there(kind, request, store, tmp_path, monkeypatch):
    if kind == "ray":
        request.getfixturevalue("local_ray")
    monkeypatch.setenv(ENVIRONMENT, "120")  # nobody waits so long
    study = make(store, slow, kind)
    assert study.run([terminate_at(5)]) == "interrupted"
    assert [event.reason for event in events(store, Closed)] == ["interrupted"]
    saved = {event.job: event for event in events(store, Reported) if event.checkpoint}
    assert set(saved) == ({0} if kind == "inline" else {0, 1})
    newest = {event.job: event.epoch for event in events(store, Reported)}
    assert all(event.epoch == newest[job] < 400 for job, event in saved.items())
    assert not [*tmp_path.rglob("stop-*")]
    assert study.run() == "done"
    begun = {event.job: event.notes["begun"] for event in events(store, Reported) if event.epoch == 400}
    assert {job: epoch for job, epoch in begun.items() if job in saved} == {j: e.epoch for j, e in saved.items()}


def test_who_does_not_save_is_interrupted_after_a_while(store, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, "0.2")
    study = make(store, stubborn, R=100_000)
    assert study.run([terminate_at(5)]) == "interrupted"
    assert [event.reason for event in events(store, Closed)] == ["interrupted"]


def test_a_second_sigterm_is_not_patient(store, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, "600")
    study = make(store, stubborn, R=100_000)
    assert study.run([terminate_at(5), terminate_at(9)]) == "interrupted"


def test_a_job_that_ends_meanwhile_has_its_result(store, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, "600")
    study = make(store, stubborn, R=9)
    assert study.run([terminate_at(5)]) == "interrupted"
    assert list(study.jobs()["state"]) == ["done"]
    assert study.run() == "done"
    assert len(study.jobs()) == 2


def test_it_is_shown_in_a_place_of_its_session_and_taken_away(tmp_path):
    sign = StopSign(str(tmp_path / "study"), 60.0)
    place = sign.path(3)
    assert not storage.exists(place)
    sign.show()
    deadline = time.monotonic() + 60
    while not storage.exists(place):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert place.endswith("/stop-3")
    sign.take_away()
    assert not storage.exists(place)


def test_a_folder_that_takes_no_file(tmp_path, caplog):
    (tmp_path / "study").touch()
    sign = StopSign(str(tmp_path / "study"), 60.0)
    sign.path(0)
    sign.show()
    sign.take_away()
    assert "cannot be told to save" in caplog.text


@pytest.mark.parametrize("text", ["soon", "-1", "nan"])
def test_how_long_must_be_a_number(monkeypatch, text):
    monkeypatch.setenv(ENVIRONMENT, text)
    with pytest.raises(InvalidValue, match=rf"{ENVIRONMENT} = '{text}': must be a number of seconds"):
        grace()
