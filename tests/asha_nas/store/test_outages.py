"""A PostgreSQL that goes away while studies run: a real server, stopped, frozen, restarted, its sessions ended.

Wherever the moment is chosen by chance it is by a seed, and what must hold holds at any moment.
"""

import os
import random
import signal
import threading
import time
from contextlib import contextmanager

import pytest

import asha_nas
from asha_nas.errors import LeaseLost, StoreUnavailable
from asha_nas.store import Store, patience
from asha_nas.store import lease as lease_module
from asha_nas.store.events import payload
from tests.contracts import store_processes
from tests.contracts.store import Clock, log
from tests.contracts.store_processes import process, reported
from tests.crash.processes import descendants, wait_until

pytestmark = [pytest.mark.kill]

SPACE = {"x": {"range": [0.0, 1.0]}}


@pytest.fixture
def url(postgres):
    with postgres.database() as url:
        yield url


@pytest.fixture
def store(url):
    store = Store(url)
    yield store
    store.close()


@contextmanager
def later(seconds, act):
    """Do something in a while, and wait for it in the end."""
    timer = threading.Timer(seconds, act)
    timer.start()
    try:
        yield
    finally:
        timer.join()


@contextmanager
def frozen(server, seconds):
    """Stop all processes of the server in their tracks, as a machine does that is moved or out of memory."""
    everyone = descendants(server.pid)
    for pid in everyone:
        os.kill(pid, signal.SIGSTOP)

    def thaw():
        for pid in everyone:
            os.kill(pid, signal.SIGCONT)

    with later(seconds, thaw):
        yield


def study_of(store, folder, trouble=lambda trial, epoch: None):
    """A study of 9 + 3 + 1 jobs, whose objective calls `trouble` at each epoch."""

    def objective(task):
        for epoch in range(task.start + 1, task.stop + 1):
            trouble(task.trial, epoch)
            yield (task.config["x"] - 0.3) ** 2 + 1 / epoch

    return asha_nas.objective_study(
        "nas", objective, SPACE, asha_nas.Asha(R=9, eta=3, configs=9), store=store,
        engine=asha_nas.Workers(kind="inline"), checkpoints=str(folder),
    )  # fmt: skip


def payloads(study):
    return [payload(row.event) for row in study.store.rows(study.store.study("nas"))]


@pytest.fixture
def undisturbed(tmp_path):
    """The log of the study when nothing happens, in SQLite."""
    store = Store(str(tmp_path / "undisturbed.db"))
    study = study_of(store, tmp_path)
    assert study.run() == "done"
    yield payloads(study)
    store.close()


@pytest.mark.parametrize("how", [signal.SIGQUIT, signal.SIGINT], ids=["crashes", "is shut down"])
def test_a_server_is_restarted_during_a_study(postgres, store, tmp_path, undisturbed, how):
    timers = []

    def trouble(trial, epoch):
        if seconds := {(0, 1): 2.0, (4, 1): 0.2, (5, 1): 0.01}.get((trial, epoch)):
            postgres.stop(how)
            timers.append(threading.Timer(seconds, postgres.start))
            timers[-1].start()

    study = study_of(store, tmp_path, trouble)
    assert study.run() == "done"
    assert len(timers) == 3
    assert payloads(study) == undisturbed


def test_a_server_freezes_during_a_study(postgres, store, tmp_path, undisturbed):
    def trouble(trial, epoch):
        if (trial, epoch) == (3, 1):
            with frozen(postgres, 1.0):
                store.studies()  # waits

    study = study_of(store, tmp_path, trouble)
    assert study.run() == "done"
    assert payloads(study) == undisturbed


def test_an_outage_that_is_too_long_and_the_study_resumed(postgres, url, tmp_path, undisturbed, monkeypatch):
    monkeypatch.setenv(patience.ENVIRONMENT, "0.3")
    impatient = Store(url)
    study = study_of(impatient, tmp_path, lambda trial, epoch: postgres.stop() if (trial, epoch) == (4, 1) else None)
    with pytest.raises(StoreUnavailable) as caught:
        study.run()
    assert "(waited 0.3 s: ASHA_NAS_STORE_PATIENCE)\nNothing that was written is lost. Once it is back" in str(
        caught.value
    )
    impatient.close()
    postgres.start()
    store = Store(url)
    again = asha_nas.load("nas", store=store, objective=lambda task: (task.config["x"] - 0.3) ** 2 + 1 / task.stop)
    assert again.history().state == "open"
    assert again.run() == "done"
    # This objective reports the last epoch of a job alone, as a user's may; decisions and results are the same.
    told = [text for text in undisturbed if '"loss"' in text and '"epoch"' not in text]
    assert [text for text in payloads(again) if '"loss"' in text and '"epoch"' not in text] == told
    store.close()


def test_a_writer_in_another_process_and_a_restart(postgres, url, store):
    study = store.create("nas-a", "{}", "{}")
    with process(store_processes.write, url, "nas-a", 0) as (_, pipe):
        assert pipe.recv() == "ready"
        pipe.send("go")
        while (acknowledged := pipe.recv()) < 30:
            pass
        postgres.stop()
        with later(2.0, postgres.start):
            while pipe.poll(0.2):  # what it had written before it noticed
                acknowledged = pipe.recv()
        while pipe.recv() < acknowledged + 100:
            pass
    events = log(store, study)
    assert events == [reported(number, "a") for number in range(len(events))]


def test_sessions_ended_two_hundred_times(postgres, url, store):
    study = store.create("nas", "{}", "{}")
    lease = store.lease(study)
    draw, stop, written, wrong = random.Random(11), threading.Event(), [0], []

    def write():
        try:
            while not stop.is_set():
                store.append(lease, reported(written[0]))
                written[0] += 1
                if written[0] % 10 == 0:
                    assert len(list(store.rows(study, written[0] - 5))) == 4
        except BaseException as error:
            wrong.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    with postgres.connect() as connection:
        for _ in range(200):
            before = written[0]
            wait_until(lambda: written[0] > before or wrong, "the next event", every=0.001)  # noqa: B023
            time.sleep(draw.uniform(0.0, 0.01))
            postgres.drop_connections(connection)
    stop.set()
    writer.join()
    assert not wrong
    assert written[0] >= 200
    lease.release()
    assert not store.is_leased(study)
    assert log(store, study) == [reported(number) for number in range(written[0])]


def test_who_lost_the_lease_in_an_outage_writes_nothing_more(postgres, url, store, monkeypatch):
    study = store.create("nas", "{}", "{}")
    lease = store.lease(study)
    store.append(lease, reported(0))
    clock, other, taken = Clock(monkeypatch), Store(url), []

    class Meanwhile:
        """While the first driver waits for the server, it comes back, an hour has passed, and another takes over."""

        monotonic = staticmethod(time.monotonic)

        @staticmethod
        def sleep(_seconds):
            if not taken:
                taken.append(None)
                postgres.start()
                clock.ahead = 3600.0
                taken[0] = other.lease(study)
                other.append(taken[0], reported(1))

    postgres.stop()
    monkeypatch.setattr(patience, "time", Meanwhile)
    with pytest.raises(LeaseLost, match="lost its study to another one"):
        store.append(lease, reported(1, "otherwise"))
    lease.release()
    assert other.is_leased(study)
    taken[0].release()
    assert log(store, study) == [reported(0), reported(1)]
    other.close()


def test_a_lease_is_renewed_again_after_an_outage(postgres, store, monkeypatch):
    monkeypatch.setattr(lease_module, "RENEW_SECONDS", 0.01)
    study = store.create("nas", "{}", "{}")
    lease = store.lease(study)
    postgres.stop()
    time.sleep(0.1)
    assert lease._renewer.is_alive()
    postgres.start()
    with postgres.connect(store._database.place.url.database) as connection:
        connection.execute("UPDATE leases SET renewed = 0")
    wait_until(lambda: store.is_leased(study), "a sign of life", seconds=60)
    lease.release()


def test_a_lease_that_cannot_be_given_back_lapses(postgres, url, monkeypatch):
    monkeypatch.setenv(patience.ENVIRONMENT, "0")
    store = Store(url)
    study = store.create("nas", "{}", "{}")
    lease = store.lease(study)
    postgres.stop()
    lease.release()
    postgres.start()
    with process(store_processes.hold, url, "nas") as (_, pipe):
        assert pipe.recv().startswith("StudyLocked: study 'nas' is being run by another driver")
    assert not store.is_leased(study)  # this process knows that it gave it up
    store.lease(study).release()
    store.close()


def test_a_server_that_is_down_when_a_store_is_opened_is_told_at_once(postgres, url, monkeypatch):
    """The address may be wrong; a server that answers "not yet" is waited for."""
    Store(url).close()
    postgres.stop()
    with pytest.raises(StoreUnavailable, match="Is it running, and reachable from here"):
        Store(url)
    postgres.start()
    Store(url).close()
