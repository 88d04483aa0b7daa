"""The configuration spaces of NAS-Bench-1Shot1: ranges, scales, defaults."""

import json

import numpy as np
import pytest
from ConfigSpace import Configuration, ConfigurationSpace

from spaces.errors import UnknownName
from spaces.hyperparameters import CONFIG_SPACES, NINE, config_space, from_plain, sample, to_plain

RANGES = {  # from, to, logarithmic, default
    "weight_decay": (1e-5, 1e-3, True, 3e-4),
    "cutout_prob": (0.0, 1.0, False, 0.0),
    "learning_rate": (1e-3, 1.0, True, 0.025),
    "momentum": (0.0, 0.99, False, 0.9),
    "cutout_length": (2, 32, True, 16),
    "batch_size": (16, 128, False, 96),
    "grad_clip": (1, 9, False, 5),
    "arch_learning_rate": (1e-5, 1e-2, True, 3e-4),
    "arch_weight_decay": (1e-4, 1e-1, True, 1e-3),
}
SIZES = {"cs1": 2, "cs2": 3, "cs3": 9}

each_space = pytest.mark.parametrize("name", SIZES)


def draws(name, count=300):
    space, rng = config_space(name), np.random.default_rng(0)
    return [sample(space, rng) for _ in range(count)]


@each_space
def test_each_space_has_the_first_of_the_nine(name):
    tuned = list(RANGES)[: SIZES[name]]
    assert CONFIG_SPACES[name] == tuple(tuned)
    assert list(NINE) == list(RANGES)
    space = config_space(name)
    assert set(space) == set(tuned)
    for one in tuned:
        low, high, log, default = RANGES[one]
        parameter = space[one]
        assert (parameter.lower, parameter.upper, parameter.log, parameter.default_value) == (low, high, log, default)
        assert type(parameter.default_value) is type(default)


@each_space
def test_the_default_configuration_is_that_of_the_paper(name):
    default = dict(config_space(name).get_default_configuration())
    assert default == {one: RANGES[one][3] for one in CONFIG_SPACES[name]}


@each_space
def test_samples_stay_in_range_and_are_plain(name):
    for values in draws(name):
        assert set(values) == set(CONFIG_SPACES[name])
        assert json.loads(json.dumps(values)) == values
        for one, value in values.items():
            low, high, _, default = RANGES[one]
            assert type(value) is type(default)
            assert low <= value <= high


@pytest.mark.parametrize("end", [0, 1])
def test_the_ends_of_ranges_are_exact(end):
    space = config_space("cs3")
    corner = dict(Configuration(space, vector=np.full(len(space), float(end))))
    assert corner == {one: values[end] for one, values in RANGES.items()}


def test_samples_are_spread_on_their_scale():
    values = draws("cs3")
    for one, (low, high, log, _) in RANGES.items():
        middle = np.sqrt(low * high) if log else (low + high) / 2
        below = sum(each[one] < middle for each in values)
        assert 100 < below < 200, one


def test_a_space_is_made_anew_each_time_and_survives_json():
    first, second = config_space("cs3"), config_space("cs3")
    assert first == second
    assert isinstance(first, ConfigurationSpace) and first is not second
    assert from_plain(json.loads(json.dumps(to_plain(first)))) == second


def test_names():
    assert config_space("CS2") == config_space("cs2")
    with pytest.raises(UnknownName, match=r"configuration space 'cs4'\nDid you mean 'cs[123]'"):
        config_space("cs4")
