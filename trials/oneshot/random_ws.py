"""Random search with weight sharing (Li & Talwalkar, 2019, arXiv:1902.07638, section 3); Algorithm 4 of Zela et al.

Each mini-batch trains the weights of one architecture, drawn uniformly. Nothing else is learnt. At the end
architectures are drawn in sets of a thousand; some mini-batches of the search part judge each, all of it the best of
each set, and the best of those is the result (Li & Talwalkar's appendix A.4, "Stage 1 Procedure").
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final, Generic, TypeVar

import numpy as np
from torch import Tensor

from trials.checkpoint import State
from trials.course import derive
from trials.oneshot.feed import Batch, Feed
from trials.oneshot.layers import Statistics
from trials.oneshot.ranking import computed, errors
from trials.oneshot.shared import SharedWeights
from trials.search_recipe import RandomRecipe

A = TypeVar("A")

SET: Final = 1000
"""Architectures that are compared on some mini-batches before the best of them are measured on all."""

FACTORS: Final = {50: 1, 150: 5, 300: 11}
"""Search epochs -> how many times ``RandomRecipe.samples`` are drawn at the end.

With 1,000 samples these are the 1,000, 5,000 and 11,000 of Li & Talwalkar's table 2. Other lengths have the factor of
the longest one here that is not longer, so NAS-Bench-1Shot1's 25, 50 and 100 epochs draw 1,000, as the paper does.
"""


def stages(epochs: int, samples: int = 1000) -> int:
    """Architectures drawn at the end of a search of ``epochs``, if it were ``samples`` after 50."""
    return samples * max((factor for reached, factor in FACTORS.items() if reached <= epochs), default=1)


class RandomWS(Generic[A]):
    """A ``trials.oneshot.protocol.Optimizer``.

    Training, measuring and choosing draw from generators of their own, so that none of them changes another.

    Args:
        sample: draws an architecture.
        path: what the super-net is told to compute for it.
        recipe: how many are judged, and on how much.
        epochs: that the search lasts, >= 1.
        seed: of all draws.
    """

    statistics: Statistics = "batch"

    def __init__(
        self,
        sample: Callable[[np.random.Generator], A],
        path: Callable[[A], Any],
        recipe: RandomRecipe,
        epochs: int,
        seed: int,
    ) -> None:
        self._sample, self._path = sample, path
        self._recipe, self._epochs = recipe, epochs
        self._generators = {
            name: np.random.default_rng(derive(seed, stream))
            for stream, name in enumerate(("training", "measuring", "choosing"))
        }

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """It is the same in every epoch."""

    def step(self, shared: SharedWeights, train: Batch, feed: Feed) -> Tensor:  # noqa: ARG002
        """Train the weights of one architecture."""
        return shared.learn(self._path(self._sample(self._generators["training"])), train)

    def end_epoch(self, shared: SharedWeights, feed: Feed) -> None:
        """Nothing is left to learn."""

    def evaluated(self) -> Any:
        """An architecture drawn uniformly, so that the error of a part is about their mean error."""
        return self._path(self._sample(self._generators["measuring"]))

    def choose(self, shared: SharedWeights, feed: Feed, *, last: bool) -> A:
        """The best one on the search part, of the finalists of each set; of equally good ones the first drawn."""
        recipe = self._recipe
        count = stages(self._epochs, recipe.samples) if last else recipe.samples_between
        some = [feed.some(feed.search, recipe.sample_batches)]
        finalists: list[A] = []
        for start in range(0, count, SET):
            drawn = self._different(min(SET, count - start))
            judged = errors(shared, self._paths(drawn), some, self.statistics)
            finalists += [drawn[place] for place in np.argsort(judged, kind="stable")[: recipe.finalists]]
        whole = list(feed.whole(feed.search))
        return finalists[int(errors(shared, self._paths(finalists), whole, self.statistics).argmin())]

    def _different(self, count: int) -> list[A]:
        """The different ones of ``count`` draws, as they come; those that compute the same are one."""
        found: dict[Hashable, A] = {}
        for _ in range(count):
            architecture = self._sample(self._generators["choosing"])
            found.setdefault(computed(self._path(architecture)), architecture)
        return list(found.values())

    def _paths(self, architectures: list[A]) -> list[Any]:
        return [self._path(architecture) for architecture in architectures]

    def plain(self) -> dict[str, Any]:
        """There are no architecture parameters."""
        return {}

    def state(self) -> State:
        """The generators'."""
        return {name: generator.bit_generator.state for name, generator in self._generators.items()}

    def restore(self, state: State) -> None:
        """Go on from a :meth:`state`."""
        for name, generator in self._generators.items():
            generator.bit_generator.state = state[name]
