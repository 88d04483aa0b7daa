"""What a space is to a sampler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from ConfigSpace import ConfigurationSpace

Config = Mapping[str, Any]
"""What distinguishes a trial; plain JSON values."""


class Encoding(Protocol):
    """A search space as samplers see it.

    A *configuration* is what a trial gets, such as ``{"cell": text}`` or hyperparameters by name. Its *values* are
    the same as hyperparameters of :attr:`space`, in which models are built. ``decode(encode(config))`` is the same
    configuration, or, of an architecture, one with the same canonical identity. Implementations are picklable.
    """

    @property
    def space(self) -> ConfigurationSpace:
        """The hyperparameters that stand for a configuration; for a space of cells all of them categories."""
        ...

    def draw(self, rng: np.random.Generator) -> Config:
        """A random configuration, from the space's usual distribution; all randomness comes from ``rng``."""
        ...

    def mutate(self, config: Config, rng: np.random.Generator) -> Config:
        """A random neighbour, as regularized evolution makes children; it differs from ``config``."""
        ...

    def decode(self, values: Mapping[str, Any]) -> Config | None:
        """The configuration that values stand for; None where they make no valid one."""
        ...

    def encode(self, config: Config) -> dict[str, Any]:
        """Values, a legal configuration of :attr:`space`, that stand for a configuration."""
        ...

    @property
    def default(self) -> Config | None:
        """The configuration to begin with, where the space has one."""
        ...
