"""The driver: a study is its log, and resuming it from any prefix of the log makes the same study."""

import itertools
import math
import random
from collections import Counter
from types import SimpleNamespace

import pytest

from asha_nas import runner
from asha_nas.engines import Assignment, InlineEngine
from asha_nas.errors import LeaseLost, ReplayMismatch, StudyLocked
from asha_nas.problems import build
from asha_nas.runner import Driver, run, trial_seed
from asha_nas.schedulers import DONE, WAIT, survivors
from asha_nas.store import Asked, Closed, Failed, Opened, Reported, Row, Store, Told
from asha_nas.store import lease as lease_module
from asha_nas.store.events import payload
from asha_nas.study import make_spec
from trials.contract import Checkpoint, Failure, Report, step
from trials.contract import run as start

SPACE = {"lr": {"range": [1e-3, 1.0], "log": True}, "op": {"choices": ["a", "b", "c"]}}


def spec_of(name="study", **changes):
    values = {
        "name": name,
        "seed": 5,
        "problem": {"kind": "objective", "objective": "tests:unused", "space": SPACE},
        "scheduler": {"kind": "asha", "r": 1, "R": 9, "eta": 3, "configs": 9},
        "engine": {"kind": "inline"},
    }
    return make_spec({**values, **changes})


def objective(task):
    """Yields once an epoch, with a checkpoint; goes on from the newest one."""
    begin = task.checkpoints[0].epoch if task.checkpoints else 0
    for epoch in range(begin + 1, task.stop + 1):
        loss = (abs(math.log10(task.config["lr"]) + 1) + task.seed % 1000 / 1e4) / epoch
        yield Report(epoch, {"loss": loss, "lr": task.config["lr"]}, checkpoint=checkpoint(epoch))


def checkpoint(epoch):
    return Checkpoint(f"epoch-{epoch:05d}.ckpt", epoch, f"{epoch:064d}", 10 * epoch)


class Scripted:
    """One worker in this process that fails as a script says: (trial, rung, attempt) -> (kind, after epochs)."""

    def __init__(self, script=None):
        self.script = script or {}
        self.tasks = []

    def run(self, source, trial):
        while not isinstance(assignment := source.ask(), type(WAIT)):
            self.tasks.append(assignment.task)
            job = assignment.job
            kind, after = self.script.get((job.trial, job.rung, assignment.attempt), (None, None))
            reports = start(trial, assignment.task)
            failure = kind and Failure(kind, f"scripted {kind}")
            trained = max([job.start, *(c.epoch for c in assignment.task.checkpoints)]) - job.start
            for _ in range(after - trained) if kind else itertools.count():
                if not isinstance(news := step(reports), Report):
                    failure = failure or news
                    break
                source.report(assignment, news)
            source.ended(assignment, failure)


FAILING = {
    (0, 0, 0): ("crashed", 0),
    (1, 0, 0): ("worker_lost", 0),
    (1, 0, 1): ("out_of_memory", 0),
    (2, 0, 0): ("diverged", 0),
    (3, 0, 0): ("crashed", 0),
    (3, 0, 1): ("crashed", 0),  # more often than a crash is repeated
    (5, 0, 0): ("worker_lost", 1),  # lost after its last report: its result counts
    **{(trial, rung, 0): ("worker_lost", 1) for trial in range(9) for rung in (1, 2)},
    **{(trial, 2, 1): ("crashed", 3) for trial in range(9)},
}


@pytest.fixture
def store(tmp_path):
    store = Store(str(tmp_path / "studies.db"))
    yield store
    store.close()


def begin(store, spec, events=()):
    """A study in the store with these events in its log."""
    record = store.create(spec.name, spec.model_dump_json(), "{}")
    lease = store.lease(record)
    for event in events:
        store.append(lease, event)
    lease.release()
    return record


def go_on(store, record, spec, engine, function=objective, **more):
    return run(record, spec, build(spec, function), store=store, engine=engine, folder="/x", **more)


def events(store, record):
    return [row.event for row in store.rows(record)]


def digits(log):
    """What two equal studies have in common, to the last digit."""
    return [(event.kind, payload(event)) for event in log]


def decided(log):
    """The same without what says who ran it when."""
    return digits(event for event in log if not isinstance(event, Opened | Closed))


def whole(store, name="whole", script=None, **changes):
    spec = spec_of(name, **changes)
    record = begin(store, spec)
    assert go_on(store, record, spec, Scripted(script)) == "done"
    return events(store, record)


# --- one run -------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_log_digit_for_digit(store):
    logs = [digits(whole(store, name, FAILING)) for name in ("a", "b")]
    assert logs[0] == logs[1]
    other = whole(store, "c", FAILING, seed=6)
    assert digits(other) != logs[0]


def test_a_log_tells_the_whole_study(store):
    log = whole(store)
    assert isinstance(log[0], Opened)
    assert log[-1] == Closed(session=0, reason="done")
    asked = [event for event in log if isinstance(event, Asked)]
    assert Counter(event.rung for event in asked) == dict(enumerate(survivors(9, 3, 3)))
    assert [event.job for event in asked] == list(range(13))
    for event in asked:
        assert (event.config is not None) == (event.start == 0)
        reports = [e for e in log if isinstance(e, Reported) and e.job == event.job]
        assert [e.epoch for e in reports] == list(range(event.start + 1, event.stop + 1))
        (told,) = (e for e in log if isinstance(e, Told) and e.job == event.job)
        assert told == Told(job=event.job, loss=reports[-1].metrics["loss"])


def test_the_inline_engine_writes_the_same_log(store):
    spec = spec_of("inline")
    record = begin(store, spec)
    assert go_on(store, record, spec, InlineEngine()) == "done"
    assert digits(events(store, record)) == digits(whole(store))


def test_a_maximised_metric_is_told_with_its_sign_turned(store):
    problem = {"kind": "objective", "objective": "tests:unused", "space": SPACE, "metric": "lr", "mode": "max"}
    log = whole(store, problem=problem)
    metrics = {event.job: event.metrics["lr"] for event in log if isinstance(event, Reported)}
    told = [event for event in log if isinstance(event, Told)]
    assert all(event.loss == -metrics[event.job] for event in told)
    deepest = max((event for event in log if isinstance(event, Asked)), key=lambda event: event.rung)
    assert metrics[deepest.job] == max(metrics.values())


def test_listeners_hear_of_an_event_once_it_is_in_the_log(store):
    spec = spec_of()
    record = begin(store, spec)
    heard = []

    def listen(event):
        assert events(store, record)[-1].key == event.key
        heard.append(event)

    go_on(store, record, spec, Scripted(FAILING), listeners=[listen])
    assert digits(heard) == digits(events(store, record))


def test_a_task_knows_its_trial(store):
    spec = spec_of()
    engine = Scripted()
    go_on(store, begin(store, spec), spec, engine)
    for task in engine.tasks:
        assert task.seed == trial_seed(5, task.trial)
        assert task.folder == f"/x/trial-{task.trial:05d}"
        newest_three = [checkpoint(epoch) for epoch in range(task.start, max(0, task.start - 3), -1)]
        assert list(task.checkpoints) == newest_three
    assert len({trial_seed(seed, trial) for seed in range(20) for trial in range(20)}) == 400


# --- replay --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", [{}, FAILING], ids=["well", "failing"])
@pytest.mark.parametrize("promotion", ["capped", "eager"])
def test_every_prefix_of_the_log_leads_to_the_same_study(store, script, promotion):
    scheduler = {"kind": "asha", "r": 1, "R": 4, "eta": 2, "configs": 7, "promotion": promotion}
    log = whole(store, "whole", script, scheduler=scheduler)
    if script:
        assert {event.failure.kind for event in log if isinstance(event, Failed)} > {"crashed", "worker_lost"}
        assert {event.failure.kind for event in log if isinstance(event, Told) and event.failure} == {
            "crashed",
            "diverged",
        }
    for length in range(len(log) + 1):
        spec = spec_of(f"prefix-{length}", scheduler=scheduler)
        record = begin(store, spec, log[:length])
        assert go_on(store, record, spec, Scripted(script)) == "done"
        resumed = events(store, record)
        assert digits(resumed[:length]) == digits(log[:length])
        assert decided(resumed) == decided(log)


def test_a_study_may_be_killed_again_and_again(store):
    """Each session writes three events of its own and dies; in the end nothing is missing or there twice."""
    spec = spec_of()
    record = begin(store, spec)
    log = whole(store, "whole", FAILING)

    class Killed(BaseException):
        pass

    written = []

    def die(event):
        written.append(event)
        if len(written) == 4:
            raise Killed

    for _ in range(10 * len(log)):
        written.clear()
        try:
            reason = go_on(store, record, spec, Scripted(FAILING), listeners=[die])
        except Killed:
            continue
        assert reason == "done"
        break
    assert decided(events(store, record)) == decided(log)


def test_a_finished_study_has_nothing_left_to_do(store):
    spec = spec_of()
    record = begin(store, spec)
    go_on(store, record, spec, Scripted())
    log = events(store, record)
    engine = Scripted()
    assert go_on(store, record, spec, engine) == "done"
    assert engine.tasks == []
    assert events(store, record)[len(log) :] == [
        Opened(session=1, clock=events(store, record)[-2].clock),
        Closed(session=1, reason="done"),
    ]


def test_a_resumed_job_goes_on_from_its_last_checkpoint(store):
    log = whole(store)
    deepest = max((event for event in log if isinstance(event, Asked)), key=lambda event: event.rung)
    cut = next(i for i, event in enumerate(log) if event.key == f"reported/{deepest.job}/6") + 1
    spec = spec_of("resumed")
    engine = Scripted()
    go_on(store, begin(store, spec, log[:cut]), spec, engine)
    assert [c.epoch for c in engine.tasks[0].checkpoints] == [6, 5, 3]  # the newest two, and where the job began
    assert (engine.tasks[0].trial, engine.tasks[0].start, engine.tasks[0].stop) == (deepest.trial, 3, 9)


def test_a_job_whose_last_epoch_is_in_the_log_is_not_run_again(store):
    log = whole(store)
    cut = next(i for i, event in enumerate(log) if event.key == "told/4")
    assert isinstance(log[cut - 1], Reported)
    spec = spec_of("resumed")
    engine = Scripted()
    record = begin(store, spec, log[:cut])
    go_on(store, record, spec, engine)
    assert len(engine.tasks) == 13 - 5  # jobs 0 to 4 have their results
    assert decided(events(store, record)) == decided(log)


class Crew:
    """Several workers in this process, each an epoch further at a time, in an order drawn from a seed."""

    def __init__(self, workers, seed):
        self.workers = workers
        self.rng = random.Random(seed)

    def run(self, source, trial):
        busy, answer = [], None
        while answer is not DONE or busy:
            while len(busy) < self.workers and isinstance(answer := source.ask(), Assignment):
                busy.append((answer, start(trial, answer.task)))
            if busy:
                assignment, reports = one = self.rng.choice(busy)
                if isinstance(news := step(reports), Report):
                    source.report(assignment, news)
                else:
                    busy.remove(one)
                    source.ended(assignment, news)


@pytest.mark.parametrize("workers", [3, 8])
def test_with_many_workers_nothing_is_lost_or_done_twice(store, workers):
    """How jobs interleave may differ after a resume; what was decided stays, and the rungs come out as planned."""
    spec = spec_of("crew")
    record = begin(store, spec)
    go_on(store, record, spec, Crew(workers, 0))
    log = events(store, record)
    assert digits(log) != digits(whole(store))
    for length in range(1, len(log), 7):
        spec = spec_of(f"prefix-{length}")
        record = begin(store, spec, log[:length])
        assert go_on(store, record, spec, Crew(workers, length)) == "done"
        resumed = events(store, record)
        assert digits(resumed[:length]) == digits(log[:length])
        asked = [event for event in resumed if isinstance(event, Asked)]
        assert Counter(event.rung for event in asked) == dict(enumerate(survivors(9, 3, 3)))
        assert len({(event.trial, event.rung) for event in asked}) == len(asked)
        assert {event.job for event in resumed if isinstance(event, Told)} == {event.job for event in asked}
        assert all(event.loss is not None for event in resumed if isinstance(event, Told))


@pytest.mark.parametrize(
    "doctored",
    [
        Asked(job=1, trial=1, rung=0, start=0, stop=2, config={}),
        Asked(job=1, trial=0, rung=1, start=1, stop=3),
        Asked(job=2, trial=1, rung=0, start=0, stop=1, config={}),
        Asked(job=1, trial=1, rung=0, start=0, stop=1, config={"lr": 0.5, "op": "a"}),
    ],
)
def test_a_log_that_would_be_decided_otherwise_is_refused(store, doctored):
    log = whole(store)
    cut = next(i for i, event in enumerate(log) if event.key == "asked/1")
    spec = spec_of("doctored")
    record = begin(store, spec, [*log[:cut], doctored])
    with pytest.raises(ReplayMismatch, match=f"handed out job {doctored.job} as trial {doctored.trial}"):
        go_on(store, record, spec, Scripted())
    assert len(events(store, record)) == cut + 1  # not even Opened
    assert not store.is_leased(record)


def test_more_jobs_than_the_scheduler_would_ask_for_are_refused(store):
    log = [event for event in whole(store) if not isinstance(event, Closed)]
    spec = spec_of("more")
    record = begin(store, spec, [*log, Asked(job=13, trial=9, rung=0, start=0, stop=1, config={})])
    with pytest.raises(ReplayMismatch, match="DONE"):
        go_on(store, record, spec, Scripted())


# --- failures ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "attempts"),
    [("crashed", 3), ("out_of_memory", 1), ("worker_lost", 5), ("diverged", 1), ("something new", 1)],
)
def test_failures_are_repeated_by_kind(store, kind, attempts):
    script = {(0, 0, attempt): (kind, 0) for attempt in range(20)}
    log = whole(store, script=script, retries={"crashed": 2, "out_of_memory": 0, "worker_lost": 4})
    failed = [event for event in log if isinstance(event, Failed)]
    failure = Failure(kind, f"scripted {kind}")
    assert failed == [Failed(job=0, attempt=n, failure=failure) for n in range(attempts - 1)]
    assert Told(job=0, loss=None, failure=failure) in log
    assert sum(isinstance(event, Told) for event in log) == sum(isinstance(event, Asked) for event in log)


def test_kinds_are_counted_apart(store):
    kinds = ["worker_lost", "crashed", "worker_lost", "out_of_memory", "worker_lost"]
    script = {(0, 0, attempt): (kind, 0) for attempt, kind in enumerate(kinds)}
    log = whole(store, script=script)
    assert [event.failure.kind for event in log if isinstance(event, Failed)] == kinds
    (told,) = (event for event in log if isinstance(event, Told) and event.job == 0)
    assert told.loss is not None


def test_a_trial_that_ends_early_has_crashed(store):
    spec = spec_of(retries={"crashed": 0})
    record = begin(store, spec)
    go_on(store, record, spec, InlineEngine(), lambda task: iter(()))
    told = [event for event in events(store, record) if isinstance(event, Told)]
    assert len(told) == 9
    assert {event.failure for event in told} == {Failure("crashed", "the trial ended without a report of epoch 1")}


def test_a_loss_that_is_not_finite_is_divergence(store):
    spec = spec_of()
    record = begin(store, spec)

    def sometimes(task):
        return math.nan if task.trial % 2 else float(task.trial)

    go_on(store, record, spec, InlineEngine(), sometimes)
    told = {event.job: event for event in events(store, record) if isinstance(event, Told)}
    assert all(event.failure.kind == "diverged" for job, event in told.items() if job < 9 and event.loss is None)
    assert sum(event.loss is None for event in told.values()) == 4
    assert not any(isinstance(event, Failed) for event in events(store, record))


# --- the driver by itself ------------------------------------------------------------------------------


def make_driver(**options):
    clock = options.pop("clock", lambda: 0.0)
    spec = spec_of(**options)
    written = []
    return Driver(spec, build(spec, objective), written.append, "/x", clock), written


def test_late_messages_of_an_attempt_given_up_are_ignored():
    driver, written = make_driver()
    first = driver.ask()
    driver.ended(first, Failure("worker_lost", "gone"))
    again = driver.ask()
    assert (again.job, first.attempt, again.attempt) == (first.job, 0, 1)
    before = list(written)
    driver.report(first, Report(1, {"loss": 0.0}))
    driver.ended(first, None)
    driver.ended(first, Failure("crashed", "late"))
    assert written == before
    driver.report(again, Report(1, {"loss": 2.0}))
    driver.ended(again, None)
    assert written[-1] == Told(job=0, loss=2.0)
    before = list(written)
    driver.report(again, Report(1, {"loss": 3.0}))
    driver.ended(again, None)
    assert written == before


def test_jobs_to_repeat_come_before_new_ones():
    driver, _ = make_driver()
    jobs = [driver.ask() for _ in range(3)]
    for job in (jobs[2], jobs[0]):
        driver.ended(job, Failure("crashed", "once"))
    assert [driver.ask().job.number for _ in range(3)] == [2, 0, 3]


def test_nothing_is_acted_on_that_could_not_be_written():
    spec = spec_of()

    def full(event):
        raise LeaseLost("gone")

    driver = Driver(spec, build(spec, objective), full, "/x")
    with pytest.raises(LeaseLost):
        driver.ask()


def test_a_report_replaces_the_metrics_and_the_checkpoint_of_its_epoch():
    driver, written = make_driver(scheduler={"kind": "random", "R": 2, "configs": 1})
    job = driver.ask()
    driver.report(job, Report(1, {"loss": 3.0}, checkpoint=checkpoint(1)))
    driver.report(job, Report(2, {"loss": 3.0}, checkpoint=checkpoint(2)))
    newer = Checkpoint("epoch-00001.ckpt", 1, "f" * 64, 5)
    driver.report(job, Report(1, {"loss": 2.0}, checkpoint=newer))
    driver.report(job, Report(2, {"loss": 1.0}))
    driver.ended(job, None)
    assert written[-1] == Told(job=0, loss=1.0)


# --- limits --------------------------------------------------------------------------------------------


def test_hours_are_counted_over_all_sessions(store):
    now = [0.0]
    driver, _ = make_driver(scheduler={"kind": "random", "R": 1, "max_hours": 2.0}, clock=lambda: now[0])
    driver.replay(
        [
            Row(0, Opened(session=0), 1000.0),
            Row(1, Closed(session=0, reason="interrupted"), 1000.0 + 0.5 * 3600),
            Row(2, Opened(session=1), 900_000.0),
            Row(3, Closed(session=1, reason="interrupted"), 900_000.0 + 1.0 * 3600),
        ]
    )
    assert driver.session == 2
    first = driver.ask()
    now[0] = 0.5 * 3600  # two hours in all, and not yet more
    second = driver.ask()
    now[0] += 1.0
    assert driver.ask() is WAIT
    assert driver.out_of_time
    for job in (first, second):  # what is in flight is finished
        driver.report(job, Report(1, {"loss": 1.0}))
        driver.ended(job, None)
    assert driver.ask() is DONE


def test_a_study_ends_in_time(store, monkeypatch):
    now = [0.0]

    def slow(task):
        now[0] += 1000.0
        return 1.0

    monkeypatch.setattr(runner, "time", SimpleNamespace(monotonic=lambda: now[0]))
    spec = spec_of(scheduler={"kind": "random", "R": 1, "max_hours": 1.0})
    record = begin(store, spec)
    assert go_on(store, record, spec, InlineEngine(), slow) == "time"
    log = events(store, record)
    assert sum(isinstance(event, Told) for event in log) == 4  # 3,000 s are within an hour, 4,000 s are not
    assert log[-1] == Closed(session=0, reason="time")
    # The log's own clock, which counts earlier sessions, stood still: the new limit is all for this one.
    assert go_on(store, record, spec, InlineEngine(), slow, max_hours=2.0) == "time"
    assert sum(isinstance(event, Told) for event in events(store, record)) == 4 + 8


@pytest.mark.parametrize("max_epochs", [1, 7, 20, 30])
def test_epochs_are_bounded(store, max_epochs):
    log = whole(store, scheduler={"kind": "asha", "R": 9, "eta": 3, "max_epochs": max_epochs})
    spent = sum(event.stop - event.start for event in log if isinstance(event, Asked))
    assert max_epochs - 6 < spent <= max_epochs


def test_an_interrupted_study_says_so_and_goes_on(store):
    spec = spec_of()
    record = begin(store, spec)

    def press(task):
        if task.trial == 3:
            raise KeyboardInterrupt
        return objective(task)

    assert go_on(store, record, spec, InlineEngine(), press) == "interrupted"
    log = events(store, record)
    assert log[-1] == Closed(session=0, reason="interrupted")
    assert not store.is_leased(record)
    assert go_on(store, record, spec, InlineEngine()) == "done"
    assert decided(events(store, record)) == decided(whole(store))


def test_a_study_that_is_being_run_is_left_alone(store):
    spec = spec_of()
    record = begin(store, spec)
    lease = store.lease(record)
    with pytest.raises(StudyLocked):
        go_on(store, record, spec, InlineEngine())
    assert events(store, record) == []
    lease.release()


def test_a_driver_that_lost_its_study_stops(store, tmp_path, monkeypatch):
    spec = spec_of()
    record = begin(store, spec)
    other = Store(str(tmp_path / "studies.db"))
    taken = []

    def lose(task):
        if task.trial == 4:
            monkeypatch.setattr(lease_module, "EXPIRE_SECONDS", -1.0)
            taken.append(other.lease(record))
        return objective(task)

    with pytest.raises(LeaseLost):
        go_on(store, record, spec, InlineEngine(), lose)
    log = events(store, record)
    assert not any(isinstance(event, Closed) for event in log)
    assert isinstance(log[-1], Asked)
    assert log[-1].trial == 4
    monkeypatch.undo()
    taken[0].release()
    assert go_on(other, record, spec, InlineEngine()) == "done"
    assert decided(events(other, record)) == decided(whole(other))
    other.close()
