"""The super-net of the DARTS space: its published size, a forward pass written out, and who gets a gradient."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from spaces.darts_cell import OPERATIONS, PUBLISHED, sample_genotype
from spaces.errors import InvalidValue
from tests.contracts.one_shot_optimizer import used
from trials.networks.operations import ConvBN, FactorizedReduce, SeparableConv, build_operation
from trials.oneshot.darts_cnn import DartsSuperNet

PUBLISHED_PARAMETERS = 1_930_618
"""Of DARTS's search network on CIFAR-10, 8 cells and 16 channels: "param size = 1.930618MB" in its logs."""


def _network(**options):
    return DartsSuperNet(**{"cells": 5, "channels": 4, "channels_in": 1, "classes": 3, **options})


def _images(batch=6, size=8, seed=0):
    return torch.randn(batch, 1, size, size, generator=torch.Generator().manual_seed(seed))


def _sampled(seed):
    return sample_genotype(np.random.default_rng(seed), "released")


def test_published_parameter_count():
    network = DartsSuperNet()
    assert sum(parameter.numel() for parameter in network.parameters()) == PUBLISHED_PARAMETERS


def _normalised(x, module=None):
    scale, shift = (None, None) if module is None else (module.weight, module.bias)
    return functional.batch_norm(x, None, None, scale, shift, training=True)


def _plain_operation(name, module, state, stride, channels):
    """An operation with the super-net's weights in a module of its own; each rectifies for itself."""
    own = build_operation(name, channels, stride, affine=False)
    if name.endswith("pool_3x3"):
        return _normalised(own(state))
    if isinstance(own, SeparableConv | FactorizedReduce):
        own.load_state_dict(
            {k: v for k, v in module.state_dict().items() if not k.endswith("num_batches_tracked")}, strict=False
        )
        return own.train()(functional.relu(state))
    return own(state)


def _plain_forward(network, images, genotype, cells, channels):
    """The network written out, on batch statistics."""
    outputs = [_normalised(network.stem(images), network.stem_normalisation)] * 2
    for index in range(cells):
        cell = network.cells[index]
        reduction = index in (cells // 3, 2 * cells // 3)
        channels *= 2 if reduction else 1
        states = []
        for module, x in zip((cell.preprocess_before_last, cell.preprocess_last), outputs[-2:], strict=True):
            y = functional.relu(x)
            if isinstance(module, FactorizedReduce):
                y = torch.cat((module.even(y), module.odd(y[:, :, 1:, 1:])), dim=1)
            else:
                assert isinstance(module, ConvBN)
                y = module.convolution(y)
            states.append(_normalised(y))
        for node in (genotype.reduction if reduction else genotype.normal).nodes:
            number = len(states)
            total = 0
            for edge in node:
                stride = 2 if reduction and edge.source < 2 else 1
                module = cell.edges[f"{number}:{edge}"]
                total = total + _plain_operation(edge.operation, module, states[edge.source], stride, channels)
            states.append(total)
        outputs.append(torch.cat(states[2:], dim=1))
    return network.classifier(outputs[-1].mean(dim=(2, 3)))


@pytest.mark.parametrize("seed", range(6))
def test_a_genotype_computes_what_it_says(seed):
    network, genotype = _network(seed=seed).double(), _sampled(seed)
    images = _images().double()
    torch.set_default_dtype(torch.float64)
    try:
        expected = _plain_forward(network, images, genotype, 5, 4)
    finally:
        torch.set_default_dtype(torch.float32)
    found = network(images, genotype, "batch")
    assert found.shape == (6, 3)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_every_operation_was_among_those_compared():
    seen = {
        edge.operation
        for seed in range(6)
        for cell in (_sampled(seed).normal, _sampled(seed).reduction)
        for node in cell.nodes
        for edge in node
    }
    assert seen == set(OPERATIONS)


def test_only_chosen_operations_get_a_gradient():
    network, genotype = _network(), PUBLISHED["DARTS_V2"]
    functional.cross_entropy(network(_images(), genotype), torch.arange(6) % 3).backward()
    expected = used(network, genotype)
    got = {
        name: parameter.grad is not None and bool(parameter.grad.any())
        for name, parameter in network.named_parameters()
    }
    assert got == expected
    assert 0 < sum(got.values()) < len(got) / 4


def _statistics(network):
    return {name: value.clone() for name, value in network.state_dict().items() if "running" in name}


def test_batch_statistics_are_remembered_only_where_they_are_asked_for():
    network, genotype = _network(momentum=0.25), _sampled(0)
    start = _statistics(network)
    for statistics in ("batch", "running", "batch"):
        network(_images(), genotype, statistics)
        assert all(torch.equal(value, start[name]) for name, value in _statistics(network).items())
    network(_images(), genotype, "update")
    after = _statistics(network)
    x = network.stem(_images())
    expected = 0.75 * 0.0 + 0.25 * x.mean(dim=(0, 2, 3))
    torch.testing.assert_close(after["stem_normalisation.running_mean"], expected)
    edges = {name.split(".")[3] for name in after if "edges" in name and not torch.equal(after[name], start[name])}
    chosen = {
        f"{state}:{edge}"
        for cell in (genotype.normal, genotype.reduction)
        for state, node in enumerate(cell.nodes, start=2)
        for edge in node
    }
    assert edges
    assert edges <= chosen


def test_statistics_are_those_that_forward_is_told_whatever_the_mode():
    network, genotype = _network(momentum=1.0), _sampled(3)
    first, second = _images(seed=1), _images(seed=2)
    of_batch = network(second, genotype, "batch")
    network(first, genotype, "update")
    remembered = network(second, genotype, "running")
    assert not torch.allclose(remembered, of_batch)
    for mode in (False, True):
        assert network.train(mode).training is mode
        torch.testing.assert_close(network(second, genotype, "batch"), of_batch)
        torch.testing.assert_close(network(second, genotype, "running"), remembered)
    # With the last batch's own statistics remembered, running and batch agree but for Bessel's correction.
    network(second, genotype, "update")
    assert (network(second, genotype, "running") - of_batch).norm() < (remembered - of_batch).norm()


def test_weights_come_from_the_seed_alone():
    state = torch.get_rng_state()
    first, second, other = (_network(seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["stem.weight"], other["stem.weight"])


def test_normalisation_in_cells_has_no_scale_and_pools_have_one_behind_them():
    network = _network()
    norms = [module for module in network.cells.modules() if isinstance(module, nn.BatchNorm2d)]
    assert not any(norm.affine for norm in norms)
    pools = [network.cells[0].edges[f"2:{name}_pool_3x3@0"] for name in ("max", "avg")]
    assert all(isinstance(pool[1], nn.BatchNorm2d) for pool in pools)


@pytest.mark.parametrize("wrong", [{"cells": 0}, {"channels": 0}, {"classes": 1}])
def test_numbers_out_of_range(wrong):
    with pytest.raises(InvalidValue, match=f"{next(iter(wrong))}.*must be at least"):
        _network(**wrong)
