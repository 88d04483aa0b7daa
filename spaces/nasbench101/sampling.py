"""Random cells, and random changes of a cell.

Every function takes its randomness as an argument, and the same generator state gives the same cell.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from spaces.errors import InvalidValue
from spaces.nasbench101.cell import MAX_VERTICES, OPERATIONS, Cell, is_valid
from spaces.nasbench101.cells import Cells


def sample_encoding(rng: np.random.Generator, vertices: int = MAX_VERTICES) -> Cell:
    """Draw uniformly from the valid encodings with so many vertices, pruned or not.

    Each possible edge is there with probability 1/2 and each operation equally likely; the draw is
    repeated until the cell is valid. An architecture with many encodings is drawn more often: the
    Random-NAS policy of Yu et al. (arXiv 2003.04276, section 3), and the random search of NAS-Bench-101.

    Args:
        rng: source of all randomness; it is advanced.
        vertices: of the encoding, 2 to 7; fewer may remain once it is pruned.

    Raises:
        InvalidValue: ``vertices`` is outside its range.
    """
    if not 2 <= vertices <= MAX_VERTICES:
        raise InvalidValue("vertices", vertices, f"must be from 2 to {MAX_VERTICES}")
    while True:
        matrix = np.triu(rng.integers(0, 2, (vertices, vertices)), 1).tolist()
        labels = rng.integers(0, len(OPERATIONS), vertices - 2).tolist()
        if is_valid(matrix):
            return Cell(matrix, tuple(OPERATIONS[label] for label in labels))


def sample_unique(rng: np.random.Generator, cells: Cells) -> Cell:
    """Draw one of ``cells`` uniformly: the Random-A policy of Yu et al. if they are all different.

    Args:
        rng: source of all randomness; it is advanced.
        cells: such as :func:`spaces.nasbench101.enumerate_cells` returns, or a sub-space of them.

    Raises:
        InvalidValue: there are no cells.
    """
    if not len(cells):
        raise InvalidValue("number of cells", 0, "must be at least 1")
    return cells[int(rng.integers(len(cells)))]


def mutate(cell: Cell, rng: np.random.Generator, rate: float = 1.0) -> Cell:
    """Change a cell at random, as the regularized evolution of NAS-Bench-101's authors does.

    With n vertices as given, each of the n·(n − 1)/2 possible edges appears or disappears with
    probability rate/n, and each of the n − 2 operations changes, to either of the two others alike, with
    probability rate/(n − 2). So at rate 1 about (n − 1)/2 edges change, many of which pruning undoes, and
    one operation. All is repeated from the given cell until the result is valid and a different encoding;
    it may still be the same architecture. The number of vertices as given never changes, so begin with
    cells of seven, as :func:`sample_encoding` draws them, to reach the whole space.

    Args:
        cell: of at least 3 vertices.
        rng: source of all randomness; it is advanced.
        rate: above 0 and below n, so that no edge is certain to change; an operation may be.

    Raises:
        InvalidValue: the cell has no inner vertex, so there is no other one; or the rate is outside its range.
    """
    n = cell.vertices
    if n < 3:
        raise InvalidValue("cell", str(cell), "has nothing to change", "Begin with a cell of more vertices.")
    if not 0 < rate < n:
        raise InvalidValue("rate", rate, f"must be above 0 and below {n}, the cell's number of vertices")
    while True:
        matrix = [list(row) for row in cell.matrix]
        flips = (rng.random(n * (n - 1) // 2) < rate / n).tolist()
        for (x, y), flip in zip(combinations(range(n), 2), flips, strict=True):
            matrix[x][y] ^= flip
        changes = (rng.random(n - 2) < rate / (n - 2)).tolist()
        steps = rng.integers(1, len(OPERATIONS), n - 2).tolist()
        operations = [
            OPERATIONS[(OPERATIONS.index(name) + change * step) % len(OPERATIONS)]
            for name, change, step in zip(cell.operations, changes, steps, strict=True)
        ]
        if is_valid(matrix):
            changed = Cell(tuple(map(tuple, matrix)), tuple(operations))
            if changed != cell:
                return changed
