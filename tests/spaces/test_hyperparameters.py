"""Hyperparameter spaces: plain values to spaces and back, and draws that depend on the generator alone."""

import json

import ConfigSpace
import numpy as np
import pytest

from spaces.errors import InvalidValue
from spaces.hyperparameters import from_plain, sample, to_plain

FORMS = {
    "lr": {"range": [1e-4, 0.1], "log": True},
    "momentum": {"range": [0, 0.99]},
    "layers": {"range": [1, 8], "default": 2},
    "width": {"range": [8, 512], "log": True},
    "op": {"choices": ["relu", "tanh"], "default": "tanh"},
    "batch": {"ordered": [16, 32, 64]},
    "seed": {"constant": 3},
}


def draws(space, seed, count=40):
    rng = np.random.default_rng(seed)
    return [sample(space, rng) for _ in range(count)]


def test_short_forms():
    space = from_plain(FORMS)
    assert set(space) == set(FORMS)
    for values in draws(space, 0):
        assert 1e-4 <= values["lr"] <= 0.1
        assert 0 <= values["momentum"] <= 0.99
        assert values["layers"] in range(1, 9)
        assert values["width"] in range(8, 513)
        assert values["op"] in ("relu", "tanh")
        assert values["batch"] in (16, 32, 64)
        assert values["seed"] == 3
    default = dict(space.get_default_configuration())
    assert (default["layers"], default["op"]) == (2, "tanh")


def test_values_are_plain_json():
    for values in draws(from_plain(FORMS), 1):
        assert json.loads(json.dumps(values)) == values
        assert {name: type(value) for name, value in values.items()} == {
            "lr": float, "momentum": float, "layers": int, "width": int, "op": str, "batch": int, "seed": int,
        }  # fmt: skip


def test_a_draw_depends_on_the_generator_alone():
    assert draws(from_plain(FORMS), 7) == draws(from_plain(FORMS), 7)
    assert draws(from_plain(FORMS), 7) != draws(from_plain(FORMS), 8)
    used = from_plain(FORMS)
    draws(used, 99)
    assert draws(used, 7) == draws(from_plain(FORMS), 7)
    np.random.seed(0)  # noqa: NPY002 - the global state must not matter
    before = draws(from_plain(FORMS), 7)
    np.random.seed(1)  # noqa: NPY002
    assert draws(from_plain(FORMS), 7) == before


def test_a_logarithmic_range_is_drawn_on_its_logarithm():
    values = [d["lr"] for d in draws(from_plain({"lr": {"range": [1e-4, 1.0], "log": True}}), 0, 400)]
    assert 120 < sum(value < 1e-2 for value in values) < 280  # half of them; 0.99 of none on a linear scale


def test_a_space_comes_back_from_json_with_its_conditions():
    space = from_plain(FORMS)
    space.add(ConfigSpace.EqualsCondition(space["momentum"], space["op"], "relu"))
    space.add(ConfigSpace.ForbiddenEqualsClause(space["layers"], 5))
    plain = json.loads(json.dumps(to_plain(space)))
    again = from_plain(plain)
    assert again == space
    for values in draws(again, 3, 100):
        assert ("momentum" in values) == (values["op"] == "relu")
        assert values["layers"] != 5
    assert draws(again, 3) == draws(space, 3)


@pytest.mark.parametrize(
    ("form", "part"),
    [
        ({"range": [1, 2, 3]}, "must be {range"),
        ({"range": [2, 1]}, ""),
        ({"range": [0.0, 1.0], "log": True}, ""),
        ({"range": ["a", "b"]}, "could not convert"),
        ({"range": [1, 2], "step": 1}, "must be {range"),
        ({"choices": "relu"}, "must be {range"),
        ({"choices": []}, ""),
        ({"choices": ["a", "b"], "default": "c"}, ""),
        ({"between": [1, 2]}, "must be {range"),
        ({}, "must be {range"),
        (3, "must be {range"),
        ([1, 2], "must be {range"),
    ],
)
def test_what_is_no_hyperparameter(form, part):
    with pytest.raises(InvalidValue) as caught:
        from_plain({"lr": form})
    assert str(caught.value).startswith(f"space.lr = {form!r}: ")
    assert part in str(caught.value)


def test_an_empty_space():
    with pytest.raises(InvalidValue, match="must name at least one hyperparameter"):
        from_plain({})


def test_a_damaged_serialised_space():
    plain = to_plain(from_plain(FORMS))
    for hyperparameter in plain["hyperparameters"]:
        hyperparameter.pop("lower", None)
    with pytest.raises(InvalidValue, match="ConfigSpace cannot read it"):
        from_plain(plain)
