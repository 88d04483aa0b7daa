"""Which encodings of NAS-Bench-201 stand for the same network: ``none`` is zero, ``skip_connect`` the identity.

Every cell is an expression of its input; two cells with equal expressions are the same network.
Two rules decide when expressions are equal:

- *published*: the rule behind the paper's 6,466 topologies among 15,625 encodings (section 2.3).
  Zero stays a term of a sum; the terms of a node's sum are sorted as text and joined, a sum that
  a skip passes on being one text. Some equal networks stay apart, and which ones depends on the
  notation: with the operation written before its operand the same rule gives 6,344.
- *exact*: zeros leave sums and a sum inside a sum is opened, so that addition is associative and
  commutative and zero neutral. It leaves 4,930.

Both take an operation on zero for zero. Strictly, the batch normalisation behind a convolution
adds its shift to zero too, a constant per channel.
"""

from __future__ import annotations

from spaces.nasbench201.cell import EDGES, NODES, Cell
from spaces.nasbench201.cells import enumerate_cells

_INPUT = "0"
_ZERO = "#"


def topology(cell: Cell, *, exact: bool = False) -> str:
    """Return the expression of the cell's output, equal for cells of the same topology.

    ``0`` is the cell's input (node 0), ``(…)@op`` an operation applied, ``+`` a sum with sorted
    terms and ``#`` zero: ``(0)@nor_conv_1x1+0`` for a convolution beside a skip.

    Args:
        cell: the cell.
        exact: use the exact rule of this module instead of the published one.
    """
    terms: list[list[str]] = [[_INPUT], *([] for _ in range(NODES - 1))]
    for (source, node), name in zip(EDGES, cell.operations, strict=True):
        terms[node] += _edge(name, terms[source], exact=exact)
    return _sum(terms[-1])


def count_topologies(*, exact: bool = False) -> int:
    """Count the different topologies: 6,466 by the published rule, 4,930 by the exact one."""
    cells = enumerate_cells()
    return len({topology(cells[row], exact=exact) for row in range(len(cells))})


def _edge(name: str, source: list[str], *, exact: bool) -> list[str]:
    """Terms that an edge adds to its node, given the terms of the node it reads."""
    if name == "none" or source in ([], [_ZERO]):
        return [] if exact else [_ZERO]
    if name == "skip_connect":
        return source if exact else [_sum(source)]
    return [f"({_sum(source)})@{name}"]


def _sum(terms: list[str]) -> str:
    return "+".join(sorted(terms)) or _ZERO
