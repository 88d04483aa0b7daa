"""Training cells: counts, seeds, resuming, and cells side by side against each alone."""

import dataclasses
import os
from pathlib import Path

import pytest

from spaces.errors import InvalidValue, UnknownName
from spaces.nasbench101 import Cell
from trials import contract
from trials.cell_training import CellTraining
from trials.contract import Task
from trials.recipe import CELL_RECIPES, CellRecipe

C3, C1, MP = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"
RECIPE = dataclasses.replace(CELL_RECIPES["digits"], channels=4, stacks=2, train_limit=200)
MATRIX = ((0, 1, 1, 0), (0, 0, 1, 1), (0, 0, 0, 1), (0, 0, 0, 0))
CELLS = [str(Cell(MATRIX, pair)) for pair in ((C3, MP), (C1, C3), (MP, C1))]
HASHES = [Cell(MATRIX, pair).hash for pair in ((C3, MP), (C1, C3), (MP, C1))]


def task(tmp_path, cells=CELLS, stop=3, checkpoints=(), **config):
    config = {"cells": list(cells), "repeat": 0, "seed": 7, **config}
    return Task(trial=0, config=config, start=0, stop=stop, seed=0, folder=str(tmp_path), checkpoints=checkpoints)


def run(given, recipe=RECIPE):
    return list(contract.run(CellTraining("digits", recipe), given))


def test_reports_and_results(tmp_path):
    reports = run(task(tmp_path, timed=True))
    assert [report.epoch for report in reports] == [1, 2, 3]
    last = reports[-1]
    assert set(last.notes["results"]) == set(HASHES)
    images = last.notes["images"]
    assert images["train"] + images["valid"] == pytest.approx(200, abs=5)  # the same share of each class
    assert images["test"] == 359
    for found in last.notes["results"].values():
        assert 0 <= found["valid"] <= images["valid"]
        assert 0 <= found["test"] <= 359
    mean = sum(found["valid"] for found in last.notes["results"].values()) / (3 * images["valid"])
    assert last.metrics["valid_error"] == pytest.approx(1.0 - mean)
    assert set(last.clock["step_seconds"]) == set(HASHES)
    assert all(0 < seconds < 5 for seconds in last.clock["step_seconds"].values())
    assert "results" not in reports[0].notes
    assert reports[0].metrics["train_loss"] > last.metrics["train_loss"] > 0


def test_it_learns(tmp_path):
    recipe = dataclasses.replace(RECIPE, train_limit=None, channels=8)
    [*_, last] = run(task(tmp_path, [CELLS[1]], stop=4), recipe)
    assert last.metrics["valid_error"] < 0.5  # chance is 0.9


def test_equal_tasks_give_equal_results(tmp_path):
    first, second = run(task(tmp_path / "a")), run(task(tmp_path / "b"))
    assert first[-1].notes == second[-1].notes
    assert [report.metrics for report in first] == [report.metrics for report in second]


def test_repeats_and_seeds_differ(tmp_path):
    losses = {
        run(task(tmp_path / name, stop=1, **config))[0].metrics["train_loss"]
        for name, config in {"a": {}, "b": {"repeat": 1}, "c": {"seed": 8}}.items()
    }
    assert len(losses) == 3


def test_a_cell_comes_to_the_same_alone_and_among_others(tmp_path):
    together = run(task(tmp_path / "all", stop=2))[-1].notes["results"]
    for text, name in zip(CELLS, HASHES, strict=True):
        alone = run(task(tmp_path / name, [text], stop=2))[-1].notes["results"][name]
        # Sums in another order differ in the last digits, which may turn an answer that was near.
        assert abs(alone["test"] - together[name]["test"]) <= 4
        assert abs(alone["valid"] - together[name]["valid"]) <= 2


def test_it_goes_on_from_a_checkpoint_to_the_last_bit(tmp_path):
    recipe = dataclasses.replace(RECIPE, checkpoint_minutes=0.0)
    whole = run(task(tmp_path / "whole"), recipe)
    part = contract.run(CellTraining("digits", recipe), task(tmp_path / "part"))
    first = next(part)
    next(part)  # killed here: the second epoch's checkpoint is not in the log yet
    rest = run(task(tmp_path / "part", checkpoints=(first.checkpoint,)), recipe)
    assert [report.epoch for report in rest] == [2, 3]
    assert rest[-1].notes == whole[-1].notes
    assert [report.metrics for report in rest] == [report.metrics for report in whole[1:]]


def test_a_lost_checkpoint_is_told_and_made_up_for(tmp_path):
    recipe = dataclasses.replace(RECIPE, checkpoint_minutes=0.0)
    whole = run(task(tmp_path / "whole"), recipe)
    saved = next(contract.run(CellTraining("digits", recipe), task(tmp_path / "part"))).checkpoint
    (tmp_path / "part" / saved.name).write_bytes(b"damaged")
    again = run(task(tmp_path / "part", checkpoints=(saved,)), recipe)
    assert again[0].notes["damaged_checkpoint"] == saved.name
    assert again[-1].notes["results"] == whole[-1].notes["results"]


def test_one_cell_needs_nothing_but_its_text(tmp_path):
    given = Task(trial=0, config={"cells": CELLS[:1]}, start=0, stop=1, seed=3, folder=str(tmp_path))
    assert set(run(given)[-1].notes["results"]) == set(HASHES[:1])


def test_it_leaves_no_checkpoint_behind(tmp_path):
    recipe = dataclasses.replace(RECIPE, checkpoint_minutes=0.0)
    assert run(task(tmp_path), recipe)[0].checkpoint is not None
    assert not list(tmp_path.iterdir())


def test_errors(tmp_path):
    with pytest.raises(InvalidValue, match="start"):
        run(dataclasses.replace(task(tmp_path), start=1))
    with pytest.raises(InvalidValue, match="cells"):
        run(task(tmp_path, []))
    with pytest.raises(UnknownName, match="data set"):
        list(CellTraining("digit", RECIPE)(task(tmp_path)))
    with pytest.raises(InvalidValue, match="learning_rate"):
        CellRecipe(learning_rate=0.0)
    with pytest.raises(InvalidValue, match="batch_norm_momentum"):
        CellRecipe(batch_norm_momentum=1.5)
    with pytest.raises(InvalidValue, match="precision"):
        CellRecipe(precision="half")


def test_the_default_recipe_is_that_of_the_paper():
    recipe = CellRecipe()
    assert (recipe.channels, recipe.stacks, recipe.cells_per_stack, recipe.batch_size) == (128, 3, 3, 256)
    assert (recipe.learning_rate, recipe.momentum, recipe.epsilon, recipe.weight_decay) == (0.2, 0.9, 1.0, 1e-4)


def _cifar10_folder():
    candidates = [os.environ.get("ASHA_NAS_DATA"), Path(__file__).parents[2].parent / "shared" / "data"]
    folders = [Path(each) for each in candidates if each]
    return next((str(folder) for folder in folders if (folder / "cifar10" / "test.npz").is_file()), None)


@pytest.mark.cifar10
@pytest.mark.skipif(_cifar10_folder() is None, reason="no CIFAR-10 in ASHA_NAS_DATA or ../shared/data")
def test_a_cell_trains_on_real_cifar10_by_the_paper_s_recipe_made_small(tmp_path):
    recipe = dataclasses.replace(
        CELL_RECIPES["cifar10"], channels=8, cells_per_stack=1, batch_size=64, train_limit=1000, batch_norm_momentum=0.1
    )
    trial = CellTraining("cifar10", recipe, _cifar10_folder())
    *_, last = contract.run(trial, task(tmp_path, [CELLS[1]], stop=2))
    assert last.notes["images"] == {"train": 800, "valid": 200, "test": 10_000}
    assert last.metrics["test_error"] < 0.9  # chance
