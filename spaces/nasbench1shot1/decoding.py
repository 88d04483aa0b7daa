"""From architecture weights to the discrete cell: the evaluation rule of NAS-Bench-1Shot1 (section 3.2).

Each block takes the operation of the highest weight; each block and the output take, as parents,
the k earlier vertices of the highest weights, k from table 1. Blocks that the output does not
reach are loose ends, which pruning of the cell removes before it is looked up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spaces.errors import InvalidValue
from spaces.nasbench1shot1.choice import Choice
from spaces.nasbench1shot1.space import Parents, Space

ONE_SHOT_OPERATIONS: Final[tuple[str, ...]] = ("maxpool3x3", "conv3x3-bn-relu", "conv1x1-bn-relu")
"""Operations in the order that one-shot networks index their weights by. The order of
``nasbench101.OPERATIONS``, which enters the hash, is another."""


def decode(
    space: Space, operation_weights: ArrayLike, parent_weights: Sequence[ArrayLike], output_weights: ArrayLike
) -> Choice:
    """Return the choice that the weights rank highest; among equal weights the lower index wins.

    Only the order of weights within a row matters, so weights before and after a softmax give
    the same choice.

    Args:
        space: the space.
        operation_weights: (blocks, 3), columns in the order of :data:`ONE_SHOT_OPERATIONS`.
        parent_weights: for each block of :attr:`Space.choosing`, in that order, (block,) weights
            of the vertices before it: the input, then blocks 1, 2, …
        output_weights: (blocks + 1,) weights of the input, then of the blocks.

    Raises:
        InvalidValue: an array has another shape, there is not one for each choosing block, or a
            weight is not a finite number.
    """
    if len(parent_weights) != len(space.choosing):
        rule = f"must be {len(space.choosing)}, one for each of blocks {space.choosing}"
        raise InvalidValue("arrays of parent weights", len(parent_weights), rule)
    weights = _checked("operation weights", operation_weights, (space.blocks, len(ONE_SHOT_OPERATIONS)))
    operations = tuple(ONE_SHOT_OPERATIONS[index] for index in weights.argmax(axis=1).tolist())
    given = dict(zip(space.choosing, parent_weights, strict=True))
    parents = tuple(
        _top(_checked(f"parent weights of block {block}", given[block], (block,)), count)
        if block in given
        else tuple(range(block))
        for block, count in enumerate(space.parents, start=1)
    )
    output = _top(_checked("output weights", output_weights, (space.blocks + 1,)), space.output_parents)
    return Choice(operations, parents, output)


def _top(weights: NDArray[Any], count: int) -> Parents:
    """Return ascending the indices of the ``count`` highest weights, the lower index first among equals."""
    order = np.argsort(-weights, kind="stable")
    return tuple(sorted(order[:count].tolist()))


def _checked(name: str, given: ArrayLike, shape: tuple[int, ...]) -> NDArray[Any]:
    weights = np.asarray(given, dtype=np.float64)
    if weights.shape != shape:
        raise InvalidValue(f"shape of {name}", weights.shape, f"must be {shape}")
    if not np.isfinite(weights).all():
        raise InvalidValue(name, weights.tolist(), "must be finite")
    return weights
