"""ENAS's controller: a distribution over all choices of a space, drawn from as it says, and learnt exactly."""

from collections import Counter
from itertools import combinations

import pytest
import torch

from spaces.nasbench1shot1 import ONE_SHOT_OPERATIONS, SPACES, Choice, Space, enumerate_choices
from trials.oneshot.controller import Controller

TOY = Space("toy", (1, 1), 1)
PAIRS = Space("pairs", (1, 2, 2), 2)  # block 3 and the output choose two of three and of four
FIXED = Space("fixed", (1, 2), 3)  # only operations are chosen


def _controller(space, seed=0, spread=10.0, **options):
    """With larger weights than at the start, so that probabilities differ."""
    controller = Controller(space, **{"hidden": 6, "temperature": 1.0, "seed": seed, **options}).double()
    with torch.no_grad():
        for parameter in controller.parameters():
            parameter.mul_(spread)
    return controller


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("space", [TOY, PAIRS, FIXED, SPACES["s1"]], ids=lambda space: space.name)
def test_probabilities_of_all_choices_sum_to_one(space):
    with torch.no_grad():
        log_probabilities = _controller(space).log_probability(list(enumerate_choices(space)))
    assert torch.logsumexp(log_probabilities, 0).item() == pytest.approx(0.0, abs=1e-9)
    assert log_probabilities.std() > 0.1


@pytest.mark.parametrize("space", [TOY, *SPACES.values()], ids=lambda space: space.name)
def test_it_draws_choices_of_the_space_and_knows_their_probability(space):
    controller = _controller(space)
    choices, log_probabilities = controller.draw(50, _generator())
    assert all(choice.belongs_to(space) for choice in choices)
    torch.testing.assert_close(log_probabilities, controller.log_probability(choices))
    assert log_probabilities.requires_grad


def test_it_draws_as_often_as_it_says():
    controller, count = _controller(TOY, spread=5.0), 20_000
    choices = list(enumerate_choices(TOY))
    with torch.no_grad():
        expected = count * controller.log_probability(choices).exp()
        drawn = Counter(controller.draw(count, _generator())[0])
    found = torch.tensor([float(drawn[choice]) for choice in choices])
    assert expected.min() > 5.0
    assert expected.max() > 2 * expected.min()
    # Chi-square of 53 degrees of freedom: 90.6 is exceeded once in a thousand seeds.
    assert ((found - expected) ** 2 / expected).sum() < 90.6


def test_samples_drawn_together_are_independent_of_each_other():
    controller = _controller(SPACES["s2"])
    choices, together = controller.draw(8, _generator())
    alone = torch.cat([controller.log_probability([choice]) for choice in choices])
    torch.testing.assert_close(together, alone)
    assert len(set(choices)) > 1


def test_equal_generators_draw_the_same():
    controller = Controller(SPACES["s3"], seed=0)
    first, second, other = (controller.draw(20, _generator(seed))[0] for seed in (3, 3, 4))
    assert first == second != other


def _sets_of_output(controller):
    """Probabilities of the output's parents, given that all before is decided in one way."""
    before = (ONE_SHOT_OPERATIONS[0],) * 3, ((0,), (0, 1), (0, 1))
    sets = list(combinations(range(4), 2))
    with torch.no_grad():
        log_probabilities = controller.log_probability([Choice(*before, output) for output in sets])
    return dict(zip(sets, torch.softmax(log_probabilities, 0).tolist(), strict=True))


def test_a_set_of_parents_weighs_as_its_members_together():
    sets = _sets_of_output(_controller(PAIRS))
    # A set's weight is the product of its members': so is that of each way to cut four vertices into two pairs.
    products = [sets[0, 1] * sets[2, 3], sets[0, 2] * sets[1, 3], sets[0, 3] * sets[1, 2]]
    assert products == pytest.approx([products[0]] * 3)
    assert max(sets.values()) > 1.1 * min(sets.values())


def test_the_set_is_that_of_independent_draws_which_differ():
    sets = _sets_of_output(_controller(PAIRS))
    weight = {1: sets[0, 1] / sets[0, 2], 2: 1.0, 3: sets[0, 3] / sets[0, 2], 0: sets[0, 1] / sets[1, 2]}
    share = torch.tensor([weight[vertex] for vertex in range(4)], dtype=torch.float64)
    draws = torch.multinomial(share, 200_000, replacement=True, generator=_generator()).reshape(-1, 2)
    kept = Counter(tuple(sorted(pair)) for pair in draws.tolist() if pair[0] != pair[1])
    total = sum(kept.values())
    assert {pair: count / total for pair, count in kept.items()} == pytest.approx(sets, abs=0.006)


def test_logits_are_bounded_by_the_tanh_constant_and_cooled_by_the_temperature():
    def spread(**options):
        with torch.no_grad():
            logits = _controller(TOY, spread=1000.0, **options).log_probability(list(enumerate_choices(TOY)))
        return (logits.max() - logits.min()).item()

    # Four decisions: two operations, and one vertex each for block 2 and the output.
    assert spread(tanh=0.1) < 4 * 2 * 0.1 + 1e-6
    assert spread(tanh=0.1, temperature=1e6) < 0.1 * spread(tanh=0.1)
    assert spread(tanh=5.0) > 4.0


def test_what_is_decided_first_is_known_later():
    """The operation of block 1 changes how block 2 chooses."""
    controller = _controller(TOY)
    rows = []
    for first in ONE_SHOT_OPERATIONS:
        choices = [Choice((first, second), ((0,), (0,)), (0,)) for second in ONE_SHOT_OPERATIONS]
        with torch.no_grad():
            rows.append(torch.softmax(controller.log_probability(choices), 0))
    assert not torch.allclose(rows[0], rows[1], atol=1e-3)


def test_weights_come_from_the_seed_alone_and_are_small():
    state = torch.get_rng_state()
    first, second, other = (Controller(TOY, seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
    assert all(value.abs().max() <= 0.1 for value in first.values())


def test_every_weight_takes_part():
    controller = _controller(TOY)
    controller.draw(4, _generator())[1].sum().backward()
    assert all(parameter.grad.any() for parameter in controller.parameters())
