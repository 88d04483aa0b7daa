"""The command line as a person or a program uses it."""

import json

import pytest

from asha_nas import problems
from asha_nas.cli import app
from asha_nas.runner import trial_seed
from asha_nas.study import make_spec

TINY = ("--recipe", "cells=1", "--recipe", "channels=2", "--recipe", "train_limit=64")


@pytest.fixture
def study(cli):
    """A finished study of two rungs, really trained, on digits."""
    code, out, err = cli(
        "asha", "--engine", "inline", "--name", "small", "-R", "2", "--eta", "2", "--configs", "4", *TINY
    )
    assert code == 0, err
    return out


def test_a_study_from_start_to_evaluation(cli, study, tmp_path):
    drawing = tmp_path / "data/asha-nas/drawings/small.png"
    assert drawing.read_bytes().startswith(b"\x89PNG")
    assert "best: trial" in study and "1.3 times as many" in study  # 4 + 2 epochs, instead of 4 × 2
    assert "asha-nas explain small" in study

    code, out, _ = cli("ls", "--json")
    [listed] = json.loads(out)
    assert (code, listed["name"], listed["state"], listed["trials"], listed["epochs"]) == (0, "small", "done", 4, 6)

    shown = json.loads(cli("show", "small", "--json")[1])
    assert [(rung["epochs"], rung["results"], rung["promoted"]) for rung in shown["rungs"]] == [(1, 4, 2), (2, 2, 0)]
    assert shown["spec"]["problem"]["recipe"]["cells"] == 1
    assert "Rung" not in cli("show", "small")[1] and "rung" in cli("show", "small")[1]

    best = json.loads(cli("best", "small", "--json", "--draw", str(tmp_path / "cell.svg"))[1])
    assert best["valid_error"] == min(
        job["value"] for trial in shown["trials"] for job in trial["jobs"] if job["value"] is not None
    )
    assert (tmp_path / "cell.svg").read_text().startswith("<?xml")

    explained = json.loads(cli("explain", "small", str(best["trial"]), "--json")[1])
    assert explained["rungs"][0]["promoted"] == 2
    assert "went up as number" in explained["rungs"][0]["verdict"] or best["epochs"] == 1

    code, out, err = cli("evaluate", "small", "--seeds", "2", "--epochs", "1", "--json")
    assert code == 0, err
    evaluation = json.loads(out)["evaluation"]
    assert evaluation["seeds"] == 2 and 0 < evaluation["best"] <= evaluation["mean"] < 1
    assert "2 seeds" in cli("show", "small-evaluate")[1]


def test_a_finished_study_is_not_run_again(cli, study):
    before = json.loads(cli("show", "small", "--json")[1])
    code, out, _ = cli("resume", "small")
    assert code == 0 and "nothing is left to do" in out
    assert json.loads(cli("show", "small", "--json")[1]) == before


def test_the_plan_of_the_paper(cli):
    """700 architectures on the released ladder: the figures follow from ⌊n/4⌋ alone."""
    arguments = ("asha", "--data", "cifar10", "--configs", "700", "--rungs", "released", "--plan", "--json")
    code, out, err = cli(*arguments)
    assert code == 0, err
    plan = json.loads(out)["plan"]
    assert [(rung["stop"], rung["jobs"]) for rung in plan["rungs"]] == [
        (1, 700), (4, 175), (18, 43), (75, 10), (300, 2),
    ]  # fmt: skip
    assert (plan["jobs"], plan["epochs"], plan["full_epochs"]) == (930, 2847, 210_000)
    assert 200 < plan["hours"] < 230  # 9 days of the paper's GPU
    one = plan["disk_bytes"]  # the best trial's
    assert 20e6 < one < 60e6
    # Of 700 that begin, 175 may still go up at any time, if they have not yet; and of those that have, two files each.
    assert 100 * one < plan["peak_bytes"] < 300 * one
    assert plan["warnings"] == []
    assert json.loads(cli("ls", "--json")[1]) == []  # nothing was made


def test_a_plan_warns_when_nothing_reaches_full_training(cli):
    code, out, _ = cli("asha", "--configs", "700", "--plan")
    assert code == 0 and "no trial will be trained to R = 300" in out and "--rungs released" in out


def test_a_plan_uses_what_an_earlier_study_measured(cli, study):
    arguments = ("asha", "-R", "2", "--eta", "2", "--configs", "8", *TINY, "--plan", "--json")
    assert json.loads(cli(*arguments)[1])["plan"]["seconds_source"] == "measured in study 'small'"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("asha", "--space", "dart-cnn"), ["unknown space 'dart-cnn'", "Did you mean 'darts-cnn'?"]),
        (("asha", "--data", "cifer10"), ["unknown data set 'cifer10'", "Did you mean 'cifar10'?"]),
        (("asha", "--data", "cifar10"), ["asha-nas data get cifar10", "ASHA_NAS_DATA"]),
        (("asha", "--eta", "1"), ["eta = 1", ">= 2"]),
        (("asha", "-r", "5", "-R", "3"), ["r = 5", "R = 3"]),
        (("asha", "-r", "0"), ["r = 0", "at least 1"]),
        (("asha", "--configs", "0"), ["scheduler.configs = 0", "greater than or equal to 1"]),
        (("asha", "--rungs", "relased"), ["scheduler.rungs = 'relased'", "'released'"]),
        (("asha", "--operations", "papers"), ["unknown set of operations", "Did you mean 'paper'?"]),
        (("asha", "--recipe", "chanels=3"), ["unknown recipe setting 'chanels'", "Did you mean 'channels'?"]),
        (("asha", "--recipe", "channels=0"), ["channels = 0", "at least 1"]),
        (("asha", "--recipe", "channels"), ["must be KEY=VALUE"]),
        (("asha", "--name", "a b"), ["name = 'a b'"]),
        (("asha", "--store", "/proc/no/where.db"), ["/proc/no/where.db", "--store"]),
        (("asha", "--store", "nonsense://x"), ["nonsense://x"]),
        (("resume", "nowhere"), ["unknown study 'nowhere'", "asha-nas ls"]),
        (("run", "missing.toml"), ["missing.toml", "No such file"]),
        (("data", "get", "cifar100"), ["unknown data set 'cifar100'", "cifar10"]),
        (("data", "add", "cifar10", "missing.tar.gz"), ["missing.tar.gz"]),
        (("asha", "--bogus"), ["No such option"]),
        (("asha", "--draw", "cell.pdf"), ["cell.pdf", ".svg or .png"]),
        (("asha", "--gpus-per-trial", "1.5"), ["gpus_per_trial = 1.5", "whole number"]),
        (("asha", "--cpus-per-trial", "nan"), ["cpus_per_trial", "finite number"]),
        (("asha", "--recipe", "train_limit=15"), ["valid"]),
        (("asha", "--workers", "0"), ["--workers"]),
    ],
)
def test_mistakes_are_told_in_a_few_words(cli, arguments, words):
    code, _, err = cli(*arguments)
    assert code == 2
    assert all(word in " ".join(err.split()) for word in words), err
    assert "Traceback" not in err


def test_mistakes_about_a_study(cli, study):
    assert cli("explain", "small", "99")[::2] == (
        2, "asha-nas: no trial 99 in this study\nIts trials are: 0 to 3.\n"
    )  # fmt: skip
    assert "Did you mean 'small'?" in cli("show", "smal")[2]
    code, _, err = cli("asha", "--name", "small")
    assert code == 2 and "exists already" in err and "asha-nas resume small" in err


def test_a_damaged_archive_is_told(cli, tmp_path):
    archive = tmp_path / "cifar-10-python.tar.gz"
    archive.write_bytes(b"not an archive")
    code, _, err = cli("data", "add", "cifar10", str(archive))
    assert code == 2 and str(archive) in err.replace("\n", "")


def test_a_study_file_with_an_unknown_key(cli, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("[scheduler]\nconfigs = 3\nR = 4\nconfig = 4\n")
    code, _, err = cli("run", str(file))
    assert code == 2 and "unknown key 'scheduler.config' (did you mean 'configs'?)" in " ".join(err.split())


def test_a_study_that_cannot_run_is_not_kept(cli, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(
        '[problem]\nkind = "objective"\nobjective = "no_such_module:f"\nspace = {x = {range = [0, 1]}}\n'
        "[scheduler]\nconfigs = 3\nR = 4\n"
    )
    code, _, err = cli("run", str(file))
    assert code == 2 and "no_such_module" in err
    assert json.loads(cli("ls", "--json")[1]) == []


def test_an_evaluation_uses_all_of_the_training_set(cli, study):
    arguments = ("evaluate", "small", "--seeds", "1", "--epochs", "3", "--plan", "--json")
    recipe = json.loads(cli(*arguments)[1])["spec"]["problem"]["recipe"]
    assert (recipe["train_limit"], recipe["cells"]) == (None, 1)
    recipe = json.loads(cli(*arguments, "--recipe", "train_limit=64")[1])["spec"]["problem"]["recipe"]
    assert recipe["train_limit"] == 64


def test_an_evaluation_never_repeats_a_training_of_the_search():
    search = {trial_seed(0, trial) for trial in range(100)}
    assert not search & {trial_seed(0, trial, "evaluate") for trial in range(100)}


def test_paths_are_made_absolute(cli, monkeypatch, tmp_path):
    """Ray's workers have working folders of their own."""
    monkeypatch.chdir(tmp_path)
    plan = cli("asha", "--checkpoints", "here", "--plan", "--json")[1]
    assert json.loads(plan)["spec"]["checkpoints"] == str(tmp_path / "here")
    monkeypatch.setenv("ASHA_NAS_DATA", "data")
    spec = make_spec({"name": "x", "problem": {"data": "cifar10"}, "scheduler": {"configs": 1}})
    assert problems.build(spec).trial.data_dir == str(tmp_path / "data")


def test_threads_follow_processors(cli, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("[scheduler]\nconfigs = 3\n[engine]\ncpus_per_trial = 4\n")
    for arguments in (("run", str(file)), ("asha", "--cpus-per-trial", "4")):
        spec = json.loads(cli(*arguments, "--plan", "--json")[1])["spec"]
        assert spec["problem"]["recipe"]["threads"] == 4


def test_the_next_commands_name_the_store(cli, tmp_path):
    store = f"sqlite:///{tmp_path / 'other.db'}"
    arguments = ("asha", "--engine", "inline", "-R", "1", "--configs", "1", *TINY, "--store", store)
    code, out, err = cli(*arguments)
    assert code == 0, err
    assert f"asha-nas show asha-digits --store {store}" in out
    assert f"asha-nas resume asha-digits --store {store}" in out


def test_large_plans_are_counted_not_played(cli):
    plan = json.loads(cli("asha", "--configs", "1000000000", "--plan", "--json")[1])["plan"]
    assert plan["rungs"][1]["jobs"] == 250_000_000
    plan = json.loads(cli("asha", "--max-hours", "2000", "--plan", "--json")[1])["plan"]
    assert plan["jobs"] == 100_000 and "counting stopped at 100,000 jobs" in plan["warnings"][0]


def test_the_time_of_another_recipe_is_not_guessed(cli):
    plan = json.loads(cli("asha", "--data", "cifar10", "--recipe", "cells=2", "--plan", "--json")[1])["plan"]
    assert plan["hours"] is None and "run a small one first" in plan["seconds_source"]


def test_doctor_and_data_list(cli):
    code, out, err = cli("doctor", "--json")
    assert code == 0, err
    names = {check["name"]: check["state"] for check in json.loads(out)}
    assert names["data digits"] == "ok" and names["data cifar10"] == "note" and names["store"] == "ok"
    assert "asha-nas data get cifar10" in cli("doctor")[1]
    listed = {entry["name"]: entry for entry in json.loads(cli("data", "list", "--json")[1])}
    assert listed["digits"]["state"] == "embedded" and listed["cifar10"]["state"] == "missing"
    assert "cifar10" in cli("data", "list")[1]


def test_doctor_fails_when_the_store_cannot_be_used(cli):
    code, out, _ = cli("doctor", "--store", "/proc/no/where.db")
    assert code == 1 and "bad" in out


def test_every_command_has_help(cli):
    for command in ("asha", "run", "resume", "evaluate", "ls", "show", "best", "explain", "doctor", "data", "data get"):
        code, out, _ = cli(*command.split(), "--help")
        assert code == 0 and "Usage: asha-nas" in out
    assert cli("--version")[1].startswith("asha-nas 0.")


def test_another_distributions_package_is_noticed(cli, monkeypatch, tmp_path):
    (tmp_path / "spaces").mkdir()
    (tmp_path / "spaces/__init__.py").touch()
    real = app.importlib.import_module

    def found(name):
        module = real(name)
        if name == "spaces":
            monkeypatch.setattr(module, "__file__", str(tmp_path / "spaces/__init__.py"))
        return module

    monkeypatch.setattr(app.importlib, "import_module", found)
    code, _, err = cli("ls")
    assert code == 2 and "package 'spaces' is not ours" in err
