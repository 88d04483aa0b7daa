"""Cells of NAS-Bench-201 as categories: the operation of each of the six edges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from ConfigSpace import ConfigurationSpace

from spaces import nasbench201
from spaces.encodings.categories import categories
from spaces.encodings.protocol import Config
from spaces.nasbench201 import EDGES, OPERATIONS, Cell, parse_cell

_NAMES: Final = tuple(f"op_{source}_{node}" for source, node in EDGES)


@dataclass(frozen=True)
class NasBench201:
    """An :class:`~spaces.encodings.protocol.Encoding` of NAS-Bench-201. All values make a cell.

    Six categories ``op_0_1`` etc., by source and node of the edge. Configurations are ``{"cell": str(cell)}``.
    """

    @cached_property
    def space(self) -> ConfigurationSpace:
        """The operation of each edge."""
        return categories(dict.fromkeys(_NAMES, OPERATIONS))

    def draw(self, rng: np.random.Generator) -> Config:
        """Uniform among the 15,625 cells."""
        return {"cell": str(nasbench201.sample_cell(rng))}

    def mutate(self, config: Config, rng: np.random.Generator) -> Config:
        """One edge has another operation: see :func:`spaces.nasbench201.mutate`."""
        return {"cell": str(nasbench201.mutate(parse_cell(config["cell"]), rng))}

    def decode(self, values: Mapping[str, Any]) -> Config | None:
        """The cell of these operations."""
        return {"cell": str(Cell(tuple(str(values[name]) for name in _NAMES)))}

    def encode(self, config: Config) -> dict[str, Any]:
        """Its operations."""
        return dict(zip(_NAMES, parse_cell(config["cell"]).operations, strict=True))

    @property
    def default(self) -> Config | None:
        """None."""
        return None
