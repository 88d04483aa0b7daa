"""The super-net of the DARTS space for images: all of its architectures in one network.

DARTS's search network (Liu et al., 2019, arXiv:1806.09055, section 3.1) as Li & Talwalkar (2019, arXiv:1902.07638,
section 4.1) train it: a 3×3 stem to 3·C channels, cells, global average pooling and a linear classifier; the cells at
one and two thirds of the depth halve the map and double the channels. Each cell has every operation on each of its 14
edges, with weights of its own. A genotype says which two edges of a node are computed, and which operation on each.

As in DARTS's search network, and unlike its evaluation network, batch normalisation in cells has no scale and shift,
and a pool is followed by one. There is no auxiliary head.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from spaces.darts_cell import CELL_INPUTS, CELL_NODES, OPERATIONS, Edge, Genotype
from spaces.darts_cell import Cell as CellGenotype
from spaces.errors import InvalidValue
from trials.networks.darts_cnn import STEM_MULTIPLIER
from trials.networks.operations import ConvBN, FactorizedReduce, batch_norm, build_operation, reads_rectified
from trials.oneshot.layers import Statistics


class DartsSuperNet(nn.Module):
    """All architectures of the DARTS space in one network.

    Args:
        cells: number of cells, >= 1; reductions are those numbered ``cells // 3`` and ``2 * cells // 3`` from 0.
        channels: channels of a node in the first third, >= 1.
        classes: number of classes, >= 2.
        channels_in: channels of the images.
        momentum: weight of a batch in the running statistics, 0 < m <= 1.
        seed: of the initial weights (PyTorch's default initialisation); the global generators stay as they are.

    Raises:
        InvalidValue: a number is out of its range.
    """

    def __init__(
        self,
        *,
        cells: int = 8,
        channels: int = 16,
        classes: int = 10,
        channels_in: int = 3,
        momentum: float = 0.1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        for name, value, least in (("cells", cells, 1), ("channels", channels, 1), ("classes", classes, 2)):
            if value < least:
                raise InvalidValue(name, value, f"must be at least {least}")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            stem = STEM_MULTIPLIER * channels
            self.stem = nn.Conv2d(channels_in, stem, 3, padding=1, bias=False)
            self.stem_normalisation = batch_norm(stem)
            self.cells = nn.ModuleList()
            width = self._add_cells(cells, channels)
            self.classifier = nn.Linear(width, classes)
        self._norms = [module for module in self.modules() if isinstance(module, nn.BatchNorm2d)]
        for norm in self._norms:
            norm.momentum = momentum
            norm.num_batches_tracked = None  # no one reads it, and counting costs a kernel for each
        self._statistics: Statistics | None = None

    def _add_cells(self, cells: int, channels: int) -> int:
        """Make ``self.cells``; returns the channels of the last one's output."""
        before_last = last = STEM_MULTIPLIER * channels  # the stem stands in for two cells
        reductions = (cells // 3, 2 * cells // 3)
        for index in range(cells):
            reduction = index in reductions
            channels *= 2 if reduction else 1
            after_reduction = index - 1 in reductions
            self.cells.append(_Cell(before_last, last, channels, reduction=reduction, after_reduction=after_reduction))
            before_last, last = last, CELL_NODES * channels
        return last

    def forward(self, images: Tensor, genotype: Genotype, statistics: Statistics = "update") -> Tensor:
        """Classify images.

        Args:
            images: (batch, channels_in, height, width), float; height and width divisible by 4.
            genotype: what is computed.
            statistics: of batch normalisation.

        Returns:
            Logits (batch, classes).
        """
        self._use(statistics)
        stem = functional.relu(self.stem_normalisation(self.stem(images)), inplace=True)
        before_last, last, output = stem, stem, stem
        for cell in self.cells:
            output = cell(before_last, last, genotype.reduction if cell.reduction else genotype.normal)
            # Both readers of a cell's output rectify it, so it is done once, here.
            before_last, last = last, functional.relu(output)
        logits: Tensor = self.classifier(output.mean(dim=(2, 3)))
        return logits

    def _use(self, statistics: Statistics) -> None:
        """Make all normalisations use these statistics; some thousand attributes, so only where it changes."""
        if statistics != self._statistics:
            for norm in self._norms:
                norm.training = statistics != "running"
                norm.track_running_stats = statistics != "batch"
            self._statistics = statistics


class _Cell(nn.Module):
    """A cell with every operation on every edge; its output has 4 · channels, and half the size in a reduction."""

    def __init__(
        self, channels_before_last: int, channels_last: int, channels: int, *, reduction: bool, after_reduction: bool
    ) -> None:
        super().__init__()
        self.reduction = reduction
        reduce = FactorizedReduce if after_reduction else ConvBN
        self.preprocess_before_last = reduce(channels_before_last, channels, affine=False)
        self.preprocess_last = ConvBN(channels_last, channels, affine=False)
        self.edges = nn.ModuleDict()
        for state in range(CELL_INPUTS, CELL_INPUTS + CELL_NODES):
            for source in range(state):
                stride = 2 if reduction and source < CELL_INPUTS else 1
                for name in OPERATIONS:
                    self.edges[_key(state, Edge(name, source))] = _operation(name, channels, stride)

    def forward(self, before_last: Tensor, last: Tensor, genotype: CellGenotype) -> Tensor:
        """Output of the cell, not rectified, of the rectified outputs of the two before it."""
        states = [self.preprocess_before_last(before_last), self.preprocess_last(last)]
        positive: dict[int, Tensor] = {}  # rectified states, made when first needed
        for state, node in enumerate(genotype.nodes, start=CELL_INPUTS):
            first, second = (self._edge(state, edge, states, positive) for edge in node)
            states.append(first + second)
        return torch.cat(states[CELL_INPUTS:], dim=1)

    def _edge(self, state: int, edge: Edge, states: list[Tensor], positive: dict[int, Tensor]) -> Tensor:
        operation, source = self.edges[_key(state, edge)], edge.source
        if reads_rectified(operation) and source not in positive:
            positive[source] = functional.relu(states[source])
        result: Tensor = operation((positive if reads_rectified(operation) else states)[source])
        return result


def _key(state: int, edge: Edge) -> str:
    return f"{state}:{edge}"


def _operation(name: str, channels: int, stride: int) -> nn.Module:
    operation = build_operation(name, channels, stride, affine=False)
    if isinstance(operation, nn.MaxPool2d | nn.AvgPool2d):
        return nn.Sequential(operation, batch_norm(channels, affine=False))
    return operation
