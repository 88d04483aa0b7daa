"""The different architectures of a space: one cell for each hash, found on arrays.

Wirings are pruned, and of those that differ by the numbering of blocks one is kept, before
operations are joined to them and anything is hashed: 317 of S3's 5,400 wirings, which take
57,909 hashes instead of 1,312,200. Since a wiring is joined with every assignment of operations,
no architecture is lost by that.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import permutations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spaces.nasbench1shot1.space import SPACES, Parents, Space, active_blocks, wirings
from spaces.nasbench101 import OPERATIONS, Cells
from spaces.nasbench101.batch import hash_cells
from spaces.nasbench101.cells import NO_OPERATION, edge_bit

_INNER: Final = 5  # columns of Cells.operations

_Edges = list[tuple[int, int]]


def unique_cells(space: Space) -> Cells:
    """Return one pruned cell for each architecture, in ascending order of the hash; read-only arrays.

    2,685 for S1, 7,773 for S2 and 55,854 for S3, as in table 1 of the paper ("w/o isomorphism").
    A process computes them once for each space, S3 in a few seconds.
    """
    return _unique(space)[0]


def unique_hashes(space: Space) -> NDArray[np.uint8]:
    """Return the hashes of :func:`unique_cells`, uint8 (N, 16), ascending and read-only."""
    return _unique(space)[1]


def count_unique(space: Space) -> int:
    """Return the number of different architectures."""
    return len(unique_cells(space))


def hash_keys(hashes: NDArray[np.uint8]) -> NDArray[Any]:
    """View hashes, uint8 (N, 16), as N opaque items that sort and compare as the hashes do."""
    keys: NDArray[Any] = np.ascontiguousarray(hashes).view("V16").ravel()
    return keys


@lru_cache(maxsize=len(SPACES))
def _unique(space: Space) -> tuple[Cells, NDArray[np.uint8]]:
    cells = _joined(sorted({_smallest(*_pruned(wiring)) for wiring in wirings(space)}))
    hashes = hash_cells(cells)
    _, first = np.unique(hash_keys(hashes), return_index=True)
    chosen, hashes = cells[first], hashes[first]
    for array in (chosen.vertices, chosen.adjacency, chosen.operations, hashes):
        array.setflags(write=False)
    return chosen, hashes


def _pruned(wiring: tuple[Parents, ...]) -> tuple[int, _Edges]:
    """Number of blocks in use, and the edges between used vertices, renumbered without gaps."""
    used = (0, *active_blocks(wiring), len(wiring))
    place = {vertex: number for number, vertex in enumerate(used)}
    return len(used) - 2, [(place[x], place[y]) for y in used[1:] for x in wiring[y - 1]]


def _smallest(inner: int, edges: _Edges) -> tuple[int, int]:
    """Return ``inner`` and the smallest adjacency bits that renumbering the inner vertices can give."""
    found = []
    for numbers in permutations(range(1, inner + 1)):
        place = (0, *numbers, inner + 1)
        if all(place[x] < place[y] for x, y in edges):
            found.append(sum(1 << edge_bit(place[x], place[y]) for x, y in edges))
    return inner, min(found)


def _joined(wired: Iterable[tuple[int, int]]) -> Cells:
    """Join each wiring (inner vertices, adjacency bits) with every assignment of operations."""
    parts = []
    for inner, bits in wired:
        operations = np.full((len(OPERATIONS) ** inner, _INNER), NO_OPERATION, dtype=np.uint8)
        operations[:, :inner] = np.indices((len(OPERATIONS),) * inner, dtype=np.uint8).reshape(inner, -1).T
        vertices = np.full(len(operations), inner + 2, dtype=np.uint8)
        parts.append((vertices, np.full(len(operations), bits, dtype=np.uint32), operations))
    vertices, adjacency, operations = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return Cells(vertices, adjacency, operations)
