"""GDAS (Dong & Yang, 2019, arXiv:1910.04465); Algorithm 3 of Zela et al.

DARTS with a Gumbel softmax GS in the place of the softmax:

    GS(α) = softmax((log S(α) + G) / τ),    G ~ Gumbel(0, 1)

Only what has the highest sample is run: of a block's operations one, of its parents and the output's as many as the
space gives them. Their weight is one, and has the gradient of their GS (straight through: 1 + GS − GS.detach()). Where
``edges`` is ``soft``, as in the code released by Zela et al., GS mixes all parents. The temperature τ falls linearly
over the epochs.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spaces.nasbench1shot1 import Space
from trials.checkpoint import State
from trials.course import derive
from trials.oneshot.alphas import Alphas
from trials.oneshot.bilevel import Bilevel
from trials.oneshot.mixture import Mixture, Terms
from trials.search_recipe import GdasRecipe


class GumbelSoftmax:
    """A ``trials.oneshot.bilevel.Relaxation``. One sample serves all cells of the super-net, and all of a batch."""

    def __init__(self, recipe: GdasRecipe, seed: int) -> None:
        self._recipe = recipe
        # Measuring draws from a generator of its own, so that it does not change the training.
        self._training, self._measuring = (torch.Generator().manual_seed(derive(seed, n)) for n in range(2))
        self.temperature = recipe.temperature_first

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """τ from ``temperature_first`` in the first epoch to ``temperature_last`` in the last."""
        first, last = self._recipe.temperature_first, self._recipe.temperature_last
        self.temperature = first + (last - first) * epoch / max(1, epochs - 1)

    def __call__(self, alphas: Alphas, *, measuring: bool = False) -> Mixture:
        """A sample."""
        space, generator = alphas.space, self._measuring if measuring else self._training
        counts = [*[1] * space.blocks, *(space.parents[block - 1] for block in space.choosing), space.output_parents]
        rows = [self._sample(row, generator) for row in (*alphas.operations, *alphas.parents.values(), alphas.output)]
        soft = self._recipe.edges == "soft"
        hard = rows[: space.blocks] if soft else rows
        chosen = _highest(hard, counts)  # the one place that waits for the device: what is run depends on it
        terms = [_straight_through(row, places) for row, places in zip(hard, chosen, strict=True)]
        terms += [Terms.all_of(row) for row in rows[len(hard) :]]
        return alphas.mixture(terms[: space.blocks], terms[space.blocks : -1], terms[-1])

    def _sample(self, alpha: Tensor, generator: torch.Generator) -> Tensor:
        """GS of a row of parameters."""
        exponential = torch.empty(alpha.shape).exponential_(generator=generator)
        gumbel = -exponential.log().to(alpha.device, alpha.dtype, non_blocking=True)
        return torch.softmax((torch.log_softmax(alpha, dim=0) + gumbel) / self.temperature, dim=0)

    def state(self) -> State:
        """The generators'; the temperature follows from the epoch."""
        return {"training": self._training.get_state(), "measuring": self._measuring.get_state()}

    def restore(self, state: State) -> None:
        """Go on from a :meth:`state`."""
        self._training.set_state(state["training"])
        self._measuring.set_state(state["measuring"])


def _highest(rows: list[Tensor], counts: list[int]) -> list[tuple[int, ...]]:
    """Places of the ``counts`` highest of each row, ascending; in one transfer from the device."""
    values = torch.cat([row.detach() for row in rows]).tolist()
    found, start = [], 0
    for row, count in zip(rows, counts, strict=False):
        own = values[start : start + len(row)]
        found.append(tuple(sorted(sorted(range(len(own)), key=lambda place: -own[place])[:count])))
        start += len(row)
    return found


def _straight_through(row: Tensor, places: tuple[int, ...]) -> Terms:
    weights = row.unbind()
    return Terms(places, tuple(1.0 + (weights[place] - weights[place].detach()) for place in places))


def gdas(space: Space, recipe: GdasRecipe, seed: int, device: torch.device) -> Bilevel:
    """GDAS on a space of NAS-Bench-1Shot1."""
    relax = GumbelSoftmax(recipe, derive(seed, 1))
    return Bilevel(Alphas(space, derive(seed, 0), device), relax, recipe, statistics="batch")
