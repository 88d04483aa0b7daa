"""Edges, cells and genotypes of the DARTS space as values, and when two of them are the same.

A cell reads the outputs of the two cells before it, states 0 and 1. Its four nodes are states
2 to 5; each is the sum of two operations applied to two different earlier states, and the
cell's output is the four nodes concatenated along the channels (Liu et al., section 2.1).

Three changes to a cell leave the family of networks it stands for as it was, and
:meth:`Cell.canonical` undoes them:

1. the order of a node's two edges, since addition commutes;
2. the numbering of the nodes, since it only permutes the channels of the concatenation, which
   the next cell's 1x1 convolution or the classifier absorbs;
3. the source of a ``none`` edge, since it contributes zeros whatever it reads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import Final

from spaces.errors import InvalidValue, UnknownName
from spaces.graph import Arrow, Graph

OPERATIONS: Final[tuple[str, ...]] = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
"""The eight primitives in DARTS's own order, in which its architecture weights are indexed."""

CELL_INPUTS: Final = 2
"""States 0 and 1: the outputs of the cell before the previous one, and of the previous one."""

CELL_NODES: Final = 4
"""Nodes of a cell, states 2 to 5."""

_NOWHERE: Final = -1  # stands for the source of a `none` edge while forms are compared


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """One operation applied to one earlier state.

    Raises:
        UnknownName: the operation is not in :data:`OPERATIONS`.
        InvalidValue: the source is not an integer, or cannot be the source of any node.
    """

    operation: str
    """One of :data:`OPERATIONS`."""
    source: int
    """State it reads, 0 to 4, and below the state of its node."""

    def __post_init__(self) -> None:
        if self.operation not in OPERATIONS:
            raise UnknownName("operation", str(self.operation), OPERATIONS)
        last = CELL_INPUTS + CELL_NODES - 2
        if not isinstance(self.source, int) or isinstance(self.source, bool) or not 0 <= self.source <= last:
            raise InvalidValue("source", self.source, f"must be an integer from 0 to {last}")

    def __str__(self) -> str:
        return f"{self.operation}@{self.source}"


Node = tuple[Edge, Edge]
"""The two edges whose results a node adds."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Four nodes of two edges each. Equality is of encodings: compare :meth:`canonical` for more.

    Raises:
        InvalidValue: not four nodes, not two edges in a node, an edge that reads its own node or
            a later one, or two edges of a node that read the same state.
    """

    nodes: tuple[Node, Node, Node, Node]
    """Edges of states 2, 3, 4, 5; given lists become tuples."""

    def __post_init__(self) -> None:
        nodes = tuple(tuple(node) for node in self.nodes)
        object.__setattr__(self, "nodes", nodes)
        if len(nodes) != CELL_NODES:
            raise InvalidValue("nodes in a cell", len(nodes), f"must be {CELL_NODES}")
        for state, edges in enumerate(nodes, start=CELL_INPUTS):
            _check_node(state, edges)

    @classmethod
    def of(cls, *edges: tuple[str, int]) -> Cell:
        """Build a cell from its eight ``(operation, source)`` pairs, two for each node in turn.

        Raises:
            InvalidValue, UnknownName: the pairs break a rule of :class:`Edge` or :class:`Cell`.
        """
        if len(edges) != 2 * CELL_NODES:
            raise InvalidValue("edges in a cell", len(edges), f"must be {2 * CELL_NODES}, two for each node")
        made = [Edge(operation, source) for operation, source in edges]
        return cls(_four(zip(made[::2], made[1::2], strict=True)))

    def __str__(self) -> str:
        return ",".join(f"{first}+{second}" for first, second in self.nodes)

    def canonical(self) -> Cell:
        """Return the one cell that stands for every cell equivalent to this one.

        Two cells have equal canonical forms exactly when the three changes named in the module's
        docstring turn one into the other. The form is itself a cell of the space: edges sorted
        by source, ``none`` edges reading the first inputs that are free.
        """
        return _realise(min(_forms(self)))

    def graph(self, title: str = "") -> Graph:
        """Describe the cell for drawing: seven vertices, eight labelled arrows, four bare ones.

        Vertices 0 to 5 are the states, numbered as in the text form; vertex 6 is the output.
        """
        inputs = ("input 0\ncell k−2", "input 1\ncell k−1")
        states = tuple(str(CELL_INPUTS + node) for node in range(CELL_NODES))
        output = CELL_INPUTS + CELL_NODES
        arrows = [
            Arrow(edge.source, state, edge.operation)
            for state, edges in enumerate(self.nodes, start=CELL_INPUTS)
            for edge in edges
        ]
        arrows += [Arrow(state, output) for state in range(CELL_INPUTS, output)]
        return Graph(title, (*inputs, *states, "concat"), tuple(arrows))


@dataclass(frozen=True, slots=True)
class Genotype:
    """A normal cell, which keeps the resolution, and a reduction cell, which halves it.

    ``str(genotype)`` is its one-line text, read back by :func:`spaces.darts_cell.parse_genotype`:
    ``normal:`` and ``reduction:`` joined by ``/``, nodes (concatenated) by ``,``, edges (added)
    by ``+``, and an edge as ``operation@source``. No character of it is special to a shell.
    """

    normal: Cell
    """The cell repeated at each resolution."""
    reduction: Cell
    """The cell at one and two thirds of the depth; its edges from states 0 and 1 have stride 2."""

    def __str__(self) -> str:
        return f"normal:{self.normal}/reduction:{self.reduction}"

    def canonical(self) -> Genotype:
        """Return the one genotype that stands for every equivalent one; see :meth:`Cell.canonical`."""
        return Genotype(self.normal.canonical(), self.reduction.canonical())

    @property
    def identity(self) -> str:
        """Sixteen hexadecimal digits, equal for equivalent genotypes, stable across versions.

        The first 64 bits of the SHA-256 of the canonical text. A collision among a million
        different architectures has a probability of about 3e-8.
        """
        return hashlib.sha256(f"darts_cell {self.canonical()}".encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, list[list[list[str | int]]]]:
        """Return plain JSON values: for each cell, four nodes of two ``[operation, source]``."""
        return {"normal": _plain(self.normal), "reduction": _plain(self.reduction)}

    def to_darts(self) -> str:
        """Return the text of the named tuple that DARTS's released code prints and reads."""
        normal, reduction = (
            [(edge.operation, edge.source) for edges in cell.nodes for edge in edges]
            for cell in (self.normal, self.reduction)
        )
        concat = f"range({CELL_INPUTS}, {CELL_INPUTS + CELL_NODES})"
        return f"Genotype(normal={normal}, normal_concat={concat}, reduce={reduction}, reduce_concat={concat})"

    def graphs(self) -> tuple[Graph, Graph]:
        """Describe both cells for drawing; see :meth:`Cell.graph`."""
        return self.normal.graph("Normal cell"), self.reduction.graph("Reduction cell")


def _four(nodes: Iterable[Node]) -> tuple[Node, Node, Node, Node]:
    first, second, third, fourth = nodes
    return first, second, third, fourth


def _check_node(state: int, edges: tuple[Edge, ...]) -> None:
    if len(edges) != 2:
        raise InvalidValue(f"edges of node {state}", len(edges), "must be 2")
    for edge in edges:
        if edge.source >= state:
            raise InvalidValue(f"source of node {state}", edge.source, f"must be an earlier state, below {state}")
    if edges[0].source == edges[1].source:
        raise InvalidValue(
            f"sources of node {state}", (edges[0].source, edges[1].source), "must be two different states"
        )


def _plain(cell: Cell) -> list[list[list[str | int]]]:
    return [[[edge.operation, edge.source] for edge in edges] for edges in cell.nodes]


_Form = tuple[tuple[tuple[int, int], ...], ...]  # for each node in order, its sorted (source, operation index)


def _forms(cell: Cell) -> Iterator[_Form]:
    """Yield every numbering of the cell's nodes in which edges still run forwards; at most 24.

    The given numbering is one of them, so there is always a least one.
    """
    nodes = [[_loose(edge) for edge in edges] for edges in cell.nodes]
    first = CELL_INPUTS
    for order in permutations(range(CELL_NODES)):
        renamed = {first + old: first + new for new, old in enumerate(order)}
        form = tuple(
            tuple(sorted((renamed.get(source, source), operation) for source, operation in nodes[old])) for old in order
        )
        if all(edges[-1][0] < state for state, edges in enumerate(form, start=first)):
            yield form


def _loose(edge: Edge) -> tuple[int, int]:
    source = _NOWHERE if edge.operation == "none" else edge.source
    return source, OPERATIONS.index(edge.operation)


def _realise(form: _Form) -> Cell:
    """Turn a form back into a cell: each ``none`` edge reads the first input that is free."""
    nodes = []
    for edges in form:
        taken = {source for source, _ in edges}
        free = iter([source for source in range(CELL_INPUTS) if source not in taken])
        # At most one of the two edges is not `none` when a source is wanted, so the inputs suffice.
        made = [Edge(OPERATIONS[op], next(free) if source == _NOWHERE else source) for source, op in edges]
        nodes.append(sorted(made, key=lambda edge: edge.source))
    return Cell(_four((first, second) for first, second in nodes))
