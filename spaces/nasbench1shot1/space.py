"""The three search spaces of NAS-Bench-1Shot1 as data.

A cell has an input (vertex 0), choice blocks (vertices 1 to 4 or 5) and an output. Each block and
the output read a fixed number of earlier vertices; which ones, and the operation of each block,
is what is searched (Zela et al., section 3.2 and table 1).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product
from typing import Final

from spaces.errors import InvalidValue, UnknownName
from spaces.nasbench101 import MAX_EDGES, MAX_VERTICES

Parents = tuple[int, ...]
"""Different earlier vertices in ascending order: 0 is the cell's input, i is choice block i."""


@dataclass(frozen=True, slots=True)
class Space:
    """How many parents each choice block and the output have.

    Raises:
        InvalidValue: there are no or more than five blocks, a vertex has fewer than one parent or
            more than there are vertices before it, or all of them together more than nine.
    """

    name: str
    """Key in :data:`SPACES`: ``s1``, ``s2`` or ``s3``."""
    parents: tuple[int, ...]
    """Number of parents of blocks 1, 2, …; block i has 1 to i. A given list becomes a tuple."""
    output_parents: int
    """Number of parents of the output, 1 to blocks + 1."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "parents", tuple(self.parents))
        if not 1 <= self.blocks <= MAX_VERTICES - 2:
            raise InvalidValue("choice blocks", self.blocks, f"must be 1 to {MAX_VERTICES - 2}")
        counts = (*self.parents, self.output_parents)
        for earlier, count in enumerate(counts, start=1):
            if not 1 <= count <= earlier:
                raise InvalidValue(f"parents of vertex {earlier}", count, f"must be 1 to {earlier}")
        if sum(counts) > MAX_EDGES:
            raise InvalidValue("parents in all", sum(counts), f"must be at most {MAX_EDGES}, the edges of a cell")

    @property
    def blocks(self) -> int:
        """Number of choice blocks: 4, 4, 5."""
        return len(self.parents)

    @property
    def choosing(self) -> tuple[int, ...]:
        """The blocks that have fewer parents than there are vertices before them, and so choose.

        (3, 4) in S1, (2, 3, 4) in S2 and (2, 3, 4, 5) in S3. The output chooses in all three.
        """
        return tuple(block for block, count in enumerate(self.parents, start=1) if count < block)


SPACES: Final[dict[str, Space]] = {
    made.name: made
    for made in (
        Space("s1", (1, 2, 2, 2), 2),
        Space("s2", (1, 1, 2, 2), 3),
        Space("s3", (1, 1, 1, 2, 2), 2),
    )
}
"""The published spaces by name. In each, blocks and output have nine parents in all."""


def space(name: str) -> Space:
    """Return a published space; upper case is allowed.

    Raises:
        UnknownName: there is no such space.
    """
    if name.lower() not in SPACES:
        raise UnknownName("NAS-Bench-1Shot1 space", name, SPACES)
    return SPACES[name.lower()]


@cache
def parent_sets(space: Space) -> tuple[tuple[Parents, ...], ...]:
    """Return for each block, then for the output, the sets of parents it may have, in ascending order."""
    counts = (*space.parents, space.output_parents)
    return tuple(tuple(combinations(range(earlier), count)) for earlier, count in enumerate(counts, start=1))


def wirings(space: Space) -> Iterator[tuple[Parents, ...]]:
    """Yield every choice of parents: those of blocks 1, 2, …, then of the output, which change fastest."""
    yield from product(*parent_sets(space))


def active_blocks(wiring: tuple[Parents, ...]) -> tuple[int, ...]:
    """Return, ascending, the blocks from which the output can be reached; the others are loose ends.

    Every block can be reached from the input, since all have parents.
    """
    needed = set(wiring[-1])
    for block in range(len(wiring) - 1, 0, -1):
        if block in needed:
            needed |= set(wiring[block - 1])
    return tuple(sorted(needed - {0}))
