"""The super-net of NAS-Bench-1Shot1 in the plainest way: what the fast one must equal, and be faster than.

A module for each operation and each projection, in the order batch, channels, height, width; every one of them always
runs and its result is multiplied by its weight, zeros included; gradients are autograd's own. Only where it is told to
`skip` does it pass over operations of weight zero, as the code released by Zela et al. does for GDAS.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from spaces.nasbench1shot1 import ONE_SHOT_OPERATIONS
from trials.oneshot.layers import ConvNormRelu
from trials.oneshot.mixture import Mixture, Terms
from trials.oneshot.supernet import SuperNet


@dataclass(frozen=True)
class Weights:
    """A weight for everything there is in a cell, zeros included."""

    operations: Sequence[Tensor]
    """(3,) of each block."""
    parents: Sequence[Tensor]
    """(i,) of block i: of the input, then of blocks 1, 2, …"""
    output: Tensor
    """(blocks + 1,)."""

    @classmethod
    def of(cls, mixture: Mixture, dtype: torch.dtype = torch.float32) -> Weights:
        """What a mixture names with its weight, one where it has none, and zero for the rest."""
        blocks = range(1, len(mixture.parents) + 1)
        return cls(
            [_dense(terms, len(ONE_SHOT_OPERATIONS), dtype) for terms in mixture.operations],
            [_dense(terms, block, dtype) for block, terms in zip(blocks, mixture.parents, strict=True)],
            _dense(mixture.output, len(mixture.parents) + 1, dtype),
        )


def _dense(terms: Terms, count: int, dtype: torch.dtype) -> Tensor:
    named = dict(terms.items())
    zero, one = torch.zeros((), dtype=dtype), torch.ones((), dtype=dtype)
    return torch.stack([(one if named[i] is None else named[i]) if i in named else zero for i in range(count)])


class Unit(nn.Sequential):
    """k×k convolution, batch normalisation, ReLU."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, momentum: float) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(channels_out, momentum=momentum),
            nn.ReLU(),
        )


class PlainBlock(nn.Module):
    """Σ wᵒ·o(x); of K = ``partial`` parts of the channels, only the first goes through the operations."""

    def __init__(self, channels: int, partial: int, momentum: float, skip: bool) -> None:
        super().__init__()
        self.partial, self.active, self.skip = partial, channels // partial, skip
        self.operations = nn.ModuleList([
            nn.MaxPool2d(3, stride=1, padding=1),
            Unit(self.active, self.active, 3, momentum),
            Unit(self.active, self.active, 1, momentum),
        ])  # fmt: skip

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        active, passing = x[:, : self.active], x[:, self.active :]
        terms = list(zip(weights, weights.tolist(), self.operations, strict=True))
        mixed = sum(w * operation(active) for w, value, operation in terms if value or not self.skip)
        if self.partial == 1:
            return mixed
        joined = torch.cat([mixed, passing], dim=1)
        batch, channels, height, width = joined.shape
        parts = joined.view(batch, self.partial, channels // self.partial, height, width)
        return parts.transpose(1, 2).reshape(batch, channels, height, width)


class PlainCell(nn.Module):
    """Choice blocks, each with a projection of the cell's input for itself, and one more for the output."""

    def __init__(self, blocks: int, channels_in: int, channels: int, partial: int, momentum: float, skip: bool) -> None:
        super().__init__()
        widths = [blocks * channels] + blocks * [channels]
        self.projections = nn.ModuleList(Unit(channels_in, width, 1, momentum) for width in widths)
        self.blocks = nn.ModuleList(PlainBlock(channels, partial, momentum, skip) for _ in range(blocks))

    def forward(self, x: Tensor, weights: Weights) -> Tensor:
        states: list[Tensor] = []
        for i, block in enumerate(self.blocks):
            parents = [self.projections[i + 1](x), *states]
            total = sum(w * parent for w, parent in zip(weights.parents[i], parents, strict=True))
            states.append(block(total, weights.operations[i]))
        joined = torch.cat([w * state for w, state in zip(weights.output[1:], states, strict=True)], dim=1)
        return weights.output[0] * self.projections[0](x) + joined


class PlainSuperNet(nn.Module):
    """The whole network; the arguments are those of :class:`SuperNet`."""

    def __init__(
        self, blocks: int, *, channels: int = 16, stages: int = 3, cells_per_stage: int = 3, classes: int = 10,
        channels_in: int = 3, momentum: float = 0.003, partial: int = 1, pooling: str = "corrected",
        skip: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.cells_per_stage, self.padding = cells_per_stage, 1 if pooling == "released" else 0
        self.stem = Unit(channels_in, channels, 3, momentum)
        self.cells = nn.ModuleList()
        wide = channels
        for stage in range(stages):
            for _ in range(cells_per_stage):
                self.cells.append(PlainCell(blocks, wide, channels * 2**stage, partial, momentum, skip))
                wide = blocks * channels * 2**stage
        self.classifier = nn.Linear(wide, classes)

    def forward(self, images: Tensor, weights: Weights) -> Tensor:
        x = self.stem(images)
        for number, cell in enumerate(self.cells):
            if number > 0 and number % self.cells_per_stage == 0:
                x = functional.max_pool2d(x, 2, stride=2, padding=self.padding)
            x = cell(x, weights)
        return self.classifier(functional.adaptive_avg_pool2d(x, 1).flatten(1))


def matched(net: SuperNet, plain: PlainSuperNet) -> Iterator[tuple[ConvNormRelu, slice, Unit]]:
    """Every unit of ``plain`` with the layer of ``net`` that it is part of, and with its channels there."""
    yield net.stem, slice(None), plain.stem
    for ours, theirs in zip(net.cells, plain.cells, strict=True):
        first = 0
        for projection in theirs.projections:
            width = projection[0].out_channels
            yield ours.projections, slice(first, first + width), projection
            first += width
        for our_block, their_block in zip(ours.blocks, theirs.blocks, strict=True):
            yield our_block.conv3x3, slice(None), their_block.operations[1]
            yield our_block.conv1x1, slice(None), their_block.operations[2]


@torch.no_grad()
def copy_weights(net: SuperNet, plain: PlainSuperNet) -> None:
    """Give ``plain`` the weights and the running statistics of ``net``."""
    for layer, rows, (convolution, normalisation, _) in matched(net, plain):
        convolution.weight.copy_(layer.weight[rows])
        normalisation.weight.copy_(layer.scale[rows])
        normalisation.bias.copy_(layer.shift[rows])
        normalisation.running_mean.copy_(layer.running_mean[rows])
        normalisation.running_var.copy_(layer.running_var[rows])
    plain.classifier.load_state_dict(net.classifier.state_dict())
