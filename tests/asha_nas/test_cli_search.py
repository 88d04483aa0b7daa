"""One-shot searches from the command line, really searched, on digits."""

import json
from pathlib import Path

import pytest

from asha_nas import api, problems, searching
from asha_nas.errors import UserError
from asha_nas.plan import make_plan
from asha_nas.schedulers import Piece
from asha_nas.store import Reported, Store
from asha_nas.study import make_spec
from spaces.darts_cell import parse_genotype
from spaces.nasbench101 import parse_cell
from trials.tables import open_table

SMALL = {"channels": 4, "stages": 2, "train_limit": 200}
RECIPE = [word for name, value in SMALL.items() for word in ("--recipe", f"{name}={value}")]


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, tmp_path):
    """For checkpoints."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def search(*arguments):
    return ("search", "--engine", "inline", *RECIPE, *arguments)


def spec_of(**problem):
    scheduler = problem.pop("scheduler", {})
    return make_spec(
        {
            "name": "found", "engine": {"kind": "inline"}, "scheduler": scheduler,
            "problem": {"kind": "search", **problem},
        }
    )  # fmt: skip


@pytest.fixture
def found(cli):
    """Two seeds at two budgets."""
    code, out, err = cli(*search("--name", "found", "--epochs", "1,3", "--seeds", "0,4"))
    assert code == 0, err
    return out


# --- from start to end ---------------------------------------------------------------------------------


def test_a_search_tells_what_it_found_and_draws_its_curves(cli, found, tmp_path):
    assert "gdas in s1 on digits, 2 seeds, 1, 3 epochs; cells looked up in s1-digits" in found
    assert "after 1 epoch: test regret" in found
    assert "after 3 epochs: test regret" in found
    assert "(2 seeds), a random cell's is 24.74 % ± 13.76 %" in found
    drawing = tmp_path / "data/asha-nas/drawings/found.png"
    assert drawing.read_bytes().startswith(b"\x89PNG")
    assert str(drawing) in found

    best = json.loads(cli("best", "found", "--json")[1])
    assert f"asha-nas table lookup s1-digits {best['hash']}" in found
    assert best["cell"] in found
    assert (parse_cell(best["cell"]).hash, best["identity"]) == (best["hash"], None)
    entry = open_table("s1-digits").lookup(best["hash"])
    assert best["valid_error"] == pytest.approx(entry.valid_error)
    assert best["metrics"]["test_error"] == pytest.approx(entry.test_error)


def test_each_seed_and_budget_is_a_search_of_its_own(cli, found):
    shown = json.loads(cli("show", "found", "--json")[1])
    assert [(rung["epochs"], rung["results"], rung["promoted"]) for rung in shown["rungs"]] == [(1, 2, 0), (3, 2, 0)]
    assert [(t["config"], t["jobs"][0]["stop"]) for t in shown["trials"]] == [
        ({"seed": 0}, 3), ({"seed": 4}, 3), ({"seed": 0}, 1), ({"seed": 4}, 1)
    ]  # fmt: skip
    assert shown["cost"]["full_epochs"] is None


def test_what_people_see_of_a_search(cli, found, tmp_path):
    best = json.loads(cli("best", "found", "--json")[1])
    assert f"{best['config']['seed']}  {best['hash']}" in cli("show", "found")[1]
    assert json.loads(cli("ls", "--json")[1])[0]["problem"] == "search by gdas in s1 on digits"
    picture = tmp_path / "cell.svg"
    code, out, err = cli("best", "found", "--draw", str(picture))
    assert code == 0, err
    assert best["hash"] in out
    assert picture.read_text().startswith("<?xml")
    assert "number 1 of 2" in "".join(cli("explain", "found", str(trial))[1] for trial in range(4))
    assert best["cell"] in cli("explain", "found", str(best["trial"]))[1]


def test_a_finished_search_tells_it_again(cli, found, tmp_path):
    picture = tmp_path / "curves.svg"
    code, out, err = cli("resume", "found", "--draw", str(picture))
    assert code == 0, err
    assert "nothing is left to do" in out
    assert "after 3 epochs: test regret" in out
    assert picture.read_text().startswith("<?xml")


def test_a_search_whose_table_is_gone_is_still_told(cli, tmp_path):
    table = tmp_path / "mine.nastable"
    table.write_bytes(Path(open_table("s1-digits").path).read_bytes())
    arguments = search("--name", "found", "--epochs", "1", "--table", str(table))
    assert cli(*arguments)[0] == 0
    table.unlink()
    code, out, err = cli("resume", "found")
    assert code == 0
    assert "after 1 epoch: test regret" in out
    assert "a random cell's" not in out
    assert "not compared with a random cell" in err


def test_a_search_for_programs(cli, tmp_path):
    picture = tmp_path / "curves.png"
    code, out, err = cli(
        *search("--name", "found", "--epochs", "2", "--seeds", "3..4", "--draw", str(picture), "--json")
    )
    assert code == 0, err
    made = json.loads(out)
    assert (made["study"], made["state"], made["drawing"]) == ("found", "done", str(picture))
    assert picture.is_file()
    [budget] = made["budgets"]
    assert (budget["epochs"], budget["done"], budget["regret"]["seeds"]) == (2, 2, 2)
    regrets = [one["metrics"]["regret"] for one in made["searches"]]
    assert budget["regret"]["mean"] == pytest.approx(sum(regrets) / 2)
    assert [one["seed"] for one in made["searches"]] == [3, 4]
    for one in made["searches"]:
        assert one["curve"]["epoch"] == [1, 2]
        assert one["curve"]["regret"][-1] == one["metrics"]["regret"]
        assert one["simulated_seconds"] > one["search_seconds"] > 0
    assert made["random_regret"]["mean"] == pytest.approx(0.2474, abs=1e-4)


def test_the_winner_of_darts_cnn_is_evaluated(cli, tmp_path):
    arguments = (
        "--optimizer", "random-ws", "--space", "darts-cnn", "--name", "ws", "--epochs", "1",
        "--recipe", "samples=2", "--recipe", "sample_batches=1", "--recipe", "stages=3", "--recipe", "cells=2",
    )  # fmt: skip
    code, out, err = cli(*search(*arguments))
    assert code == 0, err
    assert "asha-nas evaluate ws" in out
    assert "after 1 epoch: one-shot validation error" in out
    assert "regret" not in out
    assert "table lookup" not in out
    best = json.loads(cli("best", "ws", "--json", "--draw", str(tmp_path / "cell.svg"))[1])
    assert (best["hash"], best["drawing"]) == (None, str(tmp_path / "cell.svg"))
    plan = json.loads(cli("evaluate", "ws", "--seeds", "2", "--epochs", "3", "--plan", "--json")[1])
    problem = plan["spec"]["problem"]
    assert problem["genotype"] == str(parse_genotype(best["cell"]))
    assert (problem["kind"], problem["recipe"]["train_limit"]) == ("evaluate", None)
    assert cli("evaluate", "ws", "--seeds", "1", "--epochs", "1", "--recipe", "channels=2")[0] == 0


def test_cells_of_a_table_are_not_evaluated(cli, found):
    code, _, err = cli("evaluate", "found")
    assert code == 2
    assert "finds cells of s1, whose test error a table tells" in " ".join(err.replace("│", " ").split())


def test_help_says_which_engine_is_chosen(cli):
    code, out, _ = cli("search", "--help")
    assert code == 0
    assert "inline for a single search" in " ".join(out.replace("│", " ").split())


# --- before anything runs ------------------------------------------------------------------------------


def test_a_single_search_does_not_wait_for_ray(cli):
    def engine(*arguments):
        code, out, err = cli("search", "--plan", "--json", *arguments)
        assert code == 0, err
        return json.loads(out)["spec"]["engine"]["kind"]

    assert engine() == "inline"
    assert engine("--epochs", "5", "--seeds", "7") == "inline"
    assert engine("--seeds", "0..1") == "ray"
    assert engine("--epochs", "5,10") == "ray"
    assert engine("--workers", "1") == "ray"
    assert engine("--address", "auto") == "ray"
    assert engine("--engine", "ray") == "ray"
    assert engine("--seeds", "0..1", "--engine", "inline") == "inline"


@pytest.mark.parametrize(
    ("text", "seeds"), [("3", [3]), ("0..5", [0, 1, 2, 3, 4, 5]), ("0,3,7", [0, 3, 7]), ("9,1..2", [9, 1, 2])]
)
def test_seeds(cli, text, seeds):
    assert json.loads(cli("search", "--seeds", text, "--plan", "--json")[1])["spec"]["problem"]["seeds"] == seeds


def test_the_plan_runs_nothing(cli):
    code, out, err = cli("search", "--seeds", "0..5", "--epochs", "25,50", "--plan", "--json")
    assert code == 0, err
    plan = json.loads(out)["plan"]
    assert [(rung["stop"], rung["jobs"], rung["epochs"]) for rung in plan["rungs"]] == [(25, 6, 150), (50, 6, 300)]
    assert (plan["hours"], plan["full_epochs"], plan["seconds_source"].startswith("unknown")) == (None, None, True)
    assert "run a short one first" in cli("search", "--plan")[1]
    assert json.loads(cli("ls", "--json")[1]) == []


def test_a_plan_knows_the_time_of_an_earlier_search_of_the_same_kind(cli, found):
    def plan(*arguments):
        return json.loads(cli(*search("--epochs", "20", "--plan", "--json", *arguments))[1])["plan"]

    known = plan("--seeds", "0..9")
    assert known["seconds_source"] == "measured in study 'found'"
    assert known["hours"] == pytest.approx(200 * known["seconds_per_epoch"] / 3600)
    assert plan("--optimizer", "darts")["hours"] is None


def test_disk_of_a_plan_counts_the_checkpoints_that_are_kept(tmp_path):
    """Measured sizes, times files: every third epoch and the last of each search."""
    from asha_nas.plan import RungPlan, _files

    rungs = (RungPlan(0, 7, 2, 14), RungPlan(1, 9, 2, 18))
    assert _files(spec_of(recipe={"keep_every": 3}), rungs, None, 1) == (2 * 3 + 2 * 3, 2 * 3 + 2 * 3 + 2)
    assert _files(spec_of(recipe={"keep_every": None}), rungs, None, 3) == (2 + 2, 2 + 2 + 2 * 3)


def test_more_workers_than_searches_are_no_faster(tmp_path):
    store = Store(str(tmp_path / "studies.db"))
    study = api.create(spec_of(scheduler={"budgets": [1]}, recipe=SMALL), store=store)
    study.run()
    spec = make_spec({**study.spec.model_dump(), "name": "next"})
    hours = [make_plan(spec, store, workers).hours for workers in (1, 8)]
    assert hours[0] == hours[1] > 0


def test_pieces_are_the_longest_first():
    spec = spec_of(seeds=[5, 2], scheduler={"budgets": [1, 4]})
    assert searching.pieces(spec) == [
        Piece({"seed": 5}, 1, 4), Piece({"seed": 2}, 1, 4), Piece({"seed": 5}, 0, 1), Piece({"seed": 2}, 0, 1)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--optimizer", "gads"), "Did you mean 'gdas'?"),
        (("--space", "s4"), "unknown space 's4'"),
        (("--variant", "x"), "unknown variant 'x'"),
        (("--table", "s1-digit"), "Did you mean 's1-digits'?"),
        (("--data", "cifar10"), "unknown table 'nasbench101'; make it: asha-nas table convert"),
        (("--space", "s3"), "unknown table 's3-digits'; make it: asha-nas table build --space s3"),
        (("--space", "s2", "--table", "s1-digits"), "holds cells of s1, and those of s2 are searched"),
        (("--recipe", "samples=3"), "enas, random-ws have it"),
        (("--recipe", "chanels=3"), "Did you mean 'channels'?"),
        (("--space", "darts-cnn"), "which only random-ws can"),
        (("--space", "darts-cnn", "--optimizer", "random-ws", "--table", "s1-digits"), "no tables of darts-cnn"),
        (("--seeds", "5..3"), "must be numbers or ranges"),
        (("--seeds", "0..9999999999"), "must be numbers or ranges"),
        (("--seeds", "few"), "must be numbers or ranges"),
        (("--seeds", "1,1"), "different numbers"),
        (("--epochs", "5,3"), "ascending"),
        (("--epochs", "few"), "must be numbers of epochs"),
        (("--epochs", "0"), "from 1 on"),
        (("--draw", "x.pdf"), "must end in .svg or .png"),
        (("--recipe", "search_fraction=0.001"), "leaves a class"),
    ],
)
def test_mistakes_are_told_before_anything_runs(cli, arguments, words):
    code, _, err = cli("search", *arguments)
    assert code == 2
    assert words in " ".join(err.replace("│", " ").split())
    assert json.loads(cli("ls", "--json")[1]) == []


def test_a_study_that_its_table_cannot_score_is_not_made(tmp_path):
    store = Store(str(tmp_path / "studies.db"))
    with pytest.raises(UserError, match="holds cells of s1"):
        api.create(spec_of(space="s3", table="s1-digits"), store=store)
    assert store.studies() == []


def test_looking_a_table_over_needs_no_torch():
    import subprocess
    import sys

    code = (
        "import sys; from asha_nas import searching; from asha_nas.study import make_spec\n"
        "spec = make_spec({'name': 'x', 'problem': {'kind': 'search'}})\n"
        "assert searching.scorer(spec.problem).table.name == 's1-digits'\n"
        "assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# --- from Python ---------------------------------------------------------------------------------------


def test_a_search_from_python_that_was_stopped_goes_on(tmp_path):
    store = Store(str(tmp_path / "studies.db"))
    values = spec_of(seeds=[0, 1], scheduler={"budgets": [3]}, recipe=SMALL)
    whole = api.create(values, store=store)
    assert whole.run() == "done"
    frame = whole.searches()
    assert (frame["seed"].tolist(), frame["epochs"].tolist()) == ([0, 1], [3, 3])
    assert whole.best.notes["hash"] in frame["hash"].tolist()

    class Stopped(BaseException):
        pass

    def stop(event):
        if isinstance(event, Reported) and (event.job, event.epoch) == (1, 2):
            raise Stopped

    stopped = api.create(make_spec({**values.model_dump(), "name": "stopped"}), store=store)
    with pytest.raises(Stopped):
        stopped.run([stop])
    assert api.load("stopped", store=store).run() == "done"
    same = ["seed", "epochs", "cell", "regret", "one_shot_valid_error"]
    assert stopped.searches()[same].equals(frame[same])


def test_the_trial_of_a_search_is_what_the_spec_says(monkeypatch, tmp_path):
    monkeypatch.setenv("ASHA_NAS_DATA", str(tmp_path))
    spec = spec_of(optimizer="enas", variant="released")
    problem = problems.build(spec)
    trial = problem.trial
    assert (trial.optimizer, trial.space, trial.data, trial.table) == ("enas", "s1", "digits", "s1-digits")
    assert (trial.recipe, trial.variant, trial.data_dir) == (spec.problem.recipe, "released", str(tmp_path))
    assert problem.loss({"valid_error": 0.25, "one_shot_valid_error": 0.5}) == 0.25


@pytest.mark.ray
def test_seeds_run_side_by_side_on_ray(local_ray, tmp_path):
    store = Store(str(tmp_path / "studies.db"))
    values = spec_of(seeds=[0, 1], scheduler={"budgets": [2]}, recipe=SMALL)
    inline = api.create(values, store=store)
    inline.run()
    ray = {"kind": "ray", "workers": 2, "dashboard": False}
    study = api.create(make_spec({**values.model_dump(), "name": "ray", "engine": ray}), store=store)
    assert study.run() == "done"
    same = ["seed", "cell", "regret", "one_shot_valid_error"]
    assert study.searches()[same].sort_values("seed").equals(inline.searches()[same].sort_values("seed"))
