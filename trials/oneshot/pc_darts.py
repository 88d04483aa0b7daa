"""PC-DARTS (Xu et al., 2020, arXiv:1907.05737); Algorithm 2 of Zela et al.

DARTS, but of a block's channels only one in K goes through the operations; the others pass by:

    xʲ = Σ S(βᵒ) o(M ∗ Iʲ) + (1 − M) ∗ Iʲ

M masks the first quarter (K = 4), and a channel shuffle behind each block brings others there for the next. The
masking and the shuffle are the super-net's (its argument ``partial``). The edge normalisation of Xu et al. is part of
the spaces already: α and γ.
"""

from __future__ import annotations

import torch

from spaces.nasbench1shot1 import Space
from trials.oneshot.bilevel import Bilevel
from trials.oneshot.darts import darts
from trials.search_recipe import PcDartsRecipe


def pc_darts(space: Space, recipe: PcDartsRecipe, seed: int, device: torch.device) -> Bilevel:
    """PC-DARTS, without warm-up, for a super-net whose ``partial`` is the recipe's."""
    return darts(space, recipe, seed, device)
