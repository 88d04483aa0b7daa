"""Many cells as arrays of edges, and pruning them together."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from spaces.errors import InvalidValue
from spaces.nasbench101.cell import MAX_VERTICES
from spaces.nasbench101.cells import NO_OPERATION, Cells, edge_bit


def prune_cells(cells: Cells) -> Cells:
    """Return the cells without the vertices that lie on no path from input to output.

    Raises:
        InvalidValue: in some cell the output cannot be reached from the input.
    """
    kept = _kept(cells)
    partial = np.flatnonzero(kept.sum(axis=1) < cells.vertices)
    if not len(partial):
        return cells
    kept = kept[partial]
    # Vertices to keep move to the front in their order; what remains behind them has no edges.
    order = np.argsort(~kept, axis=1, kind="stable")
    edges = edges_of(cells.adjacency[partial], MAX_VERTICES) & kept[:, :, None] & kept[:, None, :]
    rows = np.arange(len(partial))
    moved = edges[rows[:, None, None], order[:, :, None], order[:, None, :]]
    labels = np.full((len(partial), MAX_VERTICES), NO_OPERATION, dtype=np.uint8)
    labels[:, 1:-1] = cells.operations[partial]
    labels = np.take_along_axis(labels, order, axis=1)
    counts = kept.sum(axis=1)
    inner = np.arange(1, MAX_VERTICES - 1) < counts[:, None] - 1
    vertices, adjacency, operations = cells.vertices.copy(), cells.adjacency.copy(), cells.operations.copy()
    vertices[partial] = counts
    adjacency[partial] = bits_of(moved)
    operations[partial] = np.where(inner, labels[:, 1:-1], NO_OPERATION)
    return Cells(vertices, adjacency, operations)


def edges_of(adjacency: NDArray[np.uint32], n: int) -> NDArray[np.bool_]:
    """Spread adjacency bits, (N,), into bool (N, n, n); edges between later vertices are left out."""
    edges = np.zeros((len(adjacency), n, n), dtype=np.bool_)
    for x, y in combinations(range(n), 2):
        edges[:, x, y] = adjacency >> np.uint32(edge_bit(x, y)) & np.uint32(1)
    return edges


def bits_of(edges: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Collect bool (N, n, n) into adjacency bits, (N,)."""
    adjacency = np.zeros(len(edges), dtype=np.uint32)
    for x, y in combinations(range(edges.shape[1]), 2):
        adjacency |= edges[:, x, y].astype(np.uint32) << np.uint32(edge_bit(x, y))
    return adjacency


def _kept(cells: Cells) -> NDArray[np.bool_]:
    """Mark the vertices on a path from input to output, bool (N, 7)."""
    edges = edges_of(cells.adjacency, MAX_VERTICES)
    reached, useful = np.zeros((2, len(cells), MAX_VERTICES), dtype=np.bool_)
    last = cells.vertices.astype(np.intp) - 1
    reached[:, 0] = True
    useful[np.arange(len(cells)), last] = True
    for y in range(1, MAX_VERTICES):
        reached[:, y] = (reached[:, :y] & edges[:, :y, y]).any(axis=1)
    for x in range(MAX_VERTICES - 2, -1, -1):
        useful[:, x] |= (useful[:, x + 1 :] & edges[:, x, x + 1 :]).any(axis=1)
    lost = np.flatnonzero(~useful[:, 0])
    if len(lost):
        rule = "its output cannot be reached from its input"
        raise InvalidValue(f"adjacency of cell {lost[0]}", int(cells.adjacency[lost[0]]), rule)
    return reached & useful
