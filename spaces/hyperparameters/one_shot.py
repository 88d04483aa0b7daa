"""The spaces in which NAS-Bench-1Shot1 tunes one-shot optimizers: CS1, CS2 and CS3.

Source: Zela, Siems & Hutter (2020, arXiv:2001.10422), appendix F, and the ranges in its released code. There CS3 hands
four of its nine hyperparameters to no optimizer, and ``cutout_prob`` is without effect in all three; here each names a
setting of a one-shot search and has the effect that it says.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from ConfigSpace import ConfigurationSpace

from spaces.errors import UnknownName
from spaces.hyperparameters.plain import from_plain

NINE: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "weight_decay": {"range": [1e-5, 1e-3], "log": True, "default": 3e-4},
        "cutout_prob": {"range": [0.0, 1.0], "default": 0.0},
        "learning_rate": {"range": [1e-3, 1.0], "log": True, "default": 0.025},
        "momentum": {"range": [0.0, 0.99], "default": 0.9},
        "cutout_length": {"range": [2, 32], "log": True, "default": 16},
        # NAS-Bench-1Shot1's own: DARTS itself searches with 64.
        "batch_size": {"range": [16, 128], "default": 96},
        "grad_clip": {"range": [1, 9], "default": 5},
        "arch_learning_rate": {"range": [1e-5, 1e-2], "log": True, "default": 3e-4},
        "arch_weight_decay": {"range": [1e-4, 1e-1], "log": True, "default": 1e-3},
    }
)
"""All hyperparameters in the short form of :func:`~spaces.hyperparameters.plain.from_plain`, in the paper's order.

Lengths are in pixels, batches in images. All but the last two are of the training of the weights. The defaults are
DARTS's, but for the batch.
"""

CONFIG_SPACES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"cs1": tuple(NINE)[:2], "cs2": tuple(NINE)[:3], "cs3": tuple(NINE)}
)
"""The spaces by name: which hyperparameters each one tunes."""


def config_space(name: str) -> ConfigurationSpace:
    """Return a new object of a published space, whose default configuration is the one that tuning starts from.

    Args:
        name: A name in :data:`CONFIG_SPACES`; upper case is allowed.

    Raises:
        UnknownName: there is no such space.
    """
    if name.lower() not in CONFIG_SPACES:
        raise UnknownName("configuration space", name, CONFIG_SPACES)
    return from_plain({tuned: NINE[tuned] for tuned in CONFIG_SPACES[name.lower()]})
