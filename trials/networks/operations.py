"""The operations on the edges of a DARTS cell (Liu et al., 2019, arXiv:1806.09055, section 3.1).

Every convolution of the paper is *ReLU, convolution, batch normalisation*. Here the first ReLU is not in the
operation: up to four edges read the same state, so a cell rectifies each state once and hands it to them
all. :func:`reads_rectified` says which operations expect that.

All take and give (batch, channels, height, width); with ``stride`` 2 height and width are halved and must be
even.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from spaces.darts_cell import OPERATIONS
from spaces.errors import InvalidValue, UnknownName

BATCH_NORM_EPSILON = 1e-5


def batch_norm(channels: int, affine: bool = True) -> nn.BatchNorm2d:
    """Batch normalisation as everywhere in DARTS: epsilon 1e-5, running statistics with weight 0.1."""
    return nn.BatchNorm2d(channels, eps=BATCH_NORM_EPSILON, affine=affine)


class ConvBN(nn.Module):
    """1×1 convolution and batch normalisation: DARTS's cell-input preprocessing, after its ReLU."""

    def __init__(self, channels_in: int, channels_out: int, affine: bool = True) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels_in, channels_out, 1, bias=False)
        self.normalisation = batch_norm(channels_out, affine)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels_in, height, width) -> (batch, channels_out, height, width)."""
        result: Tensor = self.normalisation(self.convolution(x))
        return result


class DepthwiseConv(nn.Module):
    """Each channel convolved with its own square kernel; padding keeps the size (before the stride).

    The result is that of ``nn.Conv2d(groups=channels)`` with the same weight, by cheaper ways where there
    are:

    - Dilation 2 with stride 2 reads even pixels only: a plain convolution of that quarter of the map.
    - Dilation 2 with stride 1 on a CPU treats the four quarters (even and odd rows and columns) as four
      images of a plain convolution, since the CPU kernels for dilation are up to 18 times slower than those
      without, on small maps most of all.
    - Outer taps that see nothing but padding, as a 5×5 kernel's on 2×2 maps, are left out.
    """

    def __init__(self, channels: int, kernel: int, stride: int, dilation: int) -> None:
        super().__init__()
        if dilation not in {1, 2} or stride not in {1, 2}:
            raise InvalidValue("stride, dilation", (stride, dilation), "each must be 1 or 2")
        # A convolution that is never called: it brings the weight with PyTorch's initialisation.
        self.weight = nn.Conv2d(channels, channels, kernel, groups=channels, bias=False).weight
        self.stride = stride
        self.dilation = dilation

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, channels, height / stride, width / stride)."""
        if self.dilation == 1:
            return self._convolve(x, stride=self.stride)
        if self.stride == 2:
            return self._convolve(x[:, :, ::2, ::2])
        if x.device.type != "cpu" or x.shape[2] % 2 or x.shape[3] % 2:
            return self._convolve(x, dilation=2)
        return _join_quarters(self._convolve(_split_quarters(x)))

    def _convolve(self, x: Tensor, stride: int = 1, dilation: int = 1) -> Tensor:
        radius = (self.weight.shape[-1] - 1) // 2
        useful = min(radius, (max(x.shape[2:]) - 1) // dilation)
        cut = radius - useful
        weight = self.weight[:, :, cut:-cut, cut:-cut] if cut else self.weight
        padding = dilation * useful
        return functional.conv2d(x, weight, None, stride, padding, dilation, groups=x.shape[1])


def _split_quarters(x: Tensor) -> Tensor:
    """To (4 · batch, channels, height / 2, width / 2), by parity of row and column."""
    batch, channels, height, width = x.shape
    grid = x.permute(0, 2, 3, 1).reshape(batch, height // 2, 2, width // 2, 2, channels)
    return grid.permute(2, 4, 0, 1, 3, 5).reshape(4 * batch, height // 2, width // 2, channels).permute(0, 3, 1, 2)


def _join_quarters(x: Tensor) -> Tensor:
    """Undo :func:`_split_quarters`."""
    batch, channels, height, width = x.shape
    grid = x.permute(0, 2, 3, 1).reshape(2, 2, batch // 4, height, width, channels)
    return grid.permute(2, 3, 0, 4, 1, 5).reshape(batch // 4, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)


class SeparableConv(nn.Module):
    """``repeats`` times depthwise convolution, pointwise convolution, batch normalisation; ReLU between.

    ``sep_conv`` is two of them with dilation 1, the first with the stride; ``dil_conv`` is one with dilation
    2. The depthwise and the pointwise part have nothing between them, neither activation nor normalisation.
    """

    def __init__(
        self,
        channels: int,
        kernel: int,
        stride: int,
        *,
        dilation: int = 1,
        repeats: int = 2,
        affine: bool = True,
    ) -> None:
        super().__init__()
        strides = [stride] + [1] * (repeats - 1)
        self.depthwise = nn.ModuleList(DepthwiseConv(channels, kernel, each, dilation) for each in strides)
        self.pointwise = nn.ModuleList(ConvBN(channels, channels, affine) for _ in strides)

    def forward(self, rectified: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, channels, height / stride, width / stride)."""
        x = self.pointwise[0](self.depthwise[0](rectified))
        for depthwise, pointwise in zip(self.depthwise[1:], self.pointwise[1:], strict=True):
            x = functional.relu(x, inplace=True)  # batch norm's backward does not need its output
            x = pointwise(depthwise(x))
        result: Tensor = x
        return result


class FactorizedReduce(nn.Module):
    """Halve the map with two 1×1 convolutions of stride 2, the second on the map shifted by one pixel."""

    def __init__(self, channels_in: int, channels_out: int, affine: bool = True) -> None:
        super().__init__()
        half = channels_out // 2
        self.even = nn.Conv2d(channels_in, half, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(channels_in, channels_out - half, 1, stride=2, bias=False)
        self.normalisation = batch_norm(channels_out, affine)

    def forward(self, rectified: Tensor) -> Tensor:
        """(batch, channels_in, height, width) -> (batch, channels_out, height / 2, width / 2)."""
        both = torch.cat((self.even(rectified), self.odd(rectified[:, :, 1:, 1:])), dim=1)
        result: Tensor = self.normalisation(both)
        return result


class Zero(nn.Module):
    """The operation ``none``: no connection."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, state: Tensor) -> Tensor:
        """(batch, channels, height, width) -> zeros (batch, channels, height / stride, width / stride)."""
        return torch.zeros_like(state[:, :, :: self.stride, :: self.stride])


def build_operation(name: str, channels: int, stride: int, affine: bool = True) -> nn.Module:
    """The operation ``name`` with ``channels`` channels in and out and ``stride`` 1 or 2.

    Pools have no batch normalisation, as in DARTS's evaluation network; a super-net adds its own.

    Raises:
        UnknownName: DARTS has no such operation.
    """
    match name:
        case "none":
            return Zero(stride)
        case "skip_connect":
            return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels, affine)
        case "max_pool_3x3":
            return nn.MaxPool2d(3, stride, padding=1)
        case "avg_pool_3x3":
            return nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
        case "sep_conv_3x3" | "sep_conv_5x5":
            return SeparableConv(channels, int(name[-1]), stride, affine=affine)
        case "dil_conv_3x3" | "dil_conv_5x5":
            return SeparableConv(channels, int(name[-1]), stride, dilation=2, repeats=1, affine=affine)
    raise UnknownName("operation", name, OPERATIONS)


def reads_rectified(operation: nn.Module) -> bool:
    """Whether the operation expects its input to have gone through ReLU."""
    return isinstance(operation, SeparableConv | FactorizedReduce)
