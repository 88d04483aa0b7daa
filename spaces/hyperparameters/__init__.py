"""Hyperparameter spaces: ConfigSpace objects from plain values, seeded sampling from them, and published ones."""

from spaces.hyperparameters.active import compose
from spaces.hyperparameters.neighbours import draw_value, neighbour
from spaces.hyperparameters.one_shot import CONFIG_SPACES, NINE, config_space
from spaces.hyperparameters.plain import from_plain, plain_values, sample, to_plain

__all__ = [
    "CONFIG_SPACES", "NINE", "compose", "config_space", "draw_value", "from_plain", "neighbour", "plain_values",
    "sample", "to_plain",
]  # fmt: skip
