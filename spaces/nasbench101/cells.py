"""Many cells as three arrays: 10 bytes a cell, for tables, sub-spaces and work in bulk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from spaces.errors import InvalidValue
from spaces.nasbench101.cell import MAX_VERTICES, OPERATIONS, Cell

NO_OPERATION = 255
"""Fills :attr:`Cells.operations` behind a cell's last inner vertex."""

_INNER = MAX_VERTICES - 2


def edge_bit(x: int, y: int) -> int:
    """Return the position of the edge from vertex ``x`` to vertex ``y`` > ``x`` in an adjacency: 0 to 20."""
    return x + y * (y - 1) // 2


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """N cells. ``cells[i]`` is a :class:`Cell`; a slice, index array or mask gives :class:`Cells`.

    Raises:
        InvalidValue: an array has another shape or another type than listed.
    """

    vertices: NDArray[np.uint8]
    """(N,): number of vertices, 2 to 7."""
    adjacency: NDArray[np.uint32]
    """(N,): edges as bits; x→y (x < y) is bit x + y·(y−1)/2, so a cell's bits do not depend on its size."""
    operations: NDArray[np.uint8]
    """(N, 5): indices into ``OPERATIONS`` of the inner vertices, then 255."""

    def __post_init__(self) -> None:
        count = len(self.vertices)
        wanted: tuple[tuple[str, NDArray[Any], tuple[int, ...], type], ...] = (
            ("vertices", self.vertices, (count,), np.uint8),
            ("adjacency", self.adjacency, (count,), np.uint32),
            ("operations", self.operations, (count, _INNER), np.uint8),
        )
        for name, array, shape, kind in wanted:
            if array.shape != shape or array.dtype != kind:
                rule = f"must have shape {shape} and type {np.dtype(kind)}"
                raise InvalidValue(f"shape and type of {name}", (array.shape, str(array.dtype)), rule)

    @classmethod
    def of(cls, cells: Iterable[Cell]) -> Cells:
        """Pack cells in their order, as they are: nothing is pruned."""
        given = list(cells)
        operations = np.full((len(given), _INNER), NO_OPERATION, dtype=np.uint8)
        for row, cell in enumerate(given):
            operations[row, : cell.vertices - 2] = [OPERATIONS.index(name) for name in cell.operations]
        return cls(
            np.array([cell.vertices for cell in given], dtype=np.uint8),
            np.array([_pack(cell) for cell in given], dtype=np.uint32),
            operations,
        )

    def __len__(self) -> int:
        return len(self.vertices)

    @overload
    def __getitem__(self, index: int | np.integer[Any]) -> Cell: ...
    @overload
    def __getitem__(self, index: slice | NDArray[np.integer[Any]] | NDArray[np.bool_] | list[int]) -> Cells: ...
    def __getitem__(self, index: Any) -> Cell | Cells:
        if not isinstance(index, int | np.integer):
            return Cells(self.vertices[index], self.adjacency[index], self.operations[index])
        n, adjacency = int(self.vertices[index]), int(self.adjacency[index])
        matrix = tuple([tuple([adjacency >> edge_bit(x, y) & 1 if x < y else 0 for y in range(n)]) for x in range(n)])
        return Cell(matrix, tuple([OPERATIONS[label] for label in self.operations[index, : n - 2].tolist()]))


def _pack(cell: Cell) -> int:
    return sum(edge << edge_bit(x, y) for x, row in enumerate(cell.matrix) for y, edge in enumerate(row) if edge)
