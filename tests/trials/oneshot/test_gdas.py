"""GDAS: temperature, probabilities of samples, straight-through gradients, and that only what is sampled runs."""

import pytest
import torch
from scipy.stats import chisquare
from torch.nn import functional

from spaces.nasbench1shot1 import space
from tests.trials.oneshot.plain_supernet import PlainSuperNet, Weights, copy_weights
from trials.oneshot.alphas import Alphas
from trials.oneshot.gdas import GumbelSoftmax, gdas
from trials.oneshot.layers import ConvNormRelu
from trials.oneshot.mixture import Mixture, Terms
from trials.oneshot.supernet import SuperNet
from trials.search_recipe import GdasRecipe

CPU = torch.device("cpu")
SMALL = {"channels": 4, "stages": 2, "cells_per_stage": 1, "channels_in": 1, "momentum": 0.1}
LABELS = torch.tensor([3, 1, 4, 1, 5, 9])
each_space = pytest.mark.parametrize("name", ["s1", "s2", "s3"])
each_edges = pytest.mark.parametrize("edges", ["soft", "hard"])


def parameters(name, scale=1.0, dtype=torch.float64):
    alphas = Alphas(space(name), 0, CPU)
    generator = torch.Generator().manual_seed(4)
    for parameter in alphas.parameters:
        parameter.data = scale * torch.randn(parameter.shape, generator=generator, dtype=dtype)
    return alphas


def images():
    x = torch.randn((6, 1, 8, 8), generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return x.contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("first", "last", "epochs", "expected"),
    [(10.0, 1.0, 4, [10, 7, 4, 1]), (10.0, 0.1, 2, [10, 0.1]), (10.0, 1.0, 1, [10]), (1.0, 3.0, 3, [1, 2, 3])],
)
def test_the_temperature_changes_linearly(first, last, epochs, expected):
    relax = GumbelSoftmax(GdasRecipe(temperature_first=first, temperature_last=last), 0)
    assert relax.temperature == first
    found = []
    for epoch in range(epochs):
        relax.begin_epoch(epoch, epochs)
        found.append(relax.temperature)
    assert found == pytest.approx(expected)


def rows(relax, alphas):
    """GS of every row, by the generator's next numbers: those that the next sample uses."""
    generator = torch.Generator()
    generator.set_state(relax.state()["training"])
    found = []
    for alpha in (*alphas.operations, *alphas.parents.values(), alphas.output):
        gumbel = -torch.empty(alpha.shape).exponential_(generator=generator).log().to(alpha.dtype)
        found.append(((alpha.log_softmax(0) + gumbel) / relax.temperature).softmax(0))
    return found


@each_space
@each_edges
def test_a_sample_is_the_highest_of_the_gumbel_softmax(name, edges):
    alphas, where = parameters(name), space(name)
    relax = GumbelSoftmax(GdasRecipe(edges=edges), 1)
    relax.begin_epoch(2, 5)
    for _ in range(20):
        expected = rows(relax, alphas)
        mixture = relax(alphas)
        for terms, row in zip(mixture.operations, expected, strict=False):
            assert terms.chosen == (int(row.argmax()),)
            assert [weight.item() for weight in terms.weights] == [1.0]
        edge_terms = [*(mixture.parents[block - 1] for block in where.choosing), mixture.output]
        counts = [*(where.parents[block - 1] for block in where.choosing), where.output_parents]
        for terms, row, count in zip(edge_terms, expected[where.blocks :], counts, strict=True):
            if edges == "soft":
                assert terms.chosen == tuple(range(len(row)))
                torch.testing.assert_close(torch.stack(terms.weights), row)
            else:
                assert terms.chosen == tuple(sorted(row.topk(count).indices.tolist()))
                assert all(weight.item() == 1.0 for weight in terms.weights)
        for block in set(range(1, where.blocks + 1)) - set(where.choosing):
            assert list(mixture.parents[block - 1].items()) == [(parent, None) for parent in range(block)]


def counts_of(samples, kinds):
    return [samples.count(kind) for kind in kinds]


def test_operations_are_sampled_by_their_softmax():
    alphas = parameters("s1")
    samples = []
    relax = GumbelSoftmax(GdasRecipe(edges="soft"), 3)
    for epoch in range(4):  # whatever the temperature
        relax.begin_epoch(epoch, 4)
        samples += [[terms.chosen[0] for terms in relax(alphas).operations] for _ in range(1000)]
    for block, alpha in enumerate(alphas.operations.detach()):
        found = counts_of([sample[block] for sample in samples], range(3))
        assert chisquare(found, 4000 * alpha.softmax(0)).pvalue > 0.001


def test_hard_edges_are_sampled_one_after_the_other_by_their_softmax():
    alphas = parameters("s1", scale=0.7)
    relax = GumbelSoftmax(GdasRecipe(edges="hard"), 4)
    samples = [relax(alphas).output.chosen for _ in range(4000)]
    p = alphas.output.detach().softmax(0).tolist()
    pairs = [(i, j) for i in range(5) for j in range(i + 1, 5)]
    expected = [4000 * p[i] * p[j] * (1 / (1 - p[i]) + 1 / (1 - p[j])) for i, j in pairs]
    assert chisquare(counts_of(samples, pairs), expected).pvalue > 0.001


@each_edges
def test_straight_through_gradients_by_finite_differences(edges):
    """The function is the plain super-net with weights 1 + GS(α) − GS(α₀) for what is sampled, the noise held fixed."""
    name = "s1"
    alphas, where = parameters(name), space(name)
    relax = GumbelSoftmax(GdasRecipe(edges=edges), 5)
    relax.begin_epoch(3, 5)
    net, plain = SuperNet(where, **SMALL).double(), PlainSuperNet(where.blocks, **SMALL).double()
    copy_weights(net, plain)
    state = relax.state()
    start = [row.detach() for row in rows(relax, alphas)]
    sample = relax(alphas)
    loss = functional.cross_entropy(net(images(), sample, "batch"), LABELS)
    found = torch.autograd.grad(loss, alphas.parameters, allow_unused=True)

    def function():
        relax.restore(state)
        now = [Terms.all_of(row) for row in rows(relax, alphas)]
        relaxed = [
            Terms(terms.chosen, tuple(1 + row.weights[i] - start[number][i] for i in terms.chosen))
            for number, (terms, row) in enumerate(zip(hard, now, strict=False))
        ] + now[len(hard) :]
        blocks, edge_terms = relaxed[: where.blocks], dict(zip(where.choosing, relaxed[where.blocks : -1], strict=True))
        parents = [edge_terms.get(block, Terms(tuple(range(block)))) for block in range(1, where.blocks + 1)]
        mixture = Mixture(tuple(blocks), tuple(parents), relaxed[-1])
        return functional.cross_entropy(plain(images(), Weights.of(mixture, torch.float64)), LABELS).item()

    hard = list(sample.operations)
    if edges == "hard":
        hard += [*(sample.parents[block - 1] for block in where.choosing), sample.output]
    with torch.no_grad():
        assert function() == pytest.approx(loss.item())
        for parameter, gradient in zip(alphas.parameters, found, strict=True):
            for place in range(parameter.numel()):
                sides = []
                for far in (1e-6, -1e-6):
                    parameter.view(-1)[place] += far
                    sides.append(function())
                    parameter.view(-1)[place] -= far
                expected = (sides[0] - sides[1]) / 2e-6
                ours = 0.0 if gradient is None else gradient.flatten()[place].item()
                assert ours == pytest.approx(expected, rel=1e-4, abs=1e-8)
    assert sum(gradient.any() for gradient in found if gradient is not None) >= 2


@each_space
@each_edges
def test_only_what_is_sampled_runs(name, edges, monkeypatch):
    net, alphas = SuperNet(space(name), **SMALL), parameters(name, dtype=torch.float32)
    relax = GumbelSoftmax(GdasRecipe(edges=edges), 6)
    ran, pooled = [], []
    for layer_name, module in net.named_modules():
        if isinstance(module, ConvNormRelu) and ".blocks." in layer_name:
            module.register_forward_hook(lambda *_, layer_name=layer_name: ran.append(layer_name))
    pool = functional.max_pool2d
    monkeypatch.setattr(
        functional, "max_pool2d", lambda x, size, *a, **k: pooled.append(size) or pool(x, size, *a, **k)
    )
    for _ in range(10):
        mixture = relax(alphas)
        ran.clear()
        pooled.clear()
        net(images().float(), mixture).sum().backward()
        chosen = {block: mixture.operations[block - 1].chosen[0] for block in mixture.needed()}
        expected = {
            f"cells.{cell}.blocks.{block - 1}.{('', 'conv3x3', 'conv1x1')[operation]}"
            for cell in range(2)
            for block, operation in chosen.items()
            if operation
        }
        assert sorted(ran) == sorted(expected)
        assert pooled.count(3) == 2 * list(chosen.values()).count(0)  # the one of size 2 is between the stages
        if edges == "soft":
            assert len(chosen) == space(name).blocks


def test_the_plain_supernet_may_skip_what_is_not_sampled():
    """Which makes it what the released code does for GDAS, and no yardstick that is slower than that."""
    whole, skipping = (PlainSuperNet(4, **SMALL, skip=skip).double() for skip in (False, True))
    skipping.load_state_dict(whole.state_dict())
    weights = Weights.of(GumbelSoftmax(GdasRecipe(edges="soft"), 9)(parameters("s1")), torch.float64)
    torch.testing.assert_close(skipping(images(), weights), whole(images(), weights))
    ran = [
        module
        for module in skipping.modules()
        if isinstance(module, torch.nn.BatchNorm2d) and module.running_mean.any()
    ]
    assert len(ran) < sum(isinstance(module, torch.nn.BatchNorm2d) for module in whole.modules())


def test_every_call_is_a_new_sample_and_a_restored_one_goes_on_alike():
    alphas = parameters("s3")
    relax, other = GumbelSoftmax(GdasRecipe(edges="soft"), 7), GumbelSoftmax(GdasRecipe(edges="soft"), 8)
    before = torch.get_rng_state()
    first, second = relax(alphas), relax(alphas)
    assert not torch.equal(torch.stack(first.output.weights), torch.stack(second.output.weights))
    other.restore(relax.state())
    third, same = relax(alphas), other(alphas)
    assert torch.equal(torch.stack(third.output.weights), torch.stack(same.output.weights))
    assert [terms.chosen for terms in third.operations] == [terms.chosen for terms in same.operations]
    assert torch.equal(torch.get_rng_state(), before)


def test_measuring_does_not_change_what_is_trained():
    alphas = parameters("s3")
    relax, other = GumbelSoftmax(GdasRecipe(edges="soft"), 7), GumbelSoftmax(GdasRecipe(edges="soft"), 7)
    first, second = (relax(alphas, measuring=True).output.weights[0].item() for _ in range(2))
    assert first != second
    trained = [each(alphas).output.weights for each in (relax, other)]
    assert torch.equal(torch.stack(trained[0]), torch.stack(trained[1]))
    other.restore(relax.state())
    measured = [each(alphas, measuring=True).output.weights for each in (relax, other)]
    assert torch.equal(torch.stack(measured[0]), torch.stack(measured[1]))


def test_the_optimizer_brings_its_schedule_to_each_epoch():
    optimizer = gdas(space("s1"), GdasRecipe(edges="soft"), 0, CPU)
    optimizer.begin_epoch(49, 50)
    assert optimizer.relax.temperature == 1.0


def test_its_paths_change_so_they_are_measured_with_statistics_of_the_batch():
    optimizer = gdas(space("s1"), GdasRecipe(edges="soft"), 0, CPU)
    before = optimizer.state()["relaxation"]["training"]
    mixtures = [optimizer.evaluated() for _ in range(2)]
    assert mixtures[0].output.weights[0] != mixtures[1].output.weights[0]
    assert torch.equal(optimizer.state()["relaxation"]["training"], before)
    assert optimizer.statistics == "batch"


def test_noise_and_initial_parameters_are_independent():
    """Of one seed: the parameters would otherwise repeat in the first noise."""
    first, second = (gdas(space("s1"), GdasRecipe(edges="soft"), seed, CPU) for seed in (0, 1))
    alphas = first.alphas
    assert not torch.equal(alphas.output, second.alphas.output)
    noise = [optimizer.relax(alphas).output.weights[0].item() for optimizer in (first, second)]
    assert noise[0] != noise[1]
