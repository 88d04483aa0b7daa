"""Hyperparameters, which are their own encoding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ConfigSpace import Configuration, ConfigurationSpace
from ConfigSpace.exceptions import ForbiddenValueError

from spaces import hyperparameters
from spaces.encodings.protocol import Config
from spaces.hyperparameters import compose, draw_value, neighbour, plain_values
from spaces.hyperparameters.plain import AnyHyperparameter

TRIES = 1000
"""Changes to try, where clauses of the space forbid some, before a configuration is drawn anew."""


@dataclass(frozen=True, slots=True, eq=False)
class Hyperparameters:
    """An :class:`~spaces.encodings.protocol.Encoding` of any ConfigSpace: configurations are values."""

    space: ConfigurationSpace

    def draw(self, rng: np.random.Generator) -> Config:
        """A configuration from the space's own distributions."""
        return hyperparameters.sample(self.space, rng)

    def mutate(self, config: Config, rng: np.random.Generator) -> Config:
        """One active hyperparameter changed, each alike, to a :func:`~spaces.hyperparameters.neighbour` of its value.

        What this makes active is drawn at random; what it makes inactive goes. A change that a clause of the space
        forbids is tried again. Where all are forbidden, the configuration is drawn anew; where there is only one
        configuration, it is that one.
        """
        active = [one for name, one in self.space.items() if name in config and one.size > 1]
        if not active:
            return dict(config)
        for _ in range(TRIES):
            changed = active[int(rng.integers(len(active)))]
            near = {**config, changed.name: neighbour(changed, config[changed.name], rng)}

            def choose(one: AnyHyperparameter, near: Config = near) -> Any:
                return near[one.name] if one.name in near else draw_value(one, rng)

            child = compose(self.space, choose)
            if not self.space.forbidden_clauses or self.decode(child) is not None:
                return child
        anew = (self.draw(rng) for _ in range(TRIES))
        return next((child for child in anew if child != config), dict(config))

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
