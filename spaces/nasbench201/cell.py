"""A cell of NAS-Bench-201 as a value, and its official one-line text.

Four nodes, of which node 0 is the cell's input and node 3 its output; one operation on each of
the six edges from an earlier node to a later one; a node is the sum of the edges that enter it
(Dong & Yang, section 2.1 and figure 1).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from spaces.errors import InvalidValue, UnknownName
from spaces.graph import Arrow, Graph

OPERATIONS: Final[tuple[str, ...]] = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""The five operations in the benchmark's own order, in which architecture weights are indexed."""

NODES: Final = 4
"""Nodes of a cell, the input and the output among them."""

EDGES: Final[tuple[tuple[int, int], ...]] = tuple((source, node) for node in range(1, NODES) for source in range(node))
"""Source and target of each of the six edges in the official order: 0→1, 0→2, 1→2, 0→3, 1→3, 2→3."""

_FORM: Final = "The form is '|op~0|+|op~0|op~1|+|op~0|op~1|op~2|'."


@dataclass(frozen=True, slots=True)
class Cell:
    """Six operations, one on each edge. Equality is of encodings: compare :func:`topology` for more.

    ``str(cell)`` is the official text, ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``: nodes 1 to 3
    separated by ``+``, and for each of their edges the operation and the node it reads.

    Raises:
        InvalidValue: there are not six operations.
        UnknownName: one of them is not in :data:`OPERATIONS`.
    """

    operations: tuple[str, ...]
    """Operation of each edge in the order of :data:`EDGES`; a given list becomes a tuple."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "operations", tuple(self.operations))
        if len(self.operations) != len(EDGES):
            raise InvalidValue("operations in a cell", len(self.operations), f"must be {len(EDGES)}, one for each edge")
        for name in self.operations:
            if name not in OPERATIONS:
                raise UnknownName("operation", str(name), OPERATIONS)

    def __str__(self) -> str:
        first, second, third, fourth, fifth, sixth = self.operations
        return f"|{first}~0|+|{second}~0|{third}~1|+|{fourth}~0|{fifth}~1|{sixth}~2|"

    @property
    def hash(self) -> str:
        """MD5 of ``str(self)``, 32 hexadecimal digits; it identifies the encoding.

        Tables of this benchmark list all 15,625 encodings, equivalent ones with figures of their
        own, so the hash tells them apart.
        """
        return hashlib.md5(str(self).encode(), usedforsecurity=False).hexdigest()

    def graph(self, title: str = "") -> Graph:
        """Describe the cell for drawing: four vertices, six labelled arrows."""
        vertices = ("input", "1", "2", "output")
        arrows = (Arrow(source, node, name) for (source, node), name in zip(EDGES, self.operations, strict=True))
        return Graph(title, vertices, tuple(arrows))


def parse_cell(text: str) -> Cell:
    """Read a cell from its official text, as ``str(cell)`` prints it.

    Spaces around the text are allowed. Every node must list its edges in ascending order of the
    node they read.

    Raises:
        InvalidValue: the text has another form; the message names the node and the edge.
        UnknownName: an operation is unknown.
    """
    if not isinstance(text, str):
        raise InvalidValue("cell", text, "must be text", _FORM)
    nodes = text.strip().split("+")
    if len(nodes) != NODES - 1:
        raise InvalidValue("cell", _brief(text), f"has {len(nodes)} nodes between '+', not {NODES - 1}", _FORM)
    operations: list[str] = []
    for number, node in enumerate(nodes, start=1):
        operations += _node(node, number)
    return Cell(tuple(operations))


def _node(text: str, number: int) -> list[str]:
    """Read ``|op~0|op~1|…|`` of the node of this number, which reads all ``number`` nodes before it."""
    edges = text[1:-1].split("|")
    if len(text) < 2 or text[0] != "|" or text[-1] != "|" or len(edges) != number:
        rule = f"node {number} must be {number} edge{'s' * (number > 1)} between '|'"
        raise InvalidValue("cell", _brief(text), rule, _FORM)
    operations = []
    for source, edge in enumerate(edges):
        name, _, read = edge.partition("~")
        if not re.fullmatch(r"[0-9]", read) or int(read) != source:
            rule = f"edge {source} of node {number} must be OPERATION~{source}"
            raise InvalidValue("edge", _brief(edge), rule, _FORM)
        operations.append(name)
    return operations


def _brief(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"
