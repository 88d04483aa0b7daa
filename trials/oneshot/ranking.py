"""One-shot errors of many architectures: what the shared weights make of each, without any training."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trials.oneshot.feed import Batch
from trials.oneshot.layers import Statistics
from trials.oneshot.mixture import Mixture
from trials.oneshot.shared import SharedWeights


def computed(path: Mixture | Hashable) -> Hashable:
    """What a super-net computes for a path: paths that differ in nothing but loose ends have this in common.

    Architectures of one hash do not: they are other numberings of a cell, and a numbering says whose weights are used.
    """
    if not isinstance(path, Mixture):
        return path  # a genotype: all nodes of its cells reach the output
    if any(terms.weights is not None for terms in (*path.operations, *path.parents, path.output)):
        return path  # mixtures with weights are equal only if they are the same one
    blocks = ((b, path.operations[b - 1].chosen, path.parents[b - 1].chosen) for b in path.needed())
    return path.output.chosen, *blocks


def errors(
    shared: SharedWeights, paths: Sequence[Any], batches: Sequence[Batch], statistics: Statistics = "batch"
) -> NDArray[np.float64]:
    """One-shot error of each path.

    Paths that compute the same are run once, and the host waits for the device once, at the end.

    Args:
        shared: the weights; they stay as they are.
        paths: any number.
        batches: the images that all paths are measured on, one or more.
        statistics: of batch normalisation, see ``trials.oneshot.protocol.Optimizer``; not ``update``.

    Returns:
        Share of the images that are classified wrongly, 0..1, (paths,).
    """
    keys = [computed(path) for path in paths]
    rows = {key: row for row, key in enumerate(dict.fromkeys(keys))}
    different = dict(zip(keys, paths, strict=True))
    wrong = torch.zeros(len(rows), dtype=torch.int64, device=shared.device)
    with torch.inference_mode():
        for batch in batches:
            for key, row in rows.items():
                logits = shared.forward(different[key], batch.images, statistics)
                wrong[row] += (logits.argmax(dim=1) != batch.labels).sum()
    found = wrong.cpu().numpy() / sum(len(batch.labels) for batch in batches)
    return np.asarray(found[[rows[key] for key in keys]], dtype=np.float64)
