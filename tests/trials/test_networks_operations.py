"""Each operation equals what the paper says, written in the plainest way."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from spaces.darts_cell import OPERATIONS
from spaces.errors import InvalidValue, UnknownName
from trials.networks.operations import (
    DepthwiseConv,
    FactorizedReduce,
    SeparableConv,
    build_operation,
    reads_rectified,
)


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("stride", [1, 2])
def test_shapes(name, stride):
    operation = build_operation(name, 6, stride)
    assert operation(torch.randn(5, 6, 8, 4)).shape == (5, 6, 8 // stride, 4 // stride)


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("size", [(2, 2), (4, 4), (8, 8), (4, 8), (32, 32), (7, 5)])
def test_depthwise_equals_the_plain_convolution(kernel, stride, dilation, size):
    ours = DepthwiseConv(4, kernel, stride, dilation).double()
    plain = nn.Conv2d(4, 4, kernel, stride, dilation * (kernel - 1) // 2, dilation, groups=4, bias=False).double()
    plain.load_state_dict(ours.state_dict())
    x = torch.randn(3, 4, *size, dtype=torch.float64, requires_grad=True)
    twin = x.detach().clone().requires_grad_()
    result, expected = ours(x), plain(twin)
    torch.testing.assert_close(result, expected)
    gradient = torch.randn_like(expected)
    result.backward(gradient)
    expected.backward(gradient)
    torch.testing.assert_close(x.grad, twin.grad)
    torch.testing.assert_close(ours.weight.grad, plain.weight.grad)


def test_separable_convolution_is_two_blocks_and_dilated_is_one():
    x = torch.randn(4, 6, 8, 8)
    twice = SeparableConv(6, 3, 2)
    first, second = zip(twice.depthwise, twice.pointwise, strict=True)
    middle = functional.relu(first[1](first[0](x)))
    torch.testing.assert_close(twice(x), second[1](second[0](middle)))
    assert sum(p.numel() for p in twice.parameters()) == 2 * (6 * 9 + 6 * 6 + 2 * 6)
    once = build_operation("dil_conv_5x5", 6, 1)
    assert sum(p.numel() for p in once.parameters()) == 6 * 25 + 6 * 6 + 2 * 6


def test_factorized_reduce_reads_every_second_pixel_and_its_diagonal_neighbour():
    reduce = FactorizedReduce(3, 5).eval()
    x = torch.randn(2, 3, 8, 8)
    even = torch.einsum("oi,bihw->bohw", reduce.even.weight[:, :, 0, 0], x[:, :, ::2, ::2])
    odd = torch.einsum("oi,bihw->bohw", reduce.odd.weight[:, :, 0, 0], x[:, :, 1::2, 1::2])
    torch.testing.assert_close(reduce(x), reduce.normalisation(torch.cat((even, odd), dim=1)))


def test_average_pool_does_not_count_padding():
    pool = build_operation("avg_pool_3x3", 1, 1)
    assert torch.equal(pool(torch.ones(1, 1, 4, 4)), torch.ones(1, 1, 4, 4))


@pytest.mark.parametrize("stride", [1, 2])
def test_none_is_zero_and_identity_is_identity(stride):
    x = torch.randn(2, 3, 4, 4)
    assert torch.equal(build_operation("none", 3, stride)(x), torch.zeros(2, 3, 4 // stride, 4 // stride))
    skip = build_operation("skip_connect", 3, stride)
    assert isinstance(skip, nn.Identity if stride == 1 else FactorizedReduce)


def test_affine_is_an_option():
    assert all(
        m.weight is None
        for m in build_operation("sep_conv_5x5", 4, 1, affine=False).modules()
        if isinstance(m, nn.BatchNorm2d)
    )


@pytest.mark.parametrize("stride", [1, 2])
def test_convolutions_and_they_alone_read_rectified_states(stride):
    rectified = {name for name in OPERATIONS if reads_rectified(build_operation(name, 4, stride))}
    convolutions = {name for name in OPERATIONS if "conv" in name}
    assert rectified == convolutions | ({"skip_connect"} if stride == 2 else set())


def test_errors():
    with pytest.raises(UnknownName, match="Did you mean 'sep_conv_3x3'"):
        build_operation("sep_conv3x3", 4, 1)
    with pytest.raises(InvalidValue, match="must be 1 or 2"):
        DepthwiseConv(4, 3, 3, 1)
