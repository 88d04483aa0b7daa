"""The one-shot optimizers by name, and the super-nets they search in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import nn

from spaces import nasbench1shot1
from spaces.darts_cell import sample_genotype
from spaces.nasbench1shot1 import Space, sample_choice
from trials.data import Dataset
from trials.oneshot.darts import darts
from trials.oneshot.darts_cnn import DartsSuperNet
from trials.oneshot.enas import enas
from trials.oneshot.gdas import gdas
from trials.oneshot.mixture import Mixture
from trials.oneshot.pc_darts import pc_darts
from trials.oneshot.protocol import Optimizer
from trials.oneshot.random_ws import RandomWS
from trials.oneshot.supernet import SuperNet
from trials.search_recipe import DartsRandomRecipe, RandomRecipe, SearchRecipe, Variant

OPTIMIZERS: Final[dict[str, Callable[..., Optimizer]]] = {
    "darts": lambda space, recipe, _epochs, seed, device: darts(space, recipe, seed, device),
    "darts-2nd": lambda space, recipe, _epochs, seed, device: darts(space, recipe, seed, device, unrolled=True),
    "gdas": lambda space, recipe, _epochs, seed, device: gdas(space, recipe, seed, device),
    "pc-darts": lambda space, recipe, _epochs, seed, device: pc_darts(space, recipe, seed, device),
    "enas": lambda space, recipe, _epochs, seed, device: enas(space, recipe, seed, device),
    "random-ws": lambda space, recipe, epochs, seed, _device: RandomWS(
        lambda rng: sample_choice(rng, space), Mixture.of, recipe, epochs, seed
    ),
}
"""How each is made in the spaces of NAS-Bench-1Shot1, of space, recipe, epochs, seed and device."""

DARTS_OPERATIONS: Final = "released"
"""Operations that cells of the DARTS space are drawn from: Li & Talwalkar's code has the zero operation too."""


def build_optimizer(
    name: str, space: str, recipe: SearchRecipe, epochs: int, seed: int, device: torch.device
) -> Optimizer:
    """An optimizer at its start.

    Args:
        name: a name in :data:`OPTIMIZERS`.
        space: ``s1``, ``s2``, ``s3``, or ``darts-cnn`` with ``random-ws``.
        recipe: of this optimizer's class, see ``trials.search_recipe.OPTIMIZERS``.
        epochs: that the search will last.
        seed: of all it draws.
        device: where its parameters live.
    """
    if space == "darts-cnn":
        assert isinstance(recipe, RandomRecipe)
        return RandomWS(lambda rng: sample_genotype(rng, DARTS_OPERATIONS), _itself, recipe, epochs, seed)
    return OPTIMIZERS[name](nasbench1shot1.space(space), recipe, epochs, seed, device)


def build_supernet(space: str, recipe: SearchRecipe, data: Dataset, pooling: Variant, seed: int) -> nn.Module:
    """A super-net with fresh weights."""
    if space == "darts-cnn":
        assert isinstance(recipe, DartsRandomRecipe)
        return DartsSuperNet(
            cells=recipe.cells, channels=recipe.channels, classes=data.classes,
            channels_in=data.channels, momentum=recipe.batch_norm_momentum, seed=seed,
        )  # fmt: skip
    one_shot: Space = nasbench1shot1.space(space)
    return SuperNet(
        one_shot, channels=recipe.channels, stages=recipe.stages, cells_per_stage=recipe.cells_per_stage,
        classes=data.classes, channels_in=data.channels, momentum=recipe.batch_norm_momentum,
        partial=getattr(recipe, "partial", 1), pooling=pooling, seed=seed,
    )  # fmt: skip


def _itself(genotype: Any) -> Any:
    return genotype
