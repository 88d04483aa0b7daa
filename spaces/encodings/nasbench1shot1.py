"""Cells of NAS-Bench-1Shot1 as categories: the parents of every vertex that chooses, the operation of every block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from ConfigSpace import ConfigurationSpace

from spaces import nasbench1shot1
from spaces.encodings.categories import categories, one_changed, subsets
from spaces.encodings.protocol import Config
from spaces.errors import InvalidValue
from spaces.nasbench1shot1 import Choice, Parents, Space
from spaces.nasbench101 import OPERATIONS, Cell, parse_cell


@dataclass(frozen=True)
class NasBench1Shot1:
    """An :class:`~spaces.encodings.protocol.Encoding` of S1, S2 or S3. All values make a cell.

    Categories: ``parents_3`` etc. for each block that chooses its parents and ``parents_output`` for the output, with
    choices such as ``"0,2"`` (0 the input, i block i); and ``op_1`` etc. for each block. Configurations are
    ``{"cell": str(cell)}`` of cells with all blocks, loose ends too, so that nothing of a choice is lost.

    Raises:
        UnknownName: there is no such space.
    """

    name: str
    """``s1``, ``s2`` or ``s3``."""

    def __post_init__(self) -> None:
        nasbench1shot1.space(self.name)

    @cached_property
    def space(self) -> ConfigurationSpace:
        """Parents of choosing blocks and of the output, and operations of all blocks."""
        return categories(self._choices)

    def draw(self, rng: np.random.Generator) -> Config:
        """Uniform among choices: see :func:`spaces.nasbench1shot1.sample_choice`."""
        return {"cell": str(nasbench1shot1.sample_choice(rng, self._made_of).cell())}

    def mutate(self, config: Config, rng: np.random.Generator) -> Config:
        """One category, each alike, has another of its choices, each alike.

        The cell as written differs; loose ends may make it the same architecture.
        """
        return self._decoded(one_changed(self.encode(config), self._choices, rng))

    def decode(self, values: Mapping[str, Any]) -> Config | None:
        """The cell of these parents and operations."""
        return self._decoded(values)

    def encode(self, config: Config) -> dict[str, Any]:
        """Parents and operations that make this cell, or one of the same architecture.

        Raises:
            InvalidValue: the cell lies outside the space.
        """
        choice = self._choice(parse_cell(config["cell"]))
        parents = dict(enumerate(choice.parents, start=1)) | {"output": choice.output}
        named: dict[str, Any] = {f"parents_{v}": _text(parents[v]) for v in self._choosing}
        return named | {f"op_{block}": name for block, name in enumerate(choice.operations, start=1)}

    @property
    def default(self) -> Config | None:
        """None."""
        return None

    @cached_property
    def _made_of(self) -> Space:
        return nasbench1shot1.space(self.name)

    @cached_property
    def _choosing(self) -> dict[int | str, dict[str, Parents]]:
        """The sets of parents by their texts, for each vertex that chooses."""
        space = self._made_of
        blocks: dict[int | str, dict[str, Parents]] = {
            block: subsets(block, space.parents[block - 1]) for block in space.choosing
        }
        return blocks | {"output": subsets(space.blocks + 1, space.output_parents)}

    @cached_property
    def _choices(self) -> dict[str, tuple[str, ...]]:
        parents = {f"parents_{vertex}": tuple(sets) for vertex, sets in self._choosing.items()}
        return parents | {f"op_{block}": OPERATIONS for block in range(1, self._made_of.blocks + 1)}

    def _decoded(self, values: Mapping[str, Any]) -> Config:
        blocks = range(1, self._made_of.blocks + 1)
        parents = {vertex: sets[str(values[f"parents_{vertex}"])] for vertex, sets in self._choosing.items()}
        operations = tuple(str(values[f"op_{block}"]) for block in blocks)
        every = tuple(parents.get(block, tuple(range(block))) for block in blocks)
        return {"cell": str(Choice(operations, every, parents["output"]).cell())}

    def _choice(self, cell: Cell) -> Choice:
        """The choice that a cell is written as; else one that makes the same architecture."""
        space = self._made_of
        if cell.vertices == space.blocks + 2:
            columns = [tuple(x for x, edge in enumerate(column) if edge) for column in zip(*cell.matrix, strict=True)]
            counts = tuple(map(len, columns[1:]))
            if counts == (*space.parents, space.output_parents):
                return Choice(cell.operations, tuple(columns[1:-1]), columns[-1])
        choice = nasbench1shot1.choices_of(cell, space)
        if choice is None:
            raise InvalidValue("cell", str(cell), f"lies outside space {space.name}")
        return choice


def _text(parents: Parents) -> str:
    return ",".join(map(str, parents))
