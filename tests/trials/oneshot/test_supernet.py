"""The super-net against the plain one, in float64: logits, every gradient, running statistics."""

from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional

from spaces.errors import InvalidValue
from spaces.nasbench1shot1 import Choice, Space, sample_choice, space
from tests.trials.oneshot.plain_supernet import PlainSuperNet, Weights, copy_weights, matched
from trials.oneshot.mixture import Mixture, Terms
from trials.oneshot.supernet import SuperNet

SMALL = {"channels": 4, "stages": 2, "cells_per_stage": 2, "channels_in": 3, "momentum": 0.2}
C3, C1, MP = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"
LABELS = torch.tensor([3, 1, 4, 1, 5])


def pair(name="s1", **settings):
    """A super-net in float64, nothing in it one or zero, and the plain one with the same weights."""
    where = space(name) if isinstance(name, str) else name
    settings = SMALL | settings
    net, plain = SuperNet(where, **settings).double(), PlainSuperNet(where.blocks, **settings).double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in (*net.parameters(), *(buffer for buffer in net.buffers() if buffer.is_floating_point())):
            tensor.add_(0.1 * torch.rand(tensor.shape, generator=generator, dtype=tensor.dtype))
    copy_weights(net, plain)
    return net, plain


def images(size=8, batch=5):
    x = torch.randn((batch, 3, size, size), generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return x.contiguous(memory_format=torch.channels_last).requires_grad_()


def dense(where, dtype=torch.float64):
    """Positive weights for everything, and the leaves that they are."""
    generator = torch.Generator().manual_seed(3)
    draw = partial(torch.rand, generator=generator, dtype=dtype, requires_grad=True)
    blocks = range(1, where.blocks + 1)
    operations, parents, output = [draw(3) for _ in blocks], [draw(block) for block in blocks], draw(where.blocks + 1)
    mixture = Mixture(tuple(map(Terms.all_of, operations)), tuple(map(Terms.all_of, parents)), Terms.all_of(output))
    return mixture, [*operations, *parents, output]


def equal(net, plain, mixture, leaves=(), size=8):
    """Assert that both give the same logits, gradients and running statistics in a step of training."""
    x, weights = images(size), Weights.of(mixture, torch.float64)
    logits, expected = net(x, mixture), plain(x, weights)
    torch.testing.assert_close(logits, expected)
    found = torch.autograd.grad(
        functional.cross_entropy(logits, LABELS), [x, *leaves, *net.parameters()], allow_unused=True
    )
    functional.cross_entropy(expected, LABELS).backward(inputs=[x, *leaves, *plain.parameters()])
    for own, tensor in zip(found, (x, *leaves), strict=False):
        torch.testing.assert_close(own, tensor.grad)
    for parameter, own in zip(net.parameters(), found[1 + len(leaves) :], strict=True):
        parameter.grad = torch.zeros_like(parameter) if own is None else own
    for layer, rows, (convolution, normalisation, _) in matched(net, plain):
        for ours, theirs in (
            (layer.weight, convolution.weight),
            (layer.scale, normalisation.weight),
            (layer.shift, normalisation.bias),
        ):
            torch.testing.assert_close(ours.grad[rows], theirs.grad)
    torch.testing.assert_close(net.classifier.weight.grad, plain.classifier.weight.grad)
    torch.testing.assert_close(net.classifier.bias.grad, plain.classifier.bias.grad)


def statistics_of(net):
    return {name: buffer.clone() for name, buffer in net.named_buffers() if "running" in name}


@pytest.mark.parametrize("name", ["s1", "s2", "s3"])
def test_everything_at_once(name):
    net, plain = pair(name)
    mixture, leaves = dense(space(name))
    equal(net, plain, mixture, leaves)
    for layer, rows, (_, normalisation, _) in matched(net, plain):
        torch.testing.assert_close(layer.running_mean[rows], normalisation.running_mean)
        torch.testing.assert_close(layer.running_var[rows], normalisation.running_var)


@pytest.mark.parametrize("name", ["s1", "s2", "s3"])
@pytest.mark.parametrize("seed", range(6))
def test_single_architectures(name, seed):
    choice = sample_choice(np.random.default_rng(seed), space(name))
    equal(*pair(name), Mixture.of(choice))


CHOICES = {
    "loose ends": Choice((C3, C1, MP, C3), ((0,), (0, 1), (0, 2), (1, 2)), (0, 1)),
    "a loose end in the middle": Choice((C3, C1, MP, C1), ((0,), (0, 1), (0, 2), (0, 1)), (1, 4)),
    "an output that does not read the input": Choice((C3, C1, MP, C3), ((0,), (0, 1), (1, 2), (2, 3)), (3, 4)),
    "only pooling": Choice((MP, MP, MP, MP), ((0,), (0, 1), (1, 2), (2, 3)), (0, 4)),
    "a block that does not read the input": Choice((C1, C3, C3, C1), ((0,), (0, 1), (1, 2), (1, 3)), (2, 4)),
}


@pytest.mark.parametrize("choice", CHOICES.values(), ids=CHOICES)
def test_an_architecture_with(choice):
    equal(*pair(), Mixture.of(choice))


def test_an_output_that_reads_the_input_alone():
    mixture = Mixture.of(CHOICES["loose ends"])
    equal(*pair(), Mixture(mixture.operations, mixture.parents, Terms((0,))))


def test_a_space_of_one_block():
    where = Space("one", (1,), 2)
    mixture, leaves = dense(where)
    equal(*pair(where), mixture, leaves)


def test_sampled_operations_with_weights_and_mixed_edges():
    mixture, leaves = dense(space("s3"))
    straight = [leaf[i % 3] for i, leaf in enumerate(leaves[:5])]
    operations = tuple(Terms((i % 3,), (weight,)) for i, weight in enumerate(straight))
    equal(*pair("s3"), Mixture(operations, mixture.parents, mixture.output), leaves)


def test_a_weight_of_zero_counts_for_nothing():
    net, plain = pair()
    rows = [
        torch.tensor([0.0, 0.5, 2.0, 0.0, 0.7], dtype=torch.float64)[:count] for count in (3, 3, 3, 3, 1, 2, 3, 4, 5)
    ]
    terms = [Terms.all_of(row) for row in rows]
    mixture, x = Mixture(tuple(terms[:4]), tuple(terms[4:8]), terms[8]), images()
    torch.testing.assert_close(net(x, mixture), plain(x, Weights.of(mixture, torch.float64)))
    # Its own gradient is not that of w·x at 0, but a softmax, which multiplies it by the weight, does not see that.


@pytest.mark.parametrize("choice", [None, *CHOICES], ids=str)
@pytest.mark.parametrize("split", [2, 4])
def test_partial_channels(choice, split):
    net, plain = pair(partial=split, channels=8)
    mixture, leaves = dense(space("s1")) if choice is None else (Mixture.of(CHOICES[choice]), [])
    equal(net, plain, mixture, leaves)


def test_partial_channels_are_the_first_and_are_shuffled():
    block = SuperNet(space("s1"), channels=8, partial=4).cells[0].blocks[0]
    x = torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(4))
    pooled = functional.max_pool2d(x, 3, 1, padding=1)
    expected = [pooled[:, 0], x[:, 2], x[:, 4], x[:, 6], pooled[:, 1], x[:, 3], x[:, 5], x[:, 7]]
    assert torch.equal(block(x, Terms((0,)), "batch"), torch.stack(expected, dim=1))


def test_a_mixed_operation_by_hand():
    block = pair()[0].cells[0].blocks[0]
    x = torch.randn(5, 4, 4, 4, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    expected = 0.5 * functional.max_pool2d(x, 3, 1, padding=1)
    for weight, layer in ((0.25, block.conv3x3), (0.125, block.conv1x1)):
        y = functional.conv2d(x, layer.weight, padding=layer.weight.shape[-1] // 2)
        y = (y - y.mean((0, 2, 3), keepdim=True)) / (y.var((0, 2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
        expected += weight * functional.relu(layer.scale[:, None, None] * y + layer.shift[:, None, None])
    found = block(x, Terms.all_of(torch.tensor([0.5, 0.25, 0.125], dtype=torch.float64)), "batch")
    torch.testing.assert_close(found, expected)


def test_a_sampled_architecture_remembers_statistics_of_its_own_layers_only():
    net, plain = pair()
    before = statistics_of(net)
    net(images(), Mixture.of(CHOICES["loose ends"]))  # uses block 1, its 3x3 convolution, projections 0 and 1
    plain(images(), Weights.of(Mixture.of(CHOICES["loose ends"]), torch.float64))
    changed = {name for name, now in statistics_of(net).items() if not torch.equal(now, before[name])}
    modules = ["stem", *(f"cells.{n}.{part}" for n in range(4) for part in ("projections", "blocks.0.conv3x3"))]
    assert changed == {f"{module}.{name}" for module in modules for name in ("running_mean", "running_var")}
    for number, (ours, theirs) in enumerate(zip(net.cells, plain.cells, strict=True)):
        width = 4 << number // 2
        used = slice(0, 5 * width)  # 4 blocks' width for the output, then that of block 1
        means = [projection[1].running_mean for projection in theirs.projections[:2]]
        torch.testing.assert_close(ours.projections.running_mean[used], torch.cat(means))
        old = before[f"cells.{number}.projections.running_mean"]
        assert torch.equal(ours.projections.running_mean[5 * width :], old[5 * width :])


def test_statistics_of_the_batch_are_not_remembered():
    net, plain = pair()
    mixture, _ = dense(space("s1"))
    before = statistics_of(net)
    torch.testing.assert_close(net(images(), mixture, "batch"), plain(images(), Weights.of(mixture, torch.float64)))
    assert all(torch.equal(now, before[name]) for name, now in statistics_of(net).items())


@pytest.mark.parametrize("which", ["everything", "loose ends"])
def test_remembered_statistics(which):
    net, plain = pair()
    mixture = dense(space("s1"))[0] if which == "everything" else Mixture.of(CHOICES[which])
    plain.eval()
    before = statistics_of(net)
    x = images()
    logits = net(x, mixture, "running")
    torch.testing.assert_close(logits, plain(x, Weights.of(mixture, torch.float64)))
    # Nothing of a batch is in it: the images alone give the same.
    alone = torch.cat([net(x[[i]], mixture, "running") for i in range(len(x))])
    torch.testing.assert_close(logits, alone)
    assert all(torch.equal(now, before[name]) for name, now in statistics_of(net).items())


@pytest.mark.parametrize(("pooling", "sizes"), [("corrected", [32, 16, 8]), ("released", [32, 17, 9])])
def test_sizes_between_stages(pooling, sizes):
    net, plain = pair(pooling=pooling, stages=3, cells_per_stage=1)
    found = []
    for cell in net.cells:
        cell.register_forward_hook(lambda module, given, result: found.append(tuple(result.shape[2:])))
    mixture, leaves = dense(space("s1"))
    equal(net, plain, mixture, leaves, size=32)
    assert found == [(size, size) for size in sizes]


def test_channels():
    net = SuperNet(space("s3"), channels=4, cells_per_stage=2)
    found = []
    for cell in net.cells:
        cell.register_forward_hook(lambda module, given, result: found.append((given[0].shape[1], result.shape[1])))
    logits = net(torch.zeros(2, 3, 8, 8), dense(space("s3"), torch.float32)[0])
    assert found == [(4, 20), (20, 20), (20, 40), (40, 40), (40, 80), (80, 80)]
    assert logits.shape == (2, 10)


@pytest.mark.parametrize("split", [1, 2])
def test_memory_stays_channels_last(split):
    net = SuperNet(space("s2"), **SMALL, partial=split)
    found = {}

    def kept(name, module, given, results):
        maps = results if isinstance(results, tuple) else (results,)
        if all(x.dim() == 4 for x in maps):
            found[name] = torch.cat(maps, 1).is_contiguous(memory_format=torch.channels_last) and maps[0].stride(1) == 1

    for name, module in net.named_modules():
        if name:
            module.register_forward_hook(partial(kept, name))
    x = images(batch=3).detach().float().contiguous(memory_format=torch.channels_last).requires_grad_()
    net(x, dense(space("s2"), torch.float32)[0]).sum().backward()
    assert len(found) > 4 * 4 and all(found.values())
    assert x.grad.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("batch", "size"), [(1, 5), (2, 7), (3, 6), (7, 4)])
def test_odd_batches_and_sizes(batch, size):
    net, _ = pair(stages=3, cells_per_stage=1)
    mixture, _ = dense(space("s1"))
    logits = net(images(size, batch), mixture, "running")
    assert logits.shape == (batch, 10)
    if batch > 1:
        assert torch.isfinite(net(images(size, batch), mixture)).all()


@pytest.mark.parametrize("which", ["everything", "a loose end in the middle"])
def test_bfloat16_autocast_is_close(which):
    net = SuperNet(space("s1"), **(SMALL | {"cells_per_stage": 1}))
    mixture, leaves = dense(space("s1"), torch.float32)
    path, inputs = (mixture, leaves) if which == "everything" else (Mixture.of(CHOICES[which]), [net.stem.weight])
    x = images(batch=32).detach().float().contiguous(memory_format=torch.channels_last)
    labels = torch.arange(32) % 10
    results = []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            logits = net(x, path, "batch")
        assert logits.dtype == (torch.bfloat16 if enabled else torch.float32)
        gradient = torch.autograd.grad(functional.cross_entropy(logits.float(), labels), inputs)
        results.append((logits.detach().float(), torch.cat([each.flatten() for each in gradient])))
    for (exact, rounded), off in zip(zip(*results, strict=True), (0.05, 0.4), strict=True):
        assert torch.linalg.vector_norm(exact - rounded) < off * torch.linalg.vector_norm(exact)


def test_weights_follow_from_the_seed_and_not_from_global_chance():
    before = torch.get_rng_state()
    first, again, other = (SuperNet(space("s1"), **SMALL, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    pairs = list(zip(first.parameters(), again.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(one, same) for one, same, _ in pairs)
    assert not any(torch.equal(one, another) for one, _, another in pairs if one.dim() > 1)


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"channels": 0}, "channels"), ({"stages": 0}, "stages"), ({"cells_per_stage": 0}, "cells_per_stage"),
     ({"channels": 6, "partial": 4}, "multiple of partial"), ({"partial": 0}, "partial")],
)  # fmt: skip
def test_errors(settings, words):
    with pytest.raises(InvalidValue, match=words):
        SuperNet(space("s1"), **(SMALL | settings))
