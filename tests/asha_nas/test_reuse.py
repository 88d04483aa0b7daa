"""Results that are taken over from other studies: which, how they are logged, and what is told of them."""

import dataclasses
import json
import math

import numpy as np
import pytest

from asha_nas import api, problems, reuse
from asha_nas.analysis import History, explain
from asha_nas.engines import InlineEngine
from asha_nas.errors import SpecError
from asha_nas.experience import SECONDS, Experience
from asha_nas.live import LiveView
from asha_nas.runner import run
from asha_nas.store import Asked, Closed, Opened, Reported, Store, Told
from asha_nas.store.events import payload
from asha_nas.study import make_spec
from asha_nas.telemetry import Telemetry
from spaces.darts_cell import parse_genotype
from trials.contract import Checkpoint, Failure, Report

RECIPE = {"cells": 1, "channels": 2, "train_limit": 48}
LADDER = {"kind": "asha", "r": 1, "R": 4, "eta": 2, "configs": 6}


def spec_of(name="study", *, recipe=(), **changes):
    values = {
        "name": name, "seed": 3, "scheduler": LADDER, "engine": {"kind": "inline"},
        "problem": {"kind": "darts-cnn", "recipe": {**RECIPE, **dict(recipe)}},
    }  # fmt: skip
    return make_spec({**values, **changes})


@pytest.fixture
def store(tmp_path):
    store = Store(str(tmp_path / "studies.db"), owner="alice")
    yield store
    store.close()


# --- a study whose trainings are played --------------------------------------------------------------


def error_of(genotype, epoch):
    return (hash_of(genotype) % 1000 / 1000 + 1) / (epoch + 1)


def hash_of(genotype):
    return int(parse_genotype(genotype).identity, 16)


def played(task):
    """An epoch at a time, from the newest checkpoint, as the real one goes."""
    begin = task.checkpoints[0].epoch if task.checkpoints else 0
    notes = {"retrained_from_epoch": begin} if begin < task.start else {}
    for epoch in range(begin + 1, task.stop + 1):
        saved = Checkpoint(f"epoch-{epoch:05d}.ckpt", epoch, f"{epoch:064d}", 10)
        yield Report(epoch, {"valid_error": error_of(task.config["genotype"], epoch)}, 1.0, saved, notes)
        notes = {}


def play(store, record, spec, past=reuse.nothing, listeners=()):
    problem = dataclasses.replace(problems.build(spec), trial=played)
    return run(
        record, spec, problem, store, InlineEngine(), folder="/nowhere/x", past=past, listeners=listeners
    )  # fmt: skip


def begun(store, spec, events=()):
    record = store.create(spec.name, spec.model_dump_json(), "{}")
    lease = store.lease(record)
    for event in events:
        store.append(lease, event)
    lease.release()
    return record


def events(store, record):
    return [row.event for row in store.rows(record)]


def decided(log):
    return [(each.kind, payload(each)) for each in log if not isinstance(each, Opened | Closed)]


def known(stops, every=1):
    """What a store might know: results of each ``every``-th architecture at some epochs."""

    def past(identity, stop):
        if stop not in stops or int(identity, 16) % every:
            return None
        return reuse.Past({"valid_error": (int(identity, 16) % 1000 / 1000 + 1) / (stop + 1)}, "bob/there trial 7")

    return past


@pytest.mark.parametrize("past", [known({1}), known({2}), known({1, 2, 4}), known({1, 4}, every=2)])
def test_every_prefix_of_the_log_leads_to_the_same_study(store, past):
    spec = spec_of("whole")
    record = begun(store, spec)
    assert play(store, record, spec, past) == "done"
    log = events(store, record)
    assert any("reused" in each.notes for each in log if isinstance(each, Reported))
    for length in range(len(log) + 1):
        spec = spec_of(f"prefix-{length}")
        record = begun(store, spec, log[:length])
        assert play(store, record, spec, past) == "done"
        assert decided(events(store, record)) == decided(log)


def test_decisions_are_those_of_a_study_that_trains_all(store):
    logs = []
    for number, past in enumerate([reuse.nothing, known({1, 2, 4}), known({2}), known({1, 4}, every=2)]):
        spec = spec_of(f"study-{number}")
        record = begun(store, spec)
        play(store, record, spec, past)
        logs.append([payload(each) for each in events(store, record) if isinstance(each, Asked | Told)])
    assert logs[0] == logs[1] == logs[2] == logs[3]


def test_what_was_known_may_be_gone_after_a_crash(store):
    """The log decides: what was logged as reused stays so, the rest is trained."""
    spec = spec_of("whole")
    record = begun(store, spec)
    play(store, record, spec, known({1, 2, 4}))
    log = events(store, record)
    for length in range(len(log) + 1):
        spec = spec_of(f"prefix-{length}")
        record = begun(store, spec, log[:length])
        assert play(store, record, spec) == "done"
        reused = [each for each in log[:length] if isinstance(each, Reported)]
        assert decided(events(store, record))[: len(decided(log[:length]))] == decided(log[:length])
        history = History.of(spec, store.rows(record))
        assert history.cost().reused == len(reused)


def test_costs_tell_what_was_trained(store):
    """Of every trial that goes up to a rung that nobody has, epochs below are trained after all, and count once."""
    spec = spec_of()
    record = begun(store, spec)
    numbers = {}
    telemetry = Telemetry(spec, lambda metric, value, tags: numbers.__setitem__((metric.name, *tags.values()), value))
    view = LiveView(History(spec), 100)
    tasks = []
    problem = dataclasses.replace(problems.build(spec), trial=lambda task: (tasks.append(task), played(task))[1])
    run(
        record, spec, problem, store, InlineEngine(), folder="/nowhere/x", past=known({1}),
        listeners=[telemetry.take, view.take],
    )  # fmt: skip
    history = History.of(spec, store.rows(record))
    cost = history.cost()
    assert cost.reused == cost.reused_epochs == 6
    assert {(task.start, task.stop) for task in tasks} == {(1, 2), (2, 4)}
    assert not any(task.checkpoints for task in tasks if task.start == 1)
    trained = [each for each in events(store, record) if isinstance(each, Reported) and "reused" not in each.notes]
    assert (
        cost.epochs
        == len(trained)
        == 4 * sum(job.stop == 4 for job in history.jobs.values())
        + 2 * sum(job.stop == 2 and len(history.trials[job.trial].jobs) == 2 for job in history.jobs.values())
    )
    assert cost.retrained_epochs == 0
    assert cost.trial_seconds == len(trained)
    assert history.trajectory.end.epochs == cost.epochs
    assert history.trajectory.end.evaluations == len(history.jobs)
    assert numbers["asha_nas_epochs",] == cost.epochs
    assert numbers["asha_nas_reused",] == 6
    assert "6 results reused (6 epochs)" in view.line()
    assert view.line().count(f"{cost.epochs} epochs trained") == 1
    again = {}
    Telemetry(spec, lambda metric, value, tags: again.__setitem__((metric.name, *tags.values()), value)).replay(
        store.rows(record)
    )
    assert again["asha_nas_epochs",] == cost.epochs


def test_a_job_that_was_trained_in_part_before_its_result_came(store):
    spec = spec_of(scheduler={**LADDER, "r": 2, "configs": 1})
    record = begun(store, spec)
    play(store, record, spec)
    asked = next(each for each in events(store, record) if isinstance(each, Asked))
    part = Reported(job=0, epoch=1, metrics={"valid_error": 0.9}, clock={"seconds": 3.0})
    spec = spec_of("part", scheduler={**LADDER, "r": 2, "configs": 1})
    record = begun(store, spec, [Opened(session=0), asked, part])
    play(store, record, spec, known({2}))
    cost = History.of(spec, store.rows(record)).cost()
    assert (cost.epochs, cost.reused, cost.reused_epochs, cost.trial_seconds) == (1, 1, 1, 3.0)


# --- what is the same --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"seed": 9}, True),
        ({"recipe": {"threads": 7, "checkpoint_minutes": 0.5}}, True),
        ({"scheduler": {"kind": "random", "R": 4, "configs": 2}}, True),
        ({"problem": {"operations": "darts", "recipe": RECIPE}}, True),
        ({"recipe": {"learning_rate": 0.02}}, False),
        ({"recipe": {"train_limit": 49}}, False),
        ({"scheduler": {**LADDER, "R": 8}}, False),
        ({"problem": {"data": "cifar10", "recipe": {}}}, False),
        ({"problem": {"kind": "evaluate", "genotype": ""}}, None),
    ],
)
def test_only_the_same_training_is_worth_the_same(changes, same):
    if same is None:
        drawn = problems.build(spec_of()).draw(np.random.default_rng(0))
        spec = spec_of(problem={"kind": "evaluate", "genotype": drawn["genotype"], "recipe": RECIPE},
                       scheduler={"kind": "random", "R": 4, "configs": 1})  # fmt: skip
        assert reuse.key(spec) is None
    else:
        assert (reuse.key(spec_of(**changes)) == reuse.key(spec_of())) is same


def asked(job, identity="a", trial=None):
    return Asked(job=job, trial=job if trial is None else trial, rung=0, start=0, stop=2, config={}, identity=identity)


def reported(job, epoch=1, error=0.5, **more):
    return Reported(job=job, epoch=epoch, metrics={"valid_error": error}, **more)


def index(*log):
    results = reuse.Results()
    for event in log:
        results.add("bob/s", event)
    return results


def test_what_is_found():
    assert index(asked(0))("a", 1) is None
    found = index(asked(0), reported(0), reported(0, 2, 0.25), Told(job=0, loss=0.25))
    assert found("a", 1) == reuse.Past({"valid_error": 0.5}, "bob/s trial 0")
    assert found("a", 2).metrics == {"valid_error": 0.25}
    assert found("a", 3) is found("b", 1) is None
    assert index(asked(0), reported(0))("a", 1) is not None, "a job that is still running has reported it"
    lost = Told(job=0, loss=None, failure=Failure("worker_lost", ""))
    assert index(asked(0), reported(0), lost)("a", 1) is not None
    first = index(asked(0), asked(1), reported(1, error=0.7), reported(0))
    assert first("a", 1).source == "bob/s trial 1"


def test_what_diverged_or_was_itself_reused_is_not_found():
    diverged = Told(job=0, loss=None, failure=Failure("diverged", ""))
    assert index(asked(0), reported(0), diverged)("a", 1) is None
    assert index(asked(0), reported(0, error=math.nan))("a", 1) is None
    assert index(asked(0), reported(0, notes={"reused": "x trial 1"}))("a", 1) is None
    kept = index(asked(0), reported(0), asked(1), reported(1), Told(job=1, loss=None, failure=Failure("diverged", "")))
    assert kept("a", 1).source == "bob/s trial 0"
    first_fails = index(asked(0), reported(0), asked(1), reported(1, error=0.6), diverged)
    assert first_fails("a", 1) == reuse.Past({"valid_error": 0.6}, "bob/s trial 1")


# --- a store -----------------------------------------------------------------------------------------


def test_what_other_studies_find_meanwhile_is_read_every_few_seconds(store, monkeypatch):
    own, spec = begun(store, spec_of("own"), [asked(0), reported(0)]), spec_of("own")
    now = [0.0]
    experience = Experience(store, own, spec, lambda: now[0])
    assert experience("a", 1) is None, "its own"
    other = begun(store, spec_of("other", seed=8), [asked(0), reported(0)])
    assert experience("a", 1) is None, "not read yet"
    now[0] += SECONDS
    assert experience("a", 1).source == "alice/other trial 0"
    read = []
    rows = Store.rows

    def noted(self, study, after=-1):
        for row in rows(self, study, after):
            read.append(row)
            yield row

    monkeypatch.setattr(Store, "rows", noted)
    lease = store.lease(other)
    store.append(lease, reported(0, 2, 0.25))
    lease.release()
    begun(store, spec_of("longer", scheduler={**LADDER, "R": 8}), [asked(0, "c"), reported(0)])
    now[0] += SECONDS
    assert experience("a", 2).metrics == {"valid_error": 0.25}
    assert [(row.sequence, row.event.epoch) for row in read] == [(2, 2)], "only what is new, and of the same problem"
    assert experience("c", 1) is None


def test_a_study_that_cannot_be_read_is_passed_over(store):
    own = begun(store, spec_of("own"))
    store.create("broken", '{"version": 99}', "{}")
    begun(store, spec_of("orphan"), [Reported(job=5, epoch=1, metrics={"valid_error": 0.1})])
    begun(store, spec_of("good"), [asked(0), reported(0)])
    assert Experience(store, own, spec_of("own"))("a", 1).source == "alice/good trial 0"


# --- real trainings ----------------------------------------------------------------------------------


def test_two_studies_of_one_seed_train_once(store, tmp_path):
    def made(name, **changes):
        study = api.create(spec_of(name, checkpoints=str(tmp_path / "checkpoints"), **changes), store=store)
        assert study.run() == "done"
        return study, study.history()

    first, before = made("first")
    second, after = made("second", reuse=True)
    cost = after.cost()
    assert (cost.epochs, cost.trial_seconds, cost.reused) == (0, 0.0, len(before.jobs))
    assert cost.reused_epochs == before.cost().epochs
    compared = ["trial", "rung", "start", "stop", "state", "loss"]
    assert second.jobs()[compared].equals(first.jobs()[compared])
    assert second.jobs()["reused"].str.startswith("alice/first trial ").all()
    assert first.jobs()["reused"].isna().all()
    assert all(visit.reused for visit in explain(after, second.spec.scheduler, after.best.trial))
    assert not list((tmp_path / "checkpoints" / "alice").glob("second-*/**/*.ckpt"))
    _, shorter = made("shorter", reuse=True, recipe={"train_limit": 40})
    assert shorter.cost().reused == 0
    # Another study may go on with what this one has reused: where nothing is known, from epoch 0, and by its own seed.
    third, more = made("third", reuse=True, seed=4)
    assert more.cost().reused == 0, "it draws other architectures"
    assert third.history().cost().retrained_epochs == 0


def test_a_promoted_trial_whose_lower_rung_was_reused_is_trained_from_the_beginning(store, tmp_path):
    """It gives, to the last bit, what it gives in a study that reuses nothing."""
    changes = {"checkpoints": str(tmp_path / "checkpoints")}
    whole = api.create(spec_of("whole", **changes), store=store)
    whole.run()
    log = events(store, store.study("whole"))
    other = Store(str(tmp_path / "other.db"), owner="alice")
    lowest = [each for each in log if each.kind in ("asked", "reported", "told") and _of_rung(log, each, 0)]
    begun(other, spec_of("lowest"), [Opened(session=0), *lowest])
    study = api.create(spec_of("again", reuse=True, **changes), store=other)
    assert study.run() == "done"
    history = study.history()
    assert history.cost().reused == 6
    up = [job for job in history.jobs.values() if job.rung > 0]
    assert up
    for job in up:
        assert job.metrics[job.stop] == whole.history().jobs[job.number].metrics[job.stop]
        assert job.reused is None
    assert {job.begin for job in up if job.rung == 1} == {0}
    assert history.cost().retrained_epochs == 0
    other.close()


def _of_rung(log, event, rung):
    return next(each for each in log if isinstance(each, Asked) and each.job == event.job).rung == rung


# --- the command line ----------------------------------------------------------------------------------


def test_other_kinds_of_problems_cannot():
    with pytest.raises(SpecError, match=r"reuse = true does not fit problem\.kind = 'objective'.*leave it out"):
        make_spec(
            {
                "name": "a", "reuse": True, "scheduler": {"configs": 1},
                "problem": {"kind": "objective", "objective": "m:f", "space": "m:s"},
            }
        )  # fmt: skip


def test_from_the_command_line(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("ASHA_NAS_OWNER", "alice")
    recipe = [word for key, value in RECIPE.items() for word in ("--recipe", f"{key}={value}")]
    common = ["asha", *recipe, "--configs", "2", "-R", "2", "--eta", "2", "--engine", "inline"]
    assert cli(*common, "--name", "first")[0] == 0
    assert "less, by what other studies" in cli(*common, "--plan", "--reuse")[1]
    code, out, err = cli(*common, "--name", "second", "--reuse")
    assert code == 0, err
    assert "reused from alice/first trial" in out
    assert "cost: 0 epochs" in out
    assert "3 results reused (3 epochs)" in out
    assert "3 results reused (3 epochs)" in cli("show", "second")[1]
    assert json.loads(cli("best", "second", "--json")[1])["reused"].startswith("alice/first trial")
    assert "(reused from alice/first trial 0)" in cli("explain", "second", "0")[1]
    shown = json.loads(cli("show", "second", "--json")[1])
    assert shown["cost"]["reused"] == 3
    assert {job["reused"].partition(" trial")[0] for trial in shown["trials"] for job in trial["jobs"]} == {
        "alice/first"
    }
    file = tmp_path / "objective.toml"
    problem = '[problem]\nkind = "objective"\nobjective = "m:f"\nspace = {x = {range = [0.0, 1.0]}}\n'
    file.write_text(f"{problem}[scheduler]\nconfigs = 1\n")
    for command in ("run", "submit"):
        code, _, err = cli(command, str(file), "--reuse")
        assert code == 2
        assert "reuse = true does not fit" in " ".join(err.split())
