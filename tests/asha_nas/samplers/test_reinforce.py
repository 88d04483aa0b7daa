"""REINFORCE: policies, the gradient against a numeric derivative, and what counts as a reward."""

import itertools

import numpy as np
import pytest
from ConfigSpace import EqualsCondition
from hypothesis import given
from hypothesis import strategies as st

from asha_nas.samplers import Independent, Reinforce
from asha_nas.samplers.reinforce import TRIES, Baseline, Policy, choices
from spaces.encodings import Hyperparameters
from spaces.errors import InvalidValue
from spaces.hyperparameters import from_plain
from tests.asha_nas.samplers.plays import CRASHED, DIVERGED, SWITCHES, Lineage, play, switches, tell

TWO = Hyperparameters(from_plain({"x": {"choices": ["a", "b"]}, "y": {"choices": ["a", "b", "c"]}}))


def conditional():
    space = from_plain({"kind": {"choices": ["sgd", "adam"]}, "momentum": {"ordered": [0.0, 0.5, 0.9]}})
    space.add(EqualsCondition(space["momentum"], space["kind"], "sgd"))
    return Hyperparameters(space)


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum()


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.integers(0, 2**31))
def test_the_gradient_is_that_of_the_log_probability(sizes, seed):
    rng = np.random.default_rng(seed)
    policy = Policy(sizes)
    policy.logits += rng.normal(0, 2, policy.logits.shape)
    picks = np.array([int(rng.integers(-1, size)) for size in sizes])

    def log_probability():
        rows = zip(picks, policy.logits, sizes, strict=True)
        return sum(np.log(softmax(row[:size])[pick]) for pick, row, size in rows if pick >= 0)

    ours = policy.log_gradient(picks)
    for row, column in itertools.product(range(len(sizes)), range(max(sizes))):
        if column >= sizes[row]:
            assert ours[row, column] == 0
            continue
        at, step, values = policy.logits[row, column], 1e-5, []
        for policy.logits[row, column] in (at - step, at + step):
            values.append(log_probability())
        policy.logits[row, column] = at
        assert ours[row, column] == pytest.approx((values[1] - values[0]) / (2 * step), abs=1e-7)


def test_samples_have_the_policy_s_probabilities():
    policy = Policy([2, 4, 1])
    policy.logits += [[0.0, 2.0, 0.0, 0.0], [1.0, 0.0, -1.0, 0.5], [9.0, 0.0, 0.0, 0.0]]
    rng = np.random.default_rng(0)
    sampled = np.array([policy.sample(rng) for _ in range(6000)])
    for row, size in enumerate((2, 4, 1)):
        expected = softmax(policy.logits[row, :size])
        np.testing.assert_allclose(np.bincount(sampled[:, row], minlength=size) / 6000, expected, atol=0.02)
        np.testing.assert_allclose(policy.probabilities()[row, :size], expected)


def test_huge_logits_are_no_problem():
    policy = Policy([2, 3])
    policy.logits += [[1e300, 0, 0], [-1e300, 1e300, 0]]
    np.testing.assert_array_equal(policy.probabilities(), [[1, 0, 0], [0, 1, 0]])


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=30), st.floats(0, 0.99))
def test_the_baseline_is_the_weighted_mean_of_all_rewards(rewards, decay):
    baseline = Baseline(decay)
    for n in range(1, len(rewards) + 1):
        mean = np.average(rewards[:n], weights=[decay ** (n - 1 - i) for i in range(n)])
        assert baseline.advantage(rewards[n - 1]) == pytest.approx(rewards[n - 1] - mean, abs=1e-9)
        assert baseline.worst == min(rewards[:n])


def test_a_step_is_learning_rate_times_advantage_times_gradient():
    sampler = Reinforce(TWO, 0, learning_rate=2.0, baseline_decay=0.5)
    tell(sampler, 0, 0.5, config={"x": "a", "y": "b"})  # the first is as good as the average
    assert sampler.probabilities == {"x": {"a": 0.5, "b": 0.5}, "y": dict.fromkeys("abc", pytest.approx(1 / 3))}
    tell(sampler, 1, 0.2, config={"x": "b", "y": "c"})
    step = 2.0 * (-0.2 - (0.5 * -0.5 + -0.2) / 1.5)  # the average: weights 0.5 and 1
    x, y = softmax(step * np.array([-0.5, 0.5])), softmax(step * np.array([-1, -1, 2]) / 3)
    assert list(sampler.probabilities["x"].values()) == pytest.approx(x.tolist())
    assert list(sampler.probabilities["y"].values()) == pytest.approx(y.tolist())


def test_what_was_sampled_is_what_learns():
    sampler = Reinforce(Lineage(), 0, learning_rate=1.0)  # its encode says "a" and 1 of everything that is no proposal
    made = [sampler.propose(number).config for number in range(20)]
    number, chosen = next((i, config) for i, config in enumerate(made) if config["name"] != "a" and config["size"] != 1)
    stripped = {"id": 0}  # as a canonical form may differ from what was sampled
    tell(sampler, 99, 1.0, config={"id": 1})
    tell(sampler, number, 0.0, config=stripped)
    after = sampler.probabilities
    assert max(after["name"], key=after["name"].get) == chosen["name"]
    assert max(after["size"], key=after["size"].get) == chosen["size"]


def test_only_active_hyperparameters_learn():
    sampler = Reinforce(conditional(), 0, learning_rate=5.0)
    tell(sampler, 0, 1.0, config={"kind": "sgd", "momentum": 0.5})
    tell(sampler, 1, 0.0, config={"kind": "adam"})
    assert sampler.probabilities["kind"]["adam"] > 0.9
    assert sampler.probabilities["momentum"] == dict.fromkeys((0.0, 0.5, 0.9), pytest.approx(1 / 3))
    made = [sampler.propose(2 + number).config for number in range(100)]
    assert all(("momentum" in config) == (config["kind"] == "sgd") for config in made)


def test_the_policy_is_sampled_whatever_it_has_become():
    sampler = Reinforce(TWO, 3, learning_rate=100.0)
    tell(sampler, 0, 1.0, config={"x": "a", "y": "a"})
    tell(sampler, 1, 0.0, config={"x": "b", "y": "c"})
    assert {tuple(sampler.propose(2 + number).config.values()) for number in range(20)} == {("b", "c")}


def test_divergence_counts_as_the_worst_so_far_and_a_crash_as_nothing():
    def after(*ends):
        sampler = Reinforce(TWO, 0, learning_rate=1.0)
        configs = itertools.cycle([{"x": "a", "y": "a"}, {"x": "b", "y": "b"}, {"x": "a", "y": "c"}])
        for trial, (outcome, config) in enumerate(zip(ends, configs, strict=False)):
            tell(sampler, trial, outcome, config=config)
        return sampler.probabilities

    uniform = after()
    assert after(CRASHED, CRASHED) == after(DIVERGED) == after(DIVERGED, DIVERGED) == uniform
    assert after(0.1, 0.9, DIVERGED) == after(0.1, 0.9, 0.9)
    assert after(0.1, 0.9, CRASHED) == after(0.1, 0.9) != uniform


def test_each_budget_has_an_average_of_its_own():
    sampler = Reinforce(TWO, 0, learning_rate=1.0)
    tell(sampler, 0, 0.5, budget=1, config={"x": "a", "y": "a"})
    tell(sampler, 1, 0.1, budget=9, config={"x": "b", "y": "b"})  # better, but the only one of its budget
    assert set(sampler.probabilities["x"].values()) == {0.5}
    tell(sampler, 2, 0.2, budget=9, config={"x": "a", "y": "a"})
    assert sampler.probabilities["x"]["a"] < 0.5


def test_invalid_values_are_drawn_again():
    encoding = Lineage(valid=lambda values: values == {"name": "b", "size": 4})
    sampler = Reinforce(encoding, 0)
    for number in range(10):
        made = sampler.propose(number)
        assert (made.config, made.origin) == ({"name": "b", "size": 4}, "policy")
    assert encoding.asked > 30  # one of nine is valid


def test_where_nothing_is_valid_the_space_draws():
    encoding = Lineage(valid=lambda values: False)
    sampler = Reinforce(encoding, 0)
    made = sampler.propose(0)
    assert made.origin == "random" and made.config["parent"] is None
    assert encoding.asked == TRIES
    tell(sampler, 0, 0.5, config=made.config)  # and is learned from by what it encodes to
    tell(sampler, 1, 1.0, config=made.config)
    assert sampler.probabilities["name"]["a"] < 1 / 3


def test_values_as_categories():
    space = from_plain({
        "op": {"choices": ["relu", "tanh"]},
        "size": {"ordered": [1, 4, 9]},
        "one": {"constant": 3},
        "few": {"range": [0, 63]},
    })  # fmt: skip
    assert choices(space) == {"op": ("relu", "tanh"), "size": (1, 4, 9), "one": (3,), "few": tuple(range(64))}


@pytest.mark.parametrize("form", [{"range": [0.0, 1.0]}, {"range": [1, 65]}])
def test_numbers_have_no_policy(form):
    with pytest.raises(InvalidValue) as caught:
        Reinforce(Hyperparameters(from_plain({"rate": form})), 0)
    assert str(caught.value).startswith(f"rate = {form['range']}: REINFORCE needs a category for each value")
    assert "ordered list" in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [{"learning_rate": 0.0}, {"learning_rate": float("nan")}, {"baseline_decay": 1.0}, {"baseline_decay": -0.1}],
)
def test_what_is_out_of_range(options):
    with pytest.raises(InvalidValue, match=next(iter(options))):
        Reinforce(TWO, 0, **options)


@pytest.mark.parametrize("workers", [1, 10])
def test_it_beats_random_search(workers):
    ours = [play(Reinforce(SWITCHES, seed, learning_rate=1.0), switches, 250, workers) for seed in range(5)]
    random = [play(Independent(SWITCHES.draw, seed), switches, 250, workers) for seed in range(5)]
    assert np.mean([min(losses) for losses in ours]) < np.mean([min(losses) for losses in random])
    assert np.mean(np.array(ours)[:, -50:]) < np.mean(np.array(random)[:, -50:]) - 0.3
