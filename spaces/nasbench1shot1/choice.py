"""A choice of parents and operations as a value: the cell it makes, all of them, random ones, and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np

from spaces.errors import InvalidValue, UnknownName
from spaces.nasbench1shot1.space import Parents, Space, parent_sets, wirings
from spaces.nasbench101 import OPERATIONS, Cell


@dataclass(frozen=True, slots=True)
class Choice:
    """What a search decides about a cell. Different choices may make the same cell: compare hashes.

    Raises:
        InvalidValue: operations and parents are not one each for every block, or parents are not
            different earlier vertices in ascending order.
        UnknownName: an operation is unknown.
    """

    operations: tuple[str, ...]
    """Operation of each block, a name of NAS-Bench-101's ``OPERATIONS``."""
    parents: tuple[Parents, ...]
    """Parents of each block: ascending earlier vertices, 0 the input, i block i."""
    output: Parents
    """Parents of the output."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "operations", tuple(self.operations))
        object.__setattr__(self, "parents", tuple(tuple(parents) for parents in self.parents))
        object.__setattr__(self, "output", tuple(self.output))
        if len(self.parents) != len(self.operations):
            rule = f"must be {len(self.operations)}, as many as operations"
            raise InvalidValue("blocks with parents", len(self.parents), rule)
        for name in self.operations:
            if name not in OPERATIONS:
                raise UnknownName("operation", str(name), OPERATIONS)
        for vertex, parents in enumerate((*self.parents, self.output), start=1):
            if not parents or list(parents) != sorted(set(parents)) or parents[0] < 0 or parents[-1] >= vertex:
                rule = f"must be different vertices from 0 to {vertex - 1} in ascending order"
                raise InvalidValue(f"parents of vertex {vertex}", parents, rule)

    def cell(self) -> Cell:
        """Return the cell of blocks + 2 vertices with every block, loose ends included.

        Its hash is that of the pruned cell, so NAS-Bench-101 is looked up with it directly. The
        released code adds an unconnected seventh vertex in S1 and S2; pruning would remove it.
        """
        columns = ((), *self.parents, self.output)
        vertices = range(len(columns))
        return Cell(tuple(tuple(int(x in columns[y]) for y in vertices) for x in vertices), self.operations)

    def belongs_to(self, space: Space) -> bool:
        """Whether every block and the output have the number of parents that the space gives them."""
        counts = tuple(len(parents) for parents in self.parents)
        return counts == space.parents and len(self.output) == space.output_parents


def enumerate_choices(space: Space) -> Iterator[Choice]:
    """Yield all :func:`count_raw` choices in a fixed order; operations change fastest."""
    for wiring in wirings(space):
        for operations in product(OPERATIONS, repeat=space.blocks):
            yield Choice(operations, wiring[:-1], wiring[-1])


def sample_choice(rng: np.random.Generator, space: Space) -> Choice:
    """Draw one of the :func:`count_raw` choices, each with the same probability.

    Cells that many choices make are drawn more often; ``nasbench101.sample_unique`` over
    :func:`unique_cells` draws every architecture with the same probability. One call of ``rng``.
    """
    sets = parent_sets(space)
    bounds = [len(each) for each in sets] + [len(OPERATIONS)] * space.blocks
    draws = rng.integers(0, bounds).tolist()
    wiring = tuple(each[draw] for each, draw in zip(sets, draws, strict=False))
    return Choice(tuple(OPERATIONS[draw] for draw in draws[len(sets) :]), wiring[:-1], wiring[-1])


def choices_of(cell: Cell, space: Space) -> Choice | None:
    """Return a choice of the space that makes this architecture, or None if it lies outside the space.

    The choice's cell has the hash of ``cell``, whatever the numbering of the vertices in ``cell``.
    Where several choices do, the blocks in use come as early as they can, and unused blocks read
    the first vertices and apply the first operation.
    """
    pruned = cell.pruned()
    inner = pruned.vertices - 2
    edges = [(x, y) for x, row in enumerate(pruned.matrix) for y, edge in enumerate(row) if edge]
    for blocks in permutations(range(1, space.blocks + 1), inner):
        place = (0, *blocks, space.blocks + 1)
        moved = sorted((place[x], place[y]) for x, y in edges)
        if all(source < target for source, target in moved) and _fits(moved, (*blocks, space.blocks + 1), space):
            return _filled(moved, dict(zip(blocks, pruned.operations, strict=True)), space)
    return None


def _fits(edges: list[tuple[int, int]], used: tuple[int, ...], space: Space) -> bool:
    """Whether every used block, and the output, has the number of parents of the space."""
    counts = (*space.parents, space.output_parents)
    return all(sum(target == vertex for _, target in edges) == counts[vertex - 1] for vertex in used)


def _filled(edges: list[tuple[int, int]], operations: dict[int, str], space: Space) -> Choice:
    """Make a choice of the edges between used vertices; the other blocks become loose ends."""
    numbers = range(1, space.blocks + 1)
    parents = tuple(
        tuple(source for source, target in edges if target == block) or tuple(range(space.parents[block - 1]))
        for block in numbers
    )
    output = tuple(source for source, target in edges if target == space.blocks + 1)
    return Choice(tuple(operations.get(block, OPERATIONS[0]) for block in numbers), parents, output)
