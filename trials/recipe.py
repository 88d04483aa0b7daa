"""How a network is trained, apart from which network, on what data and for how long."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from trials.ranges import check, check_word


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of a training run.

    The defaults are DARTS's for its evaluation network on CIFAR-10 (Liu et al., 2019, arXiv:1806.09055,
    appendix A.2.1 and its released ``cnn/train.py``), which Li & Talwalkar (2019, arXiv:1902.07638) keep for
    their ASHA baseline.

    Raises:
        InvalidValue: A value is out of the range that its field names.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    cells: int = 20
    """Cells in the network, 1..100."""
    channels: int = 36
    """Channels of a node before the first reduction, 1..1024."""
    batch_size: int = 96
    """Images in a step, 2..65536."""
    learning_rate: float = 0.025
    """Step size in the first epoch, > 0."""
    learning_rate_min: float = 0.0
    """Step size that the cosine schedule ends in, 0 .. learning_rate."""
    momentum: float = 0.9
    """Of stochastic gradient descent, 0 <= m < 1."""
    weight_decay: float = 3e-4
    """L2 penalty on all parameters, >= 0."""
    grad_clip: float = 5.0
    """Greatest Euclidean norm of the gradient of all parameters together, > 0."""
    auxiliary: bool = True
    """Whether to train with the auxiliary head."""
    auxiliary_weight: float = 0.4
    """Weight of its loss, >= 0 (Zoph et al., 2018, arXiv:1707.07012, appendix A)."""
    drop_path: float = 0.2
    """Probability 0 <= p < 1 of dropping a path that the last epoch tends to; it grows linearly from 0."""
    cutout: int = 16
    """Side in pixels of the square cut out of each training image, >= 0; 0 for none."""
    crop_padding: int = 4
    """Pixels of zeros around a training image before a window is cropped from it, >= 0; 0 for none."""
    flip: bool = True
    """Whether to mirror training images left and right at random."""
    label_smoothing: float = 0.0
    """Share of the target given to all classes alike in training, 0 <= s < 1; DARTS has none on CIFAR-10."""
    valid_fraction: float = 0.2
    """Share of the training set kept for validation, 0 < f < 1. 0.2 is NAS-Bench-101's 40,000 and 10,000."""
    train_limit: int | None = None
    """Use only about this many images of the training set, >= 1, for a quick look; None for all."""
    checkpoint_minutes: float = 5.0
    """Minutes after which the next epoch's end is saved, >= 0, besides the end of each job."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of activations; parameters are always float32. ``bfloat16`` pays on GPUs only."""
    threads: int = 1
    """CPU threads of a trial, >= 1. Figures on a CPU may differ in the last digits with it."""

    def __post_init__(self) -> None:
        check(self, "cells", 1, 100)
        check(self, "channels", 1, 1024)
        check(self, "batch_size", 2, 65536)
        check(self, "learning_rate", 0, above=True)
        check(self, "learning_rate_min", 0, self.learning_rate)
        for name in ("momentum", "drop_path", "label_smoothing"):
            check(self, name, 0, 1, below=True)
        for name in ("weight_decay", "auxiliary_weight", "cutout", "crop_padding", "checkpoint_minutes"):
            check(self, name, 0)
        check(self, "grad_clip", 0, above=True)
        check(self, "valid_fraction", 0, 1, above=True, below=True)
        check(self, "threads", 1)
        if self.train_limit is not None:
            check(self, "train_limit", 1)
        check_word(self, "precision", "float32", "bfloat16")


RECIPES: dict[str, Recipe] = {
    "cifar10": Recipe(),
    # About half a second an epoch on one core, and so narrow that architectures differ: with twice the channels
    # nearly all end at the same error. Mirrored digits are not digits, and cutout or an auxiliary head on 8×8
    # images cost more than they bring in a few epochs.
    "digits": Recipe(
        cells=3,
        channels=2,
        batch_size=32,
        auxiliary=False,
        drop_path=0.0,
        cutout=0,
        crop_padding=1,
        flip=False,
    ),
}
"""The recipe of each data set unless a study says otherwise."""


@dataclass(frozen=True, slots=True)
class CellRecipe:
    """Settings of the training of NAS-Bench-101's network.

    The defaults are NAS-Bench-101's own (Ying et al., 2019, arXiv:1902.09635, section 2.3, supplement S2, and its
    released settings, whose learning rate of 0.1 is doubled by the two shards of its accelerator).

    Raises:
        InvalidValue: A value is out of the range that its field names.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    channels: int = 128
    """Channels of the stem and the first stack, 1..4096; at least the vertices that feed a cell's output."""
    stacks: int = 3
    """Stacks of cells, 1..8; the map is halved and the channels double between two."""
    cells_per_stack: int = 3
    """Cells in a stack, 1..100."""
    batch_size: int = 256
    """Images in a step, 2..65536."""
    learning_rate: float = 0.2
    """Step size at the start, > 0; it falls to 0 by a cosine over all steps."""
    momentum: float = 0.9
    """Of RMSProp, 0 <= m < 1."""
    decay: float = 0.9
    """Of its running mean of squared gradients, 0 <= d < 1."""
    epsilon: float = 1.0
    """Added to that mean, > 0."""
    weight_decay: float = 1e-4
    """L2 penalty on all parameters, >= 0."""
    batch_norm_momentum: float = 0.003
    """Weight of a batch in batch normalisation's running statistics, 0 < m <= 1."""
    crop_padding: int = 4
    """Pixels of zeros around a training image before a window is cropped from it, >= 0; 0 for none."""
    flip: bool = True
    """Whether to mirror training images left and right at random."""
    valid_fraction: float = 0.2
    """Share of the training set kept for validation, 0 < f < 1. 0.2 is NAS-Bench-101's 40,000 and 10,000."""
    train_limit: int | None = None
    """Use only about this many images of the training set, >= 1, for a quick look; None for all."""
    checkpoint_minutes: float = 5.0
    """Minutes after which the next epoch's end is saved, >= 0."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of activations; parameters are always float32. ``bfloat16`` pays on GPUs only."""
    threads: int = 1
    """CPU threads of a trial, >= 1. Figures on a CPU may differ in the last digits with it."""

    def __post_init__(self) -> None:
        for name, least, most in (
            ("channels", 1, 4096), ("stacks", 1, 8), ("cells_per_stack", 1, 100), ("batch_size", 2, 65536),
            ("threads", 1, math.inf), ("weight_decay", 0, math.inf), ("crop_padding", 0, math.inf),
            ("checkpoint_minutes", 0, math.inf),
        ):  # fmt: skip
            check(self, name, least, most)
        for name in ("momentum", "decay"):
            check(self, name, 0, 1, below=True)
        for name in ("learning_rate", "epsilon"):
            check(self, name, 0, above=True)
        check(self, "batch_norm_momentum", 0, 1, above=True)
        check(self, "valid_fraction", 0, 1, above=True, below=True)
        if self.train_limit is not None:
            check(self, "train_limit", 1)
        check_word(self, "precision", "float32", "bfloat16")


CELL_RECIPES: dict[str, CellRecipe] = {
    "cifar10": CellRecipe(),
    # Small enough for two thousand cells on two cores. Half of the training set validates: the 719 images that are
    # left make the task hard enough for cells to differ, and are what a one-shot search on `digits` learns from.
    "digits": CellRecipe(
        channels=8, cells_per_stack=1, batch_size=16, learning_rate=0.05, batch_norm_momentum=0.1, crop_padding=1,
        flip=False, valid_fraction=0.5,
    ),
}  # fmt: skip
"""The recipe of each data set unless a study says otherwise."""
