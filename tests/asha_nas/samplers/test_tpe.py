"""TPE: the space in Optuna's terms, what it is told, and that its suggestions are Optuna's own."""

import importlib
import sys

import numpy as np
import pytest
from ConfigSpace import EqualsCondition

from asha_nas.samplers import Independent
from spaces.encodings import Hyperparameters
from spaces.errors import InvalidValue, UserError
from spaces.hyperparameters import from_plain
from tests.asha_nas.samplers.plays import CRASHED, DIVERGED, SWITCHES, Lineage, play, switches, tell

optuna = pytest.importorskip("optuna", reason="needs Optuna: pip install 'asha-nas[tpe]'")

from asha_nas.samplers.tpe import TPE, TRIES  # noqa: E402 - only where Optuna is

COMPLETE, PRUNED, FAIL, RUNNING = (
    getattr(optuna.trial.TrialState, name) for name in ("COMPLETE", "PRUNED", "FAIL", "RUNNING")
)
FORMS = {
    "rate": {"range": [1e-4, 1.0], "log": True},
    "momentum": {"range": [-1.0, 1.0]},
    "layers": {"range": [1, 8]},
    "width": {"range": [8, 512], "log": True},
    "op": {"choices": ["relu", 3, 2.5, False]},
    "batch": {"ordered": ["small", "large", "huge"]},
    "seed": {"constant": 3},
}
NUMBERS = Hyperparameters(from_plain({"x": {"range": [0.0, 1.0]}, "y": {"range": [0.0, 1.0]}}))


def bowl(config):
    return (config["x"] - 0.3) ** 2 + (config["y"] - 0.8) ** 2


def trials(sampler):
    return sampler._study.get_trials(deepcopy=False)


def test_every_hyperparameter_is_what_it_was():
    sampler = TPE(Hyperparameters(from_plain(FORMS)), 0, startup=3)
    made = []
    for number in range(40):
        made.append(sampler.propose(number))
        tell(sampler, number, number % 7, config=made[-1].config)
    assert [one.origin for one in made] == ["random"] * 3 + ["model"] * 37
    as_optuna = {
        "rate": optuna.distributions.FloatDistribution(1e-4, 1.0, log=True),
        "momentum": optuna.distributions.FloatDistribution(-1.0, 1.0),
        "layers": optuna.distributions.IntDistribution(1, 8),
        "width": optuna.distributions.IntDistribution(8, 512, log=True),
        "op": optuna.distributions.CategoricalDistribution(range(4)),
        "batch": optuna.distributions.IntDistribution(0, 2),
    }
    for one, trial in zip(made, trials(sampler), strict=True):
        assert trial.distributions == as_optuna
        assert {name: type(value) for name, value in one.config.items() if name != "op"} == {
            "rate": float, "momentum": float, "layers": int, "width": int, "batch": str, "seed": int,
        }  # fmt: skip
        assert one.config["op"] is FORMS["op"]["choices"][trial.params["op"]]
        assert one.config["batch"] == FORMS["batch"]["ordered"][trial.params["batch"]]
        assert one.config["width"] == trial.params["width"]
        assert one.config["rate"] == pytest.approx(trial.params["rate"], abs=1e-12)
    assert {one.config["op"] for one in made} == {"relu", 3, 2.5, False}


def test_suggestions_are_optuna_s_own():
    sampler, seed, startup = TPE(NUMBERS, 5, startup=4), 5, 4
    study = optuna.create_study()
    for number in range(15):
        made = sampler.propose(number)
        rng = np.random.default_rng([seed, number])
        study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=0, multivariate=False, constant_liar=True, seed=int(rng.spawn(1)[0].integers(2**32))
        )
        if number < startup:
            study.enqueue_trial(NUMBERS.draw(rng))
        trial = study.ask()
        suggested = {name: trial.suggest_float(name, 0, 1) for name in ("x", "y")}
        assert made.config == pytest.approx(suggested, abs=1e-12)
        tell(sampler, number, bowl(suggested), config=made.config)
        study.tell(trial, bowl(suggested))


def test_it_begins_with_random_search():
    sampler, random = TPE(NUMBERS, 3), Independent(NUMBERS.draw, 3)
    assert [sampler.propose(number) for number in range(12)] == [random.propose(number) for number in range(12)]


def test_only_active_hyperparameters_are_asked_for():
    space = from_plain({"kind": {"choices": ["sgd", "adam"]}, "momentum": {"range": [0.0, 1.0]}})
    space.add(EqualsCondition(space["momentum"], space["kind"], "sgd"))
    sampler = TPE(Hyperparameters(space), 0, startup=2)
    for number in range(30):
        config = tell(sampler, number, 0.0 if number % 3 else 1.0)
        assert ("momentum" in config) == (config["kind"] == "sgd")
        assert set(trials(sampler)[number].params) == set(config)
    assert {len(trial.params) for trial in trials(sampler)} == {1, 2}


def test_how_trials_end():
    sampler = TPE(NUMBERS, 0, startup=2)
    for trial, end in enumerate([0.5, CRASHED, DIVERGED]):
        tell(sampler, trial, end)
    sampler.propose(3)
    assert [(trial.state, trial.value) for trial in trials(sampler)] == [
        (COMPLETE, 0.5), (FAIL, None), (PRUNED, None), (RUNNING, None),
    ]  # fmt: skip


def test_the_result_at_the_highest_budget_counts():
    sampler = TPE(NUMBERS, 0, startup=3)
    configs = [sampler.propose(number).config for number in range(5)]
    ends = [(0, 0.5, 1), (1, 0.6, 1), (2, 0.7, 1), (0, 0.1, 3), (1, DIVERGED, 3), (2, CRASHED, 3), (3, CRASHED, 1)]
    for trial, end, budget in ends:
        tell(sampler, trial, end, budget, configs[trial])
    expected = [(COMPLETE, 0.1), (PRUNED, None), (COMPLETE, 0.7), (FAIL, None), (RUNNING, None)]
    assert [(trial.state, trial.value) for trial in trials(sampler)] == expected
    assert [trial.number for trial in trials(sampler)] == list(range(5))
    assert [trial.params for trial in trials(sampler)] == [pytest.approx(config) for config in configs]
    assert sampler.propose(5).origin == "random"  # two results are left
    tell(sampler, 4, 0.2, config=configs[4])
    assert sampler.propose(6).origin == "model"


def test_where_all_fail_it_goes_on_at_random():
    sampler = TPE(NUMBERS, 0, startup=1)
    made = []
    for number in range(20):
        made.append(sampler.propose(number))
        tell(sampler, number, CRASHED if number % 2 else DIVERGED, config=made[-1].config)
    assert {one.origin for one in made} == {"random"}


def test_invalid_values_are_told_as_bad_and_asked_again():
    valid = Lineage(valid=lambda values: values["name"] == "a" and values["size"] != 4)
    sampler = TPE(valid, 0, startup=2)
    made = []
    for number in range(20):
        made.append(sampler.propose(number))
        tell(sampler, number, number, config=made[-1].config)
    assert {one.config["name"] for one in made if one.origin == "model"} == {"a"}
    bad = [trial for trial in trials(sampler) if trial.state == PRUNED]
    assert len(bad) == valid.asked - 18 > 0
    assert all(trial.params["name"] != 0 or trial.params["size"] == 2 for trial in bad)


def test_where_nothing_is_valid_the_space_draws():
    encoding = Lineage(valid=lambda values: False)
    sampler = TPE(encoding, 0, startup=1)
    tell(sampler, 0, 1.0)
    assert sampler.propose(1).origin == "random"
    assert encoding.asked == TRIES


def test_a_trial_that_it_did_not_propose():
    sampler = TPE(NUMBERS, 0, startup=1)
    tell(sampler, 0, 0.25, config={"x": 0.1, "y": 0.2})
    assert [(trial.params, trial.value) for trial in trials(sampler)] == [({"x": 0.1, "y": 0.2}, 0.25)]
    assert sampler.propose(1).origin == "model"


def test_what_is_in_flight_is_not_tried_again():
    sampler = TPE(SWITCHES, 0, startup=5)
    for number in range(30):
        tell(sampler, number, switches(sampler.propose(number).config) if number else 1.0)
    made = [sampler.propose(30 + number).config for number in range(8)]
    assert len({repr(config) for config in made}) > 4


def test_it_says_nothing(capfd):
    level = optuna.logging.get_verbosity()
    play(TPE(NUMBERS, 0, startup=2), bowl, 5)
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == level


@pytest.mark.parametrize("workers", [1, 5])
def test_it_beats_random_search(workers):
    ours = [play(TPE(NUMBERS, seed), bowl, 60, workers)[-20:] for seed in range(4)]
    random = [play(Independent(NUMBERS.draw, seed), bowl, 60, workers)[-20:] for seed in range(4)]
    assert np.mean(ours) < np.mean(random) / 3


def test_no_startup_at_all():
    with pytest.raises(InvalidValue, match="startup = 0: must be at least 1"):
        TPE(NUMBERS, 0, startup=0)


def test_without_optuna_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.delitem(sys.modules, "asha_nas.samplers.tpe")
    with pytest.raises(UserError, match=r"pip install 'asha-nas\[tpe\]'"):
        importlib.import_module("asha_nas.samplers.tpe")
