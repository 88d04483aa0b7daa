"""The table that comes with the package is whole, is what its study file says, and can be had again."""

import numpy as np
import pytest

from asha_nas import tabulation
from asha_nas.study import make_spec, read_spec
from spaces import nasbench1shot1
from spaces.nasbench101 import count_parameters
from spaces.table import Table
from trials import contract, tables
from trials.cell_training import CellTraining
from trials.contract import Task

PATH = tables.EMBEDDED / "s1-digits.nastable"


@pytest.fixture(scope="module")
def table():
    return Table.open(PATH, verify=True)


def test_what_it_is(table):
    assert (table.name, table.space, table.data) == ("s1-digits", "s1", "digits")
    assert (tuple(table.budgets), table.repeats, len(table)) == ((1, 2, 4), 3, 2685)
    assert PATH.stat().st_size < 300_000


def test_it_has_every_cell_of_the_space(table):
    cells = nasbench1shot1.unique_cells(nasbench1shot1.space("s1"))
    assert np.array_equal(np.sort(table.rows(cells)), np.arange(2685))


def test_every_figure_is_measured(table):
    for metric in ("valid_accuracy", "test_accuracy", "seconds", "parameters"):
        for budget in table.budgets:
            assert np.isfinite(table.column(metric, budget)).all()
    assert (table.denominator("valid"), table.denominator("test")) == (719, 359)


def test_its_parameters(table):
    recipe = make_spec(table.provenance["study"]).problem.recipe
    sizes = {"channels": recipe.channels, "stacks": recipe.stacks, "cells_per_stack": recipe.cells_per_stack}
    for row in range(0, len(table), 300):
        expected = count_parameters(table.cell(row), **sizes, channels_in=1)
        assert table.lookup(table.hash_of(row)).parameters == expected


def test_more_epochs_are_better_and_cells_differ(table):
    means = [table.column("test_accuracy", budget) for budget in table.budgets]
    assert means[0].mean() < means[1].mean() < means[2].mean()
    assert means[2].std() > 0.02
    runs = [table.column("valid_accuracy", 4, repeat=repeat) for repeat in range(3)]
    assert np.corrcoef(runs)[0, 1] > 0.6  # what is measured is of the cell, and not of the seed alone


def test_its_study_file_is_the_one_it_was_built_by(table):
    spec = read_spec(PATH.with_suffix(".toml"))
    assert make_spec(table.provenance["study"]).model_copy(update={"engine": spec.engine}) == spec
    assert all({"torch", "source"} <= set(made_with) for made_with in table.provenance["made_with"])


@pytest.mark.parametrize("which", [0, -1])
def test_a_piece_of_it_can_be_had_again(table, tmp_path, which):
    spec = read_spec(PATH.with_suffix(".toml"))
    of_one_epoch = [piece for piece in tabulation.pieces(spec) if piece.stop == 1]
    piece = sorted(of_one_epoch, key=lambda each: len(each.config["cells"]))[: 3 * 3][which]
    trial = CellTraining(spec.problem.data, spec.problem.recipe)
    *_, last = contract.run(trial, Task(0, piece.config, 0, piece.stop, 0, str(tmp_path)))
    apart = [
        abs(right[part] - table.lookup(name, 1).counts(part)[piece.config["repeat"]])
        for name, right in last.notes["results"].items()
        for part in ("valid", "test")
    ]
    # On the same kind of processor not one answer differs; elsewhere the last digits of sums do, and grow in training.
    assert np.median(apart) <= 5
