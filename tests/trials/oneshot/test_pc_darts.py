"""PC-DARTS: partial channels, their shuffle, and its gradient against the plain super-net."""

import pytest
import torch
from torch.nn import functional

from spaces.nasbench1shot1 import space
from tests.trials.oneshot.plain_supernet import PlainSuperNet, Weights, copy_weights
from trials.data import load
from trials.oneshot.feed import Batch
from trials.oneshot.mixture import Terms
from trials.oneshot.optimizers import build_supernet
from trials.oneshot.pc_darts import pc_darts
from trials.oneshot.shared import SharedWeights
from trials.search_recipe import BilevelRecipe, PcDartsRecipe

CPU = torch.device("cpu")


@pytest.mark.parametrize("split", [1, 2, 4])
def test_one_in_so_many_channels_goes_through_the_operations(split):
    recipe = PcDartsRecipe(channels=8, stages=2, cells_per_stage=1, partial=split)
    net = build_supernet("s1", recipe, load("digits"), "corrected", 0)
    for cell, channels in zip(net.cells, (8, 16), strict=True):
        for block in cell.blocks:
            active = channels // split
            assert block.conv3x3.weight.shape == (active, active, 3, 3)
            assert block.conv1x1.weight.shape == (active, active, 1, 1)


def test_other_optimizers_use_all_channels():
    net = build_supernet("s1", BilevelRecipe(channels=8, stages=1), load("digits"), "corrected", 0)
    assert net.cells[0].blocks[0].conv3x3.weight.shape == (8, 8, 3, 3)


def test_the_mask_and_the_shuffle():
    """y = 1 marks what went through operations of value one: the shuffle deals it out evenly."""
    block = build_supernet(
        "s1", PcDartsRecipe(channels=16, stages=1, cells_per_stage=1), load("digits"), "corrected", 0
    ).cells[0].blocks[0]  # fmt: skip
    x = torch.arange(16.0)[None, :, None, None].expand(2, 16, 4, 4).contiguous(memory_format=torch.channels_last)
    passed = block(x, Terms((0,)), "batch")[0, :, 0, 0]  # pooling leaves a flat map as it is
    assert passed.tolist() == [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15]
    weighed = block(x, Terms((0,), (torch.tensor(10.0),)), "batch")[0, :, 0, 0]
    assert [i for i in range(16) if weighed[i] != passed[i]] == [4, 8, 12]  # 10 · 0 is 0 as well
    twice = block(passed[None, :, None, None].expand(2, 16, 4, 4), Terms((0,)), "batch")[0, :, 0, 0]
    assert twice.tolist() == list(range(16))


def test_its_gradient_against_the_plain_supernet():
    settings = {"channels": 8, "stages": 2, "cells_per_stage": 1, "partial": 4}
    recipe = PcDartsRecipe(**settings, batch_norm_momentum=0.1)
    net = build_supernet("s3", recipe, load("digits"), "corrected", 0).double()
    plain = PlainSuperNet(space("s3").blocks, **settings, channels_in=1).double()
    copy_weights(net, plain)
    shared, optimizer = SharedWeights(net, recipe, 5, CPU), pc_darts(space("s3"), recipe, 0, CPU)
    generator = torch.Generator().manual_seed(1)
    for parameter in optimizer.alphas.parameters:
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    images = torch.randn((6, 1, 8, 8), generator=generator, dtype=torch.float64)
    batch = Batch(images.contiguous(memory_format=torch.channels_last), torch.arange(6))
    found = optimizer.gradient(shared, batch)
    logits = plain(images, Weights.of(optimizer.alphas.softmax(), torch.float64))
    expected = torch.autograd.grad(functional.cross_entropy(logits, batch.labels), optimizer.alphas.parameters)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_there_is_no_warm_up():
    """The architecture moves from the first step on."""
    recipe = PcDartsRecipe(channels=8, stages=1, cells_per_stage=1)
    data = load("digits")
    shared = SharedWeights(build_supernet("s1", recipe, data, "corrected", 0), recipe, 50, CPU)
    optimizer = pc_darts(space("s1"), recipe, 0, CPU)
    before = [parameter.detach().clone() for parameter in optimizer.alphas.parameters]
    generator = torch.Generator().manual_seed(1)
    batch = Batch(torch.randn((6, 1, 8, 8), generator=generator), torch.arange(6))
    optimizer.begin_epoch(0, 50)

    class Feed:
        def next_search(self):
            return batch

    optimizer.step(shared, batch, Feed())
    assert not any(torch.equal(now, then) for now, then in zip(optimizer.alphas.parameters, before, strict=True))
