"""What a table's page is computed from: on small tables by hand, in general by brute force."""

import json
from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from asha_nas.analysis import table_page
from spaces import nasbench101, nasbench201
from spaces.graph import Arrow, Graph
from spaces.table import Column, Table, convert, write_table
from tests.spaces.small_table import BUDGETS, CELLS, IMAGES, REPEATS, hashes_of, make, real

ERRORS = hnp.arrays(np.float64, st.integers(1, 60), elements=st.integers(0, 1000).map(lambda n: n / 1000))


def opened(tmp_path, content, **options):
    return Table.open(write_table(tmp_path / "some.nastable", content), **options)


def columns(valid, test=None, aggregate=None):
    """Columns of counts of 10 images, for one budget; ``valid`` is (cells, runs)."""
    made = {"valid_correct": Column(np.array([valid], dtype=np.uint16), 10, aggregate=aggregate)}
    if test is not None:
        made["test_correct"] = Column(np.array([test], dtype=np.uint16), 10)
    return made


def tiny(**changes):
    """Four cells at one budget, one run each."""
    cells = CELLS[:4]
    return replace(
        make(),
        budgets=(5,),
        repeats=1,
        cells=nasbench101.Cells.of(cells),
        hashes=hashes_of(cells),
        parameters=np.arange(4, dtype=np.int32),
        evaluated={"valid": 10, "test": 10},
        columns=columns([[1], [2], [3], [4]], [[2], [1], [4], [3]]),
        **changes,
    )


def test_a_page_by_hand(tmp_path):
    table = opened(tmp_path, tiny())
    page = table_page.make_page(table)
    spread = page.distribution
    assert (spread.metric, spread.budget, spread.status, spread.cells) == ("test_error", 5, "measured", 4)
    assert (spread.best, spread.median, spread.mean) == (0.6, pytest.approx(0.75), pytest.approx(0.75))
    assert (spread.quantiles[0.0], spread.quantiles[1.0]) == (0.6, 0.9)
    assert table.hash_of(page.best) == CELLS[2].hash
    [one] = page.correlations
    assert (one.first, one.second, one.cells) == (("valid_accuracy", 5), ("test_accuracy", 5), 4)
    assert one.spearman == pytest.approx(0.6)  # 1 − 6 Σd² / n(n² − 1) with four differences of one
    assert one.kendall == pytest.approx(1 / 3)  # 4 pairs agree, 2 do not


def test_without_test_figures_validation_is_what_there_is(tmp_path):
    page = table_page.make_page(opened(tmp_path, replace(tiny(), columns=columns([[1], [2], [3], [3]]))))
    assert (page.distribution.metric, page.distribution.best, page.correlations) == ("valid_error", 0.7, ())


def test_a_table_of_seconds_alone_has_no_errors(tmp_path):
    seconds = {"seconds": Column(np.ones((1, 4, 1), dtype=np.float32))}
    page = table_page.make_page(opened(tmp_path, replace(tiny(), columns=seconds)))
    assert (page.distribution, page.best, page.correlations) == (None, None, ())


def test_estimates_never_mix_with_what_was_measured(tmp_path):
    content = make()
    test = Column(np.full((3, len(CELLS), 1), 1, dtype=np.uint32), IMAGES)
    status = np.zeros((3, len(CELLS)), dtype=np.uint8)
    status[2], status[1, :7] = 2, 1  # only estimates at the highest budget, seven measured cells at the one below
    test.values[2] = IMAGES
    content = replace(content, columns={"test_correct": replace(test, status=status)})
    spread = table_page.make_page(opened(tmp_path, content)).distribution
    assert (spread.budget, spread.status, spread.cells, spread.best) == (BUDGETS[1], "measured", 7, 1 - 1 / IMAGES)

    status[1] = 0
    spread = table_page.make_page(
        opened(tmp_path, replace(content, columns={"test_correct": replace(test, status=status)}))
    )
    assert (spread.distribution.budget, spread.distribution.status) == (BUDGETS[2], "estimated")
    assert spread.distribution.best == 0


def test_correlations_are_of_measured_pairs_at_all_budgets(tmp_path):
    table = opened(tmp_path, make())
    found = {(one.first, one.second): one for one in table_page.correlate(Table.open(table.path, estimates=False))}
    valid, test = ([(f"{split}_accuracy", budget) for budget in BUDGETS] for split in ("valid", "test"))
    assert list(found) == [*combinations(valid, 2), *((v, t) for v in valid for t in test)]
    strict = Table.open(table.path, estimates=False)
    for (first, second), one in found.items():
        x, y = (strict.column(*key, absent="nan") for key in (first, second))
        both = ~np.isnan(x) & ~np.isnan(y)
        assert one.cells == both.sum() < len(table)
        assert one.spearman == pytest.approx(brute_spearman(x[both], y[both]))
        assert one.kendall == pytest.approx(brute_kendall(x[both], y[both]))


def brute_spearman(x, y):
    ranks = [[(np.sum(a < v) + np.sum(a <= v) + 1) / 2 for v in a] for a in (x, y)]
    return np.corrcoef(*ranks)[0, 1]


def brute_kendall(x, y):
    signs = [(np.sign(a - b), np.sign(c - d)) for (a, c), (b, d) in combinations(zip(x, y, strict=True), 2)]
    untied = [sum(bool(sign[i]) for sign in signs) for i in (0, 1)]
    return sum(a * b for a, b in signs) / np.sqrt(untied[0] * untied[1])


def test_a_figure_that_never_changes_has_no_rank(tmp_path):
    content = replace(tiny(), columns=columns([[1], [2], [3], [4]], [[2], [2], [2], [2]]))
    [one] = table_page.correlate(opened(tmp_path, content))
    assert (one.cells, one.spearman, one.kendall) == (4, None, None)


@given(ERRORS)
def test_a_histogram_counts_every_cell_once(errors):
    bins = table_page.histogram(errors)
    assert sum(one.cells for one in bins) == len(errors)
    assert all(one.high == after.low for one, after in pairwise(bins))
    assert all(one.high is not None for one in bins[:-1])
    assert bins[0].low <= errors.min() + 1e-12
    assert bins[-1].high is None or errors.max() < bins[-1].high + 1e-12
    assert len(bins) <= 22
    for one in bins:  # to a hair's breadth: a limit is rounded
        high = 2.0 if one.high is None else one.high
        surely = ((errors > one.low + 1e-9) & (errors < high - 1e-9)).sum()
        perhaps = ((errors > one.low - 1e-9) & (errors < high + 1e-9)).sum()
        assert surely <= one.cells <= perhaps


def test_a_long_tail_is_one_bin():
    errors = np.concatenate([np.linspace(0.05, 0.1, 990), np.full(10, 0.9)])
    bins = table_page.histogram(errors)
    assert bins[-1].high is None and bins[-1].low <= 0.105 and 10 <= bins[-1].cells < 70


def test_a_cells_figures(tmp_path):
    table = opened(tmp_path, make())
    cell = CELLS[3]
    row = table.lookup(cell).row
    shown = {(one.metric, one.budget): one for one in table_page.figures(table, row)}
    assert {metric for metric, _ in shown} == {
        "train_accuracy", "valid_accuracy", "test_accuracy", "seconds", "halfway_train_accuracy", "halfway_seconds",
    }  # fmt: skip
    for budget in BUDGETS:
        entry = table.lookup(cell, budget)
        assert shown["train_accuracy", budget] == table_page.Figure("train_accuracy", budget, "absent")
        valid, test = shown["valid_accuracy", budget], shown["test_accuracy", budget]
        assert valid.status == entry.status("valid")
        if valid.status != "absent":
            assert valid.value == entry.valid_accuracy
            assert valid.runs == tuple(table.lookup(cell, budget, run).valid_accuracy for run in range(REPEATS))
            assert (valid.counts, valid.denominator) == (entry.counts("valid"), IMAGES)
        assert (test.value, test.aggregate, test.runs) == (entry.test_accuracy, "mean", ())
        assert (shown["seconds", budget].value, shown["seconds", budget].runs) == (entry.seconds, ())
        assert len(shown["halfway_seconds", budget].runs) == REPEATS
    one_budget = table_page.figures(table, row, (12,))
    assert {one.budget for one in one_budget} == {12} and len(one_budget) == 6


def test_an_estimate_that_is_not_given_out_has_a_status_but_no_value(tmp_path):
    table = opened(tmp_path, make(), estimates=False)
    one = table_page.figure(table, 0, "halfway_train_accuracy", 4)
    assert (one.status, one.value, one.runs, one.counts) == ("estimated", None, (), ())


def test_graphs_as_lines():
    cell = nasbench101.parse_cell("0111001100010000:input,conv3x3-bn-relu,maxpool3x3,output")
    assert table_page.graph_lines(cell.graph()) == [
        "0  input",
        "1  conv3x3-bn-relu  ← 0",
        "2  maxpool3x3       ← 0, 1",
        "3  output           ← 0, 1, 2",
    ]
    text = "|none~0|+|skip_connect~0|nor_conv_3x3~1|+|none~0|none~1|avg_pool_3x3~2|"
    assert table_page.graph_lines(nasbench201.parse_cell(text).graph()) == [
        "0  input",
        "1          ← none(0)",
        "2          ← skip_connect(0), nor_conv_3x3(1)",
        "3  output  ← none(0), none(1), avg_pool_3x3(2)",
    ]
    assert table_page.graph_lines(Graph("", ("a\nb", "c"), (Arrow(0, 1),))) == ["0  a, b", "1  c     ← 0"]


def test_what_figures_stand_for(tmp_path):
    metrics = opened(tmp_path, make()).metrics
    words = {name: table_page.stands_for(metric, REPEATS) for name, metric in metrics.items()}
    assert words == {
        "valid_accuracy": "3 runs", "test_accuracy": "mean of 3 runs", "halfway_train_accuracy": "3 runs",
        "seconds": "one for all runs", "halfway_seconds": "3 runs", "parameters": "one figure",
    }  # fmt: skip


def test_nasbench201_as_published(tmp_path):
    """Dong & Yang (arXiv 2001.00326) report 94.37 % on CIFAR-10's test images as the optimum."""
    source = real("nasbench201", "nasbench201.csv.gz")
    page = table_page.make_page(Table.open(convert(source, tmp_path / "it.nastable")))
    assert page.distribution.best == pytest.approx(1 - 0.9437, abs=5e-5)
    assert json.dumps(page.distribution.quantiles)  # plain numbers
    assert 0.97 < next(one.spearman for one in page.correlations if one.first[1] == one.second[1] == 200) < 1
