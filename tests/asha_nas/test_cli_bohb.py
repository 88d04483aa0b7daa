"""Tuning one-shot optimizers from the command line, really searched, on digits."""

import json

import pytest

from asha_nas import api
from asha_nas.plan import make_plan
from asha_nas.store import Store
from asha_nas.study import make_spec
from spaces.nasbench101 import parse_cell
from trials.tables import open_table

SMALL = {"channels": 4, "stages": 2, "train_limit": 100}
RECIPE = [word for name, value in SMALL.items() for word in ("--recipe", f"{name}={value}")]
TINY = ("bohb", "--engine", "inline", "--min-budget", "1", "--max-budget", "2", "--iterations", "2", *RECIPE)
PAPER = ("--min-budget", "25", "--max-budget", "100", "--eta", "2", "--iterations", "64")


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, tmp_path):
    """For checkpoints and drawings."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def test_the_papers_plan_is_280_runs_with_the_default_first(cli):
    code, out, err = cli("bohb", "--data", "cifar10", "--space", "s3", *PAPER, "--workers", "16", "--plan", "--json")
    assert code == 0, err
    plan = json.loads(out)["plan"]
    assert {rung["stop"]: rung["jobs"] for rung in plan["rungs"]} == {25: 88, 50: 86, 100: 106}
    assert (plan["jobs"], plan["epochs"], plan["workers"]) == (280, 17_100, 16)
    assert plan["first"] == {"cutout_prob": 0.0, "learning_rate": 0.025, "weight_decay": 3e-4}
    assert any("nasbench101" in warning for warning in plan["warnings"])


def test_the_papers_experiment_needs_no_options_of_its_own(cli):
    plans = [json.loads(cli("bohb", "--data", "cifar10", "--space", "s3", *more, "--plan", "--json")[1])["plan"]
             for more in ((), PAPER)]  # fmt: skip
    assert plans[0] == plans[1]


@pytest.mark.parametrize("optimizer", ["gdas", "random-ws", "enas"])
@pytest.mark.parametrize("config_space", ["cs1", "cs2", "cs3"])
def test_the_default_configuration_is_what_the_optimizer_searches_with(optimizer, config_space):
    problem = {"kind": "tune", "optimizer": optimizer, "config_space": config_space}
    spec = make_spec({"name": "s", "problem": problem, "scheduler": {"kind": "bohb", "R": 16, "r": 4}})
    first = dict(spec.problem.described().get_default_configuration())
    for name, value in first.items():
        low, high = spec.problem.described()[name].lower, spec.problem.described()[name].upper
        assert value == pytest.approx(min(max(getattr(spec.problem.recipe, name), low), high))
    assert len(first) == {"cs1": 2, "cs2": 3, "cs3": {"gdas": 9, "enas": 8, "random-ws": 7}[optimizer]}[config_space]


def test_it_ends_with_the_best_the_default_and_the_incumbents(cli, tmp_path):
    code, out, err = cli(*TINY, "--name", "tuned")
    assert code == 0, err
    assert "tuned: bohb over cs2 of gdas in s1 on digits (cells looked up in s1-digits), rungs at 1, 2 epochs" in out
    assert "default: cutout_prob 0, learning_rate 0.025, weight_decay 0.0003" in out
    assert "incumbents:" in out
    assert "asha-nas transfer tuned --to s1 --seeds 0..4" in out
    assert (tmp_path / "data/asha-nas/drawings/tuned.png").read_bytes().startswith(b"\x89PNG")
    study = api.load("tuned", store=Store())
    history = study.history()
    assert history.trials[0].origin == "default"
    assert [rung.results for rung in history.rungs()] == [2, 3]  # of (2, 1) and (2,)
    best = history.best
    row = open_table("s1-digits").lookup(parse_cell(best.notes["cell"]))
    assert best.loss == row.valid_error
    assert best.metrics[best.stop]["test_error"] == row.test_error


def test_best_and_show_tell_of_the_cell_that_was_found(cli, tmp_path):
    assert cli(*TINY, "--name", "tuned")[0] == 0
    drawing = tmp_path / "cell.svg"
    code, out, err = cli("best", "tuned", "--draw", str(drawing), "--json")
    assert code == 0, err
    best = json.loads(out)
    assert set(best["config"]) == {"cutout_prob", "learning_rate", "weight_decay"}
    assert parse_cell(best["cell"]).hash == best["hash"]
    assert drawing.read_text().startswith("<?xml")
    assert json.loads(cli("ls", "--json")[1])[0]["problem"] == "tuning gdas in s1 on digits"
    assert "cutout_prob" in cli("show", "tuned")[1]
    assert "of bracket 0" in cli("explain", "tuned", "0")[1]


def test_as_json_it_gives_both_configurations_and_the_incumbents(cli):
    code, out, err = cli(*TINY, "--json", "--name", "tuned", "--config-space", "cs3", "--sampler", "hpbandster")
    assert code == 0, err
    found = json.loads(out)
    assert set(found["default"]["config"]) == set(found["best"]["config"])
    assert len(found["best"]["config"]) == 9
    assert found["incumbents"]["loss"][-1] == found["best"]["metrics"]["valid_error"]
    assert found["cost"]["epochs"] == 2 + 3 * 2


def test_the_same_as_a_file_makes_the_same_study(cli, tmp_path):
    file = tmp_path / "tuned.toml"
    file.write_text(
        '[problem]\nkind = "tune"\nrecipe = {channels = 4, stages = 2, train_limit = 100}\n'
        '[scheduler]\nkind = "bohb"\nr = 1\nR = 2\neta = 2\niterations = 2\n[engine]\nkind = "inline"\n'
    )
    assert cli("run", str(file), "--name", "by-file")[0] == 0
    assert cli(*TINY, "--name", "by-command")[0] == 0
    histories = [api.load(name, store=Store()).history() for name in ("by-file", "by-command")]
    results = [[(job.trial, job.stop, job.loss) for job in history.jobs.values()] for history in histories]
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--config-space", "cs9"), ["unknown configuration space 'cs9'", "cs1, cs2, cs3"]),
        (("--optimizer", "adam"), ["unknown optimizer 'adam'", "Did you mean 'gdas'?"]),
        (("--data", "mnist"), ["unknown data set 'mnist'", "cifar10, digits"]),
        (("--min-budget", "8", "--max-budget", "4"), ["r = 8", "must not exceed R = 4"]),
        (("--eta", "1"), ["eta = 1", "integer >= 2"]),
        (("--sampler", "forest"), ["scheduler.sampler = 'forest'", "kde", "hpbandster"]),
        (("--random-fraction", "2"), ["scheduler.random_fraction = 2.0"]),
        (("--table", "nope"), ["unknown table 'nope'", "s1-digits"]),
        (("--space", "s2"), ["unknown table 's2-digits'", "asha-nas table build --space s2"]),
    ],
)
def test_mistakes_are_told_before_anything_runs(cli, options, parts):
    code, out, err = cli("bohb", *options, "--name", "wrong")
    assert code == 2, out
    assert all(part in err for part in parts), err
    assert "wrong" not in [study.name for study in Store().studies()]


@pytest.mark.parametrize(
    ("problem", "parts"),
    [
        ({"config_space": {"tempo": {"range": [1, 2]}}}, ["unknown hyperparameter of gdas 'tempo'"]),
        ({"config_space": {"momentum": {"between": [1, 2]}}}, ["space.momentum"]),
    ],
)
def test_a_space_of_ones_own_must_be_of_the_optimizer(problem, parts):
    from asha_nas.errors import UserError

    with pytest.raises(UserError) as complaint:
        make_spec({"name": "s", "problem": {"kind": "tune", **problem}, "scheduler": {"kind": "bohb", "R": 4}})
    assert all(part in str(complaint.value) for part in parts)


def test_a_space_of_ones_own_is_tuned(cli, tmp_path):
    file = tmp_path / "own.toml"
    file.write_text(
        '[problem]\nkind = "tune"\noptimizer = "pc-darts"\nrecipe = {channels = 4, stages = 2, train_limit = 100}\n'
        "[problem.config_space]\npartial = {choices = [1, 2, 4]}\nmomentum = {range = [0.5, 0.95]}\n"
        '[scheduler]\nkind = "random"\nR = 1\nconfigs = 3\n[engine]\nkind = "inline"\n'
    )
    code, _, err = cli("run", str(file))
    assert code == 0, err
    configs = [trial.config for trial in api.load("own", store=Store()).history().trials.values()]
    assert all(set(config) == {"partial", "momentum"} for config in configs)


def test_a_plan_of_asynchronous_brackets_counts_what_begins_where(tmp_path):
    spec = make_spec({
        "name": "s", "problem": {"kind": "objective", "objective": "math:sqrt", "space": {"x": {"range": [0.0, 1.0]}}},
        "scheduler": {"kind": "async-hyperband", "r": 1, "R": 9, "eta": 3, "max_epochs": 300},
    })  # fmt: skip
    plan = make_plan(spec, Store(str(tmp_path / "s.db")), 1)
    assert sum(rung.epochs for rung in plan.rungs) == plan.epochs
    assert 290 < plan.epochs <= 300
    assert plan.trials < plan.jobs
