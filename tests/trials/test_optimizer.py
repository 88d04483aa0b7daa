"""RMSProp in TensorFlow's form, against the formula one number at a time."""

import math

import pytest
import torch

from trials.optimizer import RMSProp


@pytest.mark.parametrize("epsilon", [1.0, 1e-3])
def test_against_the_formula(epsilon):
    rate, momentum, decay, penalty = 0.2, 0.9, 0.8, 0.01
    weight = torch.tensor([0.5, -1.5], dtype=torch.float64, requires_grad=True)
    other = torch.tensor([[2.0]], dtype=torch.float64, requires_grad=True)
    optimizer = RMSProp([weight, other], rate, momentum=momentum, decay=decay, epsilon=epsilon, weight_decay=penalty)
    expected = {"w0": 0.5, "w1": -1.5, "o": 2.0}
    s, v = dict.fromkeys(expected, 1.0), dict.fromkeys(expected, 0.0)
    for step in range(4):
        optimizer.zero_grad()
        ((weight**3).sum() + (step + 1) * other.square().sum()).backward()
        optimizer.step()
        for name, w in expected.items():
            g = (3 * w * w if name != "o" else 2 * (step + 1) * w) + penalty * w
            s[name] = decay * s[name] + (1 - decay) * g * g
            v[name] = momentum * v[name] + rate * g / math.sqrt(s[name] + epsilon)
            expected[name] = w - v[name]
    assert weight.tolist() == pytest.approx([expected["w0"], expected["w1"]], rel=1e-12)
    assert other.item() == pytest.approx(expected["o"], rel=1e-12)


def test_the_schedule_sets_its_rate_and_its_state_can_be_kept():
    def train(steps, state=None, start=1.0):
        weight = torch.tensor([start], requires_grad=True)
        optimizer = RMSProp([weight], 0.1)
        if state is not None:
            optimizer.load_state_dict(state)
        for step in steps:
            optimizer.param_groups[0]["lr"] = 0.1 / step
            optimizer.zero_grad()
            weight.square().sum().backward()
            optimizer.step()
        return weight.item(), optimizer.state_dict()

    whole, _ = train([1, 2, 3, 4])
    half, state = train([1, 2])
    assert train([3, 4], state, half)[0] == whole


def test_parameters_without_a_gradient_are_left_alone():
    used, unused = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
    optimizer = RMSProp([used, unused], 0.1, weight_decay=0.5)
    used.sum().backward()
    optimizer.step()
    assert used.item() < 1.0
    assert unused.item() == 1.0
