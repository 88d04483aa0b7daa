"""Recipes of searches: the papers' defaults, those of each data set, and what is refused."""

import dataclasses
import subprocess
import sys

import numpy as np
import pydantic
import pytest
from ConfigSpace import Configuration

from spaces import hyperparameters
from spaces.errors import InvalidValue, UnknownName
from trials.search_recipe import (
    EPOCHS,
    OPTIMIZERS,
    SPACES,
    BilevelRecipe,
    EnasRecipe,
    GdasRecipe,
    PcDartsRecipe,
    RandomRecipe,
    SearchRecipe,
    search_recipe,
)

each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS)
each_data = pytest.mark.parametrize("data", EPOCHS)


@each_optimizer
def test_on_cifar10_the_defaults_are_the_papers(optimizer):
    recipe = search_recipe(optimizer, "cifar10", "s3")
    assert recipe == OPTIMIZERS[optimizer]()
    assert (recipe.channels, recipe.stages, recipe.cells_per_stage) == (16, 3, 3)
    assert (recipe.learning_rate, recipe.learning_rate_min, recipe.momentum) == (0.025, 0.001, 0.9)
    assert (recipe.weight_decay, recipe.cutout_prob, recipe.cutout_length) == (3e-4, 0.0, 16)
    assert (recipe.valid_fraction, recipe.search_fraction, recipe.batch_norm_momentum) == (0.2, 0.5, 0.003)
    shared = (64, 0.25) if optimizer == "random-ws" else (96, 5.0)
    assert (recipe.batch_size, recipe.grad_clip) == shared


def test_what_only_one_optimizer_has():
    assert (BilevelRecipe().arch_learning_rate, BilevelRecipe().arch_weight_decay) == (3e-4, 1e-3)
    gdas, enas, random = GdasRecipe(), EnasRecipe(), RandomRecipe()
    assert (gdas.temperature_first, gdas.temperature_last, gdas.edges) == (10.0, 1.0, "hard")
    assert PcDartsRecipe().partial == 4
    assert (enas.arch_learning_rate, enas.controller_hidden, enas.controller_steps, enas.samples) == (
        3.5e-4,
        64,
        300,
        100,
    )
    assert (enas.controller_temperature, enas.controller_tanh, enas.baseline_decay) == (5.0, 2.5, 0.99)
    assert (random.samples, random.samples_between, random.sample_batches, random.finalists) == (1000, 100, 10, 5)


@each_optimizer
def test_digits_are_small(optimizer):
    recipe = search_recipe(optimizer, "digits", "s1")
    assert type(recipe) is OPTIMIZERS[optimizer]
    assert (recipe.channels, recipe.cells_per_stage, recipe.batch_size) == (8, 1, 16)
    assert (recipe.crop_padding, recipe.flip, recipe.cutout_length) == (1, False, 4)
    assert (recipe.valid_fraction, recipe.batch_norm_momentum) == (0.5, 0.1)
    assert recipe.learning_rate == 0.025


@each_optimizer
@each_data
def test_what_is_given_comes_first(optimizer, data):
    changed = search_recipe(optimizer, data, "s2", {"channels": 12, "momentum": 0.5})
    expected = dataclasses.replace(search_recipe(optimizer, data, "s2"), channels=12, momentum=0.5)
    assert changed == expected
    again = search_recipe(optimizer, data, "s2", {**dataclasses.asdict(changed), "momentum": 0.1})
    assert again == dataclasses.replace(changed, momentum=0.1)


def test_names():
    with pytest.raises(UnknownName, match=r"optimizer 'gda'\n.*'gdas'"):
        search_recipe("gda", "digits", "s1")
    with pytest.raises(UnknownName, match="data set 'mnist'"):
        search_recipe("gdas", "mnist", "s1")
    with pytest.raises(UnknownName, match="space 's4'"):
        search_recipe("gdas", "digits", "s4")
    with pytest.raises(UnknownName, match="hyperparameter of gdas 'chanels'\nDid you mean 'channels'"):
        search_recipe("gdas", "digits", "s1", {"chanels": 3})


def test_a_hyperparameter_of_another_optimizer_is_refused_with_those_that_have_it():
    with pytest.raises(InvalidValue) as caught:
        search_recipe("random-ws", "digits", "s1", {"arch_learning_rate": 1e-3})
    assert str(caught.value) == (
        "optimizer = 'random-ws': has no hyperparameter arch_learning_rate\n"
        "darts, darts-2nd, gdas, pc-darts, enas have it."
    )
    with pytest.raises(InvalidValue, match=r"'darts': has no hyperparameter partial\npc-darts has it\.$"):
        search_recipe("darts", "digits", "s1", {"partial": 2})


@each_optimizer
@pytest.mark.parametrize("space", SPACES)
def test_only_random_search_searches_the_darts_space(optimizer, space):
    if space == "darts-cnn" and optimizer != "random-ws":
        with pytest.raises(InvalidValue, match=f"{optimizer}.*: cannot search darts-cnn"):
            search_recipe(optimizer, "digits", space)
    else:
        assert isinstance(search_recipe(optimizer, "digits", space), SearchRecipe)


@pytest.mark.parametrize(
    ("optimizer", "name", "value"),
    [
        *[("darts", name, 0) for name in ("channels", "stages", "cells_per_stage", "cutout_length", "threads")],
        *[("darts", name, 0) for name in ("learning_rate", "grad_clip", "batch_norm_momentum", "search_fraction")],
        *[("darts", name, 1) for name in ("momentum", "valid_fraction", "search_fraction", "batch_size")],
        *[("darts", name, -1) for name in ("weight_decay", "crop_padding", "checkpoint_minutes", "cutout_prob")],
        *[("darts", name, 0) for name in ("train_limit", "keep_every", "arch_learning_rate")],
        ("darts", "cutout_prob", 1.01),
        ("darts", "learning_rate", float("nan")),
        ("darts", "learning_rate", float("inf")),
        ("darts", "learning_rate_min", -0.1),
        ("darts", "batch_norm_momentum", 1.01),
        ("darts", "arch_weight_decay", -1e-9),
        ("darts", "precision", "float16"),
        ("gdas", "temperature_first", 0.0),
        ("gdas", "temperature_last", 0.0),
        ("gdas", "edges", "firm"),
        ("pc-darts", "partial", 0),
        ("pc-darts", "partial", 3),
        *[("enas", name, 0) for name in ("controller_hidden", "controller_steps", "controller_temperature", "samples")],
        *[("enas", name, 0) for name in ("controller_tanh", "arch_learning_rate")],
        ("enas", "baseline_decay", 1.0),
        ("enas", "entropy_weight", -1e-9),
        *[("random-ws", name, 0) for name in ("samples", "samples_between", "sample_batches", "finalists")],
    ],
)
def test_out_of_range(optimizer, name, value):
    with pytest.raises(InvalidValue, match=rf"^{name} = .*: must "):
        search_recipe(optimizer, "cifar10", "s1", {name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("channels", "8"),
        ("channels", 8.0),
        ("batch_size", True),
        ("learning_rate", "0.1"),
        ("momentum", None),
        ("flip", 1),
        ("keep_every", 2.5),
    ],
)
def test_another_type(name, value):
    with pytest.raises(InvalidValue, match=rf"^{name} = .*: must be "):
        search_recipe("gdas", "digits", "s1", {name: value})


def test_the_ends_of_ranges_are_allowed():
    search_recipe("darts", "digits", "s1", {"cutout_prob": 1, "momentum": 0, "valid_fraction": 0.0, "cutout_length": 1})
    search_recipe("darts", "digits", "s1", {"keep_every": None, "train_limit": 1, "learning_rate_min": 0.025})
    search_recipe("pc-darts", "digits", "s1", {"partial": 8})


@each_optimizer
@each_data
def test_pydantic_reads_it_and_forbids_the_unknown(optimizer, data):
    recipe = search_recipe(optimizer, data, "s1")
    adapter = pydantic.TypeAdapter(OPTIMIZERS[optimizer])
    assert adapter.validate_json(adapter.dump_json(recipe)) == recipe
    with pytest.raises(pydantic.ValidationError, match="chanels"):
        adapter.validate_python({"chanels": 8})


def test_torch_is_not_needed():
    code = "import sys, trials.search_recipe; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("optimizer", ["darts", "gdas", "pc-darts"])
@each_data
def test_every_configuration_of_the_papers_spaces_makes_a_recipe(optimizer, data):
    tuned = hyperparameters.config_space("cs3")
    if data == "cifar10":
        default = dict(tuned.get_default_configuration())
        assert search_recipe(optimizer, data, "s1", default) == search_recipe(optimizer, data, "s1")
    for end in (0.0, 1.0):
        corner = dict(Configuration(tuned, vector=np.full(len(tuned), end)))
        assert search_recipe(optimizer, data, "s1", corner).batch_size == corner["batch_size"]


def test_the_darts_space_has_cells_and_no_stages():
    recipe = search_recipe("random-ws", "cifar10", "darts-cnn")
    assert (recipe.cells, recipe.channels, recipe.finalists) == (8, 16, 10)
    assert search_recipe("random-ws", "cifar10", "darts-cnn", dataclasses.asdict(recipe)) == recipe
    with pytest.raises(InvalidValue, match=r"stages.*`cells`"):
        search_recipe("random-ws", "digits", "darts-cnn", {"stages": 2})
    with pytest.raises(UnknownName, match="cells"):
        search_recipe("random-ws", "digits", "s1", {"cells": 2})


def test_the_released_variant_changes_defaults_only():
    recipe = search_recipe("enas", "digits", "s1", variant="released")
    assert (recipe.batch_norm_momentum, recipe.valid_fraction, recipe.samples) == (0.997, 0.0, 1000)
    assert search_recipe("enas", "digits", "s1", {"samples": 7}, "released").samples == 7
    with pytest.raises(UnknownName, match="variant"):
        search_recipe("enas", "digits", "s1", variant="relased")


def test_the_learning_rate_is_not_below_the_one_it_ends_in():
    with pytest.raises(InvalidValue, match=r"learning_rate = 0\.0005: .*learning_rate_min, 0\.001\nLower that too"):
        search_recipe("darts", "digits", "s1", {"learning_rate": 0.0005})
