"""Many cells of NAS-Bench-201 in one array: the form in which tables keep and look them up."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, overload

import numpy as np
from numpy.typing import NDArray

from spaces.errors import InvalidValue
from spaces.nasbench201.cell import EDGES, OPERATIONS, Cell

_CODES: Final = {name: code for code, name in enumerate(OPERATIONS)}


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """N cells as one array. ``len``, ``cells[3]`` (a :class:`Cell`), ``cells[:9]`` (again cells).

    Raises:
        InvalidValue: the array has another shape or type, or holds a code above 4.
    """

    operations: NDArray[np.uint8]
    """uint8 (N, 6): indices into :data:`OPERATIONS`, 0 to 4, edges in the order of :data:`EDGES`."""

    def __post_init__(self) -> None:
        codes = self.operations
        if codes.dtype != np.uint8 or codes.ndim != 2 or codes.shape[1] != len(EDGES):
            rule = f"must be uint8 of shape (N, {len(EDGES)})"
            raise InvalidValue("operations", f"{codes.dtype} {codes.shape}", rule)
        if codes.size and codes.max() >= len(OPERATIONS):
            raise InvalidValue("operations", int(codes.max()), f"codes must be 0 to {len(OPERATIONS) - 1}")

    @classmethod
    def of(cls, cells: Iterable[Cell]) -> Cells:
        """Collect cells, in the order given."""
        codes = [[_CODES[name] for name in cell.operations] for cell in cells]
        return cls(np.array(codes, dtype=np.uint8).reshape(-1, len(EDGES)))

    def __len__(self) -> int:
        return len(self.operations)

    @overload
    def __getitem__(self, index: int | np.integer) -> Cell: ...
    @overload
    def __getitem__(self, index: slice | NDArray[np.integer] | NDArray[np.bool_]) -> Cells: ...
    def __getitem__(self, index: int | np.integer | slice | NDArray[np.integer] | NDArray[np.bool_]) -> Cell | Cells:
        if isinstance(index, int | np.integer):
            return Cell(tuple(OPERATIONS[code] for code in self.operations[index].tolist()))
        return Cells(self.operations[index])


def enumerate_cells() -> Cells:
    """Return all 15,625 cells; the operation of the last edge changes fastest, that of the first slowest."""
    choices = len(OPERATIONS)
    codes = np.indices((choices,) * len(EDGES), dtype=np.uint8)
    return Cells(np.ascontiguousarray(codes.reshape(len(EDGES), -1).T))


def hash_cells(cells: Cells) -> NDArray[np.uint8]:
    """Return the 16 bytes of every cell's :attr:`Cell.hash`, uint8 (N, 16)."""
    words = [[f"{name}~{source}|" for name in OPERATIONS] for source, _ in EDGES]
    digests = bytearray()
    for first, second, third, fourth, fifth, sixth in cells.operations.tolist():
        text = (
            f"|{words[0][first]}+|{words[1][second]}{words[2][third]}"
            f"+|{words[3][fourth]}{words[4][fifth]}{words[5][sixth]}"
        )
        digests += hashlib.md5(text.encode(), usedforsecurity=False).digest()
    return np.frombuffer(bytes(digests), dtype=np.uint8).reshape(-1, 16)
