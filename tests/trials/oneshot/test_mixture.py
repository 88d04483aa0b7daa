"""Mixtures: what is needed, and what a choice becomes."""

import numpy as np
import pytest
import torch

from spaces.nasbench1shot1 import ONE_SHOT_OPERATIONS, Choice, enumerate_choices, sample_choice, space
from trials.oneshot.mixture import Mixture, Terms

C3, C1, MP = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"


def test_terms_name_candidates_with_their_weights():
    weights = torch.tensor([0.1, 0.2, 0.7])
    assert [(i, w.item()) for i, w in Terms.all_of(weights).items()] == [
        (i, pytest.approx(w)) for i, w in enumerate((0.1, 0.2, 0.7))
    ]
    assert list(Terms((0, 2)).items()) == [(0, None), (2, None)]


def test_detached_weights_have_no_gradient():
    rows = [torch.rand(3, generator=torch.Generator().manual_seed(i), requires_grad=True) for i in range(3)]
    one, other, third = map(Terms.all_of, rows)
    mixture = Mixture((one,), (Terms((0,)),), other)
    found = [*mixture.detached().operations, *mixture.detached().parents, mixture.detached().output, third.detached()]
    assert [terms.chosen for terms in found] == [(0, 1, 2), (0,), (0, 1, 2), (0, 1, 2)]
    assert found[1].weights is None
    for terms, row in zip((found[0], *found[2:]), rows, strict=True):
        assert torch.equal(torch.stack(terms.weights), row)
        assert not any(weight.requires_grad for weight in terms.weights)
    assert all(weight.requires_grad for weight in mixture.output.weights)


def test_a_choice_becomes_ones():
    choice = Choice((C3, C1, MP, C3), ((0,), (0, 1), (0, 2), (1, 2)), (0, 1))
    mixture = Mixture.of(choice)
    assert [ONE_SHOT_OPERATIONS[terms.chosen[0]] for terms in mixture.operations] == [C3, C1, MP, C3]
    assert [terms.chosen for terms in mixture.parents] == [(0,), (0, 1), (0, 2), (1, 2)]
    assert mixture.output.chosen == (0, 1)
    assert all(terms.weights is None for terms in (*mixture.operations, *mixture.parents, mixture.output))


@pytest.mark.parametrize("name", ["s1", "s2", "s3"])
def test_what_is_needed_is_what_pruning_leaves(name):
    rng = np.random.default_rng(0)
    for _ in range(200):
        choice = sample_choice(rng, space(name))
        needed = Mixture.of(choice).needed()
        reached = {block for block in range(1, len(choice.parents) + 1) if _reaches(choice, block)}
        assert needed == tuple(sorted(reached)), choice
        assert len(needed) == choice.cell().pruned().vertices - 2


def _reaches(choice, block):
    """Whether a path of edges leads from a block to the output, followed forwards."""
    if block in choice.output:
        return True
    later = range(block + 1, len(choice.parents) + 1)
    return any(block in choice.parents[child - 1] and _reaches(choice, child) for child in later)


def test_nothing_is_needed_where_the_output_reads_the_input_alone():
    first = next(enumerate_choices(space("s1")))
    mixture = Mixture.of(first)
    assert Mixture(mixture.operations, mixture.parents, Terms((0,))).needed() == ()
