"""Look-ups in tables as trials: what they report, and tables that cannot give it, refused beforehand."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

from spaces import nasbench1shot1
from spaces.cell_spaces import CELL_SPACES
from spaces.encodings import encoding_of
from spaces.errors import InvalidValue, UnknownName
from spaces.nasbench1shot1 import regret, unique_cells
from spaces.nasbench101 import OPERATIONS, Cell, at_most_vertices, enumerate_cells, hash_cells, parse_cell
from spaces.table import BudgetUnknown, CellUnknown, Column, Content, MetricAbsent, convert, prepared, write_table
from tests.spaces.small_table import real
from trials.contract import Task, run
from trials.table_lookup import SECONDS_PER_EPOCH, TableLookup
from trials.tables import open_table

BUDGETS, REPEATS, IMAGES = (4, 12, 108), 3, 1000
SMALL = enumerate_cells(4)
BEST, LUCKY, PLAIN = 10, 20, 30  # rows


def figures(**changes):
    valid, test = (np.full((3, len(SMALL), 3), 800, dtype=np.uint16) for _ in range(2))
    test[-1, BEST], test[-1, LUCKY] = [940, 941, 942], [910, 990, 920]
    valid[0, PLAIN], valid[1, PLAIN] = [100, 200, 600], [500, 510, 520]
    seconds = np.zeros((3, len(SMALL), 1), dtype=np.float32)
    seconds[:, :, 0] = np.array([[10.0], [20.0], [216.0]])
    columns = {
        "valid_correct": Column(valid, IMAGES), "test_correct": Column(test, IMAGES), "seconds": Column(seconds)
    }  # fmt: skip
    return {name: column for name, column in (columns | changes).items() if column is not None}


def write(folder, columns=None, cells=SMALL, **changes):
    values = {
        "name": "small", "space": "nasbench101", "data": "cifar10", "budgets": BUDGETS, "repeats": REPEATS,
        "cells": cells, "hashes": hash_cells(cells), "columns": columns or figures(),
        "evaluated": {"valid": IMAGES, "test": IMAGES},
    }  # fmt: skip
    return str(write_table(folder / "small.nastable", Content(**values | changes)))


def look_up(trial, cell, stop=108, seed=0, **more):
    [report] = run(trial, Task(0, {"cell": str(cell)}, more.get("start", 0), stop, seed, folder=""))
    return report


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return TableLookup(write(tmp_path_factory.mktemp("table")), "nasbench101-4")


# --- what is reported ----------------------------------------------------------------------------------


def test_a_report_is_worked_by_hand(small):
    report = look_up(small, SMALL[PLAIN], 12)
    assert (report.epoch, report.seconds, report.checkpoint) == (12, 20.0, None)
    assert report.metrics == pytest.approx({"valid_error": 0.49, "test_error": 0.2, "regret": 0.99 - 0.8})
    assert report.notes == {"hash": SMALL[PLAIN].hash}
    assert look_up(small, SMALL[BEST], 4).metrics["regret"] == pytest.approx(0.99 - 0.941)
    assert look_up(small, SMALL[LUCKY]).metrics["regret"] == pytest.approx(0.99 - 0.94)
    assert (small.budgets, small.remarks()) == (BUDGETS, ())
    assert {type(value) for value in report.metrics.values()} == {float}


def test_the_embedded_table():
    trial, table, s1 = TableLookup("s1-digits", "s1"), open_table("s1-digits"), nasbench1shot1.space("s1")
    trial.check()
    assert (trial.budgets, trial.remarks()) == ((1, 2, 4), ())
    rng, encoding = np.random.default_rng(0), encoding_of("s1")
    for budget in (1, 2, 4):
        config = encoding.draw(rng)
        [report] = run(trial, Task(0, config, 0, budget, 3, ""))
        cell = parse_cell(config["cell"])
        entry = table.lookup(cell, budget)
        assert report.metrics == {
            "valid_error": entry.valid_error, "test_error": table.lookup(cell).test_error,
            "regret": regret(table, s1, cell),
        }  # fmt: skip
        assert report.seconds == entry.seconds


def test_one_run_by_the_seed(small):
    drawn = TableLookup(small.table, small.space, "random")
    drawn.check()
    found = [look_up(drawn, SMALL[PLAIN], 4, seed) for seed in range(60)]
    errors = [report.metrics["valid_error"] for report in found]
    assert set(errors) == {0.9, 0.8, 0.4}
    assert [look_up(drawn, SMALL[PLAIN], 4, seed).metrics["valid_error"] for seed in range(60)] == errors
    assert {report.metrics["test_error"] for report in found} == {0.2}  # the mean, always
    others = [look_up(drawn, SMALL[PLAIN], 12, seed).metrics["valid_error"] for seed in range(60)]
    ranks = [sorted(set(each)) for each in (errors, others)]
    assert [ranks[0].index(e) for e in errors] != [ranks[1].index(e) for e in others]  # drawn anew at each budget


def test_a_part_of_a_table_has_a_best_of_its_own(tmp_path):
    cells = enumerate_cells(5)
    test = np.full((1, len(cells), 1), 800, dtype=np.uint16)
    four = at_most_vertices(cells, 4)
    test[0, np.flatnonzero(four)[5]], test[0, np.flatnonzero(~four)[5]] = 900, 950
    column = Column(test, IMAGES)
    path = write(tmp_path, {"test_correct": column, "valid_correct": column}, cells, budgets=(108,), repeats=1)
    row = int(np.flatnonzero(four)[9])
    assert look_up(TableLookup(path, "nasbench101-4"), cells[row]).metrics["regret"] == pytest.approx(0.1)
    assert look_up(TableLookup(path, "nasbench101-5"), cells[row]).metrics["regret"] == pytest.approx(0.15)
    with pytest.raises(InvalidValue, match="lies outside space nasbench101-4"):
        look_up(TableLookup(path, "nasbench101-4"), cells[int(np.flatnonzero(~four)[0])])


def test_seconds_that_are_known_at_the_highest_budget_only(tmp_path):
    column = figures()["seconds"]
    status = np.zeros((3, len(SMALL)), dtype=np.uint8)
    status[-1] = 1
    trial = TableLookup(write(tmp_path, figures(seconds=Column(column.values, status=status))), "nasbench101-4")
    assert [look_up(trial, SMALL[0], budget).seconds for budget in BUDGETS] == pytest.approx([8.0, 24.0, 216.0])
    assert trial.remarks() == ("seconds at 4, 12 epochs are in proportion to those at 108",)


def test_a_table_without_seconds(tmp_path):
    trial = TableLookup(write(tmp_path, figures(seconds=None)), "nasbench101-4")
    assert [look_up(trial, SMALL[0], budget).seconds for budget in BUDGETS] == [SECONDS_PER_EPOCH * b for b in BUDGETS]
    assert trial.remarks() == ("the table has no seconds: an epoch counts 1 s",)


def test_budgets_at_which_some_cell_has_no_figure_are_none(tmp_path):
    status = np.ones((3, len(SMALL)), dtype=np.uint8)
    status[1, 5], status[0, :] = 0, 2
    valid = Column(figures()["valid_correct"].values, IMAGES, status)
    trial = TableLookup(write(tmp_path, figures(valid_correct=valid)), "nasbench101-4")
    assert trial.budgets == (4, 108)
    assert trial.remarks() == ("50.0% of the figures of valid_accuracy are estimates, not measured",)


def test_what_falls_short_is_said(tmp_path):
    mean = Column(figures()["test_correct"].values[:, :, :1], IMAGES, aggregate="mean")
    maximum = Column(figures()["valid_correct"].values[:, :, :1], IMAGES, aggregate="maximum")
    trial = TableLookup(write(tmp_path, figures(test_correct=mean, valid_correct=maximum)), "nasbench101-4")
    assert trial.remarks() == (
        "regret is above the best mean over repeats: the table does not have single runs",
        "valid_error is that of the best repeat: the table does not have their mean",
    )
    with pytest.raises(MetricAbsent, match="does not have its runs one by one"):
        TableLookup(trial.table, trial.space, "random").check()


# --- what cannot be looked up --------------------------------------------------------------------------


def test_tasks_that_are_none(small):
    with pytest.raises(InvalidValue, match="start = 4: must be 0: each budget of a table is a training from scratch"):
        look_up(small, SMALL[0], 12, start=4)
    with pytest.raises(BudgetUnknown, match="5"):
        look_up(small, SMALL[0], 5)
    five = Cell([[int(y == x + 1) for y in range(5)] for x in range(5)], OPERATIONS)
    with pytest.raises(CellUnknown):
        look_up(small, five)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("s1-digit", "s1"), UnknownName, "Did you mean 's1-digits'"),
        (("s1-digits", "s4"), UnknownName, "unknown space 's4'"),
        (("s1-digits", "s1", "median"), UnknownName, "unknown repeat 'median'"),
        (("s1-digits", "s2"), InvalidValue, "holds cells of s1, and those of s2 are asked for"),
        (("s1-digits", "nasbench101"), InvalidValue, "holds cells of s1, and those of nasbench101"),
        (("s1-digits", "nasbench201"), InvalidValue, "holds cells of s1, and those of nasbench201"),
    ],
)
def test_tables_and_spaces_that_do_not_fit(arguments, error, message):
    with pytest.raises(error, match=message):
        TableLookup(*arguments).check()


def test_tables_that_lack_something(tmp_path, small):
    few = SMALL[:90]
    only = {"test_correct": Column(np.ones((3, 90, 1), np.uint16), IMAGES)}
    both = {**only, "valid_correct": Column(np.ones((3, 90, 1), np.uint16), IMAGES)}
    with pytest.raises(InvalidValue, match="holds 90 of the 91 cells of nasbench101-4"):
        TableLookup(write(tmp_path, both, few), "nasbench101-4").check()
    with pytest.raises(MetricAbsent, match="has none"):
        TableLookup(write(tmp_path, {"test_correct": figures()["test_correct"]}), "nasbench101-4").check()
    maximum = Column(figures()["test_correct"].values[:, :, :1], IMAGES, aggregate="maximum")
    with pytest.raises(InvalidValue, match="regret needs their mean"):
        TableLookup(write(tmp_path, figures(test_correct=maximum)), "nasbench101-4").check()
    part = unique_cells(nasbench1shot1.space("s1"))[:100]
    columns = {name: Column(np.ones((3, 100, 1), np.uint16), IMAGES) for name in ("valid_correct", "test_correct")}
    with pytest.raises(CellUnknown):
        TableLookup(write(tmp_path, columns, part, space="s1"), "s1").check()


@pytest.mark.parametrize("name", ["nasbench101-4", "nasbench101-5", "s1", "s2", "nasbench201"])
def test_how_many_cells_a_space_has(name):
    if name.startswith("nasbench101"):
        assert CELL_SPACES[name] == len(enumerate_cells(int(name[-1])))
    elif name == "nasbench201":
        assert CELL_SPACES[name] == 5**6
    else:
        assert CELL_SPACES[name] == len(unique_cells(nasbench1shot1.space(name)))


# --- how it travels ------------------------------------------------------------------------------------


def test_it_is_pickled_without_its_table(small):
    small.check()
    again = pickle.loads(pickle.dumps(small))
    assert again == small
    assert len(pickle.dumps(small)) < 500
    assert look_up(again, SMALL[PLAIN]) == look_up(small, SMALL[PLAIN])


def test_no_torch_is_imported():
    code = """
import sys
from trials.contract import Task
from trials.table_lookup import TableLookup
from spaces.encodings import encoding_of
import numpy
config = encoding_of("s1").draw(numpy.random.default_rng(0))
[report] = TableLookup("s1-digits", "s1")(Task(0, config, 0, 4, 0, ""))
assert report.epoch == 4
print("torch" in sys.modules, "ray" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


# --- the real tables -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nasbench101_table(tmp_path_factory):
    folder = real("nasbench101", "cells.npz").parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepared, "check_hashes", lambda *_: None)  # half a minute; tests of the hash do it
        return str(convert(folder, tmp_path_factory.mktemp("real") / "nasbench101.nastable"))


@pytest.mark.parametrize("space", ["nasbench101", "nasbench101-6", "nasbench101-5", "s1", "s2", "s3"])
def test_nasbench101(nasbench101_table, space):
    trial = TableLookup(nasbench101_table, space)
    trial.check()
    assert trial.budgets == (4, 12, 36, 108)
    assert CELL_SPACES[space] == (len(trial._opened.table) if trial._opened.rows is None else len(trial._opened.rows))
    assert sum("estimates, not measured" in remark for remark in trial.remarks()) == 2
    encoding, rng = encoding_of(space), np.random.default_rng(0)
    config = encoding.draw(rng)
    regrets = []
    for _ in range(100):
        config = encoding.mutate(config, rng)
        [report] = run(trial, Task(0, config, 0, 36, 0, ""))
        regrets.append(report.metrics["regret"])
        assert report.seconds > 0
    assert 0 <= min(regrets) < 0.1
    if space == "nasbench101":
        assert pytest.approx(trial._opened.table.best().test_error, abs=1e-6) == 1 - 0.943176


@pytest.mark.parametrize(
    ("name", "budgets"), [("nasbench201-cifar10", (12, 200)), ("nasbench201-cifar10-valid", (12, 200)),
                          ("nasbench201-cifar100", (12,))]
)  # fmt: skip
def test_nasbench201(tmp_path, name, budgets):
    csv = real("nasbench201", "nasbench201.csv.gz")
    trial = TableLookup(str(convert(csv, tmp_path / "t.nastable", name=name)), "nasbench201")
    trial.check()
    assert trial.budgets == budgets
    rng = np.random.default_rng(0)
    for budget in budgets:
        [report] = run(trial, Task(0, encoding_of("nasbench201").draw(rng), 0, budget, 0, ""))
        assert report.seconds == budget
        assert report.metrics["regret"] >= 0
