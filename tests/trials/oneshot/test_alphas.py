"""Architecture parameters: their start, the mixture of their softmax, the choice they stand for, their state."""

import json

import numpy as np
import pytest
import torch

from spaces.nasbench1shot1 import ONE_SHOT_OPERATIONS, space
from trials.oneshot.alphas import Alphas

CPU = torch.device("cpu")
CHOOSING = {"s1": (3, 4), "s2": (2, 3, 4), "s3": (2, 3, 4, 5)}


def changed(name, seed=0):
    """Parameters that differ by whole numbers."""
    alphas = Alphas(space(name), seed, CPU)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in alphas.parameters:
            parameter.copy_(torch.randperm(parameter.numel(), generator=generator).view(parameter.shape))
    return alphas


@pytest.mark.parametrize("name", CHOOSING)
def test_there_are_parameters_for_what_is_chosen_alone(name):
    alphas = Alphas(space(name), 0, CPU)
    blocks = space(name).blocks
    shapes = [tuple(parameter.shape) for parameter in alphas.parameters]
    assert shapes == [(blocks, 3), *((block,) for block in CHOOSING[name]), (blocks + 1,)]
    assert all(parameter.requires_grad and parameter.is_leaf for parameter in alphas.parameters)


def test_they_start_near_zero_by_their_seed_alone():
    before = torch.get_rng_state()
    drawn = [torch.cat([p.detach().flatten() for p in Alphas(space("s3"), seed, CPU).parameters]) for seed in range(50)]
    assert torch.equal(torch.get_rng_state(), before)
    again = torch.cat([p.detach().flatten() for p in Alphas(space("s3"), 0, CPU).parameters])
    assert torch.equal(drawn[0], again)
    every = torch.stack(drawn)
    assert every.std().item() == pytest.approx(1e-3, rel=0.1)
    assert len(every.unique()) == every.numel()


@pytest.mark.parametrize("name", CHOOSING)
def test_the_softmax_weighs_everything(name):
    alphas = changed(name)
    mixture = alphas.softmax()
    blocks = space(name).blocks
    for row, terms in zip(alphas.operations, mixture.operations, strict=True):
        torch.testing.assert_close(torch.stack(terms.weights), torch.softmax(row, 0))
    for block, terms in enumerate(mixture.parents, start=1):
        assert terms.chosen == tuple(range(block))
        if block in alphas.parents:
            torch.testing.assert_close(torch.stack(terms.weights), torch.softmax(alphas.parents[block], 0))
        else:  # its parents are simply added
            assert terms.weights is None
    torch.testing.assert_close(torch.stack(mixture.output.weights), torch.softmax(alphas.output, 0))
    assert mixture.output.chosen == tuple(range(blocks + 1))


@pytest.mark.parametrize("name", CHOOSING)
def test_the_choice_is_of_the_highest(name):
    alphas, where = changed(name), space(name)
    choice = alphas.choice()
    assert choice.belongs_to(where)
    best = alphas.operations.argmax(dim=1).tolist()
    assert choice.operations == tuple(ONE_SHOT_OPERATIONS[index] for index in best)
    for block, parents in enumerate(choice.parents, start=1):
        if block in alphas.parents:
            highest = alphas.parents[block].topk(where.parents[block - 1]).indices.tolist()
            assert set(parents) == set(highest)
        else:
            assert parents == tuple(range(block))
    assert set(choice.output) == set(alphas.output.topk(where.output_parents).indices.tolist())


def test_plain_values_are_json():
    alphas = changed("s2")
    plain = json.loads(json.dumps(alphas.plain()))
    assert set(plain) == {"operations", "parents", "output"}
    assert np.array_equal(plain["operations"], alphas.operations.detach())
    assert plain["parents"] == [alphas.parents[block].tolist() for block in CHOOSING["s2"]]
    assert plain["output"] == alphas.output.tolist()


def test_state():
    alphas, other = changed("s3"), Alphas(space("s3"), 1, CPU)
    state = alphas.state()
    kept = [parameter.detach().clone() for parameter in alphas.parameters]
    with torch.no_grad():
        alphas.output += 1  # a state is not a view of what goes on
    before = other.parameters
    other.restore(state)
    assert all(torch.equal(a, b) for a, b in zip(other.parameters, kept, strict=True))
    assert all(a is b for a, b in zip(other.parameters, before, strict=True))  # Adam holds on to them
