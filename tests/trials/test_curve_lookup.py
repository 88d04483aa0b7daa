"""Recorded curves as trials: what is replayed, where files are found, and files that are none."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

from spaces.encodings import Listed
from spaces.errors import InvalidValue, UnknownName
from tests.contracts import encoding as contract
from tests.spaces.small_table import real
from trials.contract import Diverged, Task, run
from trials.curve_lookup import ADAM, SECONDS_PER_EPOCH, CurveLookup

POINTS, SETTINGS, DIVERGING = 6, 12, 3


def settings(count=SETTINGS, seed=0):
    rng = np.random.default_rng(seed)
    columns = []
    for scale in ADAM.values():
        drawn = np.exp(rng.uniform(np.log(scale.low), np.log(scale.high), count))
        columns.append(1 - drawn if scale.complement else drawn)
    return np.stack(columns, axis=1)


def write(folder, name="made_up", **changes):
    curves = np.arange(SETTINGS * 3 * POINTS, dtype=np.float32).reshape(SETTINGS, 3, POINTS)
    curves[DIVERGING, :, 3:] = np.nan
    arrays = {"task_a": curves, "task_b": curves + 0.5, "hp": settings(), "hp_names": np.array(list(ADAM))}
    path = folder / "taskset_rnn" / f"{name}.npz"
    path.parent.mkdir(exist_ok=True)
    np.savez(path, **{name: one for name, one in (arrays | changes).items() if one is not None})
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write(folder)
    return folder


@pytest.fixture(scope="module")
def made(folder):
    return CurveLookup("made_up", "task_a", str(folder))


def replay(trial, row, start, stop):
    config = trial.encoding.config(row)
    return list(run(trial, Task(0, config, start, stop, 0, folder="")))


def test_each_epoch_is_a_point_and_point_0_is_none(made):
    reports = replay(made, 2, 0, 5)
    assert made.epochs == 5
    assert [report.epoch for report in reports] == [1, 2, 3, 4, 5]
    first = 2 * 3 * POINTS
    assert reports[0].metrics == {
        "train_loss": first + 1.0, "valid_loss": first + POINTS + 1.0, "test_loss": first + 2 * POINTS + 1.0
    }  # fmt: skip
    assert {report.seconds for report in reports} == {SECONDS_PER_EPOCH}


def test_a_job_goes_on(made):
    assert replay(made, 2, 0, 2) + replay(made, 2, 2, 5) == replay(made, 2, 0, 5)


def test_a_curve_that_ends_in_no_number(made):
    assert len(replay(made, DIVERGING, 0, 2)) == 2
    config = made.encoding.config(DIVERGING)
    reports = run(made, Task(0, config, 0, 5, 0, ""))
    assert [next(reports).epoch, next(reports).epoch] == [1, 2]
    with pytest.raises(Diverged, match="valid_loss is not finite at epoch 3"):
        next(reports)


def test_what_cannot_be_replayed(made):
    with pytest.raises(InvalidValue, match="stop = 6: the curves end at epoch 5"):
        replay(made, 0, 0, 6)
    with pytest.raises(InvalidValue, match="none of the 12 settings"):
        list(run(made, Task(0, {**made.encoding.config(0), "l1": 0.5}, 0, 1, 0, "")))


def test_it_is_pickled_without_its_curves(made):
    made.check()
    again = pickle.loads(pickle.dumps(made))
    assert again == made
    assert len(pickle.dumps(made)) < 500
    assert replay(again, 4, 0, 5) == replay(made, 4, 0, 5)


@pytest.mark.parametrize("law", contract.LAWS, ids=lambda law: law.__name__)
def test_its_settings_keep_the_contract_of_encodings(made, law):
    assert isinstance(made.encoding, Listed)
    for seed in range(10):
        law(made.encoding, lambda config: tuple(config.values()), seed)


# --- files ---------------------------------------------------------------------------------------------


def test_where_files_are_found(folder, monkeypatch, tmp_path):
    path = folder / "taskset_rnn" / "made_up.npz"
    CurveLookup(str(path), "task_b").check()
    monkeypatch.setenv("ASHA_NAS_DATA", str(folder))
    CurveLookup("made_up", "task_b").check()
    with pytest.raises(InvalidValue, match=r"other.npz.*: there is no such file\nPut it there, .* ASHA_NAS_DATA"):
        CurveLookup("other", "task_a").check()


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"hp": None}, "cannot be read .*hp"),
        ({"hp": settings(11)}, "for 11 settings"),
        ({"task_a": np.zeros((SETTINGS, 2, 5), np.float32)}, r"shape \(12, 2, 5\)"),
        ({"hp_names": np.array([*list(ADAM)[:-1], "momentum"])}, "has hyperparameters .*momentum"),
        ({"hp": settings() * 100}, "must be from"),
    ],
)
def test_files_that_are_none(tmp_path, changes, rule):
    write(tmp_path, **changes)
    with pytest.raises(InvalidValue, match=rule):
        CurveLookup("made_up", "task_a", str(tmp_path)).check()


def test_other_files(tmp_path, folder):
    path = tmp_path / "no.npz"
    path.write_bytes(b"not one")
    with pytest.raises(InvalidValue, match="cannot be read"):
        CurveLookup(str(path), "task_a").check()
    with pytest.raises(UnknownName, match=r"unknown task 'task_c'\n.*Known: task_a, task_b"):
        CurveLookup("made_up", "task_c", str(folder)).check()


def test_no_torch_is_imported(folder):
    code = f"""
import sys
from trials.curve_lookup import CurveLookup
CurveLookup("made_up", "task_a", {str(folder)!r}).check()
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# --- the real file -------------------------------------------------------------------------------------


def test_taskset():
    path = real("taskset_rnn", "taskset_imdb_rnn.npz")
    with np.load(path) as arrays:
        tasks = sorted(set(arrays.files) - {"hp", "hp_names"})
        assert len(tasks) == 12
        learning_rate = arrays["hp"][:, 0]
        for name in tasks:
            # Before the first step a loss cannot depend on the setting: what says that point 0 is no epoch.
            start = arrays[name][:, 1, 0]
            assert np.isfinite(start).all()
            assert abs(np.corrcoef(np.log(learning_rate), start)[0, 1]) < 0.1
    trial = CurveLookup(str(path), "patch32_GRU128_bs128")
    assert (trial.epochs, len(trial.encoding.values)) == (50, 1000)
    reports = replay(trial, 0, 0, 50)
    assert len(reports) == 50
    assert reports[-1].metrics["valid_loss"] == pytest.approx(0.69, abs=0.02)
    for seed in range(5):
        for law in contract.LAWS:
            law(trial.encoding, lambda config: tuple(config.values()), seed)
