"""The architecture parameters of NAS-Bench-1Shot1, Λ = {α, β, γ}: one set, shared by all cells."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from spaces.nasbench1shot1 import ONE_SHOT_OPERATIONS, Choice, Space, decode
from trials.checkpoint import State
from trials.oneshot.mixture import Mixture, Terms


class Alphas:
    """Parameters of a space; drawn from a normal distribution of deviation 1e-3, as in DARTS."""

    def __init__(self, space: Space, seed: int, device: torch.device) -> None:
        self.space = space
        generator = torch.Generator().manual_seed(seed)

        def drawn(*shape: int) -> Tensor:
            return (1e-3 * torch.randn(shape, generator=generator)).to(device).requires_grad_()

        self.operations = drawn(space.blocks, len(ONE_SHOT_OPERATIONS))
        """β, (blocks, operations)."""
        self.parents = {block: drawn(block) for block in space.choosing}
        """α, (block,) for each block that chooses: of the input, then of blocks 1, 2, …"""
        self.output = drawn(space.blocks + 1)
        """γ, (blocks + 1,): of the input, then of the blocks."""

    @property
    def parameters(self) -> list[Tensor]:
        """All of them, in a fixed order."""
        return [self.operations, *self.parents.values(), self.output]

    def softmax(self) -> Mixture:
        """Every term, weighted by a softmax (Algorithms 1 and 2 of Zela et al.)."""
        operations = [Terms.all_of(row) for row in self.operations.softmax(dim=1)]
        *parents, output = (Terms.all_of(alpha.softmax(dim=0)) for alpha in (*self.parents.values(), self.output))
        return self.mixture(operations, parents, output)

    def mixture(self, operations: list[Terms], parents: list[Terms], output: Terms) -> Mixture:
        """A mixture in which blocks that do not choose their parents add them all.

        Args:
            operations: of each block.
            parents: of each block that chooses.
            output: of the output.
        """
        chosen = dict(zip(self.parents, parents, strict=True))
        blocks = range(1, self.space.blocks + 1)
        whole = tuple(chosen.get(block, Terms(tuple(range(block)))) for block in blocks)
        return Mixture(tuple(operations), whole, output)

    def choice(self) -> Choice:
        """The architecture of the highest parameters (section 3.2)."""
        plain = self.plain()
        return decode(self.space, plain["operations"], plain["parents"], plain["output"])

    def plain(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "operations": self.operations.tolist(),
            "parents": [alpha.tolist() for alpha in self.parents.values()],
            "output": self.output.tolist(),
        }

    def state(self) -> State:
        """Values of the parameters."""
        return {"parameters": [parameter.detach().clone() for parameter in self.parameters]}

    def restore(self, state: State) -> None:
        """Bring back a :meth:`state`."""
        with torch.no_grad():
            for parameter, value in zip(self.parameters, state["parameters"], strict=True):
                parameter.copy_(value)
