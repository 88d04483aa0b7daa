"""BOHB's model: the same distribution of proposals as HpBandSter's, and what HpBandSter cannot do."""

import math
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from ConfigSpace import EqualsCondition

from asha_nas.samplers import KDE, HpBandSter, Independent, kde
from asha_nas.samplers.coordinates import Coordinates
from asha_nas.schedulers import Job, Outcome
from spaces.encodings import Hyperparameters
from spaces.errors import InvalidValue
from spaces.hyperparameters import from_plain
from tests.asha_nas.samplers.two_samples import one_hot, p_value

SPACES = {
    "numbers": {
        "linear": {"range": [0.0, 1.0]},
        "rate": {"range": [1e-5, 1e-1], "log": True},
        "width": {"range": [1, 40]},
        "depth": {"range": [1, 64], "log": True},
    },
    "mixed": {
        "linear": {"range": [0.0, 1.0]},
        "width": {"range": [1, 9]},
        "kind": {"choices": ["a", "b", "c"]},
        "flag": {"choices": ["on", "off"]},
    },
    "categories": {f"kind {i}": {"choices": ["a", "b", "c"]} for i in range(4)},
}


def encoding_of(**description):
    return Hyperparameters(from_plain(description))


X = {"x": {"range": [0.0, 1.0]}}


def learn(sampler, configs, losses, stop=1, first=0):
    """Tell a sampler of one job for each configuration; a loss may be None (crashed) or NaN (diverged)."""
    for trial, (config, loss) in enumerate(zip(configs, losses, strict=True), start=first):
        outcome = Outcome(None) if loss is None else Outcome(None, True) if math.isnan(loss) else Outcome(float(loss))
        sampler.learn(Job(trial, trial, config, 0, 0, stop), outcome)
    return sampler


def proposed(sampler, count=200, first=0):
    return [sampler.propose(number) for number in range(first, first + count)]


# --- against HpBandSter ---------------------------------------------------------------------------------


DATA = 8  # with this seed every choice is among the good results and among the others


def taught(make, space, **options):
    """A sampler that has learned 100 random configurations, good around 0.4 of each coordinate, with much noise."""
    encoding = encoding_of(**SPACES[space])
    sampler, coordinates = make(encoding, 1, random_fraction=0, **options), Coordinates(encoding.space)
    rng = np.random.default_rng(DATA)
    configs = [encoding.draw(rng) for _ in range(100)]
    losses = [0.1 * ((coordinates.point(config) - 0.4) ** 2).sum() + rng.random() for config in configs]
    return learn(sampler, configs, losses)


def points_of(sampler, space):
    """Coordinates of what it proposes, each proposal drawn for itself from the same model."""
    coordinates = Coordinates(encoding_of(**SPACES[space]).space)
    made = proposed(sampler, 150)
    assert {one.origin for one in made} == {"model"}
    return one_hot(np.array([coordinates.point(one.config) for one in made]), coordinates.choices)


@pytest.fixture(scope="module")
def theirs():
    """HpBandSter's generator and its proposals for each space, made once."""
    made = {}

    def get(space):
        if space not in made:
            sampler = taught(HpBandSter, space)
            made[space] = sampler._generator, points_of(sampler, space)
        return made[space]

    return get


@pytest.mark.parametrize("space", SPACES)
def test_the_same_results_make_the_same_model(space, theirs):
    sampler = taught(KDE, space)
    sampler.propose(0)
    (results,) = sampler._results.values()
    (model,) = theirs(space)[0].kde_models.values()
    for mine, other in ((results.model.good, model["good"]), (results.model.bad, model["bad"])):
        assert sorted(mine.points.tolist()) == sorted(other.data.tolist())
        np.testing.assert_allclose(mine.bandwidths, other.bw, rtol=1e-12)
        # Else HpBandSter takes categories to have fewer choices, and proposals would differ.
        assert all(len(np.unique(other.data[:, j])) == c for j, c in enumerate(mine.choices) if c)


@pytest.mark.parametrize("space", SPACES)
def test_proposals_are_distributed_as_hpbandsters(space, theirs):
    assert p_value(theirs(space)[1], points_of(taught(KDE, space), space)) > 0.05


@pytest.mark.parametrize(
    ("space", "change"),
    [
        ("numbers", {"bandwidth_factor": 1}),
        ("numbers", {"samples": 16}),
        ("numbers", {"top_n_percent": 25}),
        ("mixed", {"bandwidth_factor": 1}),
        ("mixed", {"samples": 16}),
        ("mixed", {"top_n_percent": 25}),
        ("categories", {"samples": 4}),
        ("categories", {"top_n_percent": 25}),
    ],
)
def test_another_model_would_be_noticed(space, change, theirs):
    assert p_value(theirs(space)[1], points_of(taught(KDE, space, **change), space)) < 0.01


# --- when there is a model, and of what -----------------------------------------------------------------


@pytest.mark.parametrize("constants", [0, 3])
@pytest.mark.parametrize("dimensions", [1, 4])
def test_both_sides_need_more_points_than_dimensions(dimensions, constants):
    """What has one value only is no dimension."""
    described = {f"x{i}": {"range": [0.0, 1.0]} for i in range(dimensions)}
    encoding = encoding_of(**described, **{f"c{i}": {"constant": i} for i in range(constants)})
    sampler, needed = KDE(encoding, 0, random_fraction=0), 2 * (dimensions + 1)
    configs = [encoding.draw(np.random.default_rng(i)) for i in range(needed)]
    learn(sampler, configs[:-1], range(needed - 1))
    assert sampler.propose(0).origin == "random"
    learn(sampler, configs[-1:], [0], first=needed - 1)
    assert sampler.propose(1).origin == "model"


def test_before_there_is_a_model_it_is_random_search():
    encoding = encoding_of(**SPACES["mixed"])
    assert proposed(KDE(encoding, 5), 30) == proposed(Independent(encoding.draw, 5), 30)


def test_a_third_stays_random():
    origins = Counter(
        one.origin
        for one in proposed(learn(KDE(encoding_of(**X), 0), [{"x": i / 20} for i in range(20)], range(20)), 900)
    )
    assert origins["random"] == pytest.approx(300, abs=30)
    assert origins["model"] == 900 - origins["random"]


def test_the_highest_budget_that_has_enough_results_decides():
    def share_beyond_half(sampler):
        return np.mean([one.config["x"] > 0.5 for one in proposed(sampler)])

    configs = [{"x": (i + 0.5) / 30} for i in range(30)]
    sampler = learn(KDE(encoding_of(**X), 0, random_fraction=0), configs, range(30), stop=1)
    assert share_beyond_half(sampler) < 0.1
    learn(sampler, configs[:3], [2, 1, 0], stop=9)  # too few
    assert share_beyond_half(sampler) < 0.1
    learn(sampler, configs[3:], range(0, -27, -1), stop=9, first=3)
    assert share_beyond_half(sampler) > 0.9
    learn(sampler, [{"x": 0.01}] * 30, [-99] * 30, stop=3, first=30)  # a lower budget does not matter any more
    assert share_beyond_half(sampler) > 0.9


@pytest.mark.parametrize("failure", [None, math.nan])
def test_failures_are_the_worst(failure):
    configs = [{"x": (i + 0.5) / 40} for i in range(40)]
    losses = [failure if i < 20 else 1e300 for i in range(40)]
    made = proposed(learn(KDE(encoding_of(**X), 0, random_fraction=0), configs, losses))
    assert np.mean([one.config["x"] > 0.5 for one in made]) > 0.9


def test_failures_alone_make_a_model_too():
    sampler = learn(KDE(encoding_of(**X), 0, random_fraction=0), [{"x": i / 9} for i in range(10)], [None] * 10)
    assert {one.origin for one in proposed(sampler, 20)} == {"model"}


# --- what HpBandSter cannot do --------------------------------------------------------------------------


def test_ordinals_are_modelled_by_their_order():
    encoding = encoding_of(size={"ordered": [1, 2, 4, 8, 16, 32, 64, 128]})
    configs = [{"size": 2 ** (i % 8)} for i in range(64)]
    made = proposed(learn(KDE(encoding, 0, random_fraction=0), configs, [abs(i % 8 - 6) for i in range(64)]))
    counts = Counter(one.config["size"] for one in made)
    assert set(counts) <= {2**i for i in range(8)}
    assert counts[64] > 150


def test_a_category_that_was_seen_in_one_value_only():
    encoding = encoding_of(kind={"choices": ["a", "b", "c"]}, **X)
    configs = [{"kind": "b", "x": i / 19} for i in range(20)]
    made = proposed(learn(KDE(encoding, 0, random_fraction=0), configs, range(20)))
    assert {one.origin for one in made} == {"model"}
    assert np.mean([one.config["x"] < 0.5 for one in made]) > 0.9


def test_where_kernels_are_uniform_nothing_is_preferred():
    """Many choices make a bandwidth so wide that HpBandSter's kernel is negative; here rounding must not decide."""
    kinds = [f"kind {i}" for i in range(30)]
    configs = [{"kind": kind} for kind in kinds * 3]
    sampler = learn(KDE(encoding_of(kind={"choices": kinds}), 0, random_fraction=0), configs, [0, 1, 2] * 30)
    counts = Counter(one.config["kind"] for one in proposed(sampler, 600))
    assert len(counts) == 30
    assert max(counts.values()) < 60


def conditional():
    space = from_plain({"optimizer": {"choices": ["sgd", "adam"]}, "momentum": {"range": [0.0, 1.0]}, **X})
    space.add(EqualsCondition(space["momentum"], space["optimizer"], "sgd"))
    return Hyperparameters(space)


def test_conditional_hyperparameters_are_modelled_where_they_are_active():
    encoding, rng = conditional(), np.random.default_rng(0)
    configs = [encoding.draw(rng) for _ in range(80)]
    losses = [abs(config.get("momentum", 2.0) - 0.9) for config in configs]
    made = [one.config for one in proposed(learn(KDE(encoding, 0, random_fraction=0), configs, losses))]
    with_sgd = [config for config in made if config["optimizer"] == "sgd"]
    assert all(("momentum" in config) == (config["optimizer"] == "sgd") for config in made)
    assert len(with_sgd) > 150
    assert np.mean([abs(config["momentum"] - 0.9) < 0.2 for config in with_sgd]) > 0.9


def test_a_hyperparameter_that_was_never_active():
    encoding = conditional()
    configs = [{"optimizer": "adam", "x": i / 19} for i in range(20)]
    made = proposed(learn(KDE(encoding, 0, random_fraction=0), configs, range(20)))
    assert {one.origin for one in made} == {"model"}
    assert np.mean([one.config["x"] < 0.5 for one in made]) > 0.9


def test_a_space_of_one_configuration():
    encoding = encoding_of(only={"constant": 3})
    assert {repr(dict(one.config)) for one in proposed(learn(KDE(encoding, 0), [{"only": 3}] * 9, range(9)), 9)} == {
        "{'only': 3}"
    }


# --- points that stand for nothing ----------------------------------------------------------------------


class Partial:
    """An encoding in which only some values stand for a configuration; it counts what it is asked."""

    def __init__(self, valid):
        self.whole = encoding_of(**X)
        self.space = self.whole.space
        self.draw = self.whole.draw
        self.valid = valid
        self.decoded = self.encoded = 0

    def decode(self, values):
        self.decoded += 1
        return self.whole.decode(values) if self.valid(values["x"]) else None

    def encode(self, config):
        self.encoded += 1
        return self.whole.encode(config)


def test_the_next_best_point_stands_in_for_one_that_is_no_configuration():
    configs = [{"x": (i + 0.5) / 40} for i in range(40)]
    losses = [abs(config["x"] - 0.5) for config in configs]
    encoding = Partial(lambda x: abs(x - 0.5) > 0.1)
    made = proposed(learn(KDE(encoding, 0, random_fraction=0), configs, losses))
    assert {one.origin for one in made} == {"model"}
    distances = [abs(one.config["x"] - 0.5) for one in made]
    assert min(distances) > 0.1
    assert np.median(distances) < 0.15
    assert encoding.decoded > 200


def test_where_no_point_is_a_configuration_it_is_drawn_at_random():
    encoding = Partial(lambda x: False)
    sampler = learn(KDE(encoding, 0, random_fraction=0, samples=10), [{"x": i / 9} for i in range(10)], range(10))
    assert sampler.propose(0).origin == "random"
    assert encoding.decoded == 10


# --- what it costs --------------------------------------------------------------------------------------


def test_a_trial_is_encoded_once_and_only_for_a_model(monkeypatch):
    fits = []
    fit = kde.Model.fit
    monkeypatch.setattr(kde.Model, "fit", lambda *arguments: fits.append(1) or fit(*arguments))
    encoding = Partial(lambda x: True)
    sampler, configs = KDE(encoding, 0, random_fraction=0), [{"x": i / 9} for i in range(10)]
    for stop in (1, 3, 9):
        learn(sampler, configs, range(10), stop=stop)
    assert (encoding.encoded, len(fits)) == (0, 0)
    proposed(sampler, 5)
    assert (encoding.encoded, len(fits)) == (10, 1)
    learn(sampler, [{"x": 0.5}], [3], stop=9, first=10)
    proposed(sampler, 5)
    assert (encoding.encoded, len(fits)) == (11, 2)


def test_too_few_points_for_a_model_are_refused():
    assert KDE(encoding_of(**X), 0, min_points=2)
    with pytest.raises(InvalidValue, match=r"min_points = 1: must be at least 2"):
        KDE(encoding_of(**X), 0, min_points=1)


def test_min_points_is_the_least_number_of_good_ones():
    sampler = KDE(encoding_of(**X), 0, random_fraction=0, min_points=8)
    configs = [{"x": i / 9} for i in range(10)]
    learn(sampler, configs[:9], range(9))
    assert sampler.propose(0).origin == "random"  # 8 good ones leave 1, and 2 are needed
    learn(sampler, configs[9:], [9], first=9)
    assert sampler.propose(1).origin == "model"


def test_the_package_loads_samplers_when_they_are_used():
    heavy = "{'scipy', 'ConfigSpace', 'hpbandster'}"
    script = f"import sys, asha_nas.samplers as s; print(sorted({heavy} & set(sys.modules))); s.KDE"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    with pytest.raises(AttributeError, match="has no attribute 'Kde'"):
        __import__("asha_nas.samplers").samplers.Kde  # noqa: B018
