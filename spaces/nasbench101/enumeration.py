"""Every cell of the space once, and the sub-spaces that papers cut out of it.

Hashing all encodings would take an hour. Most are the same graph under another numbering of its inner
vertices, which is found out on integers: a graph is kept if no numbering gives it smaller adjacency bits,
and operations on it are kept if no symmetry of the graph gives them a smaller code. What is left,
423,624 cells in the whole space, is hashed, as the final say on what is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, permutations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spaces.errors import InvalidValue
from spaces.nasbench101.batch import hash_cells
from spaces.nasbench101.cell import MAX_EDGES, MAX_VERTICES, OPERATIONS
from spaces.nasbench101.cells import NO_OPERATION, Cells, edge_bit

_Graphs = NDArray[np.uint32]
_LABELS: Final = len(OPERATIONS)


def enumerate_cells(max_vertices: int = MAX_VERTICES, max_edges: int = MAX_EDGES) -> Cells:
    """Return every architecture of the space once, pruned, in ascending order of hashes.

    The whole space has 423,624 (Ying et al., arXiv 1902.09635, section 2.2) and takes a fraction of a
    minute. Of the encodings of an architecture it is the one with the fewest vertices, then the smallest
    adjacency bits, then the first operations in dictionary order: the one in the published table. Others can
    differ from it in :func:`spaces.nasbench101.count_parameters`, since the channels that a division leaves
    over go to the first vertices.

    Args:
        max_vertices: most vertices of a cell, 2 to 7.
        max_edges: most edges of a cell, 1 to 9.

    Raises:
        InvalidValue: a limit is outside its range.
    """
    if not 2 <= max_vertices <= MAX_VERTICES:
        raise InvalidValue("max_vertices", max_vertices, f"must be from 2 to {MAX_VERTICES}")
    if not 1 <= max_edges <= MAX_EDGES:
        raise InvalidValue("max_edges", max_edges, f"must be from 1 to {MAX_EDGES}")
    parts = [_labelled(_graphs(n, max_edges), n) for n in range(2, max_vertices + 1)]
    cells = Cells(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate([part.adjacency for part in parts]),
        np.concatenate([part.operations for part in parts]),
    )
    hashes = hash_cells(cells)
    halves = hashes.view(">u8")
    order = np.lexsort((halves[:, 1], halves[:, 0]))
    hashes = hashes[order]
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (hashes[1:] != hashes[:-1]).any(axis=1)
    return cells[order[new]]


def at_most_vertices(cells: Cells, n: int) -> NDArray[np.bool_]:
    """Mark the cells of at most ``n`` vertices, input and output included: bool (N,).

    These are the sub-spaces by number of nodes of Yu et al., *Evaluating the Search Phase of Neural
    Architecture Search* (arXiv 1902.08142), for n = 4 to 7. Vertices count as given: prune cells first.

    Raises:
        InvalidValue: n is not from 2 to 7.
    """
    if not 2 <= n <= MAX_VERTICES:
        raise InvalidValue("n", n, f"must be from 2 to {MAX_VERTICES}")
    return cells.vertices <= n


def edges_into_output(cells: Cells, k: int) -> NDArray[np.bool_]:
    """Mark the cells in which exactly ``k`` inner vertices feed the output: bool (N,).

    An edge from the input is not counted, since the output's channels are divided among inner vertices
    alone. So vertices of all cells of one sub-space have about the same channels: Yu, Ranftl & Salzmann,
    *How to Train Your Super-Net* (arXiv 2003.04276), appendix C.2, table 6, for k = 1 to 4. Edges count as
    given: prune cells first.

    Raises:
        InvalidValue: k is not from 0 to 5.
    """
    if not 0 <= k <= MAX_VERTICES - 2:
        raise InvalidValue("k", k, f"must be from 0 to {MAX_VERTICES - 2}")
    # Edges into one vertex are neighbouring bits, that from vertex 0 the lowest of them.
    output = cells.vertices.astype(np.uint32) - 1
    first = output * (output - 1) // 2
    edges = cells.adjacency >> first & ((np.uint32(1) << output) - np.uint32(1))
    marked: NDArray[np.bool_] = np.bitwise_count(edges >> np.uint32(1)) == k
    return marked


def _graphs(n: int, max_edges: int) -> _Graphs:
    """Return one graph of each kind: n vertices, all on paths from input to output, operations aside."""
    graphs = np.arange(1 << n * (n - 1) // 2, dtype=np.uint32)
    graphs = graphs[np.bitwise_count(graphs) <= max_edges]
    # If only the input has no predecessor and only the output no successor, every path goes from one to the other.
    for v in range(n):
        into = sum(1 << edge_bit(x, v) for x in range(v))
        out_of = sum(1 << edge_bit(v, y) for y in range(v + 1, n))
        for mask in filter(None, (into, out_of)):
            graphs = graphs[graphs & np.uint32(mask) != 0]
    for order in _numberings(n):
        moved, runs_forwards = _renumbered(graphs, order)
        graphs = graphs[~runs_forwards | (moved >= graphs)]
    return graphs


def _labelled(graphs: _Graphs, n: int) -> Cells:
    """Give each graph all operations that no symmetry of it turns into operations of a smaller code."""
    inner = n - 2
    powers = _LABELS ** np.arange(inner)[::-1]
    labels = np.arange(_LABELS**inner)[:, None] // powers % _LABELS
    least = np.ones((len(graphs), len(labels)), dtype=np.bool_)
    for order in _numberings(n):
        moved, runs_forwards = _renumbered(graphs, order)
        symmetric = runs_forwards & (moved == graphs)
        codes = labels @ powers[[v - 1 for v in order[1:-1]]]  # with vertex v's operation at order[v]
        least[symmetric] &= codes >= labels @ powers
    graph, code = np.nonzero(least)
    operations = np.full((len(graph), MAX_VERTICES - 2), NO_OPERATION, dtype=np.uint8)
    operations[:, :inner] = labels[code]
    return Cells(np.full(len(graph), n, dtype=np.uint8), graphs[graph], operations)


def _numberings(n: int) -> Iterator[tuple[int, ...]]:
    """Yield every new numbering of n vertices that leaves the first and the last in place."""
    for inner in permutations(range(1, n - 1)):
        yield (0, *inner, n - 1)


def _renumbered(graphs: _Graphs, order: tuple[int, ...]) -> tuple[_Graphs, NDArray[np.bool_]]:
    """Return graphs with vertex v as ``order[v]``, and whether their edges still run forwards.

    The graphs of which an edge would run backwards are without meaning.
    """
    moved = np.zeros_like(graphs)
    backwards = 0
    for x, y in combinations(range(len(order)), 2):
        if order[x] > order[y]:
            backwards |= 1 << edge_bit(x, y)
            continue
        bit = graphs >> np.uint32(edge_bit(x, y)) & np.uint32(1)
        moved |= bit << np.uint32(edge_bit(order[x], order[y]))
    return moved, graphs & np.uint32(backwards) == 0
