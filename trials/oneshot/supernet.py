"""The super-net of NAS-Bench-1Shot1's spaces (Zela, Siems & Hutter, 2020, arXiv:2001.10422, section 3.1).

A 3×3 stem, then stages of equal cells; between two stages a max-pool halves the map and the channels double;
global average pooling and a linear classifier end it: NAS-Bench-101's network, made narrow.

A cell has an input, n choice blocks of C channels each, and an output of n·C channels. The input reaches each
block, and the output, through a 1×1 projection of its own. A block sums its parents, applies its operations to
the sum, and sums their results. The output is the concatenation of the blocks plus the projected input. Which
terms of these sums are computed and how they are weighed is the :class:`~trials.oneshot.mixture.Mixture`.

Two things make it fast. All projections of a cell that are needed are one convolution, as they read the same map.
And since ``w · relu(y) = relu(w · y)`` for w > 0, the weight of an operation is multiplied into the scale and
shift of its batch normalisation rather than into a map.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from spaces.errors import InvalidValue
from spaces.nasbench1shot1 import Space
from trials.networks.side_by_side import Gather
from trials.oneshot.layers import ConvNormRelu, Statistics
from trials.oneshot.mixture import Mixture, Terms
from trials.oneshot.sums import weighted_join, weighted_sum
from trials.search_recipe import Variant

MAX_POOL, CONV3X3, CONV1X1 = range(3)  # places in ONE_SHOT_OPERATIONS


class SuperNet(nn.Module):
    """All architectures of a space in one network.

    Args:
        space: the space.
        channels: C of a block in the first stage, >= 1; a multiple of ``partial``.
        stages: stages of cells, >= 1.
        cells_per_stage: cells in each, >= 1.
        classes: number of classes, >= 2.
        channels_in: channels of the images.
        momentum: weight of a batch in the running statistics, 0 < m <= 1.
        partial: one in ``partial`` channels of a block goes through its operations, the others pass by
            (PC-DARTS's K); 1 for all.
        pooling: between stages: 32→16→8 pixels as NAS-Bench-101 has them, or the released code's 32→17→9.
        seed: of the initial weights.

    Raises:
        InvalidValue: a number is out of its range.
    """

    def __init__(
        self,
        space: Space,
        *,
        channels: int = 16,
        stages: int = 3,
        cells_per_stage: int = 3,
        classes: int = 10,
        channels_in: int = 3,
        momentum: float = 0.003,
        partial: int = 1,
        pooling: Variant = "corrected",
        seed: int = 0,
    ) -> None:
        super().__init__()
        _check(channels=channels, stages=stages, cells_per_stage=cells_per_stage, partial=partial)
        if channels % partial:
            raise InvalidValue("channels", channels, f"must be a multiple of partial, {partial}")
        generator = torch.Generator().manual_seed(seed)
        self.space = space
        self._pooling = pooling
        self.stem = ConvNormRelu(channels_in, [channels], 3, momentum, generator)
        self.cells = nn.ModuleList()
        self._cells_per_stage = cells_per_stage
        wide = channels
        for index in range(stages * cells_per_stage):
            own = channels << index // cells_per_stage
            self.cells.append(_Cell(space.blocks, wide, own, partial, momentum, generator))
            wide = space.blocks * own
        # Its own first weights would be drawn from the global generator.
        self.classifier = nn.utils.skip_init(nn.Linear, wide, classes)  # type: ignore[no-untyped-call]
        bound = math.sqrt(6.0 / (wide + classes))  # Glorot and Bengio's, as TensorFlow's dense layers have it
        with torch.no_grad():
            self.classifier.weight.uniform_(-bound, bound, generator=generator)
            self.classifier.bias.zero_()

    def forward(self, images: Tensor, mixture: Mixture, statistics: Statistics = "update") -> Tensor:
        """Classify images.

        Args:
            images: (batch, channels_in, height, width), float.
            mixture: what is computed in every cell.
            statistics: of batch normalisation.

        Returns:
            Logits (batch, classes).
        """
        (x,) = self.stem(images, statistics)
        for index, cell in enumerate(self.cells):
            if index and index % self._cells_per_stage == 0:
                x = self._halved(x)
            x = cell(x, mixture, statistics)
        logits: Tensor = self.classifier(x.mean(dim=(2, 3)))
        return logits

    def _halved(self, x: Tensor) -> Tensor:
        if self._pooling == "released":
            return functional.max_pool2d(x, 2, 2, padding=1)
        return functional.max_pool2d(x, 2, ceil_mode=True)


def _check(**least_one: int) -> None:
    for name, value in least_one.items():
        if value < 1:
            raise InvalidValue(name, value, "must be at least 1")


class _Cell(nn.Module):
    """(batch, channels_in, h, w) -> (batch, blocks · channels, h, w)."""

    def __init__(
        self, blocks: int, channels_in: int, channels: int, partial: int, momentum: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        self._blocks = range(1, blocks + 1)
        # Map 0 goes to the output, map i to block i.
        self.projections = ConvNormRelu(channels_in, [blocks * channels] + blocks * [channels], 1, momentum, generator)
        self.blocks = nn.ModuleList(_Block(channels, partial, momentum, generator) for _ in self._blocks)

    def forward(self, x: Tensor, mixture: Mixture, statistics: Statistics) -> Tensor:
        needed = mixture.needed()
        projected = self._projected(x, mixture, needed, statistics)
        states: dict[int, Tensor] = {}
        for block in needed:
            maps = [projected[block]] if block in projected else []
            weights: list[Tensor | None] = [None] * len(maps)  # that of the projection is in it
            for parent, weight in mixture.parents[block - 1].items():
                if parent:
                    maps.append(states[parent])
                    weights.append(weight)
            states[block] = self.blocks[block - 1](
                weighted_sum(maps, weights), mixture.operations[block - 1], statistics
            )
        return self.output(states, projected.get(0), dict(mixture.output.items()))

    def _projected(
        self, x: Tensor, mixture: Mixture, needed: tuple[int, ...], statistics: Statistics
    ) -> dict[int, Tensor]:
        """The input's weighted projection to each block that reads it, and at 0 to the output if that does."""
        readers = {0: mixture.output} | {block: mixture.parents[block - 1] for block in needed}
        weights = {reader: dict(terms.items())[0] for reader, terms in readers.items() if 0 in terms.chosen}
        if not weights:
            return {}
        maps = self.projections(x, statistics, tuple(weights), tuple(weights.values()))
        return dict(zip(weights, maps, strict=True))

    def output(self, states: dict[int, Tensor], projected: Tensor | None, weights: dict[int, Tensor | None]) -> Tensor:
        """The blocks that the output reads, joined, plus the input's weighted projection to it."""
        joined = [block for block in self._blocks if block in weights]
        if not joined:
            assert projected is not None
            return projected
        maps = [states[block] if block in weights else None for block in self._blocks]
        return weighted_join(maps, [weights.get(block) for block in self._blocks], projected)


class _Block(nn.Module):
    """A choice block's operations, some of them at a time: (batch, channels, h, w), size kept."""

    def __init__(self, channels: int, partial: int, momentum: float, generator: torch.Generator) -> None:
        super().__init__()
        self._active = channels // partial
        # Channel shuffle (Zhang et al., 2018, arXiv:1707.01083): of `partial` groups in turn, so that what passed by
        # here does not pass by in the next block as well.
        order = [group * self._active + place for place in range(self._active) for group in range(partial)]
        self.shuffle = Gather(range(channels), order)
        self.conv3x3 = ConvNormRelu(self._active, [self._active], 3, momentum, generator)
        self.conv1x1 = ConvNormRelu(self._active, [self._active], 1, momentum, generator)

    def forward(self, x: Tensor, operations: Terms, statistics: Statistics) -> Tensor:
        if self._active == x.shape[1]:
            return self._mixed(x, operations, statistics)
        # A split, not two slices: the gradient of a slice is not channels-last, which slows down all before it.
        active, passing = torch.split(x, [self._active, x.shape[1] - self._active], dim=1)
        mixed = self._mixed(active.contiguous(memory_format=torch.channels_last), operations, statistics)
        result: Tensor = self.shuffle(torch.cat((mixed, passing), dim=1))
        return result

    def _mixed(self, x: Tensor, operations: Terms, statistics: Statistics) -> Tensor:
        """Σ wᵒ·o(x), the paper's equation 1."""
        results, weights = [], []
        for operation, weight in operations.items():
            if operation == MAX_POOL:
                results.append(functional.max_pool2d(x, 3, 1, padding=1))
                weights.append(weight)
            else:
                module = self.conv3x3 if operation == CONV3X3 else self.conv1x1
                results += module(x, statistics, weights=[weight])
                weights.append(None)
        return weighted_sum(results, weights)
