"""Weighted sums and joins of maps, against the formula and its gradient by autograd."""

import pytest
import torch

from trials.oneshot.sums import weighted_join, weighted_sum

SHAPE = (3, 4, 5, 2)
"""Batch, channels, height, width: all different."""


def drawn(seed, count, shape=SHAPE, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    maps = [torch.randn(shape, generator=generator, dtype=dtype) for _ in range(count)]
    return [x.contiguous(memory_format=torch.channels_last).requires_grad_() for x in maps]


def weights_of(*values):
    return [None if value is None else torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in values]


def one(weight):
    return 1.0 if weight is None else weight


def alike(found, expected, inputs):
    """Equal values, and equal gradients of a function that tells the elements apart."""
    torch.testing.assert_close(found, expected)
    factor = torch.randn(found.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    factor = factor.contiguous(memory_format=torch.channels_last)
    gradients = (torch.autograd.grad((each * factor).sum(), inputs) for each in (found, expected))
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs)


WEIGHTS = {
    "all": (0.2, 1.5, 0.0),
    "none": (None, None, None),
    "the first is one": (None, 0.5, 2.0),
    "the last is one": (0.5, 2.0, None),
}


@pytest.mark.parametrize("values", WEIGHTS.values(), ids=WEIGHTS)
def test_a_sum(values):
    maps, weights = drawn(0, 3), weights_of(*values)
    expected = sum(x * one(w) for x, w in zip(maps, weights, strict=True))
    alike(weighted_sum(maps, weights), expected, [*maps, *filter(lambda w: w is not None, weights)])


def test_a_sum_of_one_map():
    (x,), (weight,) = drawn(1, 1), weights_of(0.7)
    alike(weighted_sum([x], [weight]), x * weight, [x, weight])
    assert weighted_sum([x], [None]) is x


def test_a_sum_of_slices_of_a_wider_map():
    (wide,), (weight,) = drawn(2, 1, (3, 8, 5, 2)), weights_of(0.7)
    first, second = wide.split(4, dim=1)
    alike(weighted_sum([first, second], [weight, None]), first * weight + second, [wide, weight])


def test_a_map_and_a_weight_may_take_part_twice():
    (x,), (weight,) = drawn(3, 1), weights_of(0.7)
    alike(weighted_sum([x, x, x], [weight, None, weight]), x * (1 + 2 * weight), [x, weight])


@pytest.mark.parametrize("values", WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("plus", [True, False], ids=["plus a map", "alone"])
def test_a_join(values, plus):
    maps, weights = drawn(4, 3), weights_of(*values)
    added = drawn(5, 1, (3, 12, 5, 2))[0] if plus else None
    expected = torch.cat([x * one(w) for x, w in zip(maps, weights, strict=True)], dim=1)
    inputs = [*maps, *filter(lambda w: w is not None, weights), *([added] if plus else [])]
    alike(weighted_join(maps, weights, added), expected + added if plus else expected, inputs)


def test_what_is_not_joined_is_zero():
    (x,), weights = drawn(6, 1), weights_of(None, 0.3, None)
    zero = torch.zeros_like(x)
    alike(weighted_join([None, x, None], weights, None), torch.cat([zero, weights[1] * x, zero], 1), [x, weights[1]])


def test_a_join_leaves_the_gradient_that_reaches_it_to_others():
    (x, added), (weight,) = drawn(7, 2), weights_of(0.5)
    alike(weighted_join([x], [weight], added), weight * x + added, [x, weight, added])


@pytest.mark.parametrize("how", ["sum", "join"])
def test_only_wanted_gradients_are_computed(how, monkeypatch):
    products = []
    monkeypatch.setattr("trials.oneshot.sums._product", lambda x, y: products.append(1) or (x * y).sum())
    maps, weights = drawn(8, 2), weights_of(0.5, 0.6)
    weights[0].requires_grad_(False)
    maps[1].requires_grad_(False)
    result = weighted_sum(maps, weights) if how == "sum" else weighted_join(maps, weights, None)
    result.sum().backward()
    assert len(products) == 1
    assert (maps[0].grad == 0.5).all() and maps[1].grad is None
    assert weights[0].grad is None and weights[1].grad == pytest.approx(maps[1].sum().item())


@pytest.mark.parametrize("how", ["sum", "join"])
def test_gradients_by_finite_differences(how):
    maps, weights = drawn(10, 2, (2, 3, 2, 2)), weights_of(0.5, 1.2)
    added = drawn(11, 1, (2, 6, 2, 2))

    def function(a, b, v, w, plus):
        return weighted_sum([a, b], [v, w]) if how == "sum" else weighted_join([a, b], [v, w], plus)

    assert torch.autograd.gradcheck(function, (*maps, *weights, *added))


@pytest.mark.parametrize("how", ["sum", "join"])
def test_memory_stays_channels_last(how):
    wide = drawn(12, 1, (3, 8, 5, 2))[0]
    maps, weights = wide.split(4, dim=1), weights_of(0.5, None)
    kept = []
    for x in maps:
        x.register_hook(lambda gradient: kept.append(gradient.is_contiguous(memory_format=torch.channels_last)))
    result = weighted_sum(maps, weights) if how == "sum" else weighted_join(maps, weights, None)
    assert result.is_contiguous(memory_format=torch.channels_last)
    result.square().sum().backward()
    assert kept == [True, True]


@pytest.mark.parametrize("how", ["sum", "join"])
def test_bfloat16_maps_with_float32_weights(how):
    generator = torch.Generator().manual_seed(13)
    exact = [torch.randn((8, 16, 8, 8), generator=generator).bfloat16() for _ in range(2)]
    maps = [x.contiguous(memory_format=torch.channels_last).requires_grad_() for x in exact]
    weights = [torch.tensor(value, requires_grad=True) for value in (0.3, 0.9)]
    result = weighted_sum(maps, weights) if how == "sum" else weighted_join(maps, weights, None)
    assert result.dtype == torch.bfloat16
    result.backward(torch.ones_like(result))
    for x, weight in zip(maps, weights, strict=True):
        assert weight.grad.dtype == torch.float32
        # 8,192 terms added in bfloat16 would be off by whole per cents.
        torch.testing.assert_close(weight.grad, x.detach().double().sum().float(), rtol=1e-5, atol=1e-3)
        torch.testing.assert_close(x.grad, weight.detach().bfloat16().expand_as(x))
