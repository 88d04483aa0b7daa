"""Weighted sums of feature maps, each term in one pass over memory, forward and backward.

A super-net computes little and moves much: with autograd's own operations a term wᵢ·xᵢ of a sum is a map written and
read again, and so is its gradient. Weights here are numbers that need a gradient, as architecture weights do; a
weight of None is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

Weight = Tensor | None
"""A tensor without dimensions, or None for one."""


def weighted_sum(maps: Sequence[Tensor], weights: Sequence[Weight]) -> Tensor:
    """Σ wᵢ·xᵢ of maps (batch, channels, height, width) of one shape."""
    if len(maps) == 1 and weights[0] is None:
        return maps[0]
    result: Tensor = _WeightedSum.apply(len(maps), *maps, *weights)  # type: ignore[no-untyped-call]
    return result


def weighted_join(maps: Sequence[Tensor | None], weights: Sequence[Weight], added: Tensor | None) -> Tensor:
    """The concatenation of wᵢ·xᵢ along the channels, plus ``added``.

    Args:
        maps: (batch, channels, height, width) each; None stands for zeros, not for all.
        weights: one for each map.
        added: (batch, maps · channels, height, width), or None for nothing.
    """
    result: Tensor = _WeightedJoin.apply(len(maps), *maps, *weights, added)  # type: ignore[no-untyped-call]
    return result


class _WeightedSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, count: int, *terms: Tensor | None) -> Tensor:
        maps, weights = terms[:count], terms[count:]
        ctx.count = count
        ctx.save_for_backward(*terms)
        assert maps[0] is not None
        total = maps[0].clone() if weights[0] is None else maps[0] * weights[0]
        for x, weight in zip(maps[1:], weights[1:], strict=True):
            assert x is not None
            _accumulate(total, x, weight)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), terms = gradients, ctx.saved_tensors
        maps, weights = terms[: ctx.count], terms[ctx.count :]
        to_maps = [
            (gradient if weight is None else gradient * weight) if wanted else None
            for weight, wanted in zip(weights, ctx.needs_input_grad[1:], strict=False)
        ]
        to_weights = [
            _product(gradient, x) if wanted else None
            for x, wanted in zip(maps, ctx.needs_input_grad[1 + ctx.count :], strict=True)
        ]
        return None, *to_maps, *to_weights


class _WeightedJoin(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, count: int, *terms: Tensor | None) -> Tensor:
        maps, weights, added = terms[:count], terms[count:-1], terms[-1]
        ctx.count = count
        ctx.save_for_backward(*maps, *weights)
        example = next(x for x in maps if x is not None)
        batch, channels, height, width = example.shape
        joined = torch.empty(
            (batch, count * channels, height, width), dtype=example.dtype, device=example.device,
            memory_format=torch.channels_last,
        )  # fmt: skip
        for part, x, weight in zip(torch.split(joined, channels, dim=1), maps, weights, strict=True):
            if x is None:
                part.zero_()
            elif weight is None:
                part.copy_(x)
            else:
                torch.mul(x, weight, out=part)
        return joined if added is None else joined.add_(added)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), count = gradients, ctx.count
        maps, weights = ctx.saved_tensors[:count], ctx.saved_tensors[count:]
        wanted_maps, wanted_weights = ctx.needs_input_grad[1 : 1 + count], ctx.needs_input_grad[1 + count : -1]
        to_maps: list[Tensor | None] = [None] * count
        to_weights: list[Tensor | None] = [None] * count
        for place, part in enumerate(gradient.chunk(count, dim=1)):
            if not (wanted_maps[place] or wanted_weights[place]):
                continue
            own = part.clone(memory_format=torch.channels_last)  # changed in place below
            if wanted_weights[place]:
                to_weights[place] = _product(own, maps[place])
            if wanted_maps[place]:
                to_maps[place] = own if weights[place] is None else own.mul_(weights[place])
        return None, *to_maps, *to_weights, gradient if ctx.needs_input_grad[-1] else None


def _accumulate(total: Tensor, x: Tensor, weight: Weight) -> None:
    if weight is None:
        total.add_(x)
    else:
        total.addcmul_(x, weight)


def _product(x: Tensor, y: Tensor) -> Tensor:
    """Scalar product of two maps, summed in float32 at least."""
    if x.dtype == torch.bfloat16:
        return (x.float() * y.float()).sum()
    return torch.dot(_flat(x), _flat(y))


def _flat(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).reshape(-1)
