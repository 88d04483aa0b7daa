"""The suite every engine passes: the guarantees of `asha_nas.engines.protocol`.

A test module subclasses `EngineContract` and gives the fixture `engine` (class-scoped) and the number of
its `workers`. `own_processes` says whether a trial may kill its process without killing the tests.
"""

import math
import os
import signal
import threading
import time
from itertools import count

import pytest

from asha_nas.engines import Assignment
from asha_nas.schedulers import DONE, WAIT, Job
from trials.contract import Checkpoint, Diverged, Failure, OutOfMemory, Report, Task

CHECKPOINT = Checkpoint("epoch-00001.ckpt", 1, "cd" * 32, 99)


class Source:
    """Hands out one job for each kind of trial in `kinds`, in order, and writes down what comes back.

    Before a kind that is None everything handed out must have ended: the answer is WAIT until then.
    `fails` names a call (method, how many-th from 1) that raises.
    """

    def __init__(self, kinds, workers, fails=None, on_report=None):
        self.kinds = list(kinds)
        self.workers = workers
        self.fails = fails
        self.on_report = on_report
        self.calls = []  # (method, job number or answer, what)
        self.in_flight = {}
        self.most_in_flight = 0
        self.threads = set()
        self.busy = threading.Lock()
        self.after_failure = []
        self.handed_out = {}

    def ask(self):
        with self._alone("ask"):
            assert len(self.in_flight) < self.workers, "asked for work without a free worker"
            while self.kinds and self.kinds[0] is None and not self.in_flight:
                self.kinds.pop(0)
            if not self.kinds or self.kinds[0] is None:
                answer = WAIT if self.in_flight else DONE
                self.calls.append(("ask", answer, None))
                return answer
            number = len(self.handed_out)
            config = {"kind": self.kinds.pop(0), "nested": {"a": [1, 2.5, None]}, "η": "→"}
            task = Task(number, config, start=0, stop=3, seed=2**62 + number, folder=f"/x/trial-{number}")
            assignment = Assignment(Job(number, number, config, 0, 0, 3), attempt=0, task=task)
            self.handed_out[number] = self.in_flight[number] = assignment
            self.most_in_flight = max(self.most_in_flight, len(self.in_flight))
            self.calls.append(("ask", number, None))
            return assignment

    def report(self, assignment, report):
        with self._alone("report"):
            assert self.in_flight[assignment.job.number] == assignment
            self.calls.append(("report", assignment.job.number, report))
            if self.on_report is not None:
                self.on_report()

    def leave(self):
        return False

    def ended(self, assignment, failure):
        with self._alone("ended"):
            assert self.in_flight.pop(assignment.job.number) == assignment
            self.calls.append(("ended", assignment.job.number, failure))

    def _alone(self, method):
        assert self.busy.acquire(blocking=False), "called while another call was going on"
        try:
            self.threads.add(threading.get_ident())
            if self.after_failure:
                self.after_failure.append(method)
            elif self.fails == (method, sum(call[0] == method for call in self.calls) + 1):
                self.after_failure.append(method)
                raise RuntimeError(f"the source failed in {method}")
        except BaseException:
            self.busy.release()
            raise
        return _Released(self.busy)

    def of(self, kind):
        """What came back for each job of that kind: (reports, failure)."""
        found = []
        for number, assignment in self.handed_out.items():
            if assignment.task.config["kind"] == kind:
                mine = [call for call in self.calls if call[1] == number and call[0] in ("report", "ended")]
                assert [call[0] for call in mine] == ["report"] * (len(mine) - 1) + ["ended"]
                found.append(([call[2] for call in mine[:-1]], mine[-1][2]))
        return found

    def only(self, kind):
        """`of`, where there is one job of that kind."""
        (one,) = self.of(kind)
        return one


class _Released:
    def __init__(self, lock):
        self.lock = lock

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lock.release()


def make_trial():
    """A trial that does what its config's `kind` says. A closure, as users write them."""

    class OutOfMemoryError(RuntimeError):
        """Named as PyTorch's."""

    class OddError(Exception):
        def __str__(self):
            raise ValueError("no text")

    def fail(error):
        raise error

    def good(task):
        yield Report(1, {"loss": 1 / 3, "nan": math.nan}, 0.5, CHECKPOINT, {"place": ["a", {"b": None}]})
        yield Report(2, {"loss": 0.1 + 0.2})
        yield Report(3, {"loss": task.seed / 7})

    def late(task):
        yield Report(1, {"loss": 1.0})
        raise ValueError("the third\nepoch ☠")

    def at_once(task):
        raise KeyError("before anything")
        yield

    def reporting_then(error):
        yield Report(1, {"loss": 1.0})
        fail(error)

    def not_reports(task):
        yield Report(1, {"loss": 1.0})
        yield 0.5

    def endless(task):
        for epoch in count(1):
            yield Report(epoch, {"loss": 1.0})

    def stuck(task):
        yield Report(1, {"loss": 1.0})
        time.sleep(3600)
        yield Report(2, {"loss": 1.0})

    def killed(task):
        yield Report(1, {"loss": 1.0})
        os.kill(os.getpid(), signal.SIGKILL)
        yield Report(2, {"loss": 1.0})

    kinds = {
        "good": good,
        "late": late,
        "at once": at_once,
        "no generator": lambda task: fail(TypeError("called, not iterated")),
        "empty": lambda task: iter(()),
        "no iterator": lambda task: None,
        "not reports": not_reports,
        "memory": lambda task: reporting_then(MemoryError("host")),
        "gpu memory": lambda task: reporting_then(OutOfMemoryError("device")),
        "own memory": lambda task: reporting_then(OutOfMemory("too wide")),
        "diverged": lambda task: reporting_then(Diverged("loss = nan")),
        "exits": lambda task: reporting_then(SystemExit(3)),
        "odd": lambda task: reporting_then(OddError()),
        "killed": killed,
        "endless": endless,
        "stuck": stuck,
        "one": lambda task: iter([Report(3, {"loss": float(task.trial)})]),
    }

    def trial(task):
        return kinds[task.config["kind"]](task)

    return trial


MIXED = (
    "good", "late", "at once", "no generator", "empty", "no iterator", "not reports", "memory", "gpu memory",
    "own memory", "diverged", "exits", "odd", None, "good", "one", "one", None, None, "late", "good",
)  # fmt: skip


class EngineContract:
    workers = 1
    own_processes = False

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls):
        raise NotImplementedError("a subclass says which engine")

    @pytest.fixture(scope="class")
    @classmethod
    def record(cls, engine):
        """One run of trials of every kind, with everything that came back."""
        kinds = [*MIXED, "killed", "good"] if cls.own_processes else MIXED
        source = Source(kinds, cls.workers)
        engine.run(source, make_trial())
        return source

    def test_every_job_is_ended_once_whatever_happens_to_it(self, record):
        ended = [number for method, number, _ in record.calls if method == "ended"]
        assert sorted(ended) == list(record.handed_out)
        assert not record.in_flight
        assert not record.kinds

    def test_reports_come_whole_and_in_the_order_of_the_trial(self, record):
        good = [n for n, assignment in record.handed_out.items() if assignment.task.config["kind"] == "good"]
        for number, (reports, failure) in zip(good, record.of("good"), strict=True):
            expected = list(make_trial()(record.handed_out[number].task))
            assert repr(reports) == repr(expected)  # repr, because NaN equals nothing
            assert failure is None

    def test_a_trial_that_raises_has_crashed(self, record):
        for reports, failure in record.of("late"):
            assert [report.epoch for report in reports] == [1]
            assert failure == Failure("crashed", "ValueError: the third\nepoch ☠")
        assert record.only("at once") == ([], Failure("crashed", "KeyError: 'before anything'"))
        assert record.only("no generator") == ([], Failure("crashed", "TypeError: called, not iterated"))

    def test_a_trial_without_reports_just_ends(self, record):
        assert record.only("empty") == ([], None)

    def test_a_trial_that_gives_something_else_than_reports_has_crashed(self, record):
        reports, failure = record.only("not reports")
        assert [report.epoch for report in reports] == [1]
        assert failure == Failure("crashed", "TypeError: a trial must yield Reports, not 0.5")
        reports, failure = record.only("no iterator")
        assert (reports, failure.kind) == ([], "crashed")

    @pytest.mark.parametrize(
        ("kind", "failure"),
        [
            ("memory", Failure("out_of_memory", "MemoryError: host")),
            ("gpu memory", Failure("out_of_memory", "OutOfMemoryError: device")),
            ("own memory", Failure("out_of_memory", "too wide")),
            ("diverged", Failure("diverged", "loss = nan")),
            ("exits", Failure("crashed", "SystemExit: 3")),
            ("odd", Failure("crashed", "OddError")),
        ],
    )
    def test_what_happened_is_named(self, record, kind, failure):
        reports, found = record.only(kind)
        assert [report.epoch for report in reports] == [1]
        assert found == failure

    def test_a_killed_process_is_a_lost_worker(self, record):
        if not self.own_processes:
            pytest.skip("the trial shares the process of the tests")
        reports, failure = record.only("killed")
        assert [report.epoch for report in reports] == [1]
        assert failure.kind == "worker_lost"

    def test_it_asks_only_for_a_free_worker(self, record):
        # That no ask came without a free worker is asserted by the source itself, at each ask.
        assert record.most_in_flight == self.workers

    def test_all_calls_come_from_one_thread(self, record):
        assert record.threads == {threading.get_ident()}

    def test_it_stops_at_done_and_asks_again_after_wait(self, record):
        asked = [what for method, what, _ in record.calls if method == "ask"]
        assert asked.count(DONE) == 1
        assert record.calls[-1] == ("ask", DONE, None)
        if self.workers > 1:
            assert WAIT in asked

    def test_an_empty_study_is_over_at_once(self, engine):
        source = Source([], self.workers)
        engine.run(source, make_trial())
        assert source.calls == [("ask", DONE, None)]

    def test_many_tiny_jobs(self, engine):
        source = Source(["one"] * 50, self.workers)
        engine.run(source, make_trial())
        assert source.of("one") == [([Report(3, {"loss": float(n)})], None) for n in range(50)]

    @pytest.mark.parametrize("method", ["ask", "report", "ended"])
    def test_what_the_source_raises_surfaces_and_ends_the_run(self, engine, method):
        at = self.workers + 1 if method == "ask" else 1  # the asks for free workers, then one that raises
        kinds = ["one", *["endless"] * (self.workers - 1)] if method == "ask" else ["one", "endless"]
        source = Source(kinds, self.workers, fails=(method, at))
        with pytest.raises(RuntimeError, match=f"the source failed in {method}"):
            engine.run(source, make_trial())
        assert source.after_failure == [method]  # and nothing was called since

    def test_an_interrupt_ends_the_run(self, engine):
        def press():
            if not source.pressed:
                source.pressed = True
                signal.raise_signal(signal.SIGINT)

        source = Source(["endless"] * self.workers, self.workers, on_report=press)
        source.pressed = False
        before = signal.getsignal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            engine.run(source, make_trial())
        assert signal.getsignal(signal.SIGINT) == before
