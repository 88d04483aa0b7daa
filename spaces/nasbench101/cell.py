"""Cells of NAS-Bench-101 as values: checked, pruned, written as text, and identified by their hash.

A cell is a directed acyclic graph of at most seven vertices and, once pruned, nine edges. Vertex 0 is
the input, the last vertex the output, and each vertex between them carries one of three operations
(Ying et al., *NAS-Bench-101: Towards Reproducible Neural Architecture Search*, arXiv 1902.09635,
section 2.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, compress
from typing import Any, Final

from spaces.errors import InvalidValue, UnknownName
from spaces.graph import Arrow, Graph
from spaces.nasbench101.hashing import hash_graph

OPERATIONS: Final[tuple[str, ...]] = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
"""The three operations; their positions are the labels 0, 1, 2 that enter the hash."""

INPUT: Final = "input"
"""Label of vertex 0."""
OUTPUT: Final = "output"
"""Label of the last vertex."""

MAX_VERTICES: Final = 7
"""Most vertices of a cell, input and output included."""
MAX_EDGES: Final = 9
"""Most edges of a pruned cell."""

Matrix = tuple[tuple[int, ...], ...]
"""Adjacency as rows of 0 and 1: row x, column y is the edge from vertex x to vertex y."""

_POWERS: Final = tuple(1 << vertex for vertex in range(MAX_VERTICES))
_LABELS: Final = {name: label for label, name in enumerate(OPERATIONS)}


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell as it is written down: two of them may be the same graph, so equality is of encodings.

    Compare :attr:`hash` to ask whether two cells are the same architecture.

    Raises:
        InvalidValue: the matrix is not square with 2 to 7 rows, has an entry other than 0 and 1 or one
            on or below the diagonal, leaves the output out of the input's reach, or keeps more than
            nine edges once pruned; or the operations are not one for each inner vertex.
        UnknownName: an operation is not in :data:`OPERATIONS`.
    """

    matrix: Matrix
    """n x n entries of 0 and 1, 2 <= n <= 7, ones above the diagonal only; given lists become tuples."""
    operations: tuple[str, ...]
    """Operations of vertices 1 to n - 2, each of :data:`OPERATIONS`."""

    def __post_init__(self) -> None:
        matrix = _checked_matrix(self.matrix)
        operations = _checked_operations(self.operations, len(matrix) - 2)
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "operations", operations)
        edges = _edges_between(matrix)
        if not edges:
            rule = "the output, its last vertex, cannot be reached from the input, vertex 0"
            raise InvalidValue("matrix", _bits(matrix), rule)
        if edges > MAX_EDGES:
            rule = f"has {edges} edges between input and output, more than the space's {MAX_EDGES}"
            raise InvalidValue("matrix", _bits(matrix), rule)

    def __str__(self) -> str:
        return f"{_bits(self.matrix)}:{','.join(self.labels)}"

    @property
    def vertices(self) -> int:
        """Number of vertices as given, 2 to 7."""
        return len(self.matrix)

    @property
    def edges(self) -> int:
        """Number of edges as given, those that pruning would remove included; 1 to 21."""
        return sum(map(sum, self.matrix))

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of all vertices: ``input``, the operations, ``output``."""
        return (INPUT, *self.operations, OUTPUT)

    @property
    def hash(self) -> str:
        """The hash that NAS-Bench-101 publishes its cells under: 32 hexadecimal digits, of the pruned cell.

        Cells that differ by a numbering of their inner vertices or by what pruning removes have the
        same one.
        """
        targets, labels = _targets(self.matrix), [_LABELS[name] for name in self.operations]
        kept = _kept(targets)
        if kept.bit_count() < len(targets):
            rest = _vertices(kept, len(targets))
            targets = [_moved(targets[x], rest) for x in rest]
            labels = [labels[x - 1] for x in rest[1:-1]]
        return hash_graph(tuple(targets), tuple(labels))

    def pruned(self) -> Cell:
        """Return the cell without the vertices that lie on no path from input to output.

        The others keep their order. A cell with nothing to remove returns itself.
        """
        kept = _kept(_targets(self.matrix))
        if kept.bit_count() == len(self.matrix):
            return self
        rest = _vertices(kept, len(self.matrix))
        matrix = tuple(tuple(self.matrix[x][y] for y in rest) for x in rest)
        return Cell(matrix, tuple(self.operations[x - 1] for x in rest[1:-1]))

    def graph(self, title: str = "") -> Graph:
        """Describe the cell for drawing, as given: labelled vertices joined by bare arrows."""
        arrows = [Arrow(x, y) for x, row in enumerate(self.matrix) for y, edge in enumerate(row) if edge]
        return Graph(title, self.labels, tuple(arrows))


def hash_cell(cell: Cell) -> str:
    """Return :attr:`Cell.hash`; :func:`spaces.nasbench101.hash_cells` is faster for many cells."""
    return cell.hash


def is_valid(matrix: Sequence[Sequence[int]]) -> bool:
    """Tell whether a :class:`Cell` can have a matrix, n x n of 0 and 1 with ones above the diagonal only."""
    return 1 <= _edges_between(matrix) <= MAX_EDGES


def _edges_between(matrix: Sequence[Sequence[int]]) -> int:
    """Count the edges that pruning leaves; 0 if no path leads from input to output."""
    targets = _targets(matrix)
    kept = _kept(targets)
    return sum((mask & kept).bit_count() for x, mask in enumerate(targets) if kept >> x & 1)


def _checked_matrix(given: Sequence[Sequence[Any]]) -> Matrix:
    try:
        rows = [tuple(row) for row in given]
        binary = {0, 1}.issuperset(chain.from_iterable(rows))
    except TypeError:  # a number where a row is expected, or a sequence where a number is
        raise InvalidValue("matrix", given, "must be rows of 0 and 1") from None
    n = len(rows)
    if not 2 <= n <= MAX_VERTICES or any(len(row) != n for row in rows):
        rule = f"must be square, with 2 to {MAX_VERTICES} rows"
        raise InvalidValue("lengths of the matrix's rows", [len(row) for row in rows], rule)
    if not binary:
        raise InvalidValue("matrix", rows, "must hold 0 and 1 alone")
    matrix = tuple([tuple(map(int, row)) for row in rows])
    for x, row in enumerate(matrix):
        if 1 in row[: x + 1]:
            edge = f"{x}→{row.index(1)}"
            raise InvalidValue(
                "edge", edge, "must run from a vertex to a later one", "Number vertices along the edges."
            )
    return matrix


def _checked_operations(given: Sequence[str], wanted: int) -> tuple[str, ...]:
    if isinstance(given, str):
        raise InvalidValue("operations", given, "must be a list of names")
    operations = tuple(given)
    if len(operations) != wanted:
        rule = f"must be {wanted}, one for each vertex between input and output"
        raise InvalidValue("number of operations", len(operations), rule)
    for name in operations:
        if name not in OPERATIONS:
            raise UnknownName("operation", str(name), OPERATIONS)
    return operations


def _targets(matrix: Sequence[Sequence[int]]) -> list[int]:
    """For each vertex, the vertices its edges run to, as bits."""
    return [sum(compress(_POWERS, row)) for row in matrix]


def _kept(targets: Sequence[int]) -> int:
    """Return as bits the vertices on a path from input to output; 0 if there is no path."""
    last = len(targets) - 1
    reached, useful = 1, 1 << last
    for x, mask in enumerate(targets):
        if reached >> x & 1:
            reached |= mask
    for x in range(last - 1, -1, -1):
        if targets[x] & useful:
            useful |= 1 << x
    return reached & useful if reached >> last & 1 else 0


def _vertices(bits: int, n: int) -> list[int]:
    return [x for x in range(n) if bits >> x & 1]


def _moved(bits: int, rest: Sequence[int]) -> int:
    """Bits of the vertices in ``rest``, which are numbered anew in their order; the others are dropped."""
    return sum([_POWERS[place] for place, x in enumerate(rest) if bits >> x & 1])


def _bits(matrix: Matrix) -> str:
    return "".join(["01"[entry] for row in matrix for entry in row])
