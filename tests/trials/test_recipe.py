"""Recipes refuse values out of range, and pydantic reads them as nested values."""

import pydantic
import pytest

from spaces.errors import InvalidValue
from trials.recipe import RECIPES, Recipe


def test_the_default_is_the_papers():
    recipe = RECIPES["cifar10"]
    assert recipe == Recipe()
    assert (recipe.cells, recipe.channels, recipe.batch_size) == (20, 36, 96)
    assert (recipe.learning_rate, recipe.learning_rate_min, recipe.momentum) == (0.025, 0.0, 0.9)
    assert (recipe.weight_decay, recipe.grad_clip, recipe.auxiliary_weight) == (3e-4, 5.0, 0.4)
    assert (recipe.drop_path, recipe.cutout, recipe.crop_padding, recipe.flip) == (0.2, 16, 4, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cells", 0),
        ("channels", 0),
        ("batch_size", 1),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("learning_rate_min", 0.03),
        ("momentum", 1.0),
        ("weight_decay", -1e-9),
        ("grad_clip", 0.0),
        ("auxiliary_weight", -0.1),
        ("drop_path", 1.0),
        ("cutout", -1),
        ("crop_padding", -1),
        ("label_smoothing", 1.0),
        ("valid_fraction", 0.0),
        ("valid_fraction", 1.0),
        ("train_limit", 0),
        ("checkpoint_minutes", -1.0),
        ("precision", "float16"),
        ("threads", 0),
    ],
)
def test_out_of_range(name, value):
    with pytest.raises(InvalidValue, match=rf"{name} = .*: must be"):
        Recipe(**{name: value})


def test_pydantic_reads_it_and_forbids_the_unknown():
    adapter = pydantic.TypeAdapter(Recipe)
    assert adapter.validate_python({"cells": 8, "precision": "bfloat16"}) == Recipe(cells=8, precision="bfloat16")
    assert adapter.validate_json(adapter.dump_json(RECIPES["digits"])) == RECIPES["digits"]
    with pytest.raises(pydantic.ValidationError, match="cels"):
        adapter.validate_python({"cels": 8})
