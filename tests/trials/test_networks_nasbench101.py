"""NAS-Bench-101's network: what it computes, how large it is, and that models side by side are apart."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from spaces.errors import InvalidValue
from spaces.nasbench101 import Cell, count_parameters, sample_encoding, vertex_channels
from trials.networks.nasbench101 import CellNetwork
from trials.optimizer import RMSProp

C3, C1, MP = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"
SMALL = {"channels": 6, "stacks": 2, "cells_per_stack": 2, "channels_in": 1}


def cell(vertices, edges, *operations):
    matrix = np.zeros((vertices, vertices), dtype=int)
    for source, target in edges:
        matrix[source, target] = 1
    return Cell(matrix.tolist(), operations)


CELLS = {
    "no inner vertex": cell(2, [(0, 1)]),
    "chain": cell(4, [(0, 1), (1, 2), (2, 3)], C3, C1),
    "only pooling": cell(3, [(0, 1), (1, 2)], MP),
    "input to output": cell(4, [(0, 1), (0, 2), (1, 3), (2, 3), (0, 3)], C3, MP),
    "uneven channels, truncated": cell(
        7, [(0, 1), (1, 2), (1, 3), (1, 4), (1, 5), (2, 6), (3, 6), (4, 6), (5, 6)], C3, C1, C1, MP, C3
    ),
    "inner vertex that feeds no output": cell(5, [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (3, 4)], C1, C3, MP),
    "loose end": cell(5, [(0, 1), (0, 2), (1, 3), (3, 4)], C1, C3, C3),
}


def alone(network, given, images):
    """What the one model in ``network`` gives, vertex by vertex, as the paper's figure 1 tells it."""
    given = given.pruned()
    matrix, last = given.matrix, given.vertices - 1

    def rectified(x, convolution, normalisation, channels=slice(None)):
        weight = convolution.weight[channels]
        x = functional.conv2d(x, weight, padding=weight.shape[-1] // 2)
        scale, shift = normalisation.weight[channels], normalisation.bias[channels]
        return functional.relu(functional.batch_norm(x, None, None, scale, shift, training=True))

    x = rectified(images, network.stem.convolution, network.stem.normalisation)
    for number, stack in enumerate(network.stacks):
        x = functional.max_pool2d(x, 2) if number else x
        for module in stack:
            channels_out = SMALL["channels"] << number
            widths = vertex_channels(x.shape[1], channels_out, matrix)
            fed = [v for v in range(1, last + 1) if matrix[0][v]]
            projected, first = {}, 0
            for v in fed:
                part = slice(first, first + widths[v])
                projected[v] = rectified(x, module.projection.convolution, module.projection.normalisation, part)
                first += widths[v]
            values = {}
            for v in range(1, last):
                entering = [values[u][:, : widths[v]] for u in range(1, v) if matrix[u][v]]
                total = sum(entering + ([projected[v]] if v in projected else []))
                vertex = module.operations[v - 1]
                if given.operations[v - 1] == MP:
                    values[v] = functional.max_pool2d(total, 3, stride=1, padding=1)
                else:
                    convolution = vertex.convolutions[0 if given.operations[v - 1] == C3 else 1]
                    values[v] = rectified(total, convolution, vertex.normalisation)
            if last == 1:
                x = projected[last]
                continue
            x = torch.cat([values[v] for v in range(1, last) if matrix[v][last]], dim=1)
            x = x + projected[last] if last in projected else x
    return x.mean(dim=(2, 3)) @ network.classifier[0] + network.bias[0]


@pytest.mark.parametrize("name", CELLS)
def test_it_computes_what_the_paper_draws(name):
    images = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    network = CellNetwork([CELLS[name]], **SMALL)
    torch.testing.assert_close(network(images)[0], alone(network, CELLS[name], images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CELLS)
def test_its_size_is_that_of_nasbench101(name):
    assert CellNetwork([CELLS[name]], **SMALL).parameters_of_one() == count_parameters(CELLS[name], **SMALL)


def test_the_size_of_many_kinds_of_cell():
    rng = np.random.default_rng(0)
    with torch.device("meta"):
        for _ in range(60):
            drawn = sample_encoding(rng)
            assert CellNetwork([drawn], seeds=[0]).parameters_of_one() == count_parameters(drawn), str(drawn)


def mixed():
    """Nine cells of one matrix: every pair of operations."""
    edges = [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)]
    return [cell(4, edges, first, second) for first in (C3, C1, MP) for second in (C3, C1, MP)]


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_model_among_others_learns_what_it_learns_alone(memory_format):
    generator = torch.Generator().manual_seed(2)
    batches = [
        (torch.randn(6, 1, 8, 8, generator=generator), torch.randint(10, (6,), generator=generator)) for _ in range(3)
    ]

    def train(cells, seeds):
        network = CellNetwork(cells, **SMALL, seeds=seeds, momentum=0.1).to(memory_format=memory_format)
        optimizer = RMSProp(network.parameters(), 0.1, weight_decay=1e-3)
        for images, labels in batches:
            logits = network(images.contiguous(memory_format=memory_format))
            loss = sum(functional.cross_entropy(of_one, labels) for of_one in logits)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            return network(batches[0][0])

    cells = mixed()
    together = train(cells, range(50, 59))
    for k, each in enumerate(cells):
        torch.testing.assert_close(together[k], train([each], [50 + k])[0], rtol=2e-3, atol=2e-4)


def test_one_that_diverges_leaves_the_others_as_they_are():
    cells = mixed()
    images = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(3))
    whole, broken = (CellNetwork(cells, **SMALL) for _ in range(2))
    with torch.no_grad():
        broken.stem.convolution.weight[: SMALL["channels"]] = torch.nan
    expected, found = whole(images), broken(images)
    assert found[0].isnan().all()
    torch.testing.assert_close(found[1:], expected[1:])
    found[1:].sum().backward()
    assert not broken.classifier.grad[1:].isnan().any()


def test_weights_follow_from_the_seed_of_each_model_alone():
    first, second = CellNetwork(mixed(), **SMALL, seeds=range(9)), CellNetwork(mixed(), **SMALL, seeds=range(9))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    other = CellNetwork(mixed(), **SMALL, seeds=[0, *range(11, 19)])
    channels = SMALL["channels"]
    assert torch.equal(first.stem.convolution.weight[:channels], other.stem.convolution.weight[:channels])
    assert not torch.equal(first.stem.convolution.weight[channels:], other.stem.convolution.weight[channels:])


def test_weights_begin_with_the_variance_of_the_fan_in():
    weight = CellNetwork([CELLS["chain"]], channels=64, channels_in=16).stem.convolution.weight
    assert weight.std().item() == pytest.approx((16 * 9) ** -0.5, rel=0.03)
    assert weight.abs().max().item() <= 2 * (16 * 9) ** -0.5 / 0.8796 + 1e-6


@pytest.mark.parametrize(
    ("settings", "cells", "words"),
    [
        ({"channels": 3}, "uneven channels, truncated", "at least 4"),
        ({"stacks": 0}, "chain", "stacks"),
        ({"classes": 1}, "chain", "classes"),
        ({"seeds": [1, 2]}, "chain", "seeds"),
    ],
)
def test_errors(settings, cells, words):
    with pytest.raises(InvalidValue, match=words):
        CellNetwork([CELLS[cells]], **{**SMALL, **settings})


def test_cells_side_by_side_have_one_matrix():
    with pytest.raises(InvalidValue, match="same matrix"):
        CellNetwork([CELLS["chain"], CELLS["only pooling"]], **SMALL)
    loose = CELLS["loose end"]
    CellNetwork([loose, loose.pruned()], **SMALL)  # the same once pruned
