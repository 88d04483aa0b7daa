"""Convolution, batch normalisation and ReLU as one layer, against PyTorch's three modules."""

import pytest
import torch
from torch import nn

from trials.oneshot.layers import ConvNormRelu

WIDTHS = (2, 3, 1, 4)


def layer_of(kernel=3, widths=WIDTHS, momentum=0.2, dtype=torch.float64):
    layer = ConvNormRelu(3, widths, kernel, momentum, torch.Generator().manual_seed(0)).to(dtype)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in (layer.scale, layer.shift, layer.running_mean):
            tensor.add_(torch.randn(tensor.shape, generator=generator, dtype=dtype))
        layer.running_var += torch.rand(layer.running_var.shape, generator=generator, dtype=dtype)
    return layer


def three_of(layer):
    channels, channels_in, kernel, _ = layer.weight.shape
    convolution = nn.Conv2d(channels_in, channels, kernel, padding=kernel // 2, bias=False)
    normalisation = nn.BatchNorm2d(channels, momentum=0.2)
    three = nn.Sequential(convolution, normalisation, nn.ReLU()).to(layer.weight.dtype)
    with torch.no_grad():
        convolution.weight.copy_(layer.weight)
        for name, tensor in {"weight": layer.scale, "bias": layer.shift}.items():
            getattr(normalisation, name).copy_(tensor)
    normalisation.running_mean.copy_(layer.running_mean)
    normalisation.running_var.copy_(layer.running_var)
    return three


def images(batch=5, dtype=torch.float64):
    x = torch.randn((batch, 3, 6, 7), generator=torch.Generator().manual_seed(2), dtype=dtype)
    return x.contiguous(memory_format=torch.channels_last).requires_grad_()


def gradients(maps, inputs):
    generator = torch.Generator().manual_seed(3)
    factors = [torch.randn(x.shape, generator=generator, dtype=x.dtype) for x in maps]
    return torch.autograd.grad(sum((x * f).sum() for x, f in zip(maps, factors, strict=True)), inputs)


@pytest.mark.parametrize("statistics", ["update", "batch", "running"])
@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("chosen", [None, (0,), (1, 3), (0, 1, 2, 3)], ids=str)
def test_against_three_modules(statistics, kernel, chosen):
    layer, x = layer_of(kernel), images()
    three = three_of(layer).train(statistics != "running")
    factors = torch.tensor([0.5, 0.0, 2.0, 1.5], dtype=torch.float64)[: 4 if chosen is None else len(chosen)]
    numbers = range(4) if chosen is None else chosen
    before = layer.running_mean.clone(), layer.running_var.clone()
    found = layer(x, statistics, chosen, list(factors))
    every = three(x).split(WIDTHS, dim=1)
    expected = [every[n] * factor for n, factor in zip(numbers, factors, strict=True)]
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)
    ours = gradients(found, [x, layer.weight, layer.scale, layer.shift])
    theirs = gradients(expected, [x, three[0].weight, three[1].weight, three[1].bias])
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)
    rows = torch.cat([torch.full((width,), n in numbers) for n, width in enumerate(WIDTHS)])
    pairs = zip(
        (layer.running_mean, layer.running_var), before, (three[1].running_mean, three[1].running_var), strict=True
    )
    for now, old, theirs in pairs:
        torch.testing.assert_close(now, torch.where(rows, theirs, old) if statistics == "update" else old)


@pytest.mark.parametrize("statistics", ["batch", "running"])
def test_the_gradient_of_the_weights_of_maps(statistics):
    layer, x = layer_of(), images()
    values = [0.3, 0.8, 2.0]
    ours, theirs = ([torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in values] for _ in range(2))
    found = layer(x, statistics, (0, 2, 3), [ours[0], None, ours[2]])
    every = three_of(layer).train(statistics == "batch")(x).split(WIDTHS, dim=1)
    expected = [theirs[0] * every[0], every[2], theirs[2] * every[3]]
    for one, other in zip(gradients(found, ours[::2]), gradients(expected, theirs[::2]), strict=True):
        torch.testing.assert_close(one, other)


def test_gradients_by_finite_differences():
    layer, x = layer_of(widths=(2, 1)), images(batch=2)
    weight = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)

    def function(x, kernel, scale, shift, weight):
        parameters = {"weight": kernel, "scale": scale, "shift": shift}
        return torch.func.functional_call(layer, parameters, (x, "batch", None, [weight, None]))

    assert torch.autograd.gradcheck(function, (x, layer.weight, layer.scale, layer.shift, weight))


def test_a_map_that_nothing_reads():
    layer, x = layer_of(), images()
    found, every = layer(x, "batch"), three_of(layer)(x).split(WIDTHS, dim=1)
    inputs = [x, layer.weight, layer.scale, layer.shift]
    first = gradients([found[0], found[3]], inputs)
    torch.testing.assert_close(first[0], gradients([every[0], every[3]], [x])[0])
    for gradient in first[1:]:
        assert not gradient[2:6].any() and gradient[:2].any() and gradient[6:].any()


def test_frozen_weights_cost_no_gradient():
    layer, x = layer_of(), images()
    expected = gradients(layer(x, "batch"), [x])
    for parameter in layer.parameters():
        parameter.requires_grad_(False)
    gradients(layer(x, "batch"), [x])
    torch.testing.assert_close(gradients(layer(x, "batch"), [x]), expected)
    assert not layer(x.detach(), "batch")[0].requires_grad


def test_maps_are_channels_last():
    layer = layer_of(dtype=torch.float32)
    for statistics in ("update", "batch", "running"):
        maps = layer(images(dtype=torch.float32), statistics)
        assert torch.cat(maps, 1).is_contiguous(memory_format=torch.channels_last)
        assert all(x.stride(1) == 1 for x in maps)  # parts of one map, not copies of it
        (alone,) = layer(images(dtype=torch.float32), statistics, (3,))
        assert alone.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("statistics", ["update", "batch", "running"])
def test_bfloat16_autocast(statistics):
    layer, x = layer_of(dtype=torch.float32), images(dtype=torch.float32)
    expected = gradients(layer(x, "running" if statistics == "running" else "batch"), [x, layer.weight])
    weight = torch.ones((), requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        maps = layer(x, statistics, None, [weight, None, None, None])
    assert {each.dtype for each in maps} == {torch.bfloat16}
    assert layer.running_mean.dtype == torch.float32
    found = gradients([each.float() for each in maps], [x, layer.weight])
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == torch.float32
        assert torch.linalg.vector_norm(ours - theirs) < 0.03 * torch.linalg.vector_norm(theirs)


def test_initial_weights_follow_from_the_generator():
    first, again = (ConvNormRelu(3, (64,), 3, 0.1, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first.weight, again.weight)
    assert first.weight.std().item() == pytest.approx((3 * 9) ** -0.5, rel=0.05)
    assert (first.scale == 1).all() and not first.shift.any()


def test_maps_that_were_measured_first_can_be_trained():
    layer, x = layer_of(), images()
    with torch.inference_mode():
        layer(x.detach(), "running", (1, 3))
    found, expected = (gradients(each(x, "batch", (1, 3)), [x, each.weight]) for each in (layer, layer_of()))
    torch.testing.assert_close(found, expected)
