"""The simulated engine keeps the guarantees of engines, and its clock is that of a cluster."""

import itertools

import pytest

from asha_nas.engines import Assignment, SimulatorEngine
from asha_nas.schedulers import DONE, WAIT, Job
from tests.contracts.engine import EngineContract
from trials.contract import Report, Task


class TestSimulator(EngineContract):
    workers = 3

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls):
        return SimulatorEngine(3)


class Timed:
    """Hands out jobs of given epochs, and writes down when what came."""

    def __init__(self, engine, lengths, attempts=3):
        self.engine, self.lengths, self.attempts = engine, dict(enumerate(lengths)), attempts
        self.waiting = [(number, 0) for number in self.lengths]
        self.running = set()
        self.log = []

    def ask(self):
        if not self.waiting:
            return WAIT if self.running else DONE
        number, attempt = self.waiting.pop(0)
        self.running.add(number)
        self.log.append((self.engine.now(), "asked", number))
        stop = self.lengths[number]
        return Assignment(
            Job(number, number, {}, 0, 0, stop), attempt, Task(number, {}, 0, stop, seed=number, folder="")
        )

    def report(self, assignment, report):
        self.log.append((self.engine.now(), f"epoch {report.epoch}", assignment.job.number))

    def ended(self, assignment, failure):
        number = assignment.job.number
        self.running.remove(number)
        self.log.append((self.engine.now(), failure.kind if failure else "done", number))
        if failure and assignment.attempt < self.attempts:
            self.waiting.append((number, assignment.attempt + 1))

    def times(self, what):
        return {number: when for when, name, number in self.log if name == what}


def ten_seconds_an_epoch(task):
    for epoch in range(1, task.stop + 1):
        yield Report(epoch, {"loss": 0.0}, seconds=10.0)


def play(workers, lengths, **options):
    engine = SimulatorEngine(workers, began=1000.0, **options)
    source = Timed(engine, lengths)
    engine.run(source, ten_seconds_an_epoch)
    return source


def test_jobs_run_at_a_time_and_one_after_the_other():
    source = play(2, [3, 1, 2, 1])
    assert source.times("asked") == {0: 1000.0, 1: 1000.0, 2: 1010.0, 3: 1030.0}
    assert source.times("done") == {0: 1030.0, 1: 1010.0, 2: 1030.0, 3: 1040.0}
    assert [when for when, *_ in source.log] == sorted(when for when, *_ in source.log)


def test_more_workers_than_jobs_take_as_long_as_the_longest():
    source = play(500, [3, 1, 7])
    assert source.engine.now() == 1070.0


def test_one_worker_takes_as_long_as_all_together():
    source = play(1, [3, 1, 7])
    assert source.engine.now() == 1110.0


def test_stragglers_are_slower_by_their_own_factor_and_the_same_every_time():
    first, second = (play(3, [4] * 60, stragglers=0.5, seed=1) for _ in range(2))
    assert first.log == second.log
    asked, done = first.times("asked"), first.times("done")
    slowness = [(done[n] - asked[n]) / 40 - 1 for n in range(60)]
    assert min(slowness) > 0
    assert 0.2 < sum(slowness) / 60 < 0.6  # σ·√(2/π) = 0.40
    assert play(3, [4] * 60, stragglers=0.5, seed=2).log != first.log


def test_workers_are_lost_at_the_rate_given_and_their_jobs_come_back():
    source = play(10, [36] * 200, failures=2.0, seed=3)  # 200 jobs of a tenth of an hour: about 0.2 losses each
    kinds = [name for _, name, _ in source.log]
    assert kinds.count("done") == 200
    assert 20 < kinds.count("worker_lost") < 70
    for _number, events in itertools.groupby(
        sorted(source.log, key=lambda entry: (entry[2], entry[0])), lambda e: e[2]
    ):
        when = 0.0
        for at, name, _ in events:
            if name == "asked":
                when = at
            elif name == "worker_lost":
                assert when < at <= when + 360


def test_reports_say_the_seconds_they_took():
    class Noting(Timed):
        def report(self, assignment, report):
            self.log.append((self.engine.now(), report.seconds, assignment.job.number))

    engine = SimulatorEngine(1, began=0.0, stragglers=1.0)
    source = Noting(engine, [5])
    engine.run(source, ten_seconds_an_epoch)
    seconds = [what for _, what, _ in source.log if isinstance(what, float)]
    assert len(set(seconds)) == 1 and seconds[0] > 10
    assert engine.now() == pytest.approx(5 * seconds[0])
