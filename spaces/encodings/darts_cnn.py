"""Genotypes of the DARTS CNN space as categories: of each node two earlier states and what is applied to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from ConfigSpace import ConfigurationSpace

from spaces.darts_cell import (
    CELL_INPUTS,
    CELL_NODES,
    Cell,
    Genotype,
    parse_genotype,
    resolve_operations,
    sample_genotype,
)
from spaces.encodings.categories import categories, one_changed, subsets
from spaces.encodings.protocol import Config
from spaces.errors import InvalidValue

_KINDS: Final = ("normal", "reduction")
_STATES: Final = range(CELL_INPUTS, CELL_INPUTS + CELL_NODES)
_PAIRS: Final = {state: subsets(state, 2) for state in _STATES}
"""For each node, the pairs of states that it may read, by their texts. The first node has no choice."""


@dataclass(frozen=True)
class DartsCnn:
    """An :class:`~spaces.encodings.protocol.Encoding` of the DARTS CNN space. All values make a genotype.

    For the normal and the reduction cell and each of their nodes, states 2 to 5: ``normal_3_states`` with choices such
    as ``"0,2"``, left out for node 2, which reads both inputs; and ``normal_3_op_1`` and ``normal_3_op_2``, applied to
    the first and the second of them. 22 categories in all. Configurations are ``{"genotype": str(genotype)}``.

    Raises:
        UnknownName: there is no such set of operations.
    """

    operations: str = "paper"
    """Which operations are chosen from: ``paper``, ``released`` or ``darts``."""

    def __post_init__(self) -> None:
        resolve_operations(self.operations)

    @cached_property
    def space(self) -> ConfigurationSpace:
        """States and operations of every node."""
        return categories(self._choices)

    def draw(self, rng: np.random.Generator) -> Config:
        """Uniform among encodings: see :func:`spaces.darts_cell.sample_genotype`."""
        return {"genotype": str(sample_genotype(rng, self.operations))}

    def mutate(self, config: Config, rng: np.random.Generator) -> Config:
        """One category, each alike, has another of its choices, each alike."""
        return self._decoded(one_changed(self.encode(config), self._choices, rng))

    def decode(self, values: Mapping[str, Any]) -> Config | None:
        """The genotype of these states and operations."""
        return self._decoded(values)

    def encode(self, config: Config) -> dict[str, Any]:
        """Its states and operations.

        Raises:
            InvalidValue: an operation is not among those of the space.
        """
        genotype = parse_genotype(config["genotype"])
        values: dict[str, Any] = {}
        for kind, cell in zip(_KINDS, (genotype.normal, genotype.reduction), strict=True):
            for state, edges in zip(_STATES, cell.nodes, strict=True):
                first, second = sorted(edges, key=lambda edge: edge.source)
                names = _Names.of(kind, state)
                values[names.states] = f"{first.source},{second.source}"
                values[names.first], values[names.second] = first.operation, second.operation
        known = {name: values[name] for name in self._choices}
        for name, value in known.items():
            if value not in self._choices[name]:
                rule = f"is not among the operations {self.operations!r}: {', '.join(self._choices[name])}"
                raise InvalidValue("operation", value, rule)
        return known

    @property
    def default(self) -> Config | None:
        """None."""
        return None

    @cached_property
    def _choices(self) -> dict[str, tuple[str, ...]]:
        return dict(_choices(resolve_operations(self.operations)))

    def _decoded(self, values: Mapping[str, Any]) -> Config:
        normal, reduction = (_cell(kind, values) for kind in _KINDS)
        return {"genotype": str(Genotype(normal, reduction))}


@dataclass(frozen=True, slots=True)
class _Names:
    """The categories of one node."""

    states: str
    first: str
    second: str

    @classmethod
    def of(cls, kind: str, state: int) -> _Names:
        return cls(f"{kind}_{state}_states", f"{kind}_{state}_op_1", f"{kind}_{state}_op_2")


def _choices(operations: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for kind in _KINDS:
        for state, pairs in _PAIRS.items():
            names = _Names.of(kind, state)
            if len(pairs) > 1:
                yield names.states, tuple(pairs)
            yield names.first, operations
            yield names.second, operations


def _cell(kind: str, values: Mapping[str, Any]) -> Cell:
    edges: list[tuple[str, int]] = []
    for state, pairs in _PAIRS.items():
        names = _Names.of(kind, state)
        low, high = pairs[str(values[names.states])] if len(pairs) > 1 else (0, 1)
        edges += [(str(values[names.first]), low), (str(values[names.second]), high)]
    return Cell.of(*edges)
