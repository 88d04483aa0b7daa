"""How large a network is, without building its weights."""

from __future__ import annotations

import torch

from spaces.darts_cell import Genotype
from trials.data.catalogue import describe
from trials.networks.darts_cnn import DartsCnn, count_parameters
from trials.recipe import Recipe


def checkpoint_bytes(genotype: Genotype, data: str, recipe: Recipe) -> int:
    """About how many bytes a checkpoint takes: each parameter and its momentum, 4 bytes each.

    Args:
        genotype: the architecture.
        data: name of a data set of the catalogue.
        recipe: size of the network.
    """
    entry = next(entry for entry in describe() if entry.name == data)
    with torch.device("meta"):
        network = DartsCnn(
            genotype, recipe.cells, recipe.channels, entry.classes,
            auxiliary=recipe.auxiliary, channels_in=entry.shape[0],
        )  # fmt: skip
    return 8 * count_parameters(network, auxiliary=True)
