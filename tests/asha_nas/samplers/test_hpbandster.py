"""HpBandSter's own generator: the same as when driven by hand, and what it hides is seen."""

import types
import warnings

import numpy as np
import pytest
from ConfigSpace import ForbiddenAndConjunction, ForbiddenEqualsClause

from asha_nas.samplers import HpBandSter
from asha_nas.samplers.hpbandster import MODEL_FAILED, NOT_FINITE
from asha_nas.schedulers import Job, Outcome
from spaces.encodings import Hyperparameters
from spaces.errors import InvalidValue
from spaces.hyperparameters import from_plain, plain_values
from tests.contracts.scheduler import CRASHED, DIVERGED

MIXED = {"rate": {"range": [1e-4, 1.0], "log": True}, "width": {"range": [1, 9]}, "kind": {"choices": ["a", "b"]}}


def taught(encoding, results=30, seed=3, **options):
    """A sampler of which everything is a pick of the model, with that many random results."""
    sampler, rng = (
        HpBandSter(encoding, seed, **{"random_fraction": 0, "samples": 8, **options}),
        np.random.default_rng(0),
    )
    for trial in range(results):
        sampler.learn(Job(trial, trial, encoding.draw(rng), 0, 0, 9), Outcome(float(rng.random())))
    return sampler


def test_it_proposes_what_the_generator_does_when_driven_by_hand():
    from hpbandster.optimizers.config_generators.bohb import BOHB

    encoding = Hyperparameters(from_plain(MIXED))
    sampler = taught(encoding)
    seed = np.random.default_rng([3, 0])
    encoding.space.seed(int(seed.integers(2**31)))
    before = np.random.get_state()  # noqa: NPY002
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            generator, rng = BOHB(encoding.space, random_fraction=0, num_samples=8), np.random.default_rng(0)
            for _ in range(30):
                told = {"budget": 9.0, "config": encoding.draw(rng)}
                result = {"loss": float(rng.random())}
                generator.new_result(types.SimpleNamespace(id=0, kwargs=told, result=result, exception=None))
            np.random.seed(int(seed.integers(2**32)))  # noqa: NPY002
            values, info = generator.get_config(9.0)
    finally:
        np.random.set_state(before)  # noqa: NPY002
    assert info["model_based_pick"]
    assert sampler.propose(0).config == plain_values(values)


def test_options_arrive():
    encoding = Hyperparameters(from_plain(MIXED))
    generator = HpBandSter(
        encoding,
        0,
        top_n_percent=20,
        samples=7,
        random_fraction=0.1,
        bandwidth_factor=2,
        min_bandwidth=0.01,
        min_points=5,
    )._generator
    assert (generator.top_n_percent, generator.num_samples, generator.random_fraction) == (20, 7, 0.1)
    assert (generator.bw_factor, generator.min_bandwidth, generator.min_points_in_model) == (2, 0.01, 5)
    assert HpBandSter(encoding, 0)._generator.min_points_in_model == 4
    with pytest.raises(InvalidValue, match="min_points = 3: must be at least 4"):
        HpBandSter(encoding, 0, min_points=3)


def test_every_result_arrives_failures_as_infinite():
    encoding = Hyperparameters(from_plain(MIXED))
    sampler = HpBandSter(encoding, 0)
    config = encoding.draw(np.random.default_rng(0))
    for trial, outcome in enumerate([Outcome(0.5), CRASHED, DIVERGED]):
        sampler.learn(Job(trial, trial, config, 1, 3, 9), outcome)
    assert sampler._generator.losses == {9.0: [0.5, np.inf, np.inf]}


def test_ordinals_are_refused():
    encoding = Hyperparameters(from_plain({"size": {"ordered": [1, 4, 9]}}))
    with pytest.raises(InvalidValue, match=r"space\.size = \[1, 4, 9\].*\n.*--sampler kde"):
        HpBandSter(encoding, 0)


def test_a_model_that_fails_is_seen():
    """HpBandSter itself would say no more of it than that the configuration is random, as a third of all are."""
    sampler = taught(Hyperparameters(from_plain(MIXED)))
    assert sampler.propose(0).origin == "model"

    def fail(_):
        raise ZeroDivisionError

    sampler._generator.kde_models[9.0]["good"].pdf = fail
    assert sampler.propose(1).origin == MODEL_FAILED == "random (model failed)"


def test_picks_that_a_clause_forbids_are_seen():
    space = from_plain({"kind": {"choices": ["a", "b"]}, "flag": {"choices": ["on", "off"]}})
    clauses = ForbiddenEqualsClause(space["kind"], "b"), ForbiddenEqualsClause(space["flag"], "off")
    space.add(ForbiddenAndConjunction(*clauses))
    sampler = taught(Hyperparameters(space), samples=1)
    made = [sampler.propose(number) for number in range(60)]
    assert {one.origin for one in made} == {"model", MODEL_FAILED}
    assert ("b", "off") not in {(one.config["kind"], one.config["flag"]) for one in made}


def test_ratios_that_are_not_finite_are_seen():
    """All bad results share a category: statsmodels takes it to have no other and divides by zero."""
    encoding = Hyperparameters(from_plain(MIXED))
    sampler, rng = HpBandSter(encoding, 0, random_fraction=0), np.random.default_rng(0)
    for trial in range(30):
        config = {**encoding.draw(rng), "kind": "b" if trial < 2 else "a"}
        sampler.learn(Job(trial, trial, config, 0, 0, 9), Outcome(float(trial)))
    assert NOT_FINITE in {sampler.propose(number).origin for number in range(20)}


def test_a_pick_that_stands_for_no_configuration_is_seen():
    class Picky(Hyperparameters):
        def decode(self, values):
            return None

    encoding = Picky(from_plain(MIXED))
    assert HpBandSter(encoding, 0).propose(0).origin == "random"
    assert taught(encoding).propose(0).origin == MODEL_FAILED


def test_it_says_nothing_and_leaves_nothing_behind_even_when_it_fails(capsys, caplog):
    sampler = taught(Hyperparameters(from_plain(MIXED)))
    filters, settings, state = list(warnings.filters), np.geterr(), repr(np.random.get_state())  # noqa: NPY002

    def fail(_):
        raise KeyError("the generator itself")

    sampler._generator.get_config = fail
    with pytest.raises(KeyError):
        sampler.propose(0)
    assert (warnings.filters, np.geterr(), repr(np.random.get_state())) == (filters, settings, state)  # noqa: NPY002
    assert capsys.readouterr() == ("", "")
    assert not caplog.records
