"""ENAS (Pham et al., 2018, arXiv:1802.03268) as NAS-Bench-1Shot1 runs it; Algorithm 5 of Zela et al.

In turns, epoch by epoch: the controller samples an architecture for each mini-batch, whose weights it trains; then
it learns itself, by REINFORCE. The reward of a sample a is its accuracy on a mini-batch of the search part, plus the
weighted entropy, of which − log p(a) is an unbiased estimate:

    ∇ ≈ (r(a) − w log p(a) − b) ∇ log p(a)

b is the running mean of earlier rewards; it starts as the first one.
"""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import torch
from torch import Tensor

from spaces.nasbench1shot1 import ONE_SHOT_OPERATIONS, Choice, Space
from trials.checkpoint import State
from trials.course import derive
from trials.oneshot.controller import Controller
from trials.oneshot.feed import Batch, Feed
from trials.oneshot.layers import Statistics
from trials.oneshot.mixture import Mixture
from trials.oneshot.ranking import errors
from trials.oneshot.shared import SharedWeights
from trials.search_recipe import EnasRecipe


class Enas:
    """A ``trials.oneshot.protocol.Optimizer``.

    Training, learning, measuring and choosing draw from generators of their own, so that none changes another.

    Args:
        space: the space.
        recipe: the controller's size and how it learns.
        seed: of its weights and of all draws.
    """

    statistics: Statistics = "batch"

    def __init__(self, space: Space, recipe: EnasRecipe, seed: int) -> None:
        self._recipe = recipe
        self.controller = Controller(
            space, hidden=recipe.controller_hidden, temperature=recipe.controller_temperature,
            tanh=recipe.controller_tanh, seed=derive(seed, 0),
        )  # fmt: skip
        self.adam = torch.optim.Adam(self.controller.parameters(), recipe.arch_learning_rate, fused=True)
        self.baseline: float | None = None
        self._generators = {
            name: torch.Generator().manual_seed(derive(seed, stream))
            for stream, name in enumerate(("training", "learning", "measuring", "choosing"), start=1)
        }
        self._waiting: list[Choice] = []  # drawn, and to be trained next, the last one first
        self._marginals: dict[str, Any] = {}

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """It is the same in every epoch."""

    def step(self, shared: SharedWeights, train: Batch, feed: Feed) -> Tensor:
        """Train the weights of one architecture. Those of an epoch are drawn together, which takes as long as one."""
        if not self._waiting:
            self._waiting = self._drawn(feed.steps, "training")
        return shared.learn(Mixture.of(self._waiting.pop()), train)

    def end_epoch(self, shared: SharedWeights, feed: Feed) -> None:
        """Train the controller, the weights being what they are."""
        for _ in range(self._recipe.controller_steps):
            self._learn(shared, feed.next_search())
        self._waiting = []  # the old controller's

    def _learn(self, shared: SharedWeights, batch: Batch) -> None:
        (choice,), log_probability = self.controller.draw(1, self._generators["learning"])
        sums = shared.measure(lambda: Mixture.of(choice), [batch], self.statistics)
        self.adam.zero_grad()
        torch.autograd.backward(log_probability)  # while the device is at work on the reward
        _, wrong, images = sums.tolist()
        self.reinforce(1.0 - wrong / images, log_probability.item())

    def reinforce(self, reward: float, log_probability: float) -> None:
        """One step of the controller, whose parameters have the gradient of a sample's log-probability.

        Args:
            reward: of the sample, without the entropy.
            log_probability: of the sample.
        """
        recipe = self._recipe
        reward -= recipe.entropy_weight * log_probability
        baseline = reward if self.baseline is None else self.baseline
        for parameter in self.controller.parameters():
            if parameter.grad is not None:
                parameter.grad *= baseline - reward  # Adam descends
        self.adam.step()
        self.baseline = recipe.baseline_decay * baseline + (1.0 - recipe.baseline_decay) * reward

    def evaluated(self) -> Mixture:
        """A sample of the controller."""
        return Mixture.of(self._drawn(1, "measuring")[0])

    def choose(self, shared: SharedWeights, feed: Feed, *, last: bool) -> Choice:  # noqa: ARG002
        """The best of some samples on one mini-batch of the search part; of equally good ones the first drawn."""
        drawn = self._drawn(self._recipe.samples, "choosing")
        self._marginals = _marginals(self.controller.space, drawn)
        judged = errors(shared, [Mixture.of(each) for each in drawn], [feed.some(feed.search, 1)], self.statistics)
        return drawn[int(judged.argmin())]

    @torch.no_grad()
    def _drawn(self, count: int, purpose: str) -> list[Choice]:
        return self.controller.draw(count, self._generators[purpose])[0]

    def plain(self) -> dict[str, Any]:
        """How often the last samples to choose from had each operation and each parent, as :class:`Alphas` has them.

        Frequencies 0..1: ``operations`` (blocks, 3), of each block they add up to one; ``parents``, a list for each
        block that chooses, and ``output``: they add up to the number of parents. Empty before the first.
        """
        return self._marginals

    def state(self) -> State:
        """Controller, Adam's moments, baseline, generators, and what was drawn."""
        return {
            "controller": self.controller.state_dict(),
            "adam": self.adam.state_dict(),
            "baseline": self.baseline,
            "generators": {name: generator.get_state() for name, generator in self._generators.items()},
            "waiting": [astuple(choice) for choice in self._waiting],
            "marginals": self._marginals,
        }

    def restore(self, state: State) -> None:
        """Go on from a :meth:`state`."""
        self.controller.load_state_dict(state["controller"])
        self.adam.load_state_dict(state["adam"])
        self.baseline = state["baseline"]
        for name, generator in self._generators.items():
            generator.set_state(state["generators"][name])
        self._waiting = [Choice(*plain) for plain in state["waiting"]]
        self._marginals = state["marginals"]


def enas(space: Space, recipe: EnasRecipe, seed: int, device: torch.device) -> Enas:  # noqa: ARG001
    """ENAS on a space of NAS-Bench-1Shot1; its controller stays on the CPU."""
    return Enas(space, recipe, seed)


def _marginals(space: Space, choices: list[Choice]) -> dict[str, Any]:
    """Frequencies in some choices, see :meth:`Enas.plain`."""

    def share(number: int, block: int) -> list[float]:
        sets = [(*choice.parents, choice.output)[block - 1] for choice in choices]
        return [sum(vertex in each for each in sets) / len(sets) for vertex in range(number)]

    operations = [
        [sum(choice.operations[block] == name for choice in choices) / len(choices) for name in ONE_SHOT_OPERATIONS]
        for block in range(space.blocks)
    ]
    parents = [share(block, block) for block in space.choosing]
    return {"operations": operations, "parents": parents, "output": share(space.blocks + 1, space.blocks + 1)}
