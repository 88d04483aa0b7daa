"""`asha-nas transfer`: the best configuration of a study on other spaces, really searched, on digits."""

import json
import statistics

import pytest

from asha_nas import api, transfer
from asha_nas.errors import InvalidValue, NoResult, UnknownName, UserError
from asha_nas.store import Reported, Store
from asha_nas.study import make_spec
from tests.asha_nas.logs import job, write

SMALL = {"channels": 4, "stages": 2, "train_limit": 200}
CONFIGS = (
    {"weight_decay": 3e-4, "cutout_prob": 0.0, "learning_rate": 0.025},
    {"weight_decay": 1e-5, "cutout_prob": 0.5, "learning_rate": 0.25},
    {"weight_decay": 2e-5, "cutout_prob": 0.25, "learning_rate": 0.5},
)


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, tmp_path):
    """For checkpoints."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def store(tmp_path):
    return Store(str(tmp_path / "studies.db"))


def spec_of(name="tuned", **problem):
    problem = {"kind": "tune", "optimizer": "gdas", "recipe": SMALL, **problem}
    scheduler = {"kind": "bohb", "r": 1, "R": 4, "eta": 2, "iterations": 1}
    return make_spec({"name": name, "problem": problem, "scheduler": scheduler, "engine": {"kind": "inline"}})


@pytest.fixture
def tuned(store):
    """A study whose trial 1 is best of all, after 2 epochs, and trial 2 best after 4."""
    jobs = [(0, 1, 0.5), (1, 2, 0.125), (0, 4, 0.375), (2, 4, 0.25)]
    events = [
        event
        for number, (trial, stop, error) in enumerate(jobs)
        for event in job(number, trial, stop, {"valid_error": error, "regret": error / 2}, error, CONFIGS[trial])
    ]
    write(store, spec_of(), events)
    return api.load("tuned", store=store)


@pytest.fixture
def run(cli, tmp_path):
    """Run the command on the store; gives what it printed, or what was wrong."""

    def run(*arguments, fails=False):
        code, out, err = cli("transfer", *arguments, "--store", str(tmp_path / "studies.db"))
        assert code == (2 if fails else 0), err
        return " ".join(err.replace("│", " ").split()) if fails else out

    return run


# --- from start to end ---------------------------------------------------------------------------------


def test_the_best_configuration_and_the_default_one_are_searched_with_each_seed(run, tuned, store):
    made = json.loads(run("tuned", "--to", "s1", "--seeds", "2", "--epochs", "1", "--json"))
    assert (made["study"], made["trial"], made["epochs"], made["config"]) == ("tuned", 1, 2, CONFIGS[1])
    default, transferred = made["results"]
    assert (default["study"], transferred["study"]) == ("tuned-transfer-s1-default", "tuned-transfer-s1")
    for one, config in ((default, {}), (transferred, CONFIGS[1])):
        study = api.load(one["study"], store=store)
        assert study.history().state == "done"
        assert (study.spec.problem.seeds, study.spec.scheduler.budgets) == ((0, 1), (1,))
        recipe = study.spec.problem.recipe
        for name, value in {**SMALL, "learning_rate": 0.025, "weight_decay": 3e-4, **config}.items():
            assert getattr(recipe, name) == value
        frame = study.searches()
        assert one["regrets"] == pytest.approx(frame.sort_values("seed")["regret"].tolist())
        assert one["regret"]["mean"] == pytest.approx(statistics.fmean(one["regrets"]))
        assert one["regret"]["std"] == pytest.approx(statistics.stdev(one["regrets"]))

    # Again: everything is there already, nothing is searched, and people see the table.
    before = {each.name: len(list(store.rows(each))) for each in store.studies()}
    out = run("tuned", "--to", "s1", "--seeds", "0..1", "--epochs", "1", "--workers", "3")
    assert before == {each.name: len(list(store.rows(each))) for each in store.studies()}
    assert "tuned: best is trial 1 after 2 epochs: cutout_prob 0.5, learning_rate 0.25, weight_decay 1e-05" in out
    [row] = [line for line in out.splitlines() if line.startswith("s1 ")]
    for one in (default, transferred):
        assert f"{100 * one['regret']['mean']:.2f} % ± {100 * one['regret']['std']:.2f} % (2)" in row


def test_a_study_that_was_really_tuned(cli, run, store, tmp_path):
    study = api.create(spec_of("real"), store=store)
    assert study.run() == "done"
    made = json.loads(run("real", "--to", "s1", "--seeds", "0..1", "--budget", "1", "--json"))
    at_budget = [job for job in study.history().jobs.values() if job.stop == 1 and job.loss is not None]
    best = min(at_budget, key=lambda job: (job.loss, job.trial))
    assert (made["trial"], made["epochs"]) == (best.trial, 1)
    assert made["config"] == dict(study.history().trial(best.trial).config)
    assert [one["regret"]["seeds"] for one in made["results"]] == [2, 2]

    # The same study compares with the searches that came of it.
    code, out, err = cli("compare", "real", "real-transfer-s1", "--json", "--store", str(tmp_path / "studies.db"))
    assert code == 0, err
    compared = json.loads(out)
    assert [line["label"] for line in compared["lines"]] == ["bohb gdas cs2", "gdas"]
    regrets = [study.history().best.metrics[study.history().best.stop]["regret"], made["results"][1]["regrets"]]
    real, searched = (standing["mean"] for standing in compared["moments"][-1]["standings"])
    assert real == pytest.approx(regrets[0])
    assert searched in [pytest.approx(regret) for regret in regrets[1]]


def test_the_best_may_be_the_default(store):
    def of(trial):
        return transfer.Tuned(spec_of(), trial, CONFIGS[trial], 1)

    assert of(0).is_default
    assert not of(1).is_default


def test_what_was_stopped_is_gone_on_with(run, tuned, store):
    [default, _] = transfer.plan(transfer.tuned(tuned.history()), ["s1"], store, seeds=[0, 1], epochs=1)
    stopped = api.create(default.spec, store=store)

    class Stopped(BaseException):
        pass

    def stop(event):
        if isinstance(event, Reported) and event.job == 1:
            raise Stopped

    with pytest.raises(Stopped):
        stopped.run([stop])
    assert "begun" in run("tuned", "--to", "s1", "--seeds", "2", "--epochs", "1", "--plan")
    out = run("tuned", "--to", "s1", "--seeds", "2", "--epochs", "1")
    assert "tuned-transfer-s1-default, going on after 2 jobs" in out
    assert [job.state for job in stopped.history().jobs.values()] == ["done", "done"]


def test_a_ctrl_c_says_how_to_go_on(cli, tuned, monkeypatch, tmp_path):
    from asha_nas.engines import InlineEngine

    def interrupted(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(InlineEngine, "run", interrupted)
    arguments = ("transfer", "tuned", "--to", "s1", "--seeds", "1", "--store", str(tmp_path / "studies.db"))
    code, out, _ = cli(*arguments)
    assert code == 130
    assert "Go on with the same command" in out
    assert cli(*arguments, "--json")[0] == 130


# --- before anything runs ------------------------------------------------------------------------------


def test_the_plan_runs_nothing(run, tuned, store):
    made = json.loads(run("tuned", "--to", "s1", "--budget", "4", "--plan", "--json"))
    assert (made["trial"], made["epochs"]) == (2, 4)
    told = [(one["name"], one["state"], one["plan"]["jobs"], one["plan"]["epochs"]) for one in made["studies"]]
    assert told == [("tuned-transfer-s1-default", "new", 6, 24), ("tuned-transfer-s1", "new", 6, 24)]
    assert made["studies"][1]["spec"]["problem"]["seeds"] == [0, 1, 2, 3, 4, 5]
    assert "run a short one first" in run("tuned", "--to", "s1", "--plan")
    assert [each.name for each in store.studies()] == ["tuned"]


@pytest.mark.parametrize(("text", "seeds"), [("2", [0, 1]), ("3..4", [3, 4]), ("5,7", [5, 7])])
def test_seeds(run, tuned, text, seeds):
    made = json.loads(run("tuned", "--to", "s1", "--seeds", text, "--plan", "--json"))
    assert made["studies"][0]["spec"]["problem"]["seeds"] == seeds


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("tuned", "--to", "s4"), "unknown space 's4'"),
        (("tuned", "--to", "s1,s1"), "one or more different spaces"),
        (("tuned", "--to", "s3"), "unknown table 's3-digits'; make it: asha-nas table build --space s3"),
        (("tuned", "--to", "s1", "--seeds", "few"), "must be numbers or ranges"),
        (("tuned", "--to", "s1", "--seeds", "0"), "must be at least 1"),
        (("tuned", "--to", "s1", "--budget", "3"), "has no result at 3 epochs There are results at: 1, 2, 4."),
        (("tune", "--to", "s1"), "Did you mean 'tuned'?"),
        (("searched", "--to", "s1"), "tunes no one-shot optimizer"),
    ],
)
def test_mistakes_are_told_before_anything_runs(run, tuned, store, arguments, words):
    write(store, make_spec({"name": "searched", "problem": {"kind": "search"}}), [])
    assert words in run(*arguments, fails=True)
    assert [each.name for each in store.studies()] == ["tuned", "searched"]


def test_a_study_of_that_name_that_is_another_one(run, tuned, store):
    parts = transfer.plan(transfer.tuned(tuned.history()), ["s1"], store, seeds=[0], epochs=1)
    api.create(parts[0].spec, store=store)
    told = run("tuned", "--to", "s1", "--seeds", "2", "--epochs", "1", fails=True)
    assert "'tuned-transfer-s1-default' is there already, with problem.seeds = [0] instead of [0, 1]" in told
    assert "--name" in told
    assert "other-s1" in run("tuned", "--to", "s1", "--seeds", "2", "--epochs", "1", "--name", "other", "--plan")


# --- the parts -----------------------------------------------------------------------------------------


def planned(store, to=("s1", "s2"), **problem):
    """The two studies of each space, of a study that found its first configuration."""
    spec = spec_of(**problem)
    found = transfer.Tuned(spec, 0, CONFIGS[1], 25)
    return [part.spec for part in transfer.plan(found, to, store, seeds=[0])]


def test_each_space_has_its_usual_table_and_one_of_its_own_stays(store):
    assert [spec.problem.table for spec in planned(store)] == ["s1-digits", "s1-digits", "s2-digits", "s2-digits"]
    assert {spec.problem.table for spec in planned(store, data="cifar10", table="nasbench101")} == {"nasbench101"}
    assert {spec.problem.table for spec in planned(store, table="mine")} == {"mine"}


def test_the_study_keeps_what_it_ran_on(store):
    spec = make_spec(
        {
            **spec_of().model_dump(), "engine": {"kind": "ray", "workers": 4, "gpus_per_trial": 0.5},
            "retries": {"crashed": 5}, "checkpoints": "s3://bucket",
        }
    )  # fmt: skip
    found = transfer.Tuned(spec, 0, CONFIGS[1], 25)
    kept, changed = (transfer.plan(found, ["s2"], store, seeds=[0], workers=w)[0].spec for w in (None, 9))
    assert (kept.engine, kept.retries, kept.checkpoints) == (spec.engine, spec.retries, spec.checkpoints)
    assert (changed.engine.workers, changed.engine.gpus_per_trial) == (9, 0.5)


def test_the_released_code_forwards_only_a_part(store):
    config = {"learning_rate": 0.5, "cutout_prob": 0.5, "grad_clip": 2, "seed": 9}
    for variant, cutout, clip in (("corrected", 0.5, 2), ("released", 0.0, 5.0)):
        found = transfer.Tuned(spec_of(variant=variant, config_space="cs3"), 0, config, 25)
        recipe = transfer.plan(found, ["s2"], store, seeds=[0])[1].spec.problem.recipe
        assert (recipe.learning_rate, recipe.cutout_prob, recipe.grad_clip) == (0.5, cutout, clip)


def test_nothing_to_transfer(store, tuned):
    with pytest.raises(NoResult):
        transfer.tuned(type(tuned.history())(spec_of()))
    with pytest.raises(UnknownName):
        planned(store, to=["darts-cnn"])
    with pytest.raises(InvalidValue, match="no table to tell the regret"):
        transfer.tuned(type(tuned.history())(spec_of(optimizer="random-ws", space="darts-cnn", recipe={})))


def test_names_that_would_be_too_long(store):
    with pytest.raises(UserError, match="name"):
        planned(store) and transfer.plan(transfer.Tuned(spec_of("x" * 99), 0, CONFIGS[0], 1), ["s1"], store, seeds=[0])
