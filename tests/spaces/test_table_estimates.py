"""Estimates at lower budgets are figures of like cells, and as scattered as measured ones."""

import hashlib

import numpy as np
import pytest
from scipy.stats import spearmanr

from spaces.table.estimates import NEAREST, donors
from tests.spaces.small_table import real


def made_up(count=4000, share=0.3, seed=0):
    """Cells whose early figure depends on the final one, on size, and on luck."""
    rng = np.random.default_rng(seed)
    hashes = np.array([list(hashlib.md5(bytes([seed, *divmod(i, 256)])).digest()) for i in range(count)], np.uint8)
    test = 0.9 + 0.03 * rng.standard_normal(count)
    valid = test + 0.002 * rng.standard_normal(count)
    parameters = np.exp(rng.uniform(13, 17, count)).astype(np.int32)
    early = test - 0.05 + 0.01 * (np.log(parameters) - 15) + 0.03 * rng.standard_normal(count)
    return (hashes, test, valid, parameters, rng.random(count) < share), early


def test_donors_are_measured_and_alike():
    (hashes, test, valid, parameters, measured), _ = made_up()
    chosen = donors(hashes, test, valid, parameters, measured)
    assert (chosen[measured] == np.flatnonzero(measured)).all()
    assert measured[chosen].all()
    inner = np.abs(test - 0.9) < 0.05
    assert np.abs(test[chosen] - test)[inner].max() < 0.02
    assert np.abs(test[chosen] - test)[inner].mean() < 0.003
    assert np.corrcoef(np.log(parameters), np.log(parameters[chosen]))[0, 1] > 0.9


def test_the_choice_is_the_hash_s_and_does_not_depend_on_the_order_of_cells():
    arguments, _ = made_up(1500)
    chosen = donors(*arguments)
    order = np.random.default_rng(1).permutation(1500)
    assert (order[donors(*[each[order] for each in arguments])] == chosen[order]).all()
    hashes, *rest, measured = arguments
    others = hashes.copy()
    others[:, 8:] = hashes[:, :8]
    moved = donors(others, *rest, measured) != chosen
    assert 0.8 < moved[~measured].mean() < 0.95  # one in eight stays by chance


def test_spread_and_rank_correlation_stay_those_of_measured_cells():
    arguments, early = made_up(20_000)
    _, test, *_, measured = arguments
    lent = early[donors(*arguments)]
    assert lent[~measured].std() == pytest.approx(early[measured].std(), rel=0.03)
    expected = spearmanr(early[measured], test[measured]).statistic
    assert spearmanr(lent[~measured], test[~measured]).statistic == pytest.approx(expected, abs=0.02)
    assert spearmanr(lent[~measured], early[~measured]).statistic > 0.5


def test_fewer_measured_cells_than_are_looked_among():
    (hashes, test, valid, parameters, measured), _ = made_up(60)
    measured[:] = False
    measured[[7, 30]] = True
    assert set(donors(hashes, test, valid, parameters, measured)) == {7, 30}
    assert NEAREST > 2


def test_of_nasbench101():
    """On the real cells, of which 30,001 are measured; docs/tables.md tells these figures."""
    folder = real("nasbench101", "cells.npz").parent
    with np.load(folder / "cells.npz") as cells, np.load(folder / "budgets_30001.npz") as some:
        row, best = some["row"], some["val_max_correct"]
        hashes, test, valid, parameters = (cells[n] for n in ("hash", "test_correct", "valid_correct", "params"))
    measured = np.zeros(len(hashes), dtype=bool)
    measured[row] = True
    chosen = donors(hashes, test / 29952, valid / 9984, parameters, measured)
    figures = np.zeros((len(hashes), 3))
    figures[row] = best[:, :3]
    together = np.column_stack([figures[chosen], valid, test])
    theirs, ours = (spearmanr(together[which]).statistic for which in (measured, ~measured))
    assert np.abs(theirs - ours).max() < 0.02
    assert together[~measured].std(axis=0)[:3] == pytest.approx(together[measured].std(axis=0)[:3], rel=0.03)

    # Measured cells taken for unmeasured ones: how far a single estimate can be trusted.
    out, kept = row[::6], np.delete(row, np.s_[::6])
    both = np.concatenate([out, kept])
    known = np.arange(len(both)) >= len(out)
    lent = both[donors(hashes[both], test[both] / 29952, valid[both] / 9984, parameters[both], known)[~known]]
    trust = [spearmanr(figures[lent, stage], figures[out, stage]).statistic for stage in range(3)]
    assert trust == pytest.approx([0.44, 0.62, 0.85], abs=0.02)
