"""Cells of NAS-Bench-101 as categories: one for each possible edge, one for each inner vertex."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from ConfigSpace import ConfigurationSpace

from spaces import nasbench101
from spaces.encodings.categories import Choices, categories
from spaces.encodings.protocol import Config
from spaces.errors import InvalidValue
from spaces.nasbench101 import MAX_VERTICES, OPERATIONS, Cell, parse_cell
from spaces.nasbench101.cell import is_valid

LEAST_VERTICES = 4
"""Of a sub-space, as Yu et al. cut them."""


@dataclass(frozen=True)
class NasBench101:
    """An :class:`~spaces.encodings.protocol.Encoding` of NAS-Bench-101, or of its cells of at most n vertices.

    The usual encoding: for n vertices n·(n − 1)/2 categories ``edge_0_1`` etc. with 0 and 1, and n − 2 categories
    ``op_1`` etc. with the operations; 21 and 5 in the whole space. Values make no valid cell where the output cannot
    be reached from the input, or where more than nine edges are left once the cell is pruned. Configurations are
    ``{"cell": str(cell)}`` of cells with n vertices as given, of which pruning may leave fewer: so the cells of *at
    most* n vertices are encoded, the sub-spaces of Yu et al. (arXiv 1902.08142) for n = 4 to 7.

    Raises:
        InvalidValue: ``vertices`` is not from 4 to 7.
    """

    vertices: int = MAX_VERTICES
    """Vertices of a cell as given, 4 to 7: at most so many once it is pruned."""

    def __post_init__(self) -> None:
        if self.vertices not in range(LEAST_VERTICES, MAX_VERTICES + 1):
            raise InvalidValue("vertices", self.vertices, f"must be from {LEAST_VERTICES} to {MAX_VERTICES}")

    @cached_property
    def space(self) -> ConfigurationSpace:
        """One category for each possible edge, and one for each inner vertex."""
        edges: Choices = {_edge(x, y): (0, 1) for x, y in self._pairs}
        return categories({**edges, **{f"op_{v}": OPERATIONS for v in range(1, self.vertices - 1)}})

    def draw(self, rng: np.random.Generator) -> Config:
        """Uniform among valid encodings: see :func:`spaces.nasbench101.sample_encoding`."""
        return {"cell": str(nasbench101.sample_encoding(rng, self.vertices))}

    def mutate(self, config: Config, rng: np.random.Generator) -> Config:
        """Edges and operations changed as by NAS-Bench-101's authors: see :func:`spaces.nasbench101.mutate`."""
        return {"cell": str(nasbench101.mutate(self._cell(config), rng))}

    def decode(self, values: Mapping[str, Any]) -> Config | None:
        """The cell of these edges and operations; None if it is not valid."""
        matrix = [[0] * self.vertices for _ in range(self.vertices)]
        for x, y in self._pairs:
            matrix[x][y] = int(values[_edge(x, y)])
        if not is_valid(matrix):
            return None
        operations = tuple(str(values[f"op_{v}"]) for v in range(1, self.vertices - 1))
        return {"cell": str(Cell(tuple(map(tuple, matrix)), operations))}

    def encode(self, config: Config) -> dict[str, Any]:
        """Its edges and operations; a cell of fewer vertices gets more of them, without edges.

        Raises:
            InvalidValue: the cell has more vertices than the space, even when it is pruned.
        """
        cell = self._cell(config)
        edges: dict[str, Any] = {_edge(x, y): cell.matrix[x][y] for x, y in self._pairs}
        return {**edges, **{f"op_{v}": name for v, name in enumerate(cell.operations, start=1)}}

    @property
    def default(self) -> Config | None:
        """None."""
        return None

    @cached_property
    def _pairs(self) -> tuple[tuple[int, int], ...]:
        return tuple(combinations(range(self.vertices), 2))

    def _cell(self, config: Config) -> Cell:
        """The configuration's cell, written with as many vertices as the space has."""
        cell = parse_cell(config["cell"])
        if cell.vertices > self.vertices:
            cell = cell.pruned()
        more = self.vertices - cell.vertices
        if more < 0:
            rule = f"has {cell.vertices} vertices, and the space's cells have at most {self.vertices}"
            raise InvalidValue("cell", str(cell), rule)
        return cell if more == 0 else _with_loose_ends(cell, more)


def _edge(x: int, y: int) -> str:
    return f"edge_{x}_{y}"


def _with_loose_ends(cell: Cell, more: int) -> Cell:
    """The cell with ``more`` vertices before its output, which have no edges."""
    rows = [(*row[:-1], *(0,) * more, row[-1]) for row in cell.matrix]
    empty = (0,) * len(rows[0])
    matrix = (*rows[:-1], *(empty,) * more, empty)
    return Cell(matrix, (*cell.operations, *OPERATIONS[:1] * more))
