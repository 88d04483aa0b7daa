"""Convolution, batch normalisation and ReLU as one layer, of which some of the outputs can be computed alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from trials.networks.side_by_side import BATCH_NORM_EPSILON, draw_weight

Statistics = Literal["update", "batch", "running"]
"""What batch normalisation uses: the batch's statistics and remembers them, only uses them, or what is remembered."""

_aten = torch.ops.aten


class ConvNormRelu(nn.Module):
    """k×k convolution without bias, batch normalisation, ReLU.

    Args:
        channels_in: channels of what is read.
        widths: channels of each of the maps that are made.
        kernel: k, odd; the size is kept.
        momentum: weight of a batch in the running statistics, 0 < m <= 1.
        generator: of the initial weights.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self, channels_in: int, widths: Sequence[int], kernel: int, momentum: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        self._widths = tuple(widths)
        channels = sum(widths)
        self.weight = nn.Parameter(torch.empty(channels, channels_in, kernel, kernel))
        draw_weight(self.weight, generator)
        self.scale = nn.Parameter(torch.ones(channels))
        self.shift = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self._momentum = momentum
        self._rows: dict[tuple[int, ...], Tensor] = {}

    def forward(
        self,
        x: Tensor,
        statistics: Statistics,
        chosen: Sequence[int] | None = None,
        weights: Sequence[Tensor | None] | None = None,
    ) -> tuple[Tensor, ...]:
        """Compute some of the maps.

        Args:
            x: (batch, channels_in, height, width).
            statistics: of batch normalisation.
            chosen: numbers of the maps to compute, ascending; None for all.
            weights: factors > 0 of the computed maps, None for one. As ``w · relu(y) = relu(w · y)`` they cost
                nothing: they go into the scale and the shift of the normalisation.

        Returns:
            The maps, (batch, width, height, width of the map) each.
        """
        chosen = tuple(range(len(self._widths))) if chosen is None else tuple(chosen)
        rows = None if len(chosen) == len(self._widths) else self._rows_of(chosen)
        kernel, scale, shift, mean, var = (
            each if rows is None else each[rows]
            for each in (self.weight, self.scale, self.shift, self.running_mean, self.running_var)
        )
        widths = [self._widths[number] for number in chosen]
        if weights is not None and any(weight is not None for weight in weights):
            factors = _repeated(weights, widths, scale)
            scale, shift = scale * factors, shift * factors
        if statistics == "running":
            y = functional.conv2d(x, kernel, padding="same")
            y = functional.batch_norm(y, mean, var, scale, shift, False, 0.0, BATCH_NORM_EPSILON)
            return torch.split(functional.relu(y, inplace=True), widths, dim=1)
        if torch.is_autocast_enabled(x.device.type):
            dtype = torch.get_autocast_dtype(x.device.type)
            x, kernel = x.to(dtype), kernel.to(dtype)
        remembered = (mean, var) if statistics == "update" else (None, None)
        with torch.autocast(x.device.type, enabled=False):
            maps: tuple[Tensor, ...] = _ConvNormRelu.apply(  # type: ignore[no-untyped-call]
                x, kernel, scale, shift, *remembered, self._momentum, widths
            )
        if statistics == "update" and rows is not None:
            self.running_mean[rows], self.running_var[rows] = mean, var
        return maps

    def _rows_of(self, chosen: tuple[int, ...]) -> Tensor:
        """Output channels of the chosen maps."""
        if chosen not in self._rows:
            starts = [sum(self._widths[:number]) for number in chosen]
            with torch.inference_mode(False):  # what is first asked for in measuring serves in training as well
                rows = [torch.arange(start, start + self._widths[n]) for start, n in zip(starts, chosen, strict=True)]
                self._rows[chosen] = torch.cat(rows).to(self.weight.device)
        return self._rows[chosen]


def _repeated(weights: Sequence[Tensor | None], widths: Sequence[int], like: Tensor) -> Tensor:
    one = like.new_ones(())
    return torch.cat([(one if w is None else w).expand(width) for w, width in zip(weights, widths, strict=True)])


class _ConvNormRelu(torch.autograd.Function):
    """The three of them and the split into maps, so that the backward pass writes no map that nothing else reads."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        kernel: Tensor,
        scale: Tensor,
        shift: Tensor,
        mean: Tensor | None,
        var: Tensor | None,
        momentum: float,
        widths: list[int],
    ) -> tuple[Tensor, ...]:
        ctx.padding = [kernel.shape[-1] // 2] * 2
        y = _aten.convolution(x, kernel, None, [1, 1], ctx.padding, [1, 1], False, [0, 0], 1)
        z, batch_mean, inverse = _aten.native_batch_norm(y, scale, shift, mean, var, True, momentum, BATCH_NORM_EPSILON)
        z.relu_()
        ctx.save_for_backward(x, kernel, scale, y, z, batch_mean, inverse)
        ctx.widths = widths
        return torch.split(z, widths, dim=1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, kernel, scale, y, z, mean, inverse = ctx.saved_tensors
        to_z = _masked(gradients, z, ctx.widths)
        need_x, need_kernel, need_scale, need_shift = ctx.needs_input_grad[:4]
        to_y, to_scale, to_shift = _aten.native_batch_norm_backward(
            to_z, y, scale, None, None, mean, inverse, True, BATCH_NORM_EPSILON,
            [need_x or need_kernel, need_scale, need_shift],
        )  # fmt: skip
        to_x = to_kernel = None
        if need_x or need_kernel:
            to_x, to_kernel, _ = _aten.convolution_backward(
                to_y, x, kernel, None, [1, 1], ctx.padding, [1, 1], False, [0, 0], 1, [need_x, need_kernel, False]
            )
        return to_x, to_kernel, to_scale, to_shift, None, None, None, None


def _masked(gradients: Sequence[Tensor], z: Tensor, widths: list[int]) -> Tensor:
    """Gradient before the ReLU, joined."""
    if len(widths) == 1:
        masked: Tensor = _aten.threshold_backward(gradients[0], z, 0)
        return masked
    joined = torch.empty_like(z)
    for part, gradient, map_ in zip(torch.split(joined, widths, 1), gradients, torch.split(z, widths, 1), strict=True):
        _aten.threshold_backward.grad_input(gradient, map_, 0, grad_input=part)
    return joined
