"""Every kind of scheduler, as a study: it ends whatever happens, resumes from anywhere, and is played as it is run."""

import itertools
import math

import pytest

from asha_nas import simulation
from asha_nas.engines import InlineEngine, SimulatorEngine
from asha_nas.problems import build
from asha_nas.runner import run
from asha_nas.store import Asked, Closed, Failed, Opened, Reported, Store, Told
from asha_nas.store.events import payload
from asha_nas.study import make_spec
from trials.contract import Checkpoint, Failure, Report, step
from trials.contract import run as start

SPACE = {
    "lr": {"range": [1e-3, 1.0], "log": True, "default": 0.1},
    "width": {"range": [1, 64]},
    "op": {"choices": ["a", "b", "c"]},
}
CATEGORIES = {"op": {"choices": ["a", "b", "c"]}, "act": {"choices": ["relu", "tanh"]}, "depth": {"range": [1, 9]}}
FULL = {"R": 4, "configs": 12}
LADDER = {"r": 1, "R": 4, "eta": 2}
KINDS = {
    "asha": {"kind": "asha", **LADDER, "configs": 12},
    "async-hyperband": {"kind": "async-hyperband", **LADDER, "configs": 12},
    "async-bohb": {"kind": "async-bohb", **LADDER, "configs": 16, "brackets": 2},
    "successive-halving": {"kind": "successive-halving", **LADDER, "configs": 6, "iterations": 2},
    "hyperband": {"kind": "hyperband", **LADDER, "iterations": 5},
    "bohb": {"kind": "bohb", **LADDER, "iterations": 7},
    "bohb-hpbandster": {"kind": "bohb", **LADDER, "iterations": 4, "sampler": "hpbandster"},
    "random": {"kind": "random", **FULL},
    "evolution": {"kind": "evolution", **FULL, "population": 5, "sample": 2},
    "reinforce": {"kind": "reinforce", **FULL},
    "tpe": {"kind": "tpe", **FULL},
    "smac": {"kind": "smac", "R": 4, "configs": 6},
}
NEEDS = {"tpe": "optuna", "smac": "smac"}
each_kind = pytest.mark.parametrize("kind", KINDS)


def spec_of(kind, name="study", from_scratch=False, **changes):
    if kind in NEEDS:
        pytest.importorskip(NEEDS[kind], reason=f"{kind} needs {NEEDS[kind]}, extra {kind!r}")
    space = CATEGORIES if kind == "reinforce" else SPACE
    problem = {"kind": "objective", "objective": "tests:unused", "space": space, "from_scratch": from_scratch}
    values = {"name": name, "seed": 3, "problem": problem, "scheduler": KINDS[kind], "engine": {"kind": "inline"}}
    return make_spec({**values, **changes})


def value(task):
    """A loss that is a function of the configuration, the seed and nothing else; better with more epochs."""
    parts = [abs(math.log10(v)) if isinstance(v, float) else len(str(v)) for v in task.config.values()]
    return sum(parts) + task.seed % 97 / 97


def objective(task):
    """Yields once an epoch and takes its time, which differs from trial to trial."""
    for epoch in range(task.start + 1, task.stop + 1):
        seconds = 1.0 + task.seed % 13
        saved = Checkpoint(f"epoch-{epoch}.ckpt", epoch, f"{epoch:064d}", 9)
        yield Report(epoch, {"loss": value(task) / epoch}, seconds, saved)


def fails(kind):
    """An objective of which everything, or a part, goes wrong."""

    def function(task):
        part = task.seed % 3 == 0
        if kind == "all crash" or (kind == "some crash" and part):
            raise RuntimeError("broken")
        if kind == "all nan" or (kind == "some nan" and part):
            return math.nan
        return value(task) / task.stop

    return function


@pytest.fixture
def store(tmp_path):
    store = Store(str(tmp_path / "studies.db"))
    yield store
    store.close()


def go(store, spec, engine, function=objective, events=(), **more):
    """Run a study whose log begins with some events; returns its log."""
    record = store.create(spec.name, spec.model_dump_json(), "{}")
    if events:
        lease = store.lease(record)
        store.append_all(lease, [(event, 0.0) for event in events])
        lease.release()
    assert run(record, spec, build(spec, function), store, engine, folder="/x", **more) == "done"
    return [row.event for row in store.rows(record)]


def simulate(store, spec, workers, function=objective, **options):
    engine = SimulatorEngine(workers, began=1e9, **options)
    return go(store, spec, engine, function, clock=engine.now)


def decided(log):
    """What two equal studies have in common, to the last digit."""
    return [(event.kind, payload(event)) for event in log if not isinstance(event, Opened | Closed)]


def check_whole(log):
    asked = [event for event in log if isinstance(event, Asked)]
    told = {event.job for event in log if isinstance(event, Told)}
    assert asked and told == {event.job for event in asked}
    assert len({(event.trial, event.rung) for event in asked}) == len(asked)


# --- whatever happens, it ends ---------------------------------------------------------------------------


@each_kind
@pytest.mark.parametrize("what", ["all crash", "some crash", "all nan", "some nan"])
@pytest.mark.parametrize("workers", [1, 4, 200])
def test_it_ends_whatever_fails(store, kind, what, workers):
    log = simulate(store, spec_of(kind, retries={"crashed": 0}), workers, fails(what))
    check_whole(log)
    told = [event for event in log if isinstance(event, Told)]
    if what.startswith("all"):
        assert {event.failure.kind for event in told} == {"crashed" if "crash" in what else "diverged"}
        # Nothing without a result goes on, so every trial has one job.
        assert len({event.trial for event in log if isinstance(event, Asked)}) == len(told)
    else:
        assert {event.failure is None for event in told} == {True, False}


@each_kind
@pytest.mark.parametrize("workers", [1, 3, 500])
def test_any_number_of_workers_will_do_and_the_log_is_the_same_every_time(store, kind, workers):
    logs = [simulate(store, spec_of(kind, name), workers) for name in ("a", "b")]
    check_whole(logs[0])
    assert decided(logs[0]) == decided(logs[1])


@each_kind
def test_stragglers_and_lost_workers_change_when_but_not_whether(store, kind):
    spec = spec_of(kind, retries={"worker_lost": 2})
    log = simulate(store, spec, 3, stragglers=1.0, failures=100.0, seed=1)
    check_whole(log)
    lost = [event for event in log if isinstance(event, Failed)]
    assert lost and {event.failure.kind for event in lost} == {"worker_lost"}


class LosesTheLast(InlineEngine):
    """One worker that is lost at the last job of each stage."""

    def __init__(self, every):
        self.every = every
        self.count = itertools.count(1)

    def _run_one(self, source, trial, assignment):
        if next(self.count) % self.every == 0:
            source.ended(assignment, Failure("worker_lost", "gone"))
        else:
            super()._run_one(source, trial, assignment)


@each_kind
@pytest.mark.parametrize("every", [1, 3, 4, 6])
def test_lost_jobs_leave_no_bracket_waiting(store, kind, every):
    log = go(store, spec_of(kind, retries={"worker_lost": 0}), LosesTheLast(every))
    check_whole(log)
    lost = [event for event in log if isinstance(event, Told) and event.failure]
    assert lost and {event.failure.kind for event in lost} == {"worker_lost"}


# --- resumed ---------------------------------------------------------------------------------------------


@each_kind
@pytest.mark.parametrize("from_scratch", [False, True])
def test_it_goes_on_from_anywhere_in_a_bracket(store, kind, from_scratch):
    whole = go(store, spec_of(kind, "whole", from_scratch), InlineEngine())
    stride = 3 if kind in ("asha", "hyperband", "random") else 11  # the prefixes of models take their time
    for length in range(1, len(whole), stride):
        again = go(store, spec_of(kind, f"prefix-{length}", from_scratch), InlineEngine(), events=whole[:length])
        assert decided(again) == decided(whole)


def test_a_training_from_scratch_has_a_folder_and_checkpoints_of_its_own(store):
    spec, seen = spec_of("hyperband", from_scratch=True), []

    class Watching(InlineEngine):
        def _run_one(self, source, trial, assignment):
            seen.append(assignment.task)
            super()._run_one(source, trial, assignment)

    go(store, spec, Watching())
    by_trial = {}
    for task in seen:
        by_trial.setdefault(task.trial, []).append(task)
    several = [tasks for tasks in by_trial.values() if len(tasks) > 1]
    assert several
    for tasks in several:
        assert all(task.start == 0 and task.checkpoints == () for task in tasks)
        first = f"/x/trial-{tasks[0].trial:05d}"
        assert [task.folder for task in tasks] == [first, *(f"{first}/to-{task.stop:05d}" for task in tasks[1:])]
        assert len({task.seed for task in tasks}) == 1


# --- rehearsed ---------------------------------------------------------------------------------------------


class Following:
    """Asks, reports and ends in the very order of a log."""

    def __init__(self, log):
        self.log = log

    def run(self, source, trial):
        running = {}
        for event in self.log:
            if isinstance(event, Asked):
                assignment = source.ask()
                assert assignment.job.number == event.job
                running[event.job] = (assignment, start(trial, assignment.task))
            elif isinstance(event, Reported):
                assignment, reports = running[event.job]
                source.report(assignment, step(reports))
            elif isinstance(event, Told):
                assignment, reports = running.pop(event.job)
                source.ended(assignment, step(reports))
        assert not isinstance(source.ask(), type(self))  # whatever it is, the study is over


@each_kind
def test_the_same_order_of_events_gives_the_same_decisions_on_any_engine(store, kind):
    played = simulate(store, spec_of(kind, "played"), 4)
    followed = go(store, spec_of(kind, "followed"), Following(played))
    assert decided(followed) == decided(played)


@each_kind
def test_one_virtual_worker_is_like_one_real_one(store, kind):
    assert decided(simulate(store, spec_of(kind, "played"), 1)) == decided(go(store, spec_of(kind), InlineEngine()))


TABLE = {"kind": "table", "table": "s1-digits"}


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize("kind", ["hyperband", "bohb", "asha", "evolution"])
def test_a_study_behaves_on_ray_as_it_was_rehearsed(store, kind):
    from asha_nas.engines.ray_tune import RayTuneEngine

    def spec(name):
        return make_spec({"name": name, "seed": 3, "problem": TABLE, "scheduler": KINDS[kind]})

    one_by_one = go(store, spec("ray-1"), RayTuneEngine(workers=1), None)
    assert decided(simulate(store, spec("played-1"), 1, None)) == decided(one_by_one)
    at_a_time = go(store, spec("ray-2"), RayTuneEngine(workers=2), None)
    assert decided(go(store, spec("followed-2"), Following(at_a_time), None)) == decided(at_a_time)


# --- repeats -----------------------------------------------------------------------------------------------


def simulated(kind, **engine):
    return make_spec({
        "name": "repeated", "seed": 3, "problem": TABLE, "scheduler": KINDS[kind],
        "engine": {"kind": "simulator", "workers": 3, **engine},
    })  # fmt: skip


@pytest.mark.parametrize("kind", ["hyperband", "bohb", "evolution"])
def test_a_repeat_is_the_study_with_the_next_seed(store, kind):
    spec = simulated(kind, repeats=3)
    problem = build(spec)
    repeats = [simulation.play(spec, problem, number) for number in range(3)]
    assert [one.seed for one in repeats] == [3, 4, 5]
    for one in repeats:
        alone = simulated(kind).model_copy(update={"name": f"seed-{one.seed}", "seed": one.seed})
        engine = simulation.engine(alone, began=0.0)
        log = go(store, alone, engine, None, clock=engine.now)
        losses = [event.loss for event in log if isinstance(event, Told)]
        assert one.trajectory["loss"][-1] == min(losses)
        assert one.trajectory["end"]["evaluations"] == len(losses)


def test_how_many_processes_play_makes_no_difference():
    spec = simulated("hyperband", repeats=9)
    alone = list(simulation.play_all(spec, build(spec), range(9), processes=1))
    together = sorted(simulation.play_all(spec, build(spec), range(9), processes=2), key=lambda one: one.repeat)
    assert together == alone
