"""Two optimizers that take turns: Adam on the architecture parameters, gradient descent on the shared weights.

DARTS, PC-DARTS and GDAS are this loop (Algorithms 1 to 3 of Zela et al., 2020, arXiv:2001.10422) and differ in how
parameters become a mixture, which is the argument ``relax``, and in the super-net.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from spaces.nasbench1shot1 import Choice
from trials.checkpoint import State
from trials.oneshot.alphas import Alphas
from trials.oneshot.feed import Batch, Feed
from trials.oneshot.layers import Statistics
from trials.oneshot.mixture import Mixture
from trials.oneshot.shared import SharedWeights
from trials.search_recipe import BilevelRecipe

BETAS = (0.5, 0.999)
"""Of Adam (Liu et al., 2019, arXiv:1806.09055, appendix A.1.1)."""

PERTURBATION = 0.01
"""The finite difference moves the weights by this Euclidean length (Liu et al., footnote 2)."""


class Relaxation(Protocol):
    """Makes a mixture of architecture parameters. Draws from generators of its own, if it draws."""

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Bring schedules to epoch ``epoch`` of ``epochs``, from 0."""
        ...

    def __call__(self, alphas: Alphas, *, measuring: bool = False) -> Mixture:
        """The mixture of a step, differentiable with respect to the parameters.

        With ``measuring`` it is one to measure the super-net by, and no later step changes by it.
        """
        ...

    def state(self) -> State:
        """What later mixtures depend on."""
        ...

    def restore(self, state: State) -> None:
        """Go on from a :meth:`state`."""
        ...


class Bilevel:
    """A ``trials.oneshot.protocol.Optimizer``.

    Args:
        alphas: the architecture parameters.
        relax: how they become a mixture.
        recipe: step size and penalty of Adam.
        unrolled: whether the architecture's gradient is that of second order, at the weights that one step of
            training would lead to (equations 5 to 8 of Liu et al.); if not, that of first order, at the weights as
            they are.
        statistics: see :class:`~trials.oneshot.protocol.Optimizer`.
    """

    def __init__(
        self,
        alphas: Alphas,
        relax: Relaxation,
        recipe: BilevelRecipe,
        *,
        unrolled: bool = False,
        statistics: Statistics = "running",
    ) -> None:
        self.alphas, self.relax = alphas, relax
        self.statistics: Statistics = statistics
        self._unrolled = unrolled
        self.adam = torch.optim.Adam(
            alphas.parameters, recipe.arch_learning_rate, BETAS, weight_decay=recipe.arch_weight_decay
        )

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Bring the relaxation's schedule to this epoch."""
        self.relax.begin_epoch(epoch, epochs)

    def step(self, shared: SharedWeights, train: Batch, feed: Feed) -> Tensor:
        """First the architecture, then the weights."""
        search = feed.next_search()
        gradient = self.unrolled_gradient(shared, train, search) if self._unrolled else self.gradient(shared, search)
        for parameter, own in zip(self.alphas.parameters, gradient, strict=True):
            parameter.grad = own
        self.adam.step()
        return shared.learn(self.relax(self.alphas).detached(), train)

    def gradient(self, shared: SharedWeights, batch: Batch) -> list[Tensor]:
        """Of the loss on a batch with respect to the architecture, the weights being what they are."""
        with shared.frozen():
            loss = shared.loss(self.relax(self.alphas), batch)
            return _filled(self.alphas.parameters, torch.autograd.grad(loss, self.alphas.parameters, allow_unused=True))

    def unrolled_gradient(self, shared: SharedWeights, train: Batch, search: Batch) -> list[Tensor]:
        """∇α L_search(w′, α) − ξ ∇²αw L_train(w, α) ∇w′ L_search(w′, α), with w′ = w − ξ ∇w L_train(w, α).

        ξ is the learning rate, and the step to w′ includes momentum and weight decay as the weights' own step does
        (but no clipping), as in the code released by Liu et al. The product with the mixed derivatives is a central
        difference (their equation 8).
        """
        weights = shared.parameters
        kept = [weight.detach().clone() for weight in weights]
        rate = shared.learning_rate
        _place(weights, kept, shared.next_move(self.relax(self.alphas).detached(), train), -rate)
        loss = shared.loss(self.relax(self.alphas), search)
        alphas = self.alphas.parameters
        gradient = torch.autograd.grad(loss, [*alphas, *weights], allow_unused=True)
        direct = _filled(alphas, gradient[: len(alphas)])
        towards = _filled(weights, gradient[len(alphas) :])
        length = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(each) for each in towards]))
        step = PERTURBATION / length.clamp_min(torch.finfo(length.dtype).tiny)
        sides = []
        for sign in (1.0, -1.0):
            _place(weights, kept, towards, sign * step)
            sides.append(self.gradient(shared, train))
        _place(weights, kept)
        scale = rate / (2.0 * step)
        return [each - scale * (plus - minus) for each, plus, minus in zip(direct, *sides, strict=True)]

    def end_epoch(self, shared: SharedWeights, feed: Feed) -> None:
        """Nothing is left to learn."""

    def evaluated(self) -> Mixture:
        """A mixture as in training."""
        return self.relax(self.alphas, measuring=True)

    def choose(self, shared: SharedWeights, feed: Feed, *, last: bool) -> Choice:  # noqa: ARG002
        """The architecture of the highest parameters."""
        return self.alphas.choice()

    def plain(self) -> dict[str, Any]:
        """The architecture parameters."""
        return self.alphas.plain()

    def state(self) -> State:
        """Parameters, Adam's moments, and the relaxation's generators."""
        return {"alphas": self.alphas.state(), "adam": self.adam.state_dict(), "relaxation": self.relax.state()}

    def restore(self, state: State) -> None:
        """Go on from a :meth:`state`."""
        self.alphas.restore(state["alphas"])
        self.adam.load_state_dict(state["adam"])
        self.relax.restore(state["relaxation"])


def _filled(values: Sequence[Tensor], gradient: tuple[Tensor | None, ...]) -> list[Tensor]:
    """The gradient with zeros for values that had no part in the loss."""
    return [torch.zeros_like(v) if g is None else g for v, g in zip(values, gradient, strict=True)]


@torch.no_grad()
def _place(
    weights: Sequence[Tensor], at: Sequence[Tensor], towards: Sequence[Tensor] | None = None, far: Tensor | float = 0.0
) -> None:
    """Set weights to ``at + far · towards``."""
    for number, weight in enumerate(weights):
        weight.copy_(at[number] if towards is None else at[number] + far * towards[number])
