"""DARTS's evaluation network for image classification (Liu et al., 2019, arXiv:1806.09055, section 3.1).

A 3×3 convolution to ``3·C`` channels, then ``cells`` cells, then global average pooling and a linear
classifier. The cells at one third and two thirds of the depth are the genotype's reduction cell, of stride 2
and twice the channels; all others are its normal cell. A cell sees the outputs of the two before it and
concatenates its nodes. Behind the second reduction hangs an auxiliary classifier, used in training only (Zoph
et al., 2018).

>>> network = DartsCnn(parse_genotype(text), cells=20, channels=36, classes=10)
>>> logits, auxiliary_logits = network(images, drop_path=0.1, generator=generator)
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from spaces.darts_cell import Cell as CellGenotype
from spaces.darts_cell import Genotype
from spaces.errors import InvalidValue
from trials.networks.operations import (
    ConvBN,
    FactorizedReduce,
    batch_norm,
    build_operation,
    reads_rectified,
)

STEM_MULTIPLIER = 3
NODES = 4
_AUXILIARY_MAP = 8  # pixels: height and width of the last third's maps on 32×32 images


class Cell(nn.Module):
    """One cell: four nodes, each the sum of two operations on earlier states.

    Args:
        genotype: Its edges.
        channels_before_last: Channels of the output of the cell before the last one.
        channels_last: Channels of the output of the last cell.
        channels: Channels of each node; the output has four times as many.
        reduction: Whether edges from the two inputs have stride 2.
        after_reduction: Whether the last cell was a reduction, so that the input before it is twice as large.
    """

    def __init__(
        self,
        genotype: CellGenotype,
        channels_before_last: int,
        channels_last: int,
        channels: int,
        *,
        reduction: bool,
        after_reduction: bool,
    ) -> None:
        super().__init__()
        reduce = FactorizedReduce if after_reduction else ConvBN
        self.preprocess_before_last = reduce(channels_before_last, channels)
        self.preprocess_last = ConvBN(channels_last, channels)
        edges = [edge for node in genotype.nodes for edge in node]
        self.sources = [edge.source for edge in edges]
        self.operations = nn.ModuleList(
            build_operation(edge.operation, channels, 2 if reduction and edge.source < 2 else 1) for edge in edges
        )
        self.rectified = [reads_rectified(operation) for operation in self.operations]
        # DARTS drops every path but identities (a skip of stride 2 is not one).
        self.dropped = [not isinstance(operation, nn.Identity) for operation in self.operations]

    def forward(self, before_last: Tensor, last: Tensor, masks: Tensor | None) -> Tensor:
        """Compute the cell's output, not rectified.

        Args:
            before_last: Rectified output of the cell before the last one.
            last: Rectified output of the last cell, (batch, channels, height, width).
            masks: Factors of the eight edges, (8, batch, 1, 1, 1), or None for ones.
        """
        states = [self.preprocess_before_last(before_last), self.preprocess_last(last)]
        positive: dict[int, Tensor] = {}  # rectified states, made when first needed
        for node in range(NODES):
            first, second = (self._edge(index, states, positive, masks) for index in (2 * node, 2 * node + 1))
            states.append(first + second)
        return torch.cat(states[2:], dim=1)

    def _edge(self, index: int, states: list[Tensor], positive: dict[int, Tensor], masks: Tensor | None) -> Tensor:
        source = self.sources[index]
        if self.rectified[index]:
            if source not in positive:
                positive[source] = functional.relu(states[source])
            x = positive[source]
        else:
            x = states[source]
        result: Tensor = self.operations[index](x)
        if masks is not None and self.dropped[index]:
            result = result * masks[index]
        return result


class AuxiliaryHead(nn.Module):
    """Classifier behind the second reduction, as in DARTS.

    On the 8×8 maps that 32×32 images lead to, average pooling of 5×5 with stride 3 gives 2×2. Maps of any
    other size (2×2 for the 8×8 images of ``digits``) are brought to 2×2 by adaptive average pooling, so the
    head's parameters do not depend on the image size.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(channels, 128, 1, bias=False)
        self.narrow_normalisation = nn.BatchNorm2d(128)
        self.whole = nn.Conv2d(128, 768, 2, bias=False)
        self.whole_normalisation = nn.BatchNorm2d(768)
        self.classifier = nn.Linear(768, classes)

    def forward(self, rectified: Tensor) -> Tensor:
        """(batch, channels, height, width) -> logits (batch, classes)."""
        if rectified.shape[-2:] == (_AUXILIARY_MAP, _AUXILIARY_MAP):
            x = functional.avg_pool2d(rectified, 5, stride=3)
        else:
            x = functional.adaptive_avg_pool2d(rectified, 2)
        x = functional.relu(self.narrow_normalisation(self.narrow(x)), inplace=True)
        x = functional.relu(self.whole_normalisation(self.whole(x)), inplace=True)
        logits: Tensor = self.classifier(x.flatten(1))
        return logits


class DartsCnn(nn.Module):
    """The network of a genotype.

    Args:
        genotype: Normal and reduction cell.
        cells: Number of cells, >= 1; reductions are those numbered ``cells // 3`` and ``2 * cells // 3`` from
            0.
        channels: Channels of a node in the first third, >= 1.
        classes: Number of classes, >= 2.
        auxiliary: Whether to have the auxiliary head.
        channels_in: Channels of the images.
        seed: Of the initial weights (PyTorch's default initialisation); the global generators are left as
            they were.
    """

    def __init__(
        self,
        genotype: Genotype,
        cells: int,
        channels: int,
        classes: int,
        *,
        auxiliary: bool = True,
        channels_in: int = 3,
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
            widths = self._add_cells(genotype, cells, channels)
            self.classifier = nn.Linear(widths[-1], classes)
            self.auxiliary_after = 2 * cells // 3
            self.auxiliary_head = AuxiliaryHead(widths[self.auxiliary_after], classes) if auxiliary else None

    def _add_cells(self, genotype: Genotype, cells: int, channels: int) -> list[int]:
        """Make ``self.cells``; returns the channels of each one's output."""
        self.cells = nn.ModuleList()
        widths = [STEM_MULTIPLIER * channels] * 2  # the stem stands in for two cells
        reductions = (cells // 3, 2 * cells // 3)
        for index in range(cells):
            reduction = index in reductions
            channels *= 2 if reduction else 1
            cell = Cell(
                genotype.reduction if reduction else genotype.normal,
                widths[-2],
                widths[-1],
                channels,
                reduction=reduction,
                after_reduction=index - 1 in reductions,
            )
            self.cells.append(cell)
            widths.append(NODES * channels)
        return widths[2:]

    def forward(
        self, images: Tensor, drop_path: float = 0.0, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Classify images.

        Args:
            images: (batch, channels_in, height, width), float; height and width divisible by 4.
            drop_path: Probability that an edge other than an identity is dropped for an image, 0 <= p < 1.
                Ignored in evaluation mode.
            generator: CPU generator of the drops (the same stream whatever the device of the images). Needed
                if ``drop_path`` is above 0 in training mode.

        Returns:
            Logits (batch, classes) and the auxiliary head's; None in evaluation mode or without such a head.
        """
        masks = self._path_masks(images, drop_path, generator)
        stem = functional.relu(self.stem_normalisation(self.stem(images)), inplace=True)
        before_last, last, output = stem, stem, stem
        auxiliary_logits = None
        for index, cell in enumerate(self.cells):
            output = cell(before_last, last, None if masks is None else masks[index])
            # Both readers of a cell's output rectify it, so it is done once, here.
            before_last, last = last, functional.relu(output)
            if self.training and self.auxiliary_head is not None and index == self.auxiliary_after:
                auxiliary_logits = self.auxiliary_head(last)
        logits: Tensor = self.classifier(output.mean(dim=(2, 3)))
        return logits, auxiliary_logits

    def _path_masks(self, images: Tensor, drop_path: float, generator: torch.Generator | None) -> Tensor | None:
        """Factors 0 or 1 / (1 - p), (cells, 8, batch, 1, 1, 1): all in one draw and one transfer."""
        if not self.training or drop_path == 0.0:
            return None
        if generator is None:
            raise InvalidValue("generator", generator, "drop_path > 0 needs a generator")
        keep = 1.0 - drop_path
        draws = torch.rand(len(self.cells), 2 * NODES, len(images), 1, 1, 1, generator=generator)
        kind = images.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else images.dtype
        return (draws < keep).float().div_(keep).to(images.device, dtype, non_blocking=True)


def count_parameters(network: nn.Module, auxiliary: bool = False) -> int:
    """Number of trainable numbers in ``network``, without its auxiliary head unless ``auxiliary`` is set.

    Published counts leave the auxiliary head out, since it takes no part in prediction.
    """
    return sum(
        parameter.numel()
        for name, parameter in network.named_parameters()
        if auxiliary or not name.startswith("auxiliary_head.")
    )
