"""How many cells a space has, under the definitions that the paper's table 1 may mean.

``README.md`` beside this file sets these figures against the printed ones.
"""

from __future__ import annotations

from math import comb, prod

from spaces.nasbench1shot1.space import Parents, Space, active_blocks, wirings
from spaces.nasbench101 import OPERATIONS


def count_raw(space: Space) -> int:
    """Return the number of choices, different ones of the same cell included.

    It is the product of the ways to choose each vertex's parents and each block's operation:
    14,580 for S1, 29,160 for S2 and 1,312,200 for S3.
    """
    counts = (*space.parents, space.output_parents)
    operations: int = len(OPERATIONS) ** space.blocks
    return operations * prod(comb(earlier, count) for earlier, count in enumerate(counts, start=1))


def count_with_loose_ends(space: Space) -> int:
    """Return the number of choices if a block that no vertex reads has one operation, not three.

    6,240 for S1, 16,632 for S2 and 363,648 for S3. Blocks read only by loose ends still choose.
    """
    read = (len({parent for parents in wiring for parent in parents} - {0}) for wiring in wirings(space))
    return sum(len(OPERATIONS) ** blocks for blocks in read)


def count_without_loose_ends(space: Space) -> int:
    """Return the number of different cells left when loose ends lose edges and operation, but keep their number.

    3,702 for S1, 12,474 for S2 and 135,900 for S3. Isomorphic cells are counted separately.
    """
    left = {_cleared(wiring) for wiring in wirings(space)}
    return sum(len(OPERATIONS) ** sum(map(bool, parents)) for *parents, _ in left)


def _cleared(wiring: tuple[Parents, ...]) -> tuple[Parents, ...]:
    """Take the parents of every loose end away."""
    kept = (*active_blocks(wiring), len(wiring))
    return tuple(parents if vertex in kept else () for vertex, parents in enumerate(wiring, start=1))
