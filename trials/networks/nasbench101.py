"""The network of NAS-Bench-101, for one cell or for many of one shape side by side.

Source: Ying et al., *NAS-Bench-101: Towards Reproducible Neural Architecture Search* (2019, arXiv:1902.09635),
section 2 and figure 1. A 3×3 stem, then stacks of equal cells; between two stacks a 2×2 max-pool halves the map
and the channels double; global average pooling and a linear classifier end it. In a cell

- every vertex that the input feeds has a 1×1 projection of it (convolution, batch norm, ReLU);
- what enters a vertex is added, and the vertex applies its operation to the sum;
- the vertices that feed the output are concatenated, and the projection is added if the input feeds it too.

**Side by side.** Small networks spend their time on starting operations rather than on computing. A network here
holds K cells that have the same matrix (their operations may differ) as one: what belongs to model k are its
channels, and convolutions have K groups. Batch normalisation, ReLU and pooling work by channel anyway, so nothing
of one model enters another, and a model among others computes what it computes alone.

At each vertex the models are sorted by operation, so that those of one operation are neighbours and share one
convolution. All models' projections in a cell are one convolution as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from spaces.errors import InvalidValue
from spaces.nasbench101 import OPERATIONS, Cell, vertex_channels
from trials.networks.side_by_side import ConvNormRelu, Convolution, Gather, Generators, batch_norm

assert OPERATIONS == ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")  # the order of a vertex's models

Models = Sequence[int]
"""Which models, in the order in which their channels lie."""
_Channel = tuple[int, int, int]
"""Model, vertex, and channel of the vertex."""


class CellNetwork(nn.Module):
    """K networks of cells that have the same pruned matrix, trained together and apart.

    Args:
        cells: one or more; they are pruned first.
        channels: of the stem and the first stack, >= the vertices that feed a cell's output.
        stacks: number of stacks, >= 1; the map is halved between two.
        cells_per_stack: cells in each, >= 1.
        classes: number of classes, >= 2.
        channels_in: channels of the images.
        seeds: of each model's initial weights; 0, 1, … if not given.
        momentum: weight of a new batch in the running statistics, 0 < m <= 1. NAS-Bench-101's 0.997 of what was
            there before is 0.003 here.

    Raises:
        InvalidValue: a number is out of its range, or the matrices differ.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        *,
        channels: int = 128,
        stacks: int = 3,
        cells_per_stack: int = 3,
        classes: int = 10,
        channels_in: int = 3,
        seeds: Sequence[int] | None = None,
        momentum: float = 0.003,
    ) -> None:
        super().__init__()
        pruned = [cell.pruned() for cell in cells]
        seeds = range(len(pruned)) if seeds is None else seeds
        _check(pruned, seeds, channels, stacks, cells_per_stack, classes)
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.models = models = len(pruned)
        self.stem = ConvNormRelu(channels_in, channels, 3, generators, momentum, shared_input=True)
        self.stacks = nn.ModuleList()
        wide = channels
        for stack in range(stacks):
            out = channels << stack
            inputs = [wide] + [out] * (cells_per_stack - 1)
            self.stacks.append(
                nn.Sequential(*(_CellModule(pruned, each, out, generators, momentum) for each in inputs))
            )
            wide = out
        self.classifier = nn.Parameter(torch.empty(models, wide, classes))
        self.bias = nn.Parameter(torch.zeros(models, classes))
        bound = math.sqrt(6.0 / (wide + classes))  # Glorot and Bengio's, as TensorFlow's dense layers have it
        with torch.no_grad():
            for weight, generator in zip(self.classifier, generators, strict=True):
                weight.uniform_(-bound, bound, generator=generator)

    def forward(self, images: Tensor) -> Tensor:
        """Classify images with every model.

        Args:
            images: (batch, channels_in, height, width), float; the same for all models.

        Returns:
            Logits (models, batch, classes).
        """
        x = self.stem(images)
        for index, stack in enumerate(self.stacks):
            x = stack(functional.max_pool2d(x, 2, ceil_mode=True) if index else x)
        features = x.mean(dim=(2, 3)).unflatten(1, (self.models, -1)).transpose(0, 1)  # (models, batch, channels)
        return torch.baddbmm(self.bias[:, None], features, self.classifier)

    def parameters_of_one(self) -> int:
        """Trainable numbers of one model, if there is only one; NAS-Bench-101 counts them so."""
        assert self.models == 1
        return sum(parameter.numel() for parameter in self.parameters())


def _check(
    cells: Sequence[Cell], seeds: Sequence[int], channels: int, stacks: int, cells_per_stack: int, classes: int
) -> None:
    least = (("channels", channels, 1), ("stacks", stacks, 1), ("cells_per_stack", cells_per_stack, 1))
    for name, value, bound in (*least, ("classes", classes, 2), ("cells", len(cells), 1)):
        if value < bound:
            raise InvalidValue(name, value, f"must be at least {bound}")
    if len(seeds) != len(cells):
        raise InvalidValue("seeds", len(seeds), f"must be as many as there are cells, {len(cells)}")
    if any(cell.matrix != cells[0].matrix for cell in cells):
        raise InvalidValue("cells", len(cells), "must have the same matrix once pruned, to train side by side")
    feeding = sum(row[-1] for row in cells[0].matrix[1:])
    if channels < feeding:
        raise InvalidValue("channels", channels, f"must be at least {feeding}, the vertices that feed the output")


class _CellModule(nn.Module):
    """One cell of each model: (batch, models · channels_in, h, w) -> (batch, models · channels_out, h, w).

    Channels are named (model, vertex, channel). The cell's input and output lie by model; a vertex lies by the order
    of the models that its operations are sorted in.
    """

    def __init__(
        self, cells: Sequence[Cell], channels_in: int, channels_out: int, generators: Generators, momentum: float
    ) -> None:
        super().__init__()
        self._matrix = matrix = cells[0].matrix
        self._last = last = len(matrix) - 1
        self._inner = range(1, last)
        models = range(len(cells))
        widths = vertex_channels(channels_in, channels_out, matrix)
        self._fed = [v for v in range(1, last + 1) if matrix[0][v]]
        self._concatenated = [v for v in self._inner if matrix[v][last]]
        orders: dict[int, Models] = dict.fromkeys((0, last), models)
        for v in self._inner:
            orders[v] = sorted(models, key=lambda k: OPERATIONS.index(cells[k].operations[v - 1]))

        def channels(order: Models, vertices: Sequence[int], width: int | None = None) -> list[_Channel]:
            return [(k, v, c) for k in order for v in vertices for c in range(width or widths[v])]

        self.projection = ConvNormRelu(channels_in, sum(widths[v] for v in self._fed), 1, generators, momentum)
        self._sizes = [len(cells) * widths[v] for v in self._fed]
        self.unpack = Gather(channels(models, self._fed), [c for v in self._fed for c in channels(orders[v], [v])])
        self.operations = nn.ModuleList()
        for v in self._inner:
            operations = [cells[k].operations[v - 1] for k in orders[v]]
            self.operations.append(_Vertex(operations, widths[v], [generators[k] for k in orders[v]], momentum))
        self.edges = nn.ModuleDict(
            {
                f"{u}-{v}": Gather(channels(orders[u], [u]), channels(orders[v], [u], widths[v]))
                for u in self._inner
                for v in self._inner
                if matrix[u][v]
            }
        )
        lying = [c for v in self._concatenated for c in channels(orders[v], [v])]
        self.pack = Gather(lying, channels(models, self._concatenated))

    def forward(self, x: Tensor) -> Tensor:
        values: list[Tensor] = [x]
        parts = torch.split(self.unpack(self.projection(x)), self._sizes, dim=1)
        projected = dict(zip(self._fed, parts, strict=True))
        for v, operation in zip(self._inner, self.operations, strict=True):
            entering = [self.edges[f"{u}-{v}"](values[u]) for u in range(1, v) if self._matrix[u][v]]
            entering += [projected[v]] if v in projected else []
            values.append(operation(_sum(entering)))
        if not self._concatenated:
            return projected[self._last]
        output: Tensor = self.pack(_joined([values[v] for v in self._concatenated]))
        return output + projected[self._last] if self._last in projected else output


class _Vertex(nn.Module):
    """A vertex's operation in each model, the models being sorted by operation."""

    def __init__(self, operations: Sequence[str], channels: int, generators: Generators, momentum: float) -> None:
        super().__init__()
        counts = [operations.count(operation) for operation in OPERATIONS]
        self._sizes = [channels * count for count in counts]
        self.convolutions = nn.ModuleList(
            Convolution(channels, channels, kernel, mine) if mine else nn.Identity()
            for kernel, mine in ((3, generators[: counts[0]]), (1, generators[counts[0] : counts[0] + counts[1]]))
        )
        convolved = sum(self._sizes[:2])
        self.normalisation = batch_norm(convolved, momentum) if convolved else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        *to_convolve, to_pool = torch.split(x, self._sizes, dim=1)
        convolved = [
            convolution(part) for convolution, part in zip(self.convolutions, to_convolve, strict=True) if part.shape[1]
        ]
        results = [functional.relu(self.normalisation(_joined(convolved)), inplace=True)] if convolved else []
        if to_pool.shape[1]:
            results.append(functional.max_pool2d(to_pool, 3, 1, padding=1))
        return _joined(results)


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    return tensors[0] if len(tensors) == 1 else torch.cat(tuple(tensors), dim=1)


def _sum(tensors: list[Tensor]) -> Tensor:
    total = tensors[0]
    for tensor in tensors[1:]:
        total = total + tensor
    return total
