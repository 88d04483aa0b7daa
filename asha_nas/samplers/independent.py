"""Random configurations, each drawn for itself; and the default one before all others."""

from __future__ import annotations

import numpy as np

from asha_nas.schedulers import Config, Draw, Job, Outcome, Proposal, Sampler


class Independent:
    """Draws each configuration at random, whatever came of the others.

    Configuration i is a function of (seed, i). Seeding each on its own keeps replay free of generator
    state, and makes two studies of one seed compare the same configurations, whatever their order of finish.
    """

    def __init__(self, draw: Draw, seed: int) -> None:
        self._draw = draw
        self._seed = seed

    def propose(self, number: int) -> Proposal:
        """The configuration that (seed, number) draws."""
        return Proposal(self._draw(np.random.default_rng([self._seed, number])), "random")

    def learn(self, job: Job, outcome: Outcome) -> None:
        """Nothing."""


class DefaultFirst:
    """Proposes a given configuration first, and leaves all others to another sampler, which learns of it too."""

    def __init__(self, default: Config, sampler: Sampler) -> None:
        self._default = default
        self._sampler = sampler

    def propose(self, number: int) -> Proposal:
        """The default as number 0, then what the other sampler proposes."""
        return Proposal(self._default, "default") if number == 0 else self._sampler.propose(number)

    def learn(self, job: Job, outcome: Outcome) -> None:
        """Pass on what is learned."""
        self._sampler.learn(job, outcome)
