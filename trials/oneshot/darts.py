"""DARTS (Liu, Simonyan & Yang, 2019, arXiv:1806.09055); Algorithm 1 of Zela et al.

Every operation and every edge takes part, weighted by a softmax S of the architecture parameters:

    Iʲ = Σ S(αⁱʲ) xⁱ        Oᵏ = ⊕ S(γʲᵏ) xʲ        xʲ = Σ S(βᵒ) o(Iʲ)

The architecture's gradient is of first or of second order (``darts-2nd``).
"""

from __future__ import annotations

import torch

from spaces.nasbench1shot1 import Space
from trials.checkpoint import State
from trials.oneshot.alphas import Alphas
from trials.oneshot.bilevel import Bilevel
from trials.oneshot.mixture import Mixture
from trials.search_recipe import BilevelRecipe


class Softmax:
    """A ``trials.oneshot.bilevel.Relaxation`` that knows neither time nor chance."""

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """It is the same in every epoch."""

    def __call__(self, alphas: Alphas, *, measuring: bool = False) -> Mixture:  # noqa: ARG002
        """S of every parameter."""
        return alphas.softmax()

    def state(self) -> State:
        """There is none."""
        return {}

    def restore(self, state: State) -> None:
        """There is none."""


def darts(space: Space, recipe: BilevelRecipe, seed: int, device: torch.device, *, unrolled: bool = False) -> Bilevel:
    """DARTS on a space of NAS-Bench-1Shot1; of second order if ``unrolled``."""
    return Bilevel(Alphas(space, seed, device), Softmax(), recipe, unrolled=unrolled)
