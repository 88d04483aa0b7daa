"""Hyperparameters, which are their own encoding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ConfigSpace import Configuration, ConfigurationSpace, Constant
from ConfigSpace.exceptions import ForbiddenValueError
from ConfigSpace.util import get_random_neighbor

from spaces import hyperparameters
from spaces.encodings.protocol import Config
from spaces.hyperparameters import plain_values


@dataclass(frozen=True, slots=True, eq=False)
class Hyperparameters:
    """An :class:`~spaces.encodings.protocol.Encoding` of any ConfigSpace: configurations are values."""

    space: ConfigurationSpace

    def draw(self, rng: np.random.Generator) -> Config:
        """A configuration from the space's own distributions."""
        return hyperparameters.sample(self.space, rng)

    def mutate(self, config: Config, rng: np.random.Generator) -> Config:
        """One hyperparameter changed: to a neighbouring value of a number, to any other of a category.

        In a space of which every configuration is the same one, that one.
        """
        if all(isinstance(one, Constant) for one in self.space.values()):
            return dict(config)
        seed = int(rng.integers(2**31))
        return plain_values(get_random_neighbor(Configuration(self.space, values=dict(config)), seed))

    def decode(self, values: Mapping[str, Any]) -> Config | None:
        """The same values; None if a clause of the space forbids them."""
        try:
            return plain_values(Configuration(self.space, values=dict(values)))
        except ForbiddenValueError:
            return None

    def encode(self, config: Config) -> dict[str, Any]:
        """The same values."""
        return dict(config)

    @property
    def default(self) -> Config | None:
        """The space's default configuration."""
        return plain_values(self.space.get_default_configuration())
