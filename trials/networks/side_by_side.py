"""Layers for many models side by side: what belongs to model k of K are its channels, and groups keep them apart."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

BATCH_NORM_EPSILON = 1e-5

Generators = Sequence[torch.Generator]
"""One for each model; weights of model k are drawn from the k-th alone, in the order of the layers."""


def draw_weight(weight: Tensor, generator: torch.Generator) -> None:
    """Fill a convolution's weight, (channels out, channels in, k, k).

    From a normal distribution of variance 1 / fan-in, cut at two deviations: what TensorFlow's variance scaling does,
    and NAS-Bench-101 with it.
    """
    # Cutting at two deviations leaves 0.8796 of the deviation.
    deviation = math.sqrt(1.0 / weight[0].numel()) / 0.87962566103423978
    nn.init.trunc_normal_(weight, 0.0, deviation, -2 * deviation, 2 * deviation, generator=generator)


class Convolution(nn.Module):
    """k×k convolution without bias, each model with weights of its own.

    With ``shared_input`` all models read the same channels, as the stem reads the images.
    """

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, generators: Generators, *, shared_input: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(len(generators) * channels_out, channels_in, kernel, kernel))
        self._groups = 1 if shared_input else len(generators)
        for weight, generator in zip(torch.split(self.weight.detach(), channels_out), generators, strict=True):
            draw_weight(weight, generator)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, models · channels_in, h, w) -> (batch, models · channels_out, h, w)."""
        return functional.conv2d(x, self.weight, padding="same", groups=self._groups)


class ConvNormRelu(nn.Module):
    """Convolution, batch normalisation, ReLU; by model."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        generators: Generators,
        momentum: float,
        *,
        shared_input: bool = False,
    ) -> None:
        super().__init__()
        self.convolution = Convolution(channels_in, channels_out, kernel, generators, shared_input=shared_input)
        self.normalisation = batch_norm(len(generators) * channels_out, momentum)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, models · channels_in, h, w) -> (batch, models · channels_out, h, w)."""
        return functional.relu(self.normalisation(self.convolution(x)), inplace=True)


class Gather(nn.Module):
    """Brings channels into another order, or picks some of them; the identity where nothing is to be done.

    Args:
        lying: a name for each channel as it lies, all different.
        wanted: the names wanted, in their order, all different and among ``lying``.
    """

    index: Tensor

    def __init__(self, lying: Sequence[Hashable], wanted: Sequence[Hashable]) -> None:
        super().__init__()
        places = {name: place for place, name in enumerate(lying)}
        index = [places[name] for name in wanted]
        self._leading = index == list(range(len(index)))
        self._whole = len(index) == len(lying)
        self.register_buffer("index", torch.tensor(index, dtype=torch.long), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels lying, h, w) -> (batch, channels wanted, h, w)."""
        if self._leading:
            return x if self._whole else x[:, : len(self.index)]
        picked: Tensor = _Pick.apply(x, self.index)  # type: ignore[no-untyped-call]
        return picked


class _Pick(torch.autograd.Function):
    """``index_select`` of distinct channels, whose gradient is a selection as well: nothing is to be added up."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        ctx.channels = x.shape[1]
        return _select(x, index)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (index,), (gradient,) = ctx.saved_tensors, gradients
        back = torch.full((ctx.channels,), -1, device=index.device)
        back[index] = torch.arange(len(index), device=index.device)
        whole = _select(gradient, back.clamp(min=0))
        return whole if len(index) == ctx.channels else whole.index_fill_(1, (back < 0).nonzero()[:, 0], 0.0), None


def _select(x: Tensor, index: Tensor) -> Tensor:
    """``x[:, index]`` in the memory order of ``x``, which ``index_select`` alone would not keep."""
    if x.is_contiguous(memory_format=torch.channels_last):
        pixels = x.permute(0, 2, 3, 1)  # two dimensions are what `index_select` is fast in
        return pixels.flatten(0, 2).index_select(1, index).view(*pixels.shape[:3], -1).permute(0, 3, 1, 2)
    return x.index_select(1, index)


def batch_norm(channels: int, momentum: float) -> nn.BatchNorm2d:
    """Batch normalisation, which works by channel and so by model; ``momentum`` is the weight of a new batch."""
    return nn.BatchNorm2d(channels, eps=BATCH_NORM_EPSILON, momentum=momentum)
