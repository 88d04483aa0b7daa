"""DARTS's two levels: gradients of first and second order against the plain super-net, Adam, order of steps, state."""

import copy
import io
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional

from spaces.nasbench1shot1 import space
from tests.trials.oneshot.plain_supernet import PlainSuperNet, Weights, copy_weights
from trials.oneshot import bilevel
from trials.oneshot.alphas import Alphas
from trials.oneshot.bilevel import Bilevel
from trials.oneshot.darts import Softmax, darts
from trials.oneshot.feed import Batch
from trials.oneshot.gdas import gdas
from trials.oneshot.mixture import Mixture
from trials.oneshot.pc_darts import pc_darts
from trials.oneshot.shared import SharedWeights
from trials.oneshot.supernet import SuperNet
from trials.search_recipe import BilevelRecipe, GdasRecipe, PcDartsRecipe, SearchRecipe

CPU = torch.device("cpu")
S1 = space("s1")
SMALL = {"channels": 4, "stages": 2, "cells_per_stage": 1, "channels_in": 1, "momentum": 0.1}


def batch(seed, count=8):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn((count, 1, 8, 8), generator=generator, dtype=torch.float64)
    images = images.contiguous(memory_format=torch.channels_last)
    return Batch(images, torch.randint(10, (count,), generator=generator))


TRAIN, SEARCH = batch(1), batch(2)
FEED = SimpleNamespace(next_search=lambda: SEARCH)


def made(recipe=None, relax=None, **settings):
    """Shared weights and an optimizer in float64, with parameters that are far from equal."""
    recipe = recipe or BilevelRecipe(momentum=0.8, weight_decay=0.01, learning_rate=0.1, grad_clip=1e9)
    net = SuperNet(S1, **SMALL, partial=getattr(recipe, "partial", 1)).double()
    alphas = Alphas(S1, 0, CPU)
    generator = torch.Generator().manual_seed(4)
    for parameter in alphas.parameters:
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return SharedWeights(net, recipe, 5, CPU), Bilevel(alphas, relax or Softmax(), recipe, **settings)


def plain_of(net, partial=1):
    plain = PlainSuperNet(S1.blocks, **SMALL, partial=partial).double()
    copy_weights(net, plain)
    return plain


def plain_loss(plain, weights, alphas, given):
    mixture = Weights.of(alphas.softmax(), torch.float64)
    logits = torch.func.functional_call(plain, weights, (given.images, mixture))
    return functional.cross_entropy(logits, given.labels)


def momentum_of(shared):
    """The momentum buffers, in the plain super-net's order."""
    holder = copy.deepcopy(shared.network)
    with torch.no_grad():
        for held, parameter in zip(holder.parameters(), shared.parameters, strict=True):
            held.copy_(shared.sgd.state[parameter]["momentum_buffer"])
    return dict(plain_of(holder).named_parameters())


def moved_by(shared, alphas, plain, create_graph):
    """Equation 7's w' = w − ξ(∇L + λ·w + μ·v) on the plain super-net."""
    velocity, weights = momentum_of(shared), dict(plain.named_parameters())
    loss = plain_loss(plain, weights, alphas, TRAIN)
    gradient = torch.autograd.grad(loss, weights.values(), create_graph=create_graph)
    return {
        name: w - 0.1 * (g + 0.01 * w + 0.8 * velocity[name])
        for (name, w), g in zip(weights.items(), gradient, strict=True)
    }


def after_some_steps(unrolled):
    shared, optimizer = made(unrolled=unrolled)
    for seed in (5, 6):
        shared.learn(optimizer.relax(optimizer.alphas).detached(), batch(seed))
    return shared, optimizer


def joined(tensors):
    return torch.cat([tensor.flatten() for tensor in tensors])


def test_first_order_against_the_plain_supernet():
    shared, optimizer = after_some_steps(unrolled=False)
    plain = plain_of(shared.network)
    expected = torch.autograd.grad(
        plain_loss(plain, dict(plain.named_parameters()), optimizer.alphas, SEARCH), optimizer.alphas.parameters
    )
    for ours, theirs in zip(optimizer.gradient(shared, SEARCH), expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_second_order_against_a_hessian_vector_product(monkeypatch):
    # So short that no ReLU switches on the way, where the central difference is that of a smooth function.
    monkeypatch.setattr(bilevel, "PERTURBATION", 1e-7)
    shared, optimizer = after_some_steps(unrolled=True)
    plain, alphas = plain_of(shared.network), optimizer.alphas
    moved = moved_by(shared, alphas, plain, create_graph=True)
    fixed = {name: w.detach() for name, w in moved.items()}
    total, direct = (
        joined(torch.autograd.grad(plain_loss(plain, where, alphas, SEARCH), alphas.parameters))
        for where in (moved, fixed)
    )
    assert torch.linalg.vector_norm(total - direct) > 0.03 * torch.linalg.vector_norm(direct)
    found = joined(optimizer.unrolled_gradient(shared, TRAIN, SEARCH))
    torch.testing.assert_close(found - direct, total - direct, rtol=1e-5, atol=1e-9)


def test_second_order_by_the_papers_central_difference():
    shared, optimizer = after_some_steps(unrolled=True)
    plain, alphas = plain_of(shared.network), optimizer.alphas
    weights = dict(plain.named_parameters())
    moved = {
        name: w.detach().requires_grad_() for name, w in moved_by(shared, alphas, plain, create_graph=False).items()
    }
    loss = plain_loss(plain, moved, alphas, SEARCH)
    gradient = torch.autograd.grad(loss, [*alphas.parameters, *moved.values()])
    direct, towards = gradient[: len(alphas.parameters)], gradient[len(alphas.parameters) :]
    step = 0.01 / joined(towards).norm()
    plus, minus = (
        torch.autograd.grad(
            plain_loss(
                plain, {n: w + sign * g for (n, w), g in zip(weights.items(), towards, strict=True)}, alphas, TRAIN
            ),
            alphas.parameters,
        )
        for sign in (step, -step)
    )
    expected = joined(direct) - 0.1 * (joined(plus) - joined(minus)) / (2 * step)
    torch.testing.assert_close(joined(optimizer.unrolled_gradient(shared, TRAIN, SEARCH)), expected)


@pytest.mark.parametrize("order", [1, 2])
def test_the_gradient_of_the_architecture_leaves_the_weights_as_they_are(order):
    shared, optimizer = after_some_steps(unrolled=order == 2)
    before = copy.deepcopy(shared.state())
    gradients = [parameter.grad.clone() for parameter in shared.parameters]
    given = (shared, SEARCH) if order == 1 else (shared, TRAIN, SEARCH)
    (optimizer.gradient if order == 1 else optimizer.unrolled_gradient)(*given)
    after = shared.state()
    assert all(torch.equal(after["network"][name], tensor) for name, tensor in before["network"].items())
    for number, state in before["sgd"]["state"].items():
        assert torch.equal(after["sgd"]["state"][number]["momentum_buffer"], state["momentum_buffer"])
    assert all(torch.equal(p.grad, g) for p, g in zip(shared.parameters, gradients, strict=True))
    assert all(parameter.requires_grad for parameter in shared.parameters)


@pytest.mark.parametrize("order", [1, 2])
def test_a_step_moves_the_architecture_by_adam_and_then_the_weights(order):
    rate, decay = 0.05, 0.1
    recipe = BilevelRecipe(arch_learning_rate=rate, arch_weight_decay=decay)
    (shared, optimizer), (other, twin) = (made(recipe, unrolled=order == 2) for _ in range(2))
    alphas = twin.alphas.parameters
    moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in alphas]
    for t in (1, 2, 3):
        found = optimizer.step(shared, TRAIN, FEED)
        gradient = twin.unrolled_gradient(other, TRAIN, SEARCH) if order == 2 else twin.gradient(other, SEARCH)
        for parameter, g, (m, v) in zip(alphas, gradient, moments, strict=True):
            penalised = g + decay * parameter.detach()
            m.mul_(0.5).add_(0.5 * penalised)
            v.mul_(0.999).add_(0.001 * penalised.square())
            parameter.data -= rate * (m / (1 - 0.5**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
        expected = other.learn(twin.alphas.softmax().detached(), TRAIN)
        torch.testing.assert_close(found, expected)
        for ours, theirs in zip(optimizer.alphas.parameters, alphas, strict=True):
            torch.testing.assert_close(ours, theirs)
    for ours, theirs in zip(shared.parameters, other.parameters, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_defaults_are_the_papers():
    adam = darts(S1, BilevelRecipe(), 0, CPU).adam
    (group,) = adam.param_groups
    assert (group["lr"], group["betas"], group["weight_decay"], group["eps"]) == (3e-4, (0.5, 0.999), 1e-3, 1e-8)
    assert not group["amsgrad"] and not group.get("decoupled_weight_decay", False)
    assert bilevel.PERTURBATION == 0.01


def test_an_unused_parameter_has_a_gradient_of_zero():
    shared, optimizer = made()
    whole = optimizer.alphas.softmax()
    rest = whole.detached()
    optimizer.relax = lambda alphas: Mixture((whole.operations[0], *rest.operations[1:]), rest.parents, rest.output)
    operations, *others = optimizer.gradient(shared, SEARCH)
    assert operations[0].any() and not operations[1:].any()
    assert [each.shape for each in others] == [each.shape for each in optimizer.alphas.parameters[1:]]
    assert not any(each.any() for each in others)


KINDS = {
    "darts": lambda seed: darts(S1, BilevelRecipe(), seed, CPU),
    "darts-2nd": lambda seed: darts(S1, BilevelRecipe(), seed, CPU, unrolled=True),
    "gdas": lambda seed: gdas(S1, GdasRecipe(), seed, CPU),
    "gdas, hard edges": lambda seed: gdas(S1, GdasRecipe(edges="hard"), seed, CPU),
    "pc-darts": lambda seed: pc_darts(S1, PcDartsRecipe(), seed, CPU),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def single_precision(kind):
    return SharedWeights(SuperNet(S1, **SMALL, partial=4 if kind == "pc-darts" else 1), SearchRecipe(), 5, CPU)


def single(given):
    return Batch(given.images.float(), given.labels)


SINGLE_FEED = SimpleNamespace(next_search=lambda: single(SEARCH))


@each_kind
def test_what_it_draws_follows_from_its_seed_and_not_from_global_chance(kind):
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    results = []
    for seed in (0, 0, 1):
        optimizer, shared = KINDS[kind](seed), single_precision(kind)
        optimizer.begin_epoch(0, 5)
        optimizer.step(shared, single(TRAIN), SINGLE_FEED)
        results.append((optimizer.plain(), joined(shared.parameters)))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.array_equal(np.random.get_state()[1], states[2])  # noqa: NPY002
    assert results[0][0] == results[1][0] != results[2][0]
    assert torch.equal(results[0][1], results[1][1])


@each_kind
def test_a_restored_one_goes_on_alike(kind):
    first, second = KINDS[kind](0), KINDS[kind](1)
    one, two = single_precision(kind), single_precision(kind)
    for _ in range(2):
        first.step(one, single(TRAIN), SINGLE_FEED)
    file = io.BytesIO()
    torch.save({"optimizer": first.state(), "shared": one.state()}, file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    second.restore(state["optimizer"])
    two.restore(state["shared"])
    for optimizer, shared in ((first, one), (second, two)):
        optimizer.begin_epoch(1, 5)
        for _ in range(2):
            optimizer.step(shared, single(TRAIN), SINGLE_FEED)
    assert first.plain() == second.plain()
    assert torch.equal(joined(one.parameters), joined(two.parameters))
    assert first.choose(one, FEED, last=True) == second.choose(two, FEED, last=True)


def test_what_it_chooses_is_of_the_highest_parameters():
    _, optimizer = made()
    choice = optimizer.choose(None, FEED, last=False)
    assert choice == optimizer.alphas.choice() and choice.belongs_to(S1)
    assert optimizer.plain() == optimizer.alphas.plain()


def test_it_is_measured_as_it_is_trained():
    _, optimizer = made()
    measured, trained = optimizer.evaluated(), optimizer.alphas.softmax()
    for ours, theirs in zip(measured.operations, trained.operations, strict=True):
        assert torch.equal(torch.stack(ours.weights), torch.stack(theirs.weights))
    assert optimizer.statistics == "running"
