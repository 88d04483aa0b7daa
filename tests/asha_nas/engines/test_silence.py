"""Workers that report nothing for too long are given up, and no others."""

import math
import os
import signal
import time
from pathlib import Path

import pytest

from asha_nas.engines import Assignment
from asha_nas.engines.ray_tune.silence import LEAST, Silence, allowed
from asha_nas.schedulers import DONE, WAIT, Job
from tests.crash.processes import born, wait_until
from trials.contract import Checkpoint, Report, Task


class Clock:
    """Goes on as it is told."""

    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def task(trial=0, start=0, stop=9, checkpoints=()):
    return Task(trial, {}, start, stop, 0, "/none", checkpoints)


def listen(silence, clock, seconds, running):
    """Look as often as a driver does; gives all that were given up."""
    found = {}
    for _ in range(round(seconds)):
        clock.now += 1.0
        if silence.is_time():
            found |= silence.look(running)
    return found


@pytest.mark.parametrize(
    ("given", "longest", "epochs", "expected"),
    [
        (None, None, 1, math.inf), (None, 0.1, 1, LEAST), (None, 30.0, 1, LEAST), (None, 31.0, 1, 620.0),
        (None, 31.0, 3, 1860.0), (5.0, None, 1, 5.0), (5.0, 100.0, 7, 5.0),
    ],
)  # fmt: skip
def test_the_rule(given, longest, epochs, expected):
    assert allowed(given, longest, epochs) == expected


def test_nobody_is_given_up_before_anything_is_known(clock):
    silence = Silence(clock=clock)
    assert not listen(silence, clock, 10_000, {"a": task()})


def test_a_job_is_given_up_once_and_says_why(clock):
    silence = Silence(clock=clock)
    running = {"a": task(), "b": task(1)}
    listen(silence, clock, 40, running)
    silence.heard("a", running["a"], 1)
    assert not listen(silence, clock, 700, {"a": running["a"]})
    found = listen(silence, clock, 200, {"a": running["a"]})
    assert list(found) == ["a"]
    assert found["a"].kind == "worker_lost"
    assert "20 times the longest epoch" in found["a"].reason and "silence_minutes" in found["a"].reason
    assert not listen(silence, clock, 2000, {"a": running["a"]})


def test_what_reports_now_and_then_is_not_given_up(clock):
    silence = Silence(5.0, clock)
    running = {"a": task()}
    for epoch in range(1, 9):
        assert not listen(silence, clock, 5, running)
        silence.heard("a", running["a"], epoch)
    assert listen(silence, clock, 8, running)


def test_a_driver_that_was_away_gives_nobody_up(clock):
    silence = Silence(5.0, clock)
    running = {"a": task()}
    listen(silence, clock, 2, running)
    clock.now += 3600
    assert not listen(silence, clock, 1, running)


def test_a_job_that_waits_for_its_worker_is_not_silent(clock):
    silence = Silence(5.0, clock)
    listen(silence, clock, 100, {})
    assert not listen(silence, clock, 5, {"a": task()})


def test_jobs_that_report_all_their_epochs_in_one_have_time_for_all(clock):
    silence = Silence(clock=clock)
    running = {"a": task(stop=3)}
    listen(silence, clock, 121, running)
    silence.heard("a", running["a"], 3)  # 40 s an epoch
    longer = {"b": task(1, start=0, stop=27)}
    assert not listen(silence, clock, 20 * 40 * 27 - 10, longer)
    assert listen(silence, clock, 20, longer)


def test_going_on_from_a_checkpoint_is_no_report_of_many_epochs(clock):
    silence = Silence(clock=clock)
    running = {"a": task(stop=9, checkpoints=(Checkpoint("epoch-00008.ckpt", 8, "0" * 64, 1),))}
    listen(silence, clock, 101, running)
    silence.heard("a", running["a"], 9)
    assert not listen(silence, clock, 1990, {"b": task(1, stop=1)})
    assert listen(silence, clock, 30, {"b": task(1, stop=1)})


def test_jobs_of_one_epoch_do_not_tell_that_others_report_each(clock):
    silence = Silence(clock=clock)
    short, long = task(stop=1), task(1, stop=81)
    listen(silence, clock, 60, {"a": short, "b": long})
    silence.heard("a", short, 1)
    assert not listen(silence, clock, 81 * 60, {"b": long})
    silence.heard("b", long, 40)
    assert listen(silence, clock, 20 * 124, {"b": long}), "it reports before its end"


# --- on Ray --------------------------------------------------------------------------------------


class Source:
    """Two jobs of three epochs, repeated until they end well."""

    def __init__(self):
        self.jobs = {number: Job(number, number, {}, 0, 0, 3) for number in range(2)}
        self.waiting = [(job, 0) for job in self.jobs.values()]
        self.reports, self.failures = [], []

    def ask(self):
        if not self.waiting:
            return WAIT if self.jobs else DONE
        job, attempt = self.waiting.pop(0)
        return Assignment(job, attempt, Task(job.trial, {"attempt": attempt}, 0, 3, 0, "/none"))

    def report(self, assignment, report):
        self.reports.append((assignment.job.trial, assignment.attempt, report.epoch))

    def leave(self):
        return False

    def ended(self, assignment, failure):
        if failure is None:
            del self.jobs[assignment.job.number]
        else:
            self.failures.append((assignment.job.trial, failure))
            self.waiting.append((assignment.job, assignment.attempt + 1))


@pytest.mark.ray
def test_a_stopped_worker_is_killed_and_its_job_repeated(local_ray, tmp_path):
    import ray

    from asha_nas.engines.ray_tune import RayTuneEngine

    folder = str(tmp_path)

    def stops(task):
        for epoch in (1, 2, 3):
            if (task.trial, task.config["attempt"], epoch) == (1, 0, 2):
                (Path(folder) / "pid").write_text(f"{os.getpid()}")
                os.kill(os.getpid(), signal.SIGSTOP)
            time.sleep(0.05)
            yield Report(epoch, {"loss": 0.0})

    source = Source()
    RayTuneEngine(workers=2, silence_minutes=0.3).run(source, stops)
    [(trial, failure)] = source.failures
    assert trial == 1 and failure.kind == "worker_lost" and "reported nothing" in failure.reason
    assert sorted(source.reports) == [(0, 0, 1), (0, 0, 2), (0, 0, 3), (1, 0, 1), (1, 1, 1), (1, 1, 2), (1, 1, 3)]
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: born(pid) is None, "the stopped process to be gone", 60.0)
    wait_until(lambda: ray.available_resources().get("CPU") == ray.cluster_resources()["CPU"], "its place", 60.0)
