"""Estimates of what a cell reaches with less training, taken from measured cells that end up alike.

For a cell that was measured at the highest budget only, a *donor* lends its figures at the lower ones: a cell measured
at all budgets, chosen by the bits of the cell's hash among the few that are nearest to it in test accuracy, in
validation accuracy and in number of parameters. Since donors are real cells with all their luck, the spread of
figures and the rank correlations between budgets stay those of measured cells; averages of neighbours would be too
smooth. What a single cell would really have reached is known less well: docs/tables.md gives figures.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

NEAREST: Final = 8
"""Donors that a cell's hash chooses among."""

WINDOW: Final = 256
"""Measured cells of most similar test accuracy, among which the nearest are looked for."""

PARAMETERS_WEIGHT: Final = 0.03
"""What a factor of e in parameters counts, in shares of images. Large networks learn faster than they end up well."""

_CHUNK: Final = 10_000


def donors(
    hashes: NDArray[np.uint8],
    test: NDArray[np.float64],
    valid: NDArray[np.float64],
    parameters: NDArray[Any],
    measured: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Choose a donor for every cell.

    Args:
        hashes: (N, 16).
        test: (N,): test accuracies at the highest budget, 0 to 1.
        valid: (N,): validation accuracies there, 0 to 1.
        parameters: (N,): trainable parameters.
        measured: (N,): cells that may be donors, at least one; they are their own.

    Returns:
        (N,): rows of donors. A function of the arguments alone.
    """
    features = np.stack([test, valid, PARAMETERS_WEIGHT * np.log(np.maximum(parameters, 1))], axis=1)
    able = np.flatnonzero(measured)
    able = able[np.argsort(test[able], kind="stable")]
    chosen = np.arange(len(test))
    wanting = np.flatnonzero(~measured)
    for begin in range(0, len(wanting), _CHUNK):
        some = wanting[begin : begin + _CHUNK]
        chosen[some] = _chosen(hashes[some], features[some], able, features[able])
    return chosen


def _chosen(
    hashes: NDArray[np.uint8], features: NDArray[np.float64], able: NDArray[np.int64], theirs: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Donors of some cells, out of ``able``, which ascend by their first feature."""
    window, count = min(WINDOW, len(able)), min(NEAREST, len(able))
    first = np.searchsorted(theirs[:, 0], features[:, 0]) - window // 2
    seen = np.clip(first, 0, len(able) - window)[:, None] + np.arange(window)  # (cells, window)
    distances = np.zeros(seen.shape)
    for one, column in zip(features.T, theirs.T, strict=True):
        distances += np.square(column[seen] - one[:, None])
    nearest = np.sort(np.argpartition(distances, count - 1, axis=1)[:, :count], axis=1)
    # The last half of a hash: cells stand in the order of the first.
    pick = (hashes[:, 8:].copy().view(">u8")[:, 0] % np.uint64(count)).astype(np.intp)
    at = np.arange(len(seen))
    donors: NDArray[np.int64] = able[seen[at, nearest[at, pick]]]
    return donors
