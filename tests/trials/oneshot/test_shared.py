"""Shared weights: the step of gradient descent, schedule, freezing, measuring, state."""

import io
import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from spaces.nasbench1shot1 import Choice, space
from trials.contract import Diverged
from trials.oneshot.feed import Batch
from trials.oneshot.mixture import Mixture, Terms
from trials.oneshot.shared import SharedWeights, means, totals
from trials.oneshot.supernet import SuperNet
from trials.search_recipe import SearchRecipe

CPU = torch.device("cpu")
C3, C1, MP = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"
FIRST = Mixture.of(Choice((C3, C1, MP, C3), ((0,), (0, 1), (0, 2), (1, 2)), (0, 1)))
SECOND = Mixture.of(Choice((C1, C3, MP, C1), ((0,), (0, 1), (0, 2), (2, 3)), (2, 4)))
EPOCHS = 5


def shared_of(**settings):
    net = SuperNet(space("s1"), channels=4, stages=2, cells_per_stage=1, channels_in=1, momentum=0.1).double()
    return SharedWeights(net, SearchRecipe(**settings), EPOCHS, CPU)


def batch(seed=0, count=6):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn((count, 1, 8, 8), generator=generator, dtype=torch.float64)
    images = images.contiguous(memory_format=torch.channels_last)
    return Batch(images, torch.randint(10, (count,), generator=generator))


def values(shared):
    return [parameter.detach().clone() for parameter in shared.parameters]


def test_a_step_is_that_of_gradient_descent_by_hand():
    rate, momentum, decay, clip = 0.1, 0.9, 0.01, 0.5
    shared = shared_of(learning_rate=rate, momentum=momentum, weight_decay=decay, grad_clip=clip)
    velocities = [torch.zeros_like(parameter) for parameter in shared.parameters]
    clipped = []
    for step in range(3):
        before = values(shared)
        loss = shared.loss(FIRST, batch(step))
        gradient = torch.autograd.grad(loss, shared.parameters, allow_unused=True)
        gradient = [torch.zeros_like(w) if g is None else g for w, g in zip(before, gradient, strict=True)]
        norm = math.sqrt(sum(g.square().sum().item() for g in gradient))
        clipped.append(norm > clip)
        shared.learn(FIRST, batch(step))
        for now, w, g, v in zip(shared.parameters, before, gradient, velocities, strict=True):
            v.mul_(momentum).add_(g * min(1.0, clip / norm) + decay * w)
            torch.testing.assert_close(now.detach(), w - rate * v, rtol=1e-5, atol=1e-9)
    assert any(clipped)


def test_a_large_limit_clips_nothing():
    shared, other = shared_of(grad_clip=1e9), shared_of(grad_clip=1e-9, weight_decay=0.0)
    before = values(other)
    gradient = torch.autograd.grad(shared.loss(FIRST, batch()), shared.parameters[0])[0]
    shared.learn(FIRST, batch())
    torch.testing.assert_close(shared.parameters[0].grad, gradient)
    other.learn(FIRST, batch())
    for now, w in zip(other.parameters, before, strict=True):
        torch.testing.assert_close(now.detach(), w, rtol=0, atol=1e-9)


def test_weights_off_the_path_have_momentum_and_decay_but_no_gradient():
    rate, momentum, decay = 0.1, 0.9, 0.01
    shared = shared_of(learning_rate=rate, momentum=momentum, weight_decay=decay)
    weight = shared.network.cells[0].blocks[0].conv3x3.weight  # on the first path, not on the second
    never = shared.network.cells[0].blocks[2].conv3x3.weight  # on neither
    start, w0 = never.detach().clone(), weight.detach().clone()
    shared.learn(FIRST, batch())
    velocity = (w0 - weight.detach()) / rate
    assert not torch.allclose(velocity, decay * w0)
    w1 = weight.detach().clone()
    shared.learn(SECOND, batch(1))
    assert not weight.grad.any() and not never.grad.any()
    torch.testing.assert_close(weight.detach(), w1 - rate * (momentum * velocity + decay * w1))
    torch.testing.assert_close(never.detach(), start * (1 - rate * decay * (1 + momentum + 1 - rate * decay)))


def test_the_rate_follows_a_cosine_over_all_epochs():
    shared = shared_of(learning_rate=0.5, learning_rate_min=0.1)
    found = []
    for epoch in range(EPOCHS):
        shared.begin_epoch(epoch)
        found.append(shared.learning_rate)
    assert found == pytest.approx([0.1 + 0.4 * (1 + math.cos(math.pi * epoch / EPOCHS)) / 2 for epoch in range(EPOCHS)])
    before = values(shared)
    shared.begin_epoch(3)
    shared.learn(FIRST, batch())
    never = [p is shared.network.cells[0].blocks[2].conv3x3.weight for p in shared.parameters].index(True)
    torch.testing.assert_close(shared.parameters[never].detach(), before[never] * (1 - found[3] * 3e-4))


def test_frozen_weights_get_no_gradient():
    shared = shared_of()
    weight = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    path = Mixture(FIRST.operations, FIRST.parents, Terms((0, 1), (weight, weight)))
    with shared.frozen():
        shared.loss(path, batch()).backward()
    assert weight.grad != 0
    assert not any(parameter.grad.any() for parameter in shared.parameters)
    with shared.frozen():
        assert not any(parameter.requires_grad for parameter in shared.parameters)
        assert not shared.loss(FIRST, batch()).requires_grad
    assert all(parameter.requires_grad for parameter in shared.parameters)
    with pytest.raises(ZeroDivisionError), shared.frozen():
        raise ZeroDivisionError
    assert all(parameter.requires_grad for parameter in shared.parameters)


def test_only_a_step_remembers_statistics():
    shared = shared_of()

    def remembered():
        return {name: buffer.clone() for name, buffer in shared.network.named_buffers() if "running" in name}

    before = remembered()
    shared.loss(FIRST, batch()).backward()
    shared.measure(lambda: FIRST, [batch()], "batch")
    shared.measure(lambda: FIRST, [batch()], "running")
    shared.next_move(FIRST, batch())
    assert all(torch.equal(now, before[name]) for name, now in remembered().items())
    shared.learn(FIRST, batch())
    assert not torch.equal(remembered()["stem.running_mean"], before["stem.running_mean"])


def test_the_next_move_is_what_a_step_takes():
    shared = shared_of(grad_clip=1e9, momentum=0.8, weight_decay=0.01, learning_rate=0.1)
    for seed, path in enumerate((FIRST, SECOND, FIRST)):  # the first step has no momentum yet
        before = values(shared)
        moves = shared.next_move(path, batch(seed))
        assert all(torch.equal(now, w) for now, w in zip(shared.parameters, before, strict=True))
        shared.learn(path, batch(seed))
        for now, w, move in zip(shared.parameters, before, moves, strict=True):
            torch.testing.assert_close(now.detach(), w - 0.1 * move)


def test_totals_and_means():
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
    labels = torch.tensor([0, 0, 1])
    sums = totals(logits, labels)
    losses = [math.log(1 + math.exp(-2)), math.log(1 + math.exp(1)), math.log(1 + math.exp(3))]
    assert sums.dtype == torch.float64
    assert sums.tolist() == pytest.approx([sum(losses), 2, 3])
    assert means("x", sums, 1) == pytest.approx({"x_loss": sum(losses) / 3, "x_error": 2 / 3})
    with pytest.raises(Diverged, match="x_loss is nan in epoch 4"):
        means("x", torch.tensor([math.nan, 0.0, 3.0]), 4)


def test_a_step_returns_what_it_learnt_from():
    shared = shared_of()
    expected = totals(shared.forward(FIRST, batch().images, "batch").detach(), batch().labels)
    torch.testing.assert_close(shared.learn(FIRST, batch()), expected)


def test_measuring_adds_up_and_asks_for_a_path_each_time():
    shared = shared_of()
    batches, paths = [batch(1, 6), batch(2, 3)], [FIRST, SECOND]
    remaining = iter(paths)
    sums = shared.measure(lambda: next(remaining), batches, "running")
    with torch.no_grad():
        each = [
            totals(shared.forward(path, part.images, "running"), part.labels)
            for path, part in zip(paths, batches, strict=True)
        ]
    torch.testing.assert_close(sums, each[0] + each[1])
    assert sums[2] == 9
    shared.learn(SECOND, batch())  # what was measured can be trained


def test_bfloat16_logits_become_float32():
    net = SuperNet(space("s1"), channels=4, stages=2, cells_per_stage=1, channels_in=1)
    shared = SharedWeights(net, SearchRecipe(precision="bfloat16"), EPOCHS, CPU)
    dtypes = []
    net.cells[0].register_forward_hook(lambda module, given, result: dtypes.append(result.dtype))
    images, labels = batch()
    sums = shared.learn(FIRST, Batch(images.float(), labels))
    assert dtypes == [torch.bfloat16]
    assert shared.forward(FIRST, images.float(), "batch").dtype == torch.float32
    assert all(parameter.dtype == parameter.grad.dtype == torch.float32 for parameter in shared.parameters)
    assert torch.isfinite(sums).all()


def test_restored_weights_learn_alike():
    shared, other = shared_of(), shared_of()
    for seed in range(3):
        shared.learn((FIRST, SECOND)[seed % 2], batch(seed))
    file = io.BytesIO()
    torch.save(shared.state(), file)
    file.seek(0)
    other.restore(torch.load(file, weights_only=True))
    for each in (shared, other):
        each.begin_epoch(2)
        for seed in range(3, 6):
            each.learn((FIRST, SECOND)[seed % 2], batch(seed))
    for ours, theirs in zip(other.network.state_dict().values(), shared.network.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_it_is_the_network_that_is_given():
    """Any network that takes images, a path and statistics."""

    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = nn.Parameter(torch.ones(()))

        def forward(self, images, path, statistics):
            return images.flatten(1) * self.factor * path

    shared = SharedWeights(Scaled(), SearchRecipe(), EPOCHS, CPU)
    images, labels = torch.eye(4)[:, None, None], torch.arange(4)
    expected = functional.cross_entropy(2.0 * torch.eye(4), labels)
    torch.testing.assert_close(shared.loss(2.0, Batch(images, labels)), expected)
