"""Rank correlations of one-shot errors and a table's, and their picture."""

import math

import numpy as np
import pytest

from asha_nas.analysis.correlation import (
    Measured,
    Truth,
    agreements,
    between_budgets,
    coefficients,
    columns,
    rows,
    sparse_kendall,
)
from asha_nas.analysis.correlation_plot import draw_correlation
from asha_nas.errors import InvalidValue


def array(*values):
    return np.array(values, dtype=float)


def truth(counted=(True, True, True, True, False)):
    test = {4: array(0.5, 0.4, 0.2, 0.3, 0.9), 108: array(0.4, 0.3, 0.2, 0.1, 0.05)}
    valid = {budget: (errors + 0.01).round(2) for budget, errors in test.items()}
    return Truth(tuple("abcde"), np.array(counted), test, valid, best=4)


def measured(*errors, trial=0, budget=50, epoch=10):
    return Measured(trial, trial + 7, budget, epoch, 1, array(*errors))


RISING, FALLING = (0.9, 0.8, 0.7, 0.6, 0.0), (0.6, 0.7, 0.8, 0.9, 0.0)


# --- one pair ------------------------------------------------------------------------------------------


def test_the_same_order_and_the_opposite():
    x = array(0.1, 0.2, 0.3, 0.4)
    for found, value in ((coefficients(x, x**3), 1.0), (coefficients(x, 1 - x), -1.0)):
        assert (found.spearman, found.kendall) == (pytest.approx(value), pytest.approx(value))


def test_equal_values():
    # By hand. Ranks 1.5, 1.5, 3, 4 and 1, 2, 3, 4: ρ = 4.5 / sqrt(4.5 · 5). Of six pairs five agree and one is tied
    # in x: τ-b = 5 / sqrt(5 · 6).
    found = coefficients(array(0.1, 0.1, 0.2, 0.3), array(1, 2, 3, 4))
    assert found.spearman == pytest.approx(math.sqrt(0.9))
    assert found.kendall == pytest.approx(5 / math.sqrt(30))


@pytest.mark.parametrize("order", [1, -1])
def test_no_correlation_is_defined_where_all_values_are_equal(order):
    pair = (array(0.9, 0.9, 0.9), array(1, 2, 3))[::order]
    found = coefficients(*pair)
    assert math.isnan(found.spearman)
    assert math.isnan(found.kendall)


def test_differences_below_a_thousandth_do_not_count_in_the_sparse_tau():
    one_shot = array(0.3, 0.2, 0.1)
    true = array(0.0502, 0.0499, 0.04)  # the first two are 0.050
    assert sparse_kendall(one_shot[None], true) == pytest.approx(2 / math.sqrt(3 * 2))
    assert coefficients(one_shot, true).kendall == pytest.approx(1.0)
    assert math.isnan(sparse_kendall(one_shot[None], array(0.05, 0.0501, 0.0499)))


def test_the_sparse_tau_is_that_of_the_average_over_searches():
    true = array(0.1, 0.2, 0.3)
    errors = np.stack([array(0.1, 0.9, 0.3), array(0.2, 0.1, 0.9)])  # averages 0.15, 0.5, 0.6
    assert sparse_kendall(errors, true) == pytest.approx(1.0)
    # Averages that are equal but for the rounding of a sum are equal: none is left to rank.
    equal = np.stack([array(0.1, 0.2, 0.3), array(0.2, 0.3, 0.1), array(0.3, 0.1, 0.2)])
    assert len(set(equal.mean(axis=0))) > 1
    assert math.isnan(sparse_kendall(equal, true))


# --- a study -------------------------------------------------------------------------------------------


def test_every_epoch_beside_every_budget():
    found = agreements(truth(), [measured(*RISING), measured(*RISING, epoch=20), measured(*FALLING, budget=25)])
    assert [(one.split, one.budget, one.epoch, one.table_budget) for one in found] == [
        (split, *place, table_budget)
        for split in ("test", "valid")
        for place in ((25, 10), (50, 10), (50, 20))
        for table_budget in (4, 108)
    ]
    by_place = {(one.split, one.budget, one.epoch, one.table_budget): one for one in found}
    assert by_place["test", 50, 10, 108].spearman.mean == pytest.approx(1.0)
    assert by_place["valid", 25, 10, 108].spearman.mean == pytest.approx(-1.0)
    assert by_place["test", 50, 10, 4].spearman.mean == pytest.approx(0.8)


def test_only_what_was_drawn_counts():
    last = (0.9, 0.8, 0.7, 0.6, 1.0)  # the architecture that was not drawn is worst, and best by the table
    [_, drawn, *_] = agreements(truth(), [measured(*last)])
    [_, whole, *_] = agreements(truth(counted=(True,) * 5), [measured(*last)])
    assert drawn.spearman.mean == pytest.approx(1.0)
    assert whole.spearman.mean == pytest.approx(0.0)
    assert truth().count == 4


def test_mean_and_spread_over_searches():
    [_, one, *_] = agreements(truth(), [measured(*RISING), measured(*FALLING, trial=1)])
    assert (one.searches, one.spearman.seeds, one.spearman.mean) == (2, 2, pytest.approx(0.0))
    assert one.spearman.std == pytest.approx(math.sqrt(2))
    assert math.isnan(one.sparse_kendall)  # the averages are all equal


def test_a_search_without_any_difference_is_not_in_the_mean():
    flat = measured(0.9, 0.9, 0.9, 0.9, 0.9, trial=1)
    [_, one, *_] = agreements(truth(), [measured(*RISING), flat])
    assert (one.searches, one.spearman.seeds, one.spearman.mean) == (2, 1, pytest.approx(1.0))
    [_, none, *_] = agreements(truth(), [flat])
    assert (none.spearman, none.kendall) == (None, None)


def test_shorter_training_beside_longer():
    [(budget, found)] = between_budgets(truth()).items()
    assert (budget, found.spearman) == (4, pytest.approx(0.8))


def test_all_numbers():
    names = columns(truth())
    every = [dict(zip(names, row, strict=True)) for row in rows(truth(), [measured(*RISING), measured(*FALLING)])]
    assert len(every) == 10
    assert every[6] == {
        "trial": 0, "seed": 7, "search_epochs": 50, "epoch": 10, "hash": "b", "counted": 1, "chosen": 1,
        "one_shot_error": 0.7, "test_error_4": 0.4, "test_error_108": 0.3, "valid_error_4": 0.41,
        "valid_error_108": 0.31,
    }  # fmt: skip
    assert (every[4]["hash"], every[4]["counted"], every[4]["chosen"]) == ("e", 0, 0)


# --- the picture ---------------------------------------------------------------------------------------


def drawn(path, *searches):
    draw_correlation(path, truth(), searches, agreements(truth(), searches), "a $title_ of <mine>")
    return path.read_bytes()


def test_a_picture(tmp_path):
    searches = [measured(*RISING, epoch=epoch, trial=trial) for epoch in (10, 20) for trial in (0, 1)]
    content = drawn(tmp_path / "a.png", *searches)
    assert content.startswith(b"\x89PNG")
    assert drawn(tmp_path / "b.png", *searches) == content
    assert drawn(tmp_path / "c.svg", *searches) == drawn(tmp_path / "d.svg", *searches)
    assert drawn(tmp_path / "e.png", *searches[:2], measured(*FALLING, epoch=20)) != content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png", "c.svg", "d.svg", "e.png"]


def test_a_search_budget_has_a_row_of_its_own(tmp_path):
    def height(*searches):
        return int.from_bytes(drawn(tmp_path / "a.png", *searches)[20:24], "big")

    one = height(measured(*RISING))
    assert height(measured(*RISING), measured(*FALLING, budget=25)) == 2 * one


def test_searches_without_any_difference_are_drawn(tmp_path):
    assert drawn(tmp_path / "a.png", measured(0.9, 0.9, 0.9, 0.9, 0.9)).startswith(b"\x89PNG")


def test_many_epochs_are_drawn(tmp_path):
    assert drawn(tmp_path / "a.svg", *(measured(*RISING, epoch=epoch) for epoch in range(1, 31))).startswith(b"<?xml")


def test_another_kind_of_picture(tmp_path):
    with pytest.raises(InvalidValue, match=r"must end in \.svg or \.png"):
        drawn(tmp_path / "a.pdf", measured(*RISING))
