"""Uniform random genotypes, and how many there are.

Li & Talwalkar's paper lists seven operations without ``skip_connect`` (section 4.1), while the
code released with it samples from all eight; both are kept here under a name, so that a study
says which of the two it repeats.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import prod
from typing import Final

import numpy as np

from spaces.darts_cell.cell import CELL_INPUTS, CELL_NODES, OPERATIONS, Cell, Genotype
from spaces.errors import InvalidValue, UnknownName

OPERATION_SETS: Final[dict[str, tuple[str, ...]]] = {
    "paper": tuple(name for name in OPERATIONS if name != "skip_connect"),
    "released": OPERATIONS,
    "darts": tuple(name for name in OPERATIONS if name != "none"),
}
"""Named choices of operations, each in the order of ``OPERATIONS``.

- ``paper``: the seven that Li & Talwalkar list; ``none``, but no ``skip_connect``.
- ``released``: all eight, which the code released with that paper samples from.
- ``darts``: the seven that a cell derived by DARTS may hold; ``skip_connect``, but no ``none``.
"""

_SOURCES: Final = tuple(tuple(combinations(range(state), 2)) for state in range(CELL_INPUTS, CELL_INPUTS + CELL_NODES))
"""For each node, the pairs of earlier states it may read, in ascending order: 1, 3, 6, 10 of them."""


def resolve_operations(operations: str | Sequence[str]) -> tuple[str, ...]:
    """Return the operations that a name in :data:`OPERATION_SETS`, or a list of operations, means.

    Raises:
        UnknownName: the name is no operation set, or an item of the list is no operation.
        InvalidValue: the list is empty or names an operation twice, which would double its weight.
    """
    if isinstance(operations, str):
        if operations not in OPERATION_SETS:
            raise UnknownName("operation set", operations, OPERATION_SETS)
        return OPERATION_SETS[operations]
    names = tuple(operations)
    for name in names:
        if name not in OPERATIONS:
            raise UnknownName("operation", str(name), OPERATIONS)
    if not names or len(set(names)) != len(names):
        raise InvalidValue("operations", names, "must be one or more different operations")
    return names


def sample_genotype(rng: np.random.Generator, operations: str | Sequence[str] = "paper") -> Genotype:
    """Draw a genotype uniformly from the :func:`count_genotypes` encodings with ``operations``.

    For each node of each cell: two different earlier states, without replacement, then an
    operation for each; all draws are independent. Sources come out in ascending order. One call
    of ``rng`` is made, so the same generator state always gives the same genotype.

    Args:
        rng: source of all randomness; it is advanced.
        operations: a name in :data:`OPERATION_SETS`, or a list of different operations.

    Raises:
        UnknownName, InvalidValue: ``operations`` is neither; see :func:`resolve_operations`.
    """
    names = resolve_operations(operations)
    bounds = [[len(pairs), len(names), len(names)] for pairs in _SOURCES]
    draws = rng.integers(0, [bounds, bounds])  # (cell, node, [pair of sources, operation, operation])
    normal, reduction = (_cell(cell, names) for cell in draws.tolist())
    return Genotype(normal, reduction)


def count_genotypes(operations: str | Sequence[str] = "paper") -> int:
    """Return the exact number of different encodings, the order of a node's edges aside.

    It is (180 · n⁸)² for n operations: 1.08e18 for n = 7. Encodings that stand for the same
    architecture are counted separately, as in the DARTS paper.

    Raises:
        UnknownName, InvalidValue: as :func:`resolve_operations`.
    """
    choices = len(resolve_operations(operations)) ** 2
    cells = prod(len(pairs) * choices for pairs in _SOURCES)
    return cells**2


def _cell(draws: list[list[int]], names: tuple[str, ...]) -> Cell:
    edges: list[tuple[str, int]] = []
    for pairs, (pair, first, second) in zip(_SOURCES, draws, strict=True):
        low, high = pairs[pair]
        edges += [(names[first], low), (names[second], high)]
    return Cell.of(*edges)
