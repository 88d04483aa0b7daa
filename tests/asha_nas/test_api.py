"""Studies from Python, and what analysis makes of their logs."""

import io
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ConfigSpace import ConfigurationSpace

import asha_nas
from asha_nas.analysis import History, explain
from asha_nas.cli import show
from asha_nas.errors import InvalidValue, NoResult, SpecError, StudyExists, StudyNotFound, TrialNotFound
from asha_nas.live import LiveView, ladder_table, shown
from asha_nas.store import Asked, Closed, Opened, Store, Told
from trials.contract import Report

INLINE = asha_nas.Workers(kind="inline")
SPACE = {"x": {"range": [0.0, 1.0]}}


def parabola(task):
    for epoch in range(task.start + 1, task.stop + 1):
        yield {"loss": (task.config["x"] - 0.3) ** 2 + 1 / epoch, "other": epoch}


@pytest.fixture
def store(tmp_path):
    store = Store(str(tmp_path / "studies.db"))
    yield store
    store.close()


def make(store, objective=parabola, name="study", space=SPACE, **more):
    scheduler = more.pop("scheduler", asha_nas.Asha(R=9, eta=3, configs=9))
    return asha_nas.objective_study(name, objective, space, scheduler, engine=INLINE, store=store, **more)


def test_run_and_read(store):
    study = make(store)
    assert study.run() == "done"
    assert not study.is_running()

    trials = study.trials()
    assert len(trials) == 9
    assert set(trials.columns) >= {"epochs", "rung", "state", "loss", "x"}
    assert (trials["epochs"].value_counts().to_dict()) == {1: 6, 3: 2, 9: 1}

    jobs = study.jobs()
    assert list(jobs["state"].unique()) == ["done"] and len(jobs) == 9 + 3 + 1
    assert jobs["asked_at"].dt.tz is not None

    reports = study.reports()
    assert len(reports) == 9 + 3 * 2 + 6
    assert set(reports.columns) == {"trial", "job", "epoch", "seconds", "loss", "other"}

    incumbents = study.incumbents()
    assert incumbents["loss"].is_monotonic_decreasing
    assert incumbents["loss"].iloc[-1] == study.best.loss == trials["loss"].min()
    assert study.best_config["x"] == trials.loc[study.best.trial, "x"]


def test_a_study_that_has_not_run_reads_as_empty(store):
    study = make(store)
    for frame in (study.trials(), study.jobs(), study.reports(), study.incumbents()):
        assert isinstance(frame, pd.DataFrame) and frame.empty
    with pytest.raises(NoResult):
        _ = study.best
    with pytest.raises(TrialNotFound, match="none yet"):
        study.history().trial(0)


def test_going_on_from_python(store):
    calls = []

    def fragile(task):
        calls.append((task.trial, task.stop))
        if len(calls) == 5:
            raise KeyboardInterrupt
        yield from parabola(task)

    study = make(store, fragile)
    assert study.run() == "interrupted"
    with pytest.raises(SpecError, match=r"asha_nas\.load\('study', objective=function\)"):
        asha_nas.load("study", store=store).run()
    assert asha_nas.load("study", store=store, objective=parabola).run() == "done"
    other = make(store, name="uninterrupted")
    other.run()
    assert study.jobs()["loss"].tolist() == other.jobs()["loss"].tolist()


def test_names(store):
    make(store)
    with pytest.raises(StudyExists, match=r"asha_nas\.load"):
        make(store)
    with pytest.raises(StudyNotFound, match="Did you mean 'study'"):
        asha_nas.load("studi", store=store)


def test_a_configspace_and_a_maximum(store):
    space = ConfigurationSpace({"x": (0.0, 1.0), "kind": ["a", "b"]}, seed=1)
    study = make(store, lambda task: 1 - abs(task.config["x"] - 0.5), space=space, mode="max", metric="accuracy")
    study.run()
    best = study.best
    assert study.history().value(best.loss) == 1 - abs(study.best_config["x"] - 0.5)
    assert study.history().shown(best.loss) == f"{-best.loss:.4f}"
    assert study.trials()["loss"].min() == best.loss


def test_studies_of_one_name_in_two_stores_keep_their_states_apart(store, tmp_path):
    other = Store(str(tmp_path / "other.db"))
    assert make(store).folder != make(other).folder
    assert asha_nas.load("study", store=other).folder == asha_nas.load("study", store=other).folder
    other.close()


def test_a_wrong_space_is_told_at_once(store):
    with pytest.raises(asha_nas.errors.InvalidValue, match=r"space\.x"):
        make(store, space={"x": {"rang": [0, 1]}})


def test_a_report_that_json_cannot_hold_ends_its_trial_and_not_the_study(store):
    def odd(task):
        yield Report(task.stop, {"loss": np.float32(task.trial)}, notes={"path": Path("/x")} if task.trial == 1 else {})

    study = make(store, odd, scheduler=asha_nas.Asha(R=1, eta=3, configs=3))
    assert study.run() == "done"
    first, second, third = study.history().jobs.values()
    assert (first.loss, second.failure.kind, third.loss) == (0.0, "crashed", 2.0)
    assert "a note 'path' that JSON cannot hold" in second.failure.reason


def test_an_objective_that_cannot_be_called_is_told_at_once(store):
    problem = asha_nas.study.Objective(objective="math:pi", space=SPACE)
    spec = asha_nas.study.make_spec(
        {"name": "pi", "problem": problem, "scheduler": asha_nas.Asha(R=1, eta=3, configs=1), "engine": INLINE}
    )
    with pytest.raises(asha_nas.errors.InvalidValue, match="must name a function"):
        asha_nas.create(spec, store=store).run()


def forgetful(task):
    """Finds its checkpoint damaged, or none, when it is promoted."""
    notes = {"seen": task.trial}
    if task.start > 0:
        notes |= {"retrained_from_epoch": 0}
        if task.stop == 3:
            notes |= {"damaged_checkpoint": "epoch-00001.ckpt"}
    for epoch in range(1, task.stop + 1):
        yield Report(epoch, {"loss": task.trial + 1 / epoch}, 0.5, notes=notes if epoch == 1 else {})


def test_notes_are_kept_and_shown(store, monkeypatch, capsys):
    study = make(store, forgetful)
    study.run()
    history = study.history()
    to_three, to_nine = (next(job for job in history.jobs.values() if job.stop == stop) for stop in (3, 9))
    assert to_three.notes == {
        "seen": to_three.trial, "retrained_from_epoch": 0, "damaged_checkpoint": "epoch-00001.ckpt",
    }  # fmt: skip
    assert to_nine.notes == {"seen": to_nine.trial, "retrained_from_epoch": 0}
    assert [job.retrained for job in history.jobs.values()].count(0) == 9
    assert (history.cost().epochs, history.cost().retrained_epochs) == (6 * 1 + 2 * 3 + 9, 3 * 1 + 3)

    monkeypatch.setattr(show.out, "width", 400)
    show.show("study", store.url)
    text = capsys.readouterr().out
    trial = to_three.trial
    assert f"trial {trial}, rung 1: checkpoint epoch-00001.ckpt was damaged; trained again from epoch 0\n" in text
    assert f"trial {to_nine.trial}, rung 2: its last checkpoint was lost; trained again from epoch 0\n" in text
    assert "; 6 epochs were trained again, without a checkpoint to go on from" in text

    show.show("study", store.url, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["trials"][trial]["jobs"][1]["notes"] == to_three.notes
    assert told["cost"]["retrained_epochs"] == 6


def test_a_study_without_notes_shows_none(store, capsys):
    make(store).run()
    show.show("study", store.url)
    text = capsys.readouterr().out
    assert "trained again" not in text and "checkpoint" not in text


def test_explain_tells_every_fate(store):
    def fates(task):
        if task.trial == 1:
            raise RuntimeError("no such luck")
        return {"loss": math.nan if task.trial == 2 else task.trial}

    study = make(store, fates, scheduler=asha_nas.Asha(R=3, eta=3, configs=7))
    study.run()
    history, scheduler = study.history(), study.spec.scheduler

    def verdicts(trial):
        return [visit.verdict for visit in explain(history, scheduler, trial)]

    first, second = verdicts(0)
    # Asked for when three results were there: those of trials 0, 2 (diverged, last) and 3. Trial 1 crashed.
    assert first.startswith("went up as number 1 of 3 results there were then, of which 3/3 = 1 may go up")
    assert second == "was trained to the end; it is number 1 of 2 at R"
    assert verdicts(1) == ["never goes up: crashed: RuntimeError: no such luck"]
    assert verdicts(2) == ["never goes up: diverged: loss = nan at epoch 1"]
    assert verdicts(6) == ["has not gone up: number 5 of 6; 6/3 = 2 may go up"]


def test_explain_a_late_comer(store):
    """Trials get better and better, so each promotion is overtaken: the last is best and stays below."""
    study = make(store, lambda task: -task.trial, scheduler=asha_nas.Asha(R=3, eta=3, configs=8))
    study.run()
    [visit] = explain(study.history(), study.spec.scheduler, 7)
    assert (visit.rank, visit.results, visit.allowed, visit.promoted) == (1, 8, 2, 2)
    assert "all 2 promotions are used, 2 of them by trials that are behind it now" in visit.verdict


@pytest.mark.parametrize("promotion", ["capped", "eager"])
@pytest.mark.parametrize("max_epochs", [3, 4])
def test_explain_names_the_bound_that_keeps_a_trial_down(store, max_epochs, promotion):
    scheduler = asha_nas.Asha(R=3, eta=3, configs=3, max_epochs=max_epochs, promotion=promotion)
    study = make(store, lambda task: task.trial, scheduler=scheduler)
    study.run()
    [visit] = explain(study.history(), study.spec.scheduler, 0)
    assert visit.verdict.startswith("has not gone up: number 1 of 3; 3/3 = 1 may go up")
    room = f"max_epochs = {max_epochs} has no room for it (left {max_epochs - 3}, needed 2)"
    assert visit.verdict.endswith(f"0 did, but {room}")


def history_of(scheduler, losses, *events):
    """A history in which trials with these losses have ended at rung 0; then these events."""
    spec = asha_nas.StudySpec.model_validate(
        {"name": "s", "problem": {"kind": "objective", "objective": "m:f", "space": SPACE}, "scheduler": scheduler}
    )
    asked = [Asked(job=n, trial=n, rung=0, start=0, stop=1, config={"x": 0.5}) for n in range(len(losses))]
    told = [Told(job=n, loss=loss) for n, loss in enumerate(losses)]
    history = History(spec)
    for sequence, event in enumerate([Opened(session=0), *asked, *told, *events]):
        history.add(event, sequence, 0.0)
    return history, spec.scheduler


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("time", "the time limit was reached before a worker asked"),
        ("interrupted", "the study was interrupted before a worker asked"),
    ],
)
def test_explain_says_what_ended_the_study(reason, words):
    told = history_of(asha_nas.Asha(R=3, eta=3, max_hours=1), [1.0, 2.0, 3.0], Closed(session=0, reason=reason))
    [visit] = explain(*told, 0)
    assert visit.verdict == f"may go up: number 1 of 3; 3/3 = 1 may go up, 0 did; {words}"


def test_explain_the_second_in_the_queue():
    """Trial 0 went up of three; with six results trials 4 and 5 are the best, and one more may go up."""
    up = Asked(job=9, trial=0, rung=1, start=1, stop=3)
    told = history_of(asha_nas.Asha(R=3, eta=3, configs=6), [3.0, 4.0, 5.0, 6.0, 1.0, 2.0], up)
    assert "no worker has asked since" in explain(*told, 4)[0].verdict
    assert "1 did, and the next 1 are better than it" in explain(*told, 5)[0].verdict


def test_explain_eager_knows_no_used_up_promotions():
    ups = [Asked(job=9 + n, trial=n, rung=1, start=1, stop=3) for n in range(2)]
    losses = [3.0, 4.0, 5.0, 6.0, 1.0, 2.0]
    [visit] = explain(*history_of(asha_nas.Asha(R=3, eta=3, configs=6, promotion="eager"), losses, *ups), 4)
    expected = "number 1 of 6; 6/3 = 2 may go up, whoever went up before, 2 did; no worker has asked since"
    assert visit.verdict == f"may go up: {expected}"
    [visit] = explain(*history_of(asha_nas.Asha(R=3, eta=3, configs=6), losses, *ups), 4)
    assert "all 2 promotions are used" in visit.verdict


def test_the_live_view_of_a_log(store, capsys):
    from rich.console import Console

    study = make(store)
    view = LiveView(study.history(), planned_epochs=21)
    with shown(view, Console(force_terminal=False)) as listener:
        study.run([listener])
    assert "results by epochs 1:9 3:3 9:1" in view.line()
    assert "results by epochs" in capsys.readouterr().out
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(view)
    text = console.export_text()
    assert "incumbent: trial" in text and "saved beside full training" in text
    assert ladder_table(study.history()).row_count == 3


def test_a_study_whose_sampler_cannot_work_is_not_stored(tmp_path):
    store = Store(str(tmp_path / "s.db"))
    problem = {"kind": "objective", "objective": "math:sqrt", "space": {"x": {"range": [0.0, 1.0]}}}
    scheduler = {"kind": "reinforce", "R": 1, "configs": 3}
    spec = asha_nas.make_spec({"name": "s", "problem": problem, "scheduler": scheduler})
    with pytest.raises(InvalidValue, match="x"):
        asha_nas.create(spec, store=store)
    assert store.studies() == []


def test_what_users_call_an_error_is_not_taken_for_a_share(tmp_path):
    from asha_nas.analysis.comparison import find_value
    from asha_nas.analysis.lines import Entry, lines

    study = asha_nas.objective_study(
        "s", lambda task: 3.0, {"x": {"range": [0.0, 1.0]}}, asha_nas.Random(R=1, configs=2), from_scratch=True,
        metric="mean_squared_error", engine=asha_nas.Workers(kind="inline"), store=Store(str(tmp_path / "s.db")),
    )  # fmt: skip
    study.run()
    value = find_value(lines([Entry.of(study.history())]))
    assert (value.name, value.is_share) == ("mean_squared_error", False)
    assert study.spec.problem.from_scratch


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -1.0])
def test_seconds_that_are_none_fail_the_job_and_not_the_study(tmp_path, seconds):
    def objective(task):
        yield Report(task.stop, {"loss": 1.0}, seconds=seconds)

    study = asha_nas.objective_study(
        "s", objective, {"x": {"range": [0.0, 1.0]}}, asha_nas.Random(R=1, configs=2),
        engine=asha_nas.Workers(kind="inline"), store=Store(str(tmp_path / "s.db")),
    )  # fmt: skip
    assert study.run() == "done"
    assert {job.failure.kind for job in study.history().jobs.values()} == {"crashed"}
    assert "seconds" in study.history().jobs[0].failure.reason
