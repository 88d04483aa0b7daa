"""The spec: what makes a study, and what a person is told when something does not."""

import dataclasses

import pytest

from asha_nas.errors import SpecError, UserError
from asha_nas.schedulers import LADDERS
from asha_nas.study import StudySpec, make_spec, read_spec
from spaces.darts_cell import PUBLISHED
from trials.recipe import RECIPES, Recipe
from trials.search_recipe import EPOCHS, OPTIMIZERS, GdasRecipe, search_recipe

SMALL = {"name": "small", "scheduler": {"configs": 3}}
OBJECTIVE = {"kind": "objective", "objective": "mine:function", "space": {"lr": {"range": [0.1, 1.0]}}}


def spec(**changes):
    return make_spec({**SMALL, **changes})


def complaint(**changes):
    with pytest.raises(UserError) as caught:
        spec(**changes)
    return str(caught.value)


# --- defaults ------------------------------------------------------------------------------------------


def test_the_defaults_are_the_paper_s():
    made = spec()
    assert (made.problem.kind, made.problem.data, made.problem.operations) == ("darts-cnn", "digits", "paper")
    assert (made.scheduler.kind, made.scheduler.promotion) == ("asha", "capped")
    assert made.scheduler.ladder == (1, 4, 16, 64, 256, 300)
    assert (made.seed, made.version, made.engine.kind) == (0, 1, "ray")
    assert [made.retries.allowed(kind) for kind in ("crashed", "out_of_memory", "worker_lost")] == [1, 1, 3]
    assert [made.retries.allowed(kind) for kind in ("diverged", "anything")] == [0, 0]


@pytest.mark.parametrize("data", RECIPES)
def test_what_a_recipe_leaves_out_comes_from_the_data_set(data):
    assert spec(problem={"data": data}).problem.recipe == RECIPES[data]
    changed = spec(problem={"data": data, "recipe": {"batch_size": 7}}).problem.recipe
    assert changed == dataclasses.replace(RECIPES[data], batch_size=7)
    evaluate = {"kind": "evaluate", "data": data, "genotype": str(PUBLISHED["DARTS_V2"])}
    assert spec(problem=evaluate).problem.recipe == RECIPES[data]
    whole = Recipe(cells=2)
    assert spec(problem={"data": data, "recipe": whole}).problem.recipe == whole


def test_a_genotype_is_kept_in_its_text_form():
    problem = {"kind": "evaluate", "genotype": str(PUBLISHED["DARTS_V2"])}
    made = spec(problem=problem)
    assert made.problem.genotype == str(PUBLISHED["DARTS_V2"])
    assert spec(problem={**problem, "genotype": repr(made.problem.genotype).strip("'")}) == made


def test_ladders():
    assert spec(scheduler={"configs": 1, "rungs": "released"}).scheduler.ladder == (1, 4, 18, 75, 300)
    assert spec(scheduler={"kind": "random", "R": 7, "configs": 1}).scheduler.ladder == (7,)


# --- round trip ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"problem": {"data": "cifar10", "operations": "darts", "recipe": {"cells": 8, "precision": "bfloat16"}}},
        {"problem": {"kind": "evaluate", "genotype": str(PUBLISHED["DARTS_V2"])}},
        {"problem": OBJECTIVE, "scheduler": {"kind": "random", "R": 3, "max_hours": 0.5}},
        {"problem": {**OBJECTIVE, "space": "mine:space", "metric": "accuracy", "mode": "max"}},
        {"scheduler": {"r": 2, "R": 50, "eta": 3, "rungs": "released", "promotion": "eager", "max_epochs": 99}},
        {"engine": {"kind": "inline", "workers": 2, "gpus_per_trial": 0.5}, "retries": {"crashed": 0}},
        {"seed": 2**31 - 1, "checkpoints": "s3://bucket/η"},
        *({"problem": {"kind": "search", "optimizer": name}, "scheduler": {}} for name in OPTIMIZERS),
        {"problem": {"kind": "search", "optimizer": "random-ws", "space": "darts-cnn"}, "scheduler": {}},
        {
            "problem": {"kind": "search", "data": "cifar10", "space": "s3", "seeds": [0, 7], "variant": "released"},
            "scheduler": {"budgets": [25, 50], "max_hours": 2.0},
        },
    ],
)
def test_a_spec_comes_back_from_json(changes):
    made = spec(**changes)
    assert StudySpec.model_validate_json(made.model_dump_json()) == made
    assert make_spec(made.model_dump()) == made


def test_a_spec_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        spec().seed = 3


# --- complaints ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"sed": 1}, ["unknown key 'sed' (did you mean 'seed'?)"]),
        ({"scheduler": {"config": 3}}, ["unknown key 'scheduler.config' (did you mean 'configs'?)"]),
        ({"scheduler": {"configs": 3, "Rr": 3}}, ["unknown key 'scheduler.Rr'"]),
        ({"engine": {"worker": 2}}, ["unknown key 'engine.worker' (did you mean 'workers'?)"]),
        ({"retries": {"crash": 2}}, ["unknown key 'retries.crash' (did you mean 'crashed'?)"]),
        ({"problem": {"dat": "digits"}}, ["unknown key 'problem.dat' (did you mean 'data'?)"]),
        ({"problem": {**OBJECTIVE, "modus": "min"}}, ["unknown key 'problem.modus'"]),
        ({"scheduler": {"configs": 3, "eta": 1}}, ["eta = 1", "integer >= 2", "The papers use 3 or 4."]),
        ({"scheduler": {"configs": 3, "r": 400}}, ["r = 400", "must not exceed R = 300", "Lower r or raise R."]),
        ({"scheduler": {"configs": 3, "r": 0}}, ["r = 0", "at least 1 epoch"]),
        ({"problem": {"data": "cifar"}}, ["unknown data set 'cifar'", "Did you mean 'cifar10'?", "cifar10, digits"]),
        ({"problem": {"data": "mnist"}}, ["unknown data set 'mnist'", "Known: cifar10, digits"]),
        ({"problem": {"operations": "papers"}}, ["unknown set of operations 'papers'", "Did you mean 'paper'?"]),
        (
            {"problem": {"recipe": {"batchsize": 3}}},
            ["unknown recipe setting 'batchsize'", "Did you mean 'batch_size'?"],
        ),
        ({"problem": {"recipe": {"momentum": 1.5}}}, ["momentum = 1.5", "below 1"]),
        ({"scheduler": {}}, ["a study must end: give configs, max_epochs or max_hours"]),
        ({"scheduler": {"kind": "random"}}, ["a study must end: give configs, max_epochs or max_hours"]),
        ({"scheduler": {"configs": 0}}, ["scheduler.configs = 0", "greater than or equal to 1"]),
        ({"scheduler": {"configs": 2.5}}, ["scheduler.configs = 2.5", "integer"]),
        ({"scheduler": {"max_hours": 0}}, ["scheduler.max_hours = 0", "greater than 0"]),
        ({"scheduler": {"max_hours": float("nan")}}, ["scheduler.max_hours"]),
        ({"scheduler": {"configs": 3, "rungs": "even"}}, ["scheduler.rungs = 'even'", *LADDERS]),
        ({"scheduler": {"configs": 3, "promotion": "keen"}}, ["scheduler.promotion = 'keen'", "capped", "eager"]),
        ({"scheduler": {"kind": "grid"}}, ["scheduler", "asha", "random"]),
        ({"scheduler": 3}, ["scheduler = 3"]),
        ({"name": "my study"}, ["name = 'my study'"]),
        ({"name": "-x"}, ["name = '-x'"]),
        ({"name": "../x"}, ["name = '../x'"]),
        ({"name": ""}, ["name = ''"]),
        ({"name": "x" * 101}, ["name = 'xxx"]),
        ({"seed": -1}, ["seed = -1"]),
        ({"seed": 2**31}, ["seed = 2147483648"]),
        ({"version": 2}, ["version = 2"]),
        ({"problem": {"kind": "objective", "space": {}}}, ["problem.objective is missing"]),
        ({"problem": {"kind": "evaluate"}}, ["problem.genotype is missing"]),
        ({"problem": {"kind": "evaluate", "genotype": "not one"}}, ["not one"]),
        ({"engine": {"kind": "slurm"}}, ["engine.kind = 'slurm'", "ray", "inline"]),
    ],
)
def test_what_makes_no_study(changes, parts):
    text = complaint(**changes)
    for part in parts:
        assert part in text
    assert "validation error" not in text
    assert "pydantic" not in text
    assert len(text.splitlines()) <= 2


def test_a_study_needs_a_name():
    with pytest.raises(SpecError, match=r"^name is missing$"):
        make_spec({"scheduler": {"configs": 3}})


def test_several_complaints_are_told_together():
    text = complaint(sed=1, name="my study", engine={"workers": 0})
    assert len(text.splitlines()) == 3


# --- searches ------------------------------------------------------------------------------------------


def search(scheduler=None, **problem):
    return make_spec({"name": "found", "problem": {"kind": "search", **problem}, "scheduler": scheduler or {}})


def test_a_search_is_one_seed_of_gdas_on_digits_unless_it_says_otherwise():
    made = search()
    problem, sweep = made.problem, made.scheduler
    assert (problem.optimizer, problem.space, problem.data, problem.table) == ("gdas", "s1", "digits", "s1-digits")
    assert (problem.seeds, problem.variant, problem.metric) == ((0,), "corrected", "valid_error")
    assert (sweep.kind, sweep.budgets, sweep.repeats) == ("sweep", (EPOCHS["digits"],), 1)
    assert problem.recipe == search_recipe("gdas", "digits", "s1")


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("data", EPOCHS)
def test_a_search_is_completed_by_its_optimizer_and_data(optimizer, data):
    problem = search(optimizer=optimizer, data=data, recipe={"channels": 12}).problem
    assert problem.recipe == search_recipe(optimizer, data, "s1", {"channels": 12})
    assert type(problem.recipe) is OPTIMIZERS[optimizer]
    whole = search_recipe(optimizer, data, "s1", {"batch_size": 20})
    assert search(optimizer=optimizer, data=data, recipe=whole).problem.recipe == whole


def test_the_recipe_of_the_released_variant_is_the_authors():
    for optimizer in OPTIMIZERS:
        made = search(optimizer=optimizer, data="cifar10", variant="released").problem.recipe
        assert made == search_recipe(optimizer, "cifar10", "s1", variant="released")
        assert made != search_recipe(optimizer, "cifar10", "s1")


@pytest.mark.parametrize(
    ("problem", "table"),
    [
        ({}, "s1-digits"),
        ({"space": "s2"}, "s2-digits"),
        ({"data": "cifar10"}, "nasbench101"),
        ({"data": "cifar10", "space": "s3"}, "nasbench101"),
        ({"optimizer": "random-ws", "space": "darts-cnn"}, None),
        ({"optimizer": "random-ws", "space": "darts-cnn", "data": "cifar10"}, None),
        ({"table": "mine"}, "mine"),
    ],
)
def test_the_table_of_a_search(problem, table):
    made = search(**problem)
    assert made.problem.table == table
    assert made.problem.metric == ("valid_error" if table else "one_shot_valid_error")
    assert StudySpec.model_validate_json(made.model_dump_json()).problem.table == table


def test_the_file_of_a_table_is_an_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert search(table="mine.nastable").problem.table == str(tmp_path / "mine.nastable")


def test_a_search_is_repeated_once_for_each_seed():
    made = search(seeds=[3, 1, 4], scheduler={"budgets": [2, 5]})
    assert (made.problem.seeds, made.scheduler.repeats, made.scheduler.ladder) == ((3, 1, 4), 3, (2, 5))
    assert search(seeds=range(6)).scheduler.repeats == 6
    assert search(seeds=[3, 1], scheduler={"repeats": 2}).scheduler.repeats == 2


def test_a_search_has_as_many_threads_as_processors():
    values = {"name": "x", "problem": {"kind": "search"}, "engine": {"cpus_per_trial": 3}}
    assert make_spec(values).problem.recipe.threads == 3


def test_a_study_of_tables_stored_before_there_were_searches_is_read():
    stored = """{"version":1,"name":"t","seed":0,"problem":{"kind":"tabulate","space":"s1","cells":3},
        "scheduler":{"kind":"sweep","budgets":[1,2],"repeats":2,"max_hours":null}}"""
    made = StudySpec.model_validate_json(stored)
    assert (made.scheduler.budgets, made.scheduler.repeats) == ((1, 2), 2)


@pytest.mark.parametrize(
    ("problem", "scheduler", "parts"),
    [
        ({"optimizer": "gads"}, {}, ["unknown optimizer 'gads'", "Did you mean 'gdas'?"]),
        ({"optimizer": ["gdas"]}, {}, ["problem.optimizer", "valid string"]),
        ({"space": "s4"}, {}, ["unknown space 's4'"]),
        ({"data": "mnist"}, {}, ["unknown data set 'mnist'"]),
        ({"variant": "release"}, {}, ["unknown variant 'release'", "Did you mean 'released'?"]),
        ({"recipe": {"samples": 3}}, {}, ["'gdas'", "samples", "enas, random-ws"]),
        ({"recipe": {"chanels": 3}}, {}, ["'chanels'", "Did you mean 'channels'?"]),
        ({"recipe": {"channels": "8"}}, {}, ["channels = '8'", "whole number"]),
        ({"recipe": 3}, {}, ["problem.recipe = 3"]),
        ({"recipe": GdasRecipe(), "optimizer": "enas"}, {}, ["'enas'", "arch_weight_decay"]),
        ({"space": "darts-cnn"}, {}, ["'gdas'", "random-ws"]),
        (
            {"space": "darts-cnn", "optimizer": "random-ws", "table": "s1-digits"}, {},
            ["table = 's1-digits'", "no tables of darts-cnn"],
        ),
        ({"table": None, "space": "s2"}, {}, ["table = None", "cells of s2 are looked up in one", "'s2-digits'"]),
        ({"seeds": []}, {}, ["problem.seeds = []", "one or more different numbers"]),
        ({"seeds": [1, 1]}, {}, ["problem.seeds = [1, 1]", "different"]),
        ({"seeds": "0..5"}, {}, ["problem.seeds = '0..5'"]),
        ({"seeds": [-1]}, {}, ["problem.seeds = [-1]"]),
        ({"sed": 1}, {}, ["unknown key 'problem.sed' (did you mean 'seeds'?)"]),
        ({}, {"repeats": 3}, ["scheduler.repeats = 3", "problem.seeds, which are 1", "leave it out"]),
        ({"seeds": [0, 1]}, {"repeats": 1}, ["scheduler.repeats = 1", "problem.seeds, which are 2"]),
        ({}, {"kind": "random", "configs": 3}, ["'random' does not fit problem.kind = 'search'"]),
        ({}, {"budgets": [5, 3]}, ["scheduler.budgets", "ascending"]),
    ],
)  # fmt: skip
def test_what_makes_no_search(problem, scheduler, parts):
    with pytest.raises(UserError) as caught:
        search(scheduler, **problem)
    text = str(caught.value)
    assert all(part in text for part in parts), text
    assert "pydantic" not in text
    assert len(text.splitlines()) <= 2


def test_a_sweep_does_not_run_what_is_neither_table_nor_search():
    assert "sweeps build tables and run searches" in complaint(scheduler={"kind": "sweep"})


# --- files ---------------------------------------------------------------------------------------------


def test_a_file_makes_a_study_named_after_it(tmp_path):
    file = tmp_path / "first-try.toml"
    file.write_text('seed = 4\n[problem]\ndata = "digits"\n[scheduler]\nR = 27\neta = 3\nconfigs = 9\n')
    made = read_spec(file)
    assert (made.name, made.seed, made.scheduler.ladder) == ("first-try", 4, (1, 3, 9, 27))
    assert read_spec(file, name="other", seed=None).name == "other"
    assert read_spec(file, seed=9).seed == 9
    file.write_text('name = "mine"\n[scheduler]\nconfigs = 9\n')
    assert read_spec(file).name == "mine"


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"[scheduler\nconfigs = 3\n", ["not TOML", "line 1"]),
        (b"seed = 1\nseed = 2\n", ["not TOML"]),
        (b"\xff\xfe", ["utf-8"]),
        (b"[scheduler]\nconfig = 3\n", ["unknown key 'scheduler.config'"]),
        (b"[scheduler]\nconfigs = 3\neta = 1\n", ["eta = 1"]),
        (b'[problem]\ndata = "cifar"\n[scheduler]\nconfigs = 3\n', ["Did you mean 'cifar10'?"]),
    ],
)
def test_a_file_that_makes_no_study(tmp_path, content, parts):
    file = tmp_path / "study.toml"
    file.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        read_spec(file)
    for part in (f"study file {file}: ", *parts):
        assert part in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(SpecError, match=r"study file .*none\.toml: No such file or directory"):
        read_spec(tmp_path / "none.toml")
    with pytest.raises(SpecError, match="Is a directory"):
        read_spec(tmp_path)
