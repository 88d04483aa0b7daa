"""SMAC: what its forest learns, that it is SMAC3's own, and that another process replays it."""

import importlib
import os
import subprocess
import sys

import numpy as np
import pytest

from asha_nas.samplers import Independent
from spaces.encodings import Hyperparameters
from spaces.errors import InvalidValue, UserError
from spaces.hyperparameters import from_plain
from tests.asha_nas.samplers.plays import CRASHED, DIVERGED, Lineage, play, tell
from tests.asha_nas.samplers.test_contract import conditional
from tests.contracts import sampler as contract

pytest.importorskip("smac", reason="needs SMAC3: pip install 'asha-nas[smac]'")

from asha_nas.samplers.smac import ROUNDS, SMAC, log_scaled

NUMBERS = Hyperparameters(from_plain({"x": {"range": [0.0, 1.0]}, "y": {"range": [0.0, 1.0]}}))
QUICK = {"challengers": 10}


def bowl(config):
    return (config["x"] - 0.3) ** 2 + (config["y"] - 0.8) ** 2


@pytest.fixture
def learned(monkeypatch):
    """What the forest is grown on, each time: points and losses."""
    seen, grow = [], SMAC._improvement

    def improvement(self, points, losses, seed):
        seen.append((points, losses))
        return grow(self, points, losses, seed)

    monkeypatch.setattr(SMAC, "_improvement", improvement)
    return seen


@pytest.mark.parametrize("law", contract.LAWS, ids=lambda law: law.__name__)
def test_contract(law):
    encoding = Hyperparameters(conditional())
    ends = [
        (1, contract.Outcome(0.7), True),
        (0, CRASHED, False),
        (1, contract.Outcome(0.1), True),
        (2, DIVERGED, True),
    ]
    play = contract.Play(3, (*ends, (0, contract.Outcome(0.5), False)), trials=10)
    law(lambda seed: SMAC(encoding, seed, startup=3, **QUICK), encoding, play)


def test_the_forest_learns_results_at_the_highest_budget_and_failures_as_the_worst(learned):
    sampler = SMAC(NUMBERS, 0, startup=2, random_fraction=0, **QUICK)
    configs = [sampler.propose(number).config for number in range(6)]
    ends = [
        (0, 0.5, 1),
        (1, 0.6, 1),
        (2, 0.9, 1),
        (0, 0.1, 3),
        (1, DIVERGED, 3),
        (2, CRASHED, 3),
        (3, CRASHED, 1),
        (4, 0.2, 1),
    ]
    for trial, end, budget in ends:
        tell(sampler, trial, end, budget, configs[trial])
    assert sampler.propose(6).origin == "model"
    points, losses = learned[-1]
    np.testing.assert_array_equal(losses, [0.1, 0.9, 0.9, 0.2])
    np.testing.assert_allclose(points, [list(configs[trial].values()) for trial in (0, 1, 2, 4)])


def test_it_begins_with_startup_results(learned):
    sampler = SMAC(NUMBERS, 3, startup=3, random_fraction=0, **QUICK)
    origins = []
    for number, end in enumerate([0.1, CRASHED, DIVERGED, 0.2, 0.3, 0.4]):
        made = sampler.propose(number)
        origins.append(made.origin)
        tell(sampler, number, end, config=made.config)
    assert origins == ["random"] * 5 + ["model"]
    assert sampler.propose(6).origin == "model" and len(learned) == 2


def test_some_proposals_stay_random():
    always = SMAC(NUMBERS, 3, startup=1, random_fraction=1)
    tell(always, 0, 0.1)
    random = Independent(NUMBERS.draw, 3)
    assert [always.propose(number) for number in range(1, 20)] == [random.propose(number) for number in range(1, 20)]


def test_equal_and_huge_losses_are_learned(learned):
    for losses in ([2.0] * 4, [0.0] * 4, [-1e300, 1e300, 0.0, 1e300], [1.0, 1.0 + 2**-52, 1.0, 1.0]):
        sampler = SMAC(NUMBERS, 0, startup=4, random_fraction=0, **QUICK)
        for number, loss in enumerate(losses):
            tell(sampler, number, loss)
        assert sampler.propose(4).origin == "model"


def test_losses_are_scaled_as_smac3_does():
    from smac import Scenario
    from smac.runhistory.encoder import RunHistoryLogScaledEncoder
    from smac.runhistory.runhistory import RunHistory

    losses = np.random.default_rng(0).gamma(2, 1, 50)
    history = RunHistory()
    encoder = RunHistoryLogScaledEncoder(Scenario(NUMBERS.space, deterministic=True))
    encoder.runhistory = history
    for number, loss in enumerate(losses):
        history.add(SMAC(NUMBERS, 0)._configuration(NUMBERS.draw(np.random.default_rng(number))), float(loss))
    np.testing.assert_allclose(log_scaled(losses), encoder.transform()[1][:, 0], rtol=1e-6)
    np.testing.assert_array_equal(log_scaled(np.full(3, 7.0)), 0)


def test_the_forest_is_that_of_smac3_s_facade():
    from smac import HyperparameterOptimizationFacade, Scenario

    sampler, rng = SMAC(NUMBERS, 0), np.random.default_rng(0)
    points, losses = rng.random((30, 2)), rng.random(30)
    theirs = HyperparameterOptimizationFacade.get_model(Scenario(NUMBERS.space, deterministic=True, seed=11))
    theirs.train(points, log_scaled(losses)[:, None])
    ours = sampler._improvement(points, losses, 11)
    at = rng.random((200, 2))
    for mine, other in zip(ours.model.predict_marginalized(at), theirs.predict_marginalized(at), strict=True):
        np.testing.assert_array_equal(mine, other)
    assert ours._eta == theirs.predict_marginalized(points)[0].min()


def test_nothing_is_proposed_twice_by_the_model():
    few = Hyperparameters(from_plain({"a": {"choices": [0, 1, 2]}, "b": {"choices": [0, 1, 2]}}))
    sampler = SMAC(few, 0, startup=2, random_fraction=0, **QUICK)
    made, seen = [], set()
    for number in range(13):
        one = sampler.propose(number)
        if one.origin == "model":
            assert repr(one.config) not in seen
        seen.add(repr(one.config))
        made.append(one)
        tell(sampler, number, one.config["a"] + one.config["b"], config=one.config)
    assert len(seen) > 6
    assert made[-1].origin == "random"  # the space is exhausted, the study is not


def test_invalid_values_are_learned_as_bad(learned):
    sampler = SMAC(Lineage(valid=lambda values: values["name"] == "a"), 0, startup=2, random_fraction=0, **QUICK)
    for number in range(2):
        tell(sampler, number, 1 + number)
    made = [sampler.propose(2 + number) for number in range(3)]
    assert all(one.origin == "random" or one.config["name"] == "a" for one in made)
    assert len(sampler._invalid) > 0
    losses = learned[-1][1]
    assert len(losses) > 2 and set(losses[2:]) == {2.0}


def test_where_nothing_is_valid_the_space_draws(learned):
    sampler = SMAC(Lineage(valid=lambda values: False), 0, startup=1, random_fraction=0, **QUICK)
    tell(sampler, 0, 1.0)
    assert sampler.propose(1).origin == "random"
    assert len(learned) == ROUNDS


def test_a_trial_that_it_did_not_propose(learned):
    sampler = SMAC(NUMBERS, 0, startup=1, random_fraction=0, **QUICK)
    tell(sampler, 0, 0.25, config={"x": 0.1, "y": 0.2})
    assert sampler.propose(1).origin == "model"
    np.testing.assert_allclose(learned[0][0], [[0.1, 0.2]])


REPLAY = """
from asha_nas.samplers.smac import SMAC
from spaces.encodings import Hyperparameters
from spaces.hyperparameters import from_plain
from tests.asha_nas.samplers.plays import tell
space = {"rate": {"range": [1e-4, 1.0], "log": True}, "width": {"range": [1, 9]}, "kind": {"choices": ["a", "b", "c"]}}
sampler = SMAC(Hyperparameters(from_plain(space)), 3, startup=3, challengers=20)
for number in range(9):
    config = sampler.propose(number).config
    tell(sampler, number, config["rate"] * config["width"], config=config)
    print(config)
"""


def test_another_process_proposes_the_same_and_writes_nothing(tmp_path):
    """Where texts have other hashes, too: the order of sets must decide nothing."""
    said = [
        subprocess.run(
            [sys.executable, "-c", REPLAY], env={**os.environ, "PYTHONHASHSEED": seed}, cwd=tmp_path,
            capture_output=True, text=True, check=True,
        )
        for seed in ("1", "2")
    ]  # fmt: skip
    assert said[0].stdout == said[1].stdout and said[0].stdout.count("\n") == 9
    assert said[0].stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_it_beats_random_search():
    ours = [min(play(SMAC(NUMBERS, seed, challengers=100), bowl, 25, workers=2)) for seed in range(2)]
    random = [min(play(Independent(NUMBERS.draw, seed), bowl, 25, workers=2)) for seed in range(2)]
    assert np.mean(ours) < np.mean(random) / 2


@pytest.mark.parametrize("options", [{"startup": 0}, {"random_fraction": 1.1}, {"challengers": 9}])
def test_what_is_out_of_range(options):
    with pytest.raises(InvalidValue, match=next(iter(options))):
        SMAC(NUMBERS, 0, **options)


def test_without_smac3_the_extra_is_named(monkeypatch):
    for name in [name for name in sys.modules if name == "smac" or name.startswith("smac.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "smac", None)
    monkeypatch.delitem(sys.modules, "asha_nas.samplers.smac")
    with pytest.raises(UserError, match=r"pip install 'asha-nas\[smac\]'"):
        importlib.import_module("asha_nas.samplers.smac")
