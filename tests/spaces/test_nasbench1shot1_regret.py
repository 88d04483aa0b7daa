"""Best and regret of a space in a small table whose figures are made up and worked by hand."""

import numpy as np
import pytest

from spaces.errors import InvalidValue, UnknownName, UserError
from spaces.nasbench1shot1 import best, regret, regrets, space, unique_cells, unique_hashes
from spaces.nasbench101 import Cell
from spaces.table import Column, Content, Table, write_table

IMAGES = 9984
S1 = space("s1")
LUCKY, STEADY, PLAIN = 100, 200, 300  # rows, hashes ascending


def _column(change=None, runs=3, **more):
    """All cells and both budgets at 9000 correct images, but for three cells at the last budget."""
    counts = np.full((2, len(unique_cells(S1)), runs), 9000, dtype=np.uint16)
    counts[1, LUCKY] = [9100, 9600, 9200][:runs]  # mean 9300
    counts[1, STEADY] = [9400, 9410, 9420][:runs]  # mean 9410
    if change is not None:
        change(counts)
    return Column(counts, denominator=IMAGES, **more)


def _table(folder, rows=slice(None), **columns):
    content = Content(
        name="made up",
        space="s1",
        data="cifar10",
        budgets=(4, 108),
        repeats=3,
        cells=unique_cells(S1)[rows],
        hashes=unique_hashes(S1)[rows],
        columns=columns,
        evaluated={"test": IMAGES, "valid": IMAGES},
    )
    return Table.open(write_table(folder / "made-up.nastable", content))


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    def first_budget(counts):
        counts[0, PLAIN] = 9001

    return _table(tmp_path_factory.mktemp("table"), test_correct=_column(first_budget), valid_correct=_column())


def _cell(row):
    return unique_cells(S1)[row]


def test_best_is_the_best_single_run_or_mean(table):
    lucky = best(table, S1)
    assert (lucky.hash, lucky.repeat, lucky.budget) == (_cell(LUCKY).hash, 1, 108)
    assert lucky.test_accuracy == 9600 / IMAGES
    steady = best(table, S1, reference="mean", split="valid")
    assert (steady.hash, steady.repeat) == (_cell(STEADY).hash, "mean")
    assert steady.valid_accuracy == pytest.approx(9410 / IMAGES)
    assert best(table, S1, budget=4).hash == _cell(PLAIN).hash


def test_regret_is_the_mean_error_above_the_best(table):
    assert regret(table, S1, _cell(LUCKY)) == pytest.approx((9600 - 9300) / IMAGES)
    assert regret(table, S1, _cell(STEADY), split="valid") == pytest.approx((9600 - 9410) / IMAGES)
    assert regret(table, S1, _cell(STEADY), reference="mean") == 0
    assert regret(table, S1, _cell(STEADY), budget=4) == pytest.approx(1 / IMAGES)


def test_regrets_of_many_are_those_of_each(table):
    rows = np.array([PLAIN, LUCKY, PLAIN, STEADY])
    assert regrets(table, S1, unique_cells(S1)[rows]).tolist() == [regret(table, S1, _cell(row)) for row in rows]
    assert (regrets(table, S1, unique_cells(S1)) > 0).all()


def test_a_cell_outside_the_space_has_no_regret(table):
    with pytest.raises(InvalidValue, match="outside space s1"):
        regret(table, S1, Cell(((0, 1), (0, 0)), ()))


def test_bad_options_are_refused(table):
    with pytest.raises(UnknownName, match="split 'train'"):
        best(table, S1, split="train")
    with pytest.raises(InvalidValue, match="must be 'mean' or 'best'"):
        best(table, S1, reference="median")
    with pytest.raises(UserError, match="108"):
        best(table, S1, budget=36)


def test_tables_that_lack_something_say_so(tmp_path):
    some = _table(tmp_path, slice(500), test_correct=Column(np.zeros((2, 500, 3), np.uint16), denominator=IMAGES))
    with pytest.raises(UserError, match="made up"):
        best(some, S1)
    with pytest.raises(UserError):
        best(some, S1, split="valid")


def test_absent_figures_are_not_passed_over(tmp_path):
    status = np.ones((2, len(unique_cells(S1))), dtype=np.uint8)
    status[1, PLAIN] = 0

    def clear(counts):
        counts[1, PLAIN] = 0

    with pytest.raises(UserError, match=_cell(PLAIN).hash):
        best(_table(tmp_path, test_correct=_column(clear, status=status)), S1)


def test_aggregates_serve_as_far_as_they_go(tmp_path):
    mean = Column(_column().values.sum(axis=2, keepdims=True, dtype=np.uint16), 3 * IMAGES, aggregate="mean")
    highest = Column(_column().values.max(axis=2, keepdims=True), IMAGES, aggregate="maximum")
    table = _table(tmp_path, test_correct=mean, valid_correct=highest)
    assert regret(table, S1, _cell(LUCKY), reference="mean") == pytest.approx((9410 - 9300) / IMAGES)
    with pytest.raises(UserError, match="one by one"):
        regret(table, S1, _cell(LUCKY))
    with pytest.raises(InvalidValue, match="only the maximum of its runs"):
        regret(table, S1, _cell(LUCKY), split="valid")
