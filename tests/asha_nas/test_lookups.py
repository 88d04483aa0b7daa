"""Studies of look-ups, from the spec to the command line."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from asha_nas import api, lookups, problems
from asha_nas.engines import InlineEngine
from asha_nas.errors import SpecError, UserError
from asha_nas.plan import make_plan
from asha_nas.store import Store
from asha_nas.study import StudySpec, make_spec
from spaces.encodings import DartsCnn, Listed, NasBench1Shot1
from spaces.nasbench101 import parse_cell
from spaces.table import Column, Content, write_table
from spaces.table import nasbench201 as source
from tests.spaces.small_table import real
from trials.curve_lookup import ADAM
from trials.tables import open_table

ROOT = Path(__file__).resolve().parents[2]
LADDER = {"kind": "asha", "r": 1, "R": 4, "eta": 2, "configs": 16}


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, tmp_path):
    """For checkpoints, and for tables and curves."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("ASHA_NAS_DATA", str(tmp_path / "files"))


@pytest.fixture
def store(tmp_path):
    return Store(f"sqlite:///{tmp_path}/s.db")


def table_spec(scheduler=LADDER, name="looked-up", **problem):
    return make_spec(
        {
            "name": name, "engine": {"kind": "inline"}, "scheduler": scheduler, "seed": 3,
            "problem": {"kind": "table", **problem},
        }
    )  # fmt: skip


def write_curves(folder, points=9, settings=30):
    rng = np.random.default_rng(1)
    hp = np.stack([np.exp(rng.uniform(np.log(s.low), np.log(s.high), settings)) for s in ADAM.values()], axis=1)
    hp[:, 1:3] = 1 - hp[:, 1:3]
    curves = np.sort(rng.random((settings, 3, points), dtype=np.float32), axis=2)[:, :, ::-1].copy()
    curves[::5, :, 3:] = np.nan
    path = folder / "taskset_rnn" / "taskset_imdb_rnn.npz"
    path.parent.mkdir(parents=True)
    np.savez(path, gru=curves, hp=hp, hp_names=np.array(list(ADAM)))
    return path


def curves_spec(scheduler, **problem):
    return make_spec(
        {
            "name": "curves", "engine": {"kind": "inline"}, "scheduler": scheduler,
            "problem": {"kind": "curves", "task": "gru", **problem},
        }
    )  # fmt: skip


def complaint(make, *arguments, **named):
    with pytest.raises(UserError) as caught:
        make(*arguments, **named)
    return str(caught.value)


# --- the spec ------------------------------------------------------------------------------------------


def test_defaults():
    problem = table_spec().problem
    assert (problem.table, problem.space, problem.repeat) == ("s1-digits", "s1", "mean")
    assert (problem.metric, problem.mode) == ("valid_error", "min")


@pytest.mark.parametrize(
    "problem",
    [{}, {"repeat": "random"}, {"table": "nasbench101", "space": "nasbench101-5"}, {"table": "b", "space": "s3"}],
)
def test_a_spec_comes_back_from_json(problem):
    made = table_spec(**problem)
    assert StudySpec.model_validate_json(made.model_dump_json()) == made
    made = curves_spec({"configs": 3})
    assert StudySpec.model_validate_json(made.model_dump_json()) == made


def test_paths_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert table_spec(table="mine.nastable", space="s1").problem.table == str(tmp_path / "mine.nastable")
    assert curves_spec({"configs": 3}, curves="mine.npz").problem.curves == str(tmp_path / "mine.npz")


@pytest.mark.parametrize(
    ("problem", "parts"),
    [
        ({"table": "s1-digit"}, ["unknown table 's1-digit'", "Did you mean 's1-digits'?"]),
        ({"space": "s4"}, ["unknown space 's4'", "nasbench101-5"]),
        ({"repeat": "median"}, ["problem.repeat = 'median'", "mean", "random"]),
        ({"tabel": "s1-digits"}, ["unknown key 'problem.tabel' (did you mean 'table'?)"]),
        ({"table": 3}, ["problem.table = 3"]),
    ],
)
def test_what_makes_no_study(problem, parts):
    text = complaint(table_spec, **problem)
    assert all(part in text for part in parts)


def test_sweeps_do_not_look_up():
    with pytest.raises(SpecError, match="does not fit"):
        table_spec(scheduler={"kind": "sweep"})


def test_which_problems_train_from_scratch_at_each_budget():
    def scratch(**problem):
        scheduler = {} if problem["kind"] in ("search", "tabulate") else {"configs": 1}
        return make_spec({"name": "x", "scheduler": scheduler, "problem": problem}).problem.from_scratch

    objective = {"kind": "objective", "objective": "mine:function", "space": {"x": {"range": [0.0, 1.0]}}}
    assert all(scratch(kind=kind) for kind in ("table", "search", "tabulate"))
    assert not any([scratch(kind="darts-cnn"), scratch(kind="evaluate", genotype="DARTS_V2")])
    assert not any([scratch(kind="curves", task="gru"), scratch(**objective)])
    assert scratch(**objective, from_scratch=True)


# --- what runs -----------------------------------------------------------------------------------------


def test_encodings_of_problems(tmp_path):
    write_curves(tmp_path / "files")
    assert problems.build(table_spec()).encoding == NasBench1Shot1("s1")
    assert isinstance(problems.build(curves_spec({"configs": 3, "R": 8})).encoding, Listed)
    partial = make_spec({"name": "x", "problem": {"operations": "released"}, "scheduler": {"configs": 1}})
    assert problems.build(partial).encoding == DartsCnn("released")


@pytest.mark.parametrize(
    ("scheduler", "parts"),
    [
        (LADDER | {"eta": 3}, ["epochs of a rung = 3", "for 1, 2, 4 epochs", "r = 1, R = 4, eta = 2", "all to R = 4"]),
        (LADDER | {"R": 8}, ["epochs of a rung = 8", "table 's1-digits'"]),
        ({"kind": "random", "R": 3, "configs": 2}, ["epochs of a rung = 3"]),
        ({"configs": 2}, ["epochs of a rung = 16"]),
    ],
)
def test_rungs_must_be_budgets_of_the_table(store, scheduler, parts):
    text = complaint(api.create, table_spec(scheduler), store=store)
    assert all(part in text for part in parts)
    assert store.studies() == []


def test_rungs_must_be_on_the_curves(store, tmp_path):
    write_curves(tmp_path / "files")
    assert "R = 9: the curves end at epoch 8\nLower R." in complaint(
        api.create, curves_spec({"R": 9, "configs": 2}), store=store
    )
    assert "no such file" in complaint(api.create, curves_spec({"configs": 2}, curves="other"), store=store)


def test_the_remedy_names_rungs_only_if_there_are_such():
    assert lookups._such_as((12, 200)).startswith("Let all rungs be among them: r = 12, R = 200, eta = 17;")
    assert lookups._such_as((4, 12, 36, 108)).startswith("Let all rungs be among them: r = 4, R = 108, eta = 3;")
    assert lookups._such_as((3, 4, 100)) == "Let all rungs be among them; or train all to R = 100."
    assert lookups._such_as((12,)).startswith("Let all rungs be among them: r = 12, R = 12, eta = 2;")


def test_asha_over_a_table(store):
    study = api.create(table_spec(), store=store)
    assert study.run() == "done"
    history, table = study.history(), open_table("s1-digits")
    assert [rung.results for rung in history.rungs()] == [16, 8, 4]
    assert all(job.start == 0 and list(job.metrics) == [job.stop] for job in history.jobs.values())
    for trial in history.trials.values():
        cell = parse_cell(trial.config["cell"])
        assert trial.identity == cell.hash == trial.jobs[0].notes["hash"]
        for job in trial.jobs:
            assert job.loss == table.lookup(cell, job.stop).valid_error
            assert job.seconds[job.stop] == pytest.approx(table.lookup(cell, job.stop).seconds, abs=1e-4)
    cost = history.cost()
    assert (cost.epochs, cost.full_epochs, cost.retrained_epochs) == (16 + 8 * 2 + 4 * 4, 64, 0)
    plan = make_plan(study.spec, store, 1)
    assert (plan.epochs, [rung.epochs for rung in plan.rungs]) == (cost.epochs, [16, 16, 16])
    assert (plan.seconds_per_epoch, plan.hours, plan.disk_bytes) == (None, None, None)


def test_one_run_of_each_cell_is_compared(store):
    scheduler = {"kind": "random", "R": 4, "configs": 20}
    studies = [api.create(table_spec(scheduler, name, repeat=name), store=store) for name in ("mean", "random")]
    losses = []
    for study in studies:
        study.run()
        losses.append([job.loss for job in study.history().jobs.values()])
        configs = [dict(trial.config) for trial in study.history().trials.values()]
    table = open_table("s1-digits")
    for config, loss in zip(configs, losses[1], strict=True):
        assert loss in {table.lookup(parse_cell(config["cell"]), 4, run).valid_error for run in range(3)}
    assert losses[0] != losses[1]


def test_asha_over_curves(store, tmp_path):
    write_curves(tmp_path / "files")
    study = api.create(curves_spec({"kind": "asha", "r": 1, "R": 8, "eta": 2, "configs": 12}), store=store)
    assert study.run() == "done"
    history = study.history()
    assert next((job.start, job.stop) for job in history.jobs.values() if job.rung == 1) == (1, 2)
    assert history.cost().epochs == sum(max(trial.jobs[-1].metrics, default=0) for trial in history.trials.values())
    assert all(trial.identity is None and set(trial.config) == set(ADAM) for trial in history.trials.values())
    ended = api.create(
        curves_spec({"kind": "random", "R": 8, "configs": 30}).model_copy(update={"name": "all"}), store=store
    )
    ended.run(engine=InlineEngine())
    failures = [job.failure for job in ended.history().jobs.values() if job.failure]
    assert failures
    assert {(one.kind, one.reason) for one in failures} == {("diverged", "valid_loss is not finite at epoch 3")}


def test_a_study_of_look_ups_needs_no_torch(tmp_path):
    code = f"""
import sys
from pathlib import Path
from asha_nas import api
from asha_nas.store import Store
from asha_nas.study import read_spec
study = api.create(read_spec(Path({str(ROOT / "examples/s1-digits-asha.toml")!r})), store=Store("sqlite:///{tmp_path}/x.db"))
assert study.run() == "done"
print([name for name in ("torch", "ray", "matplotlib") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- the command line ----------------------------------------------------------------------------------


def test_a_look_up_from_the_command_line(cli, tmp_path):
    example = str(ROOT / "examples/s1-digits-asha.toml")
    code, out, err = cli("run", example, "--plan")
    assert code == 0, err
    assert "nothing is trained" in out
    picture = tmp_path / "cell.svg"
    code, out, err = cli("run", example, "--draw", str(picture))
    assert code == 0, err
    assert "asha over cells of s1, looked up in s1-digits, rungs at 1, 2, 4 epochs" in out
    assert picture.read_text().startswith("<?xml")

    best = json.loads(cli("best", "s1-digits-asha", "--json")[1])
    entry = open_table("s1-digits").lookup(best["hash"], best["epochs"])
    assert parse_cell(best["cell"]).hash == best["hash"] == best["identity"]
    assert best["valid_error"] == best["metrics"]["valid_error"] == entry.valid_error
    assert best["metrics"]["test_error"] == open_table("s1-digits").lookup(best["hash"]).test_error
    assert best["metrics"]["regret"] >= 0
    assert best["remarks"] == []
    for text in (best["hash"], best["cell"], "test_error", "regret"):
        assert text in cli("best", "s1-digits-asha")[1]
    again = tmp_path / "again.png"
    assert cli("best", "s1-digits-asha", "--draw", str(again))[0] == 0
    assert again.read_bytes().startswith(b"\x89PNG")
    assert best["hash"] in cli("show", "s1-digits-asha")[1]
    assert json.loads(cli("ls", "--json")[1])[0]["problem"] == "s1 in table s1-digits"
    assert best["hash"] in cli("explain", "s1-digits-asha", str(best["trial"]))[1]
    assert "nothing is left to do" in cli("resume", "s1-digits-asha")[1]


def study_file(folder, text):
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


def test_curves_from_the_command_line(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("ASHA_NAS_DATA", str(tmp_path / "files"))
    write_curves(tmp_path / "files")
    file = study_file(
        tmp_path,
        '[problem]\nkind = "curves"\ntask = "gru"\n[scheduler]\nkind = "random"\nR = 8\nconfigs = 9\n'
        '[engine]\nkind = "inline"\n',
    )
    code, out, err = cli("run", file)
    assert code == 0, err
    assert "random over recorded trainings of gru, 8 epochs each" in out
    assert "learning_rate" in out
    best = json.loads(cli("best", "mine", "--json")[1])
    assert set(best["config"]) == set(ADAM)
    assert set(best["metrics"]) == {"train_loss", "valid_loss", "test_loss"}
    code, _, err = cli("run", file, "--name", "x", "--draw", str(tmp_path / "x.png"))
    assert code == 2
    assert "only architectures and searches can be drawn" in err


def test_mistakes_are_told_in_two_lines(cli, tmp_path):
    file = study_file(tmp_path, '[problem]\nkind = "table"\n[scheduler]\nR = 9\neta = 3\nconfigs = 9\n')
    code, out, err = cli("run", file)
    assert (code, out) == (2, "")
    assert "epochs of a rung = 3: table 's1-digits' has validation figures of every cell for 1, 2, 4 epochs" in err
    assert len(err.strip().splitlines()) == 2


def test_estimates_are_called_that_beside_the_best(cli, tmp_path, monkeypatch):
    table = open_table("s1-digits")
    values = np.full((1, len(table), 1), 100, dtype=np.uint16)
    made = Content(
        name="guessed", space="s1", data="digits", budgets=(4,), repeats=1, cells=table.cells(),
        hashes=np.array([list(bytes.fromhex(table.hash_of(row))) for row in range(len(table))], dtype=np.uint8),
        columns={"valid_correct": Column(values, 200, "estimated"), "test_correct": Column(values, 200)},
        evaluated={"valid": 200, "test": 200},
    )  # fmt: skip
    path = write_table(tmp_path / "guessed.nastable", made)
    file = study_file(
        tmp_path,
        f'[problem]\nkind = "table"\ntable = "{path}"\n[scheduler]\nkind = "random"\nR = 4\nconfigs = 2\n'
        '[engine]\nkind = "inline"\n',
    )
    code, out, err = cli("run", file)
    assert code == 0, err
    assert "note: 100.0% of the figures of valid_accuracy are estimates, not measured" in out
    assert len(json.loads(cli("best", "mine", "--json")[1])["remarks"]) == 2
    path.unlink()
    code, out, err = cli("best", "mine")
    assert code == 0, err
    assert "note" not in out


def test_a_cell_of_nasbench201_is_drawn(cli, tmp_path):
    from spaces.table import convert

    path = convert(real("nasbench201", "nasbench201.csv.gz"), tmp_path / "t.nastable", name=next(iter(source.KINDS)))
    file = study_file(
        tmp_path,
        f'[problem]\nkind = "table"\ntable = "{path}"\n[scheduler]\nkind = "random"\nR = 200\nconfigs = 5\n'
        '[engine]\nkind = "inline"\n',
    )
    picture = tmp_path / "cell.svg"
    code, out, err = cli("run", file, "--draw", str(picture))
    assert code == 0, err
    assert "note: the table has no seconds: an epoch counts 1 s" in out
    assert picture.read_text().startswith("<?xml")
