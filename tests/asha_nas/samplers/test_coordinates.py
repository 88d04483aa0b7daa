"""Configurations as points and back: scales, conditions, and what cannot vary."""

import numpy as np
import pytest
from ConfigSpace import (
    BetaIntegerHyperparameter,
    EqualsCondition,
    InCondition,
    NormalFloatHyperparameter,
    NotEqualsCondition,
    OrConjunction,
)
from hypothesis import given
from hypothesis import strategies as st

from asha_nas.samplers.coordinates import Coordinates, min_points_of
from spaces.encodings import Hyperparameters
from spaces.errors import InvalidValue
from spaces.hyperparameters import config_space, from_plain, plain_values


def tangled():
    """Every kind of hyperparameter, conditions on numbers and on conditional ones, and some with one value only."""
    space = from_plain({
        "category": {"choices": ["a", "b", "c"]},
        "only": {"choices": ["x"]},
        "number": {"range": [0.0, 1.0]},
        "rate": {"range": [1e-5, 1e-1], "log": True},
        "whole": {"range": [0, 3]},
        "size": {"ordered": [1, 4, 9, 100]},
        "single": {"ordered": [5]},
        "fixed": {"constant": "here"},
        "constant child": {"constant": 3},
    })  # fmt: skip
    space.add([NormalFloatHyperparameter("normal", 0, 1, -3, 3), BetaIntegerHyperparameter("beta", 2, 3, 1, 10)])
    space.add(EqualsCondition(space["rate"], space["whole"], 2))
    space.add(NotEqualsCondition(space["beta"], space["size"], 9))
    either = (
        InCondition(space["normal"], space["category"], ["a", "c"]),
        EqualsCondition(space["normal"], space["whole"], 0),
    )
    space.add(OrConjunction(*either))
    space.add(EqualsCondition(space["constant child"], space["beta"], 4))
    return space


def test_scales_and_kinds():
    coordinates = Coordinates(from_plain({
        "a": {"range": [1e-4, 1.0], "log": True}, "b": {"range": [1, 9]}, "c": {"choices": ["x", "y", "z"]},
        "d": {"ordered": [1, 4, 9]}, "e": {"constant": 1}, "f": {"choices": ["alone"]},
    }))  # fmt: skip
    assert coordinates.choices.tolist() == [0, 0, 3, 0]
    values = {"a": 0.01, "b": 5, "c": "z", "d": 9, "e": 1, "f": "alone"}
    np.testing.assert_allclose(coordinates.point(values), [0.5, 0.5, 2, 1])
    assert plain_values(coordinates.values(np.array([0.5, 0.55, 2, 0.7]))) == pytest.approx({**values, "d": 4})


@given(st.integers(0, 2**31 - 1))
def test_there_and_back(seed):
    encoding = Hyperparameters(tangled())
    coordinates = Coordinates(encoding.space)
    config = encoding.draw(np.random.default_rng(seed))
    point = coordinates.point(config)
    assert len(point) == len(coordinates.choices) == 7
    back = coordinates.values(np.where(np.isnan(point), 0, point))
    np.testing.assert_allclose(coordinates.point(encoding.decode(back)), point, atol=1e-8)  # NaN where it was


@given(st.integers(0, 2**31 - 1))
def test_every_point_is_a_configuration(seed):
    """Numbers that others depend on are whole when it is decided what is active."""
    encoding = Hyperparameters(tangled())
    coordinates = Coordinates(encoding.space)
    rng = np.random.default_rng(seed)
    point = np.where(coordinates.choices > 0, rng.integers(np.maximum(coordinates.choices, 1)), rng.random(7))
    values = coordinates.values(point)
    found, expected = encoding.decode(values), plain_values(values)
    numbers = {name for name in ("number", "rate", "normal") if name in expected}
    assert found.keys() == expected.keys()
    assert {name: found[name] for name in found.keys() - numbers} == {
        name: expected[name] for name in expected.keys() - numbers
    }
    # What is decoded is rounded to 13 digits, which of two neighbours may fall either way.
    assert {name: found[name] for name in numbers} == pytest.approx({name: expected[name] for name in numbers}, 1e-12)


def test_a_space_of_one_configuration_has_no_coordinates():
    coordinates = Coordinates(from_plain({"a": {"constant": 1}}))
    assert coordinates.point({"a": 1}).shape == (0,)
    assert coordinates.values(np.zeros(0)) == {"a": 1}


def test_the_nine_hyperparameters_are_nine_coordinates():
    assert Coordinates(config_space("cs3")).choices.tolist() == [0] * 9


def test_least_points():
    assert min_points_of(None, 3) == 4
    assert min_points_of(7, 3) == 7
    with pytest.raises(InvalidValue, match=r"min_points = 3: must be at least 4"):
        min_points_of(3, 3)
