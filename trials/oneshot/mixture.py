"""Which parts of a super-net take part in a step, and with what weights: all that an optimizer tells a super-net.

A super-net holds every operation and every connection of a search space. A *mixture* says, for each sum in a cell,
which of its terms are computed and how much each counts. DARTS weighs all of them by a softmax; GDAS takes one
operation; ENAS and random search take a single architecture, every weight being one. What is not named is not
computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from torch import Tensor

from spaces.nasbench1shot1 import ONE_SHOT_OPERATIONS, Choice


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """A weighted sum of some candidates."""

    chosen: tuple[int, ...]
    """Which candidates take part, ascending."""
    weights: tuple[Tensor, ...] | None = None
    """A weight for each of them, > 0, without dimensions; None for ones."""

    @classmethod
    def all_of(cls, weights: Tensor) -> Self:
        """Every candidate, weighted by ``weights`` (candidates,)."""
        return cls(tuple(range(len(weights))), weights.unbind())

    def detached(self) -> Self:
        """The same without a gradient to the weights."""
        return self if self.weights is None else type(self)(self.chosen, tuple(w.detach() for w in self.weights))

    def items(self) -> Iterator[tuple[int, Tensor | None]]:
        """Each candidate with its weight, None for one."""
        return zip(self.chosen, self.weights or (None,) * len(self.chosen), strict=True)


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """A cell of NAS-Bench-1Shot1 with weights (Zela et al., section 3.1): the same for all cells of a super-net."""

    operations: tuple[Terms, ...]
    """Of each choice block, among ``ONE_SHOT_OPERATIONS`` (the paper's β)."""
    parents: tuple[Terms, ...]
    """Of each choice block, among the vertices before it: the input, then blocks 1, 2, … (α)."""
    output: Terms
    """Of the output, among the input and the blocks (γ)."""

    @classmethod
    def of(cls, choice: Choice) -> Self:
        """A single architecture, every weight being one (Algorithms 4 and 5 of the paper)."""
        return cls(
            tuple(Terms((ONE_SHOT_OPERATIONS.index(name),)) for name in choice.operations),
            tuple(Terms(parents) for parents in choice.parents),
            Terms(choice.output),
        )

    def needed(self) -> tuple[int, ...]:
        """The blocks that the output depends on, ascending from 1; the others are loose ends."""
        needed = set(self.output.chosen)
        for block in range(len(self.parents), 0, -1):
            if block in needed:
                needed |= set(self.parents[block - 1].chosen)
        return tuple(sorted(needed - {0}))

    def detached(self) -> Self:
        """The same without a gradient to the weights: a step of the shared weights needs none."""
        operations, parents = ((each.detached() for each in terms) for terms in (self.operations, self.parents))
        return type(self)(tuple(operations), tuple(parents), self.output.detached())
