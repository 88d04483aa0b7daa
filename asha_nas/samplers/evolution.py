"""Regularized (aging) evolution: Real et al., *Regularized evolution for image classifier architecture search*.

arXiv:1802.01548, Algorithm 1, with the population of 100 and samples of 10 of NAS-Bench-101 and NAS-Bench-1Shot1. Begin
with random configurations; from then on mutate the best of a random sample of the population. Each child joins the
population and the oldest member leaves it, however good it is: a configuration lasts only if its descendants are good.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asha_nas.schedulers import Config, Job, Outcome, Proposal
from spaces.encodings import Encoding
from spaces.errors import InvalidValue


@dataclass(frozen=True, slots=True)
class Member:
    """One of the population."""

    trial: int
    config: Config
    loss: float
    """At the highest budget so far; less is better."""


class Evolution:
    """Asynchronous aging evolution, for any number of workers.

    A sample is drawn *with* replacement, as in Algorithm 1, where a drawn member stays in the population;
    NAS-Bench-101's own code draws without. The age of a member counts from its first result, in the order in which
    results arrive. A result at a higher budget takes the place of the one before: it makes nobody younger, and brings
    nobody back. So in a scheduler of several budgets, losses of different budgets meet in a sample.

    Failures never join, so they never become parents and drive nobody out: a crash says nothing, and of a configuration
    that diverged there is nothing to inherit. A member that diverges at a higher budget leaves at once. As long as
    the population is empty, proposals are random.
    """

    def __init__(self, encoding: Encoding, seed: int, *, population: int = 100, sample: int = 10) -> None:
        """An empty population.

        Args:
            encoding: the space.
            seed: of the study.
            population: members at most, and random configurations to begin with, >= 1 (the paper's P).
            sample: members that a parent is the best of, >= 1 (the paper's S).

        Raises:
            InvalidValue: one of them is not.
        """
        for name, value in {"population": population, "sample": sample}.items():
            if value < 1:
                raise InvalidValue(name, value, "must be at least 1")
        self._encoding = encoding
        self._seed = seed
        self._size = population
        self._sample = sample
        self._population: list[Member] = []  # oldest first
        self._joined: set[int] = set()  # trials that are or were members

    @property
    def population(self) -> tuple[Member, ...]:
        """The members, oldest first."""
        return tuple(self._population)

    def propose(self, number: int) -> Proposal:
        """A child of the best of a sample; a random configuration for the first ones."""
        rng = np.random.default_rng([self._seed, number])
        if number < self._size or not self._population:
            return Proposal(self._encoding.draw(rng), "random")
        drawn = rng.integers(len(self._population), size=self._sample).tolist()
        parent = min((self._population[i] for i in drawn), key=lambda member: member.loss)
        return Proposal(self._encoding.mutate(parent.config, rng), "mutation")

    def learn(self, job: Job, outcome: Outcome) -> None:
        """Let a new trial join and the oldest leave, or update a member."""
        if outcome.diverged:
            self._population = [member for member in self._population if member.trial != job.trial]
        if outcome.loss is None:
            return
        member = Member(job.trial, job.config, outcome.loss)
        if job.trial in self._joined:
            self._population = [member if one.trial == job.trial else one for one in self._population]
            return
        self._joined.add(job.trial)
        self._population.append(member)
        if len(self._population) > self._size:
            del self._population[0]
