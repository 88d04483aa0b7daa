"""ENAS: the gradient of its controller against the exact one, its baseline, and whose turn it is."""

import pytest
import torch

from spaces.nasbench1shot1 import ONE_SHOT_OPERATIONS, SPACES, Choice, Space, enumerate_choices
from tests.contracts.one_shot_optimizer import search
from trials.oneshot import enas as module
from trials.oneshot.enas import Enas, enas
from trials.oneshot.mixture import Mixture
from trials.oneshot.ranking import computed, errors
from trials.search_recipe import EnasRecipe

TOY = Space("toy", (1, 1), 1)
CHOICES = list(enumerate_choices(TOY))


def _enas(**recipe):
    return Enas(TOY, EnasRecipe(**{"controller_hidden": 6, "controller_temperature": 1.0, **recipe}), 0)


def _reward(choice):
    return 0.9 if choice.operations[0] == "conv3x3-bn-relu" else 0.2 + 0.1 * choice.output[0]


class _Kept:
    """In the place of Adam: keeps the gradients of each step."""

    def __init__(self, controller):
        self.parameters, self.steps = list(controller.parameters()), []

    def step(self):
        self.steps.append([parameter.grad.clone() for parameter in self.parameters])


@pytest.mark.parametrize(("entropy_weight", "baseline"), [(0.0, 0.0), (0.0, 0.6), (0.3, 0.6)])
def test_the_expected_step_is_the_gradient_of_the_expected_reward_and_entropy(entropy_weight, baseline):
    optimizer = _enas(entropy_weight=entropy_weight)
    controller = optimizer.controller.double()
    with torch.no_grad():
        for parameter in controller.parameters():
            parameter.mul_(10.0)
    log_probabilities = controller.log_probability(CHOICES)
    rewards = torch.tensor([_reward(choice) for choice in CHOICES], dtype=torch.float64)
    probabilities = log_probabilities.exp()
    aim = (probabilities * (rewards - entropy_weight * log_probabilities)).sum()
    exact = torch.autograd.grad(aim, list(controller.parameters()))

    optimizer.adam = kept = _Kept(controller)
    expected = [torch.zeros_like(each) for each in exact]
    for choice, probability in zip(CHOICES, probabilities.tolist(), strict=True):
        optimizer.baseline = baseline
        controller.zero_grad()
        log_probability = controller.log_probability([choice])
        log_probability.sum().backward()
        optimizer.reinforce(_reward(choice), log_probability.item())
        for total, gradient in zip(expected, kept.steps[-1], strict=True):
            total.sub_(probability * gradient)  # the optimizer descends
    for found, wanted in zip(expected, exact, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)
    assert all(each.abs().max() > 1e-6 for each in exact)


def test_the_baseline_is_the_running_mean_of_earlier_rewards():
    optimizer = _enas(baseline_decay=0.9, entropy_weight=0.5)
    optimizer.adam = kept = _Kept(optimizer.controller)

    def learn(reward):
        for parameter in optimizer.controller.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimizer.reinforce(reward, -2.0)
        return kept.steps[-1][0].unique().item()

    assert optimizer.baseline is None
    assert learn(0.4) == 0.0  # the first reward is its own baseline
    assert optimizer.baseline == pytest.approx(1.4)  # 0.4, and half of an estimated entropy of 2
    assert learn(0.9) == pytest.approx(1.4 - 1.9)
    assert optimizer.baseline == pytest.approx(0.9 * 1.4 + 0.1 * 1.9)
    assert learn(0.0) == pytest.approx(1.45 - 1.0)


def test_it_learns_to_draw_what_is_rewarded():
    optimizer = _enas(arch_learning_rate=0.01)
    generator = torch.Generator().manual_seed(0)

    def probability():
        chosen = [choice for choice in CHOICES if choice.operations[0] == "conv3x3-bn-relu"]
        with torch.no_grad():
            return optimizer.controller.log_probability(chosen).exp().sum().item()

    before = probability()
    assert before == pytest.approx(1 / 3, abs=0.02)
    for _ in range(200):
        (choice,), log_probability = optimizer.controller.draw(1, generator)
        optimizer.adam.zero_grad()
        log_probability.sum().backward()
        optimizer.reinforce(_reward(choice), log_probability.item())
    assert probability() > 0.8


def test_the_settings_are_the_recipes():
    recipe = EnasRecipe(arch_learning_rate=0.123, controller_hidden=12)
    optimizer = enas(SPACES["s2"], recipe, 0, torch.device("cpu"))
    (group,) = optimizer.adam.param_groups
    assert group["lr"] == 0.123
    assert group["weight_decay"] == 0.0
    assert optimizer.controller.lstm.hidden_size == 12


def _search(**recipe):
    return search("enas", "s1", 0, **recipe)


def _paths(searching):
    return [computed(path) for path in searching.paths]


def _drawn(searching, count, generator):
    """What the controller would draw next with a copy of one of its generators."""
    own = torch.Generator()
    own.set_state(searching.optimizer.state()["generators"][generator])
    with torch.no_grad():
        return searching.optimizer.controller.draw(count, own)[0]


def test_an_epoch_trains_samples_of_the_controller_as_it_was_at_the_start():
    searching = _search(controller_steps=2, arch_learning_rate=0.5)
    for epoch in range(2):
        searching.paths.clear()
        expected = _drawn(searching, searching.feed.steps, "training")
        searching.epoch(epoch)
        assert _paths(searching) == [computed(Mixture.of(choice)) for choice in reversed(expected)]


def test_the_controller_learns_after_the_weights_from_one_search_batch_a_step(monkeypatch):
    searching = _search(controller_steps=3)
    rewards, given = [], []
    monkeypatch.setattr(searching.optimizer, "reinforce", lambda *values: rewards.append(values))
    next_search = searching.feed.next_search
    monkeypatch.setattr(searching.feed, "next_search", lambda: given.append(next_search()) or given[-1])
    for batch in searching.feed.epoch():
        searching.step(batch)
    assert not given  # a step of the weights needs none
    generator = searching.optimizer._generators["learning"]
    start = generator.get_state()
    before = searching.weights()
    searching.optimizer.end_epoch(searching.shared, searching.feed)
    assert all(torch.equal(value, before[name]) for name, value in searching.weights().items())
    assert len(given) == len(rewards) == 3
    generator.set_state(start)
    for batch, (reward, log_probability) in zip(given, rewards, strict=True):
        (choice,), expected = searching.optimizer.controller.draw(1, generator)
        assert log_probability == expected.item()
        assert reward == pytest.approx(1.0 - errors(searching.shared, [Mixture.of(choice)], [batch])[0])


def test_it_chooses_the_best_of_its_samples_on_one_batch(monkeypatch):
    searching = _search(samples=20)
    calls = []

    def judged(shared, paths, batches, statistics):
        calls.append((paths, batches, statistics))
        return torch.tensor([0.5, 0.4, 0.3, 0.3] + [0.9] * 16).numpy()

    monkeypatch.setattr(module, "errors", judged)
    expected = _drawn(searching, 20, "choosing")
    assert searching.choose() == expected[2]  # the first of the best two
    ((paths, batches, statistics),) = calls
    assert [computed(path) for path in paths] == [computed(Mixture.of(choice)) for choice in expected]
    (batch,) = batches
    size = 8
    assert len(batch.labels) == size
    assert torch.equal(batch.labels, searching.feed.search.labels[:size])
    assert statistics == "batch"


def test_plain_says_how_often_things_were_drawn(monkeypatch):
    searching = _search(samples=2)
    assert searching.optimizer.plain() == {}
    pool, conv3, conv1 = ONE_SHOT_OPERATIONS
    choices = [
        Choice((pool, conv3, conv3, conv3), ((0,), (0, 1), (0, 1), (0, 1)), (0, 4)),
        Choice((conv1, conv3, conv3, conv3), ((0,), (0, 1), (0, 2), (0, 3)), (3, 4)),
    ]
    monkeypatch.setattr(searching.optimizer, "_drawn", lambda count, purpose: choices[:count])
    searching.choose()
    assert searching.optimizer.plain() == {
        "operations": [[0.5, 0.0, 0.5], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]],
        "parents": [[1.0, 0.5, 0.5], [1.0, 0.5, 0.0, 0.5]],
        "output": [0.5, 0.0, 0.0, 0.5, 1.0],
    }


def test_measuring_draws_from_elsewhere():
    plain, busy = _search(), _search()
    measured = []
    for batch in plain.feed.epoch():
        plain.step(batch)
        busy.step(batch)
        measured.append(computed(busy.optimizer.evaluated()))
    assert _paths(busy) == _paths(plain) != measured
    assert len(set(measured)) > 1


def test_what_the_old_controller_drew_and_nobody_trained_is_forgotten():
    searching = _search(controller_steps=2, arch_learning_rate=0.5)
    searching.step(next(searching.feed.epoch()))
    searching.optimizer.end_epoch(searching.shared, searching.feed)
    expected = _drawn(searching, searching.feed.steps, "training")
    searching.step(next(searching.feed.epoch()))
    assert _paths(searching)[1] == computed(Mixture.of(expected[-1]))
