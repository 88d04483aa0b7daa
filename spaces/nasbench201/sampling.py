"""Random cells of NAS-Bench-201 and the mutation of its evolutionary baseline."""

from __future__ import annotations

import numpy as np

from spaces.nasbench201.cell import EDGES, OPERATIONS, Cell


def sample_cell(rng: np.random.Generator) -> Cell:
    """Draw one of the 15,625 encodings, each with the same probability, in one call of ``rng``."""
    codes = rng.integers(0, len(OPERATIONS), size=len(EDGES))
    return Cell(tuple(OPERATIONS[code] for code in codes.tolist()))


def mutate(cell: Cell, rng: np.random.Generator) -> Cell:
    """Give one edge another operation: both uniform, over six edges and the four other operations.

    The result always differs from ``cell`` in exactly one edge. One call of ``rng`` is made.
    """
    edge, other = rng.integers(0, [len(EDGES), len(OPERATIONS) - 1]).tolist()
    operations = list(cell.operations)
    operations[edge] = [name for name in OPERATIONS if name != operations[edge]][other]
    return Cell(tuple(operations))
