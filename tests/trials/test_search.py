"""The search trial: its reports, what it sees, resuming, and that every hyperparameter does what its name says."""

import dataclasses

import numpy as np
import pytest
import torch

from spaces import nasbench1shot1
from spaces.errors import InvalidValue
from spaces.hyperparameters import NINE, config_space
from spaces.nasbench101 import parse_cell
from trials import checkpoint as checkpoint_files
from trials import contract, search
from trials.contract import Task
from trials.data import load
from trials.scoring import Scorer
from trials.search import OneShotSearch
from trials.search_recipe import NOT_FORWARDED, OPTIMIZERS, search_recipe

SMALL = {"channels": 4, "train_limit": 240, "batch_size": 20}
CELLS = {"darts-cnn": {"cells": 2}}
FEW = {"enas": {"controller_steps": 2, "samples": 3}, "random-ws": {"samples": 6, "samples_between": 2}}


def trial(optimizer="gdas", space="s1", table="s1-digits", variant="corrected", **given):
    given = {**SMALL, **CELLS.get(space, {"stages": 2}), **FEW.get(optimizer, {}), **given}
    recipe = search_recipe(optimizer, "digits", space, given, variant)
    return OneShotSearch(optimizer, space, "digits", recipe, table, variant)


def task(folder, stop=2, checkpoints=(), **config):
    return Task(0, {"seed": 3, **config}, 0, stop, 0, str(folder), checkpoints)


def run(one, given):
    return list(contract.run(one, given))


def final_state(one, given):
    reports = run(one, given)
    return checkpoint_files.load(given.folder, reports[-1].checkpoint)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_reports(optimizer, tmp_path):
    reports = run(trial(optimizer), task(tmp_path, stop=3))
    assert [report.epoch for report in reports] == [1, 2, 3]
    scorer = Scorer.open("s1-digits", "s1", "digits")
    before = 0.0
    for report in reports:
        expected = scorer.score(parse_cell(report.notes["cell"]))
        assert report.notes["hash"] == expected.hash
        assert {name: report.metrics[name] for name in expected.metrics()} == expected.metrics()
        assert report.metrics["test_error"] == report.metrics["test_error_4"]
        for name in ("one_shot_train_error", "one_shot_valid_error"):
            assert 0.0 <= report.metrics[name] <= 1.0
        parts = report.clock["parts"]
        assert set(parts) == {"data", "train", "measure", "choose", "look_up"}
        assert sum(parts.values()) <= report.seconds
        trained = report.clock["search_seconds"] - parts["choose"]
        assert trained == pytest.approx(before + parts["data"] + parts["train"])
        assert report.clock["simulated_seconds"] == report.clock["search_seconds"] + expected.seconds
        before = trained
    assert reports[0].checkpoint is None
    assert reports[-1].checkpoint.epoch == 3


@pytest.mark.parametrize("optimizer", ["darts", "gdas", "pc-darts"])
def test_the_cell_is_that_of_the_reported_alphas(optimizer, tmp_path):
    for report in run(trial(optimizer, space="s1", arch_learning_rate=0.5), task(tmp_path)):
        alphas = report.notes["alphas"]
        space = nasbench1shot1.space("s1")
        choice = nasbench1shot1.decode(space, alphas["operations"], alphas["parents"], alphas["output"])
        assert choice.cell().hash == report.notes["hash"]


def test_a_search_in_the_darts_space_ends_with_a_genotype(tmp_path):
    reports = run(trial("random-ws", "darts-cnn", None), task(tmp_path))
    for report in reports:
        assert set(report.notes) == {"genotype", "alphas"}
        assert "valid_error" not in report.metrics
        assert "simulated_seconds" not in report.clock


def test_it_learns(tmp_path):
    one = trial("darts", train_limit=None, channels=8, batch_size=16)
    *_, last = run(one, task(tmp_path, stop=7))
    assert last.metrics["one_shot_valid_error"] < 0.6  # chance is 0.9


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_it_goes_on_from_any_epoch_to_the_last_bit(optimizer, tmp_path):
    one = trial(optimizer, keep_every=1)
    whole = run(one, task(tmp_path / "whole", stop=4))
    states = [checkpoint_files.load(str(tmp_path / "whole"), whole[-1].checkpoint)]
    again = run(one, task(tmp_path / "whole", stop=4, checkpoints=tuple(r.checkpoint for r in whole[1::-1])))
    assert [report.epoch for report in again] == [3, 4]
    for first, second in zip(whole[2:], again, strict=True):
        assert (first.metrics, first.notes) == (second.metrics, second.notes)
        assert second.clock["search_seconds"] > whole[1].clock["search_seconds"] - whole[1].clock["parts"]["choose"]
    states.append(checkpoint_files.load(str(tmp_path / "whole"), again[-1].checkpoint))
    for state in states:
        del state["trained_seconds"]  # a clock
    assert_equal(*states)


def assert_equal(first, second):
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        for name in first:
            assert_equal(first[name], second[name])
    elif isinstance(first, list | tuple):
        assert len(first) == len(second)
        for left, right in zip(first, second, strict=True):
            assert_equal(left, right)
    elif isinstance(first, torch.Tensor):
        assert torch.equal(first, second)
    else:
        assert first == second


def test_a_search_killed_before_its_first_checkpoint_starts_again(tmp_path):
    one = trial()
    whole = run(one, task(tmp_path / "whole", stop=3))
    with contract.closed_after(contract.run(one, task(tmp_path / "killed", stop=3))) as reports:
        next(reports)
    again = run(one, task(tmp_path / "killed", stop=3))
    assert [(r.epoch, r.metrics, r.notes) for r in again] == [(r.epoch, r.metrics, r.notes) for r in whole]


def test_checkpoints_at_every_kth_epoch_are_kept_and_others_are_not(tmp_path):
    reports = run(trial(keep_every=2, checkpoint_minutes=0), task(tmp_path, stop=7))
    kept = sorted(int(path.name[6:11]) for path in tmp_path.iterdir())
    assert kept == [2, 4, 6, 7]
    newest = (reports[-1].checkpoint,)  # all that a later session may be told of
    run(trial(keep_every=2, checkpoint_minutes=0), task(tmp_path, stop=8, checkpoints=newest))
    assert sorted(int(path.name[6:11]) for path in tmp_path.iterdir())[:3] == [2, 4, 6]


def test_a_finished_search_has_nothing_left_to_do(tmp_path):
    reports = run(trial(), task(tmp_path))
    assert run(trial(), task(tmp_path, checkpoints=(reports[-1].checkpoint,))) == []


def test_seeds(tmp_path):
    one = trial()
    losses = [run(one, task(tmp_path / str(n), 1, seed=seed))[0].metrics for n, seed in enumerate((1, 1, 2))]
    assert losses[0] == losses[1] != losses[2]
    without = Task(0, {}, 0, 1, 1, str(tmp_path / "c"))
    assert run(one, without)[0].metrics == losses[0]  # the task's own seed


def test_it_must_start_at_the_beginning(tmp_path):
    with pytest.raises(InvalidValue, match="from scratch"):
        run(trial(), dataclasses.replace(task(tmp_path), start=1))


def test_a_table_is_needed_where_there_are_tables():
    with pytest.raises(InvalidValue, match="s1"):
        trial(table=None)
    with pytest.raises(InvalidValue, match="DARTS"):
        trial("random-ws", "darts-cnn", "s1-digits")


def test_schedules_span_the_budget(tmp_path):
    one = trial(keep_every=1)
    short, long = (final_state(one, task(tmp_path / str(stop), stop)) for stop in (1, 2))
    assert short["shared"]["sgd"]["param_groups"][0]["lr"] == one.recipe.learning_rate
    assert long["shared"]["sgd"]["param_groups"][0]["lr"] == pytest.approx((0.025 + 0.001) / 2)


def test_neither_the_tables_validation_images_nor_the_test_set_are_seen(tmp_path, monkeypatch):
    seen, loaded = [], []

    class Spy(search.Feed):
        def __init__(self, data, *rest):
            loaded.append(data)
            super().__init__(data, *rest)

        def _prepared(self, images, labels):
            seen.append(images)
            return super()._prepared(images, labels)

    monkeypatch.setattr(search, "Feed", Spy)
    one = trial("enas", crop_padding=0)
    run(one, task(tmp_path))
    (data,) = loaded
    assert data.test is None
    forbidden = {image.numpy().tobytes() for image in data.valid.images}
    allowed = {image.numpy().tobytes() for image in data.train.images} - forbidden
    images = {image.contiguous().numpy().tobytes() for batch in seen for image in batch}
    assert images <= allowed
    whole = load("digits", valid_fraction=0.5, train_limit=240, test=True)
    assert not images & {image.numpy().tobytes() for image in whole.test.images}


@pytest.mark.parametrize("optimizer", ["darts", "enas", "random-ws"])
def test_the_table_changes_no_decision(optimizer, tmp_path, monkeypatch):
    """With a table that says the opposite, the same cells are found."""
    plain = run(trial(optimizer), task(tmp_path / "a"))

    class Opposite(search.Scorer):
        def score(self, cell, generator=None):
            true = super().score(cell, generator)
            budgets = {
                budget: dataclasses.replace(
                    one, valid_error=1 - one.valid_error, test_error=1 - one.test_error, regret=1 - one.regret
                )
                for budget, one in true.budgets.items()
            }
            return dataclasses.replace(true, budgets=budgets, seconds=1e9)

    monkeypatch.setattr(search, "Scorer", Opposite)
    other = run(trial(optimizer), task(tmp_path / "b"))
    assert [report.notes for report in plain] == [report.notes for report in other]
    assert plain[-1].metrics["regret"] != other[-1].metrics["regret"]


CHANGED = {
    "weight_decay": 1e-2, "cutout_prob": 1.0, "learning_rate": 0.5, "momentum": 0.1, "cutout_length": 2,
    "batch_size": 17, "grad_clip": 0.01, "arch_learning_rate": 1e-2, "arch_weight_decay": 1.0,
}  # fmt: skip
OF_ARCHITECTURE = {"arch_learning_rate", "arch_weight_decay"}


@pytest.mark.parametrize("optimizer", ["darts", "darts-2nd", "gdas", "pc-darts"])
@pytest.mark.parametrize("name", NINE)
def test_each_of_the_nine_changes_the_training_it_claims_to_change(name, optimizer, tmp_path):
    # Cutout of another length shows only where there is cutout; in the second epoch momentum has something to keep.
    # Squares of 4 by default; images cut here are whole digits of 8×8.
    common = {"cutout_prob": 1.0} if name == "cutout_length" else {}
    one = trial(optimizer, keep_every=1, train_limit=80, batch_size=40, **common)
    plain, changed = (
        [checkpoint_files.load(str(tmp_path / folder), report.checkpoint) for report in
         run(one, task(tmp_path / folder, 2, **config))]
        for folder, config in (("plain", {}), ("changed", {name: CHANGED[name]}))
    )  # fmt: skip
    alphas = [
        torch.cat([each.flatten() for each in states[0]["optimizer"]["alphas"]["parameters"]])
        for states in (plain, changed)
    ]
    weights = [states[1]["shared"]["network"]["cells.0.projections.weight"] for states in (plain, changed)]
    if name in OF_ARCHITECTURE or name == "batch_size":
        assert not torch.equal(*alphas)
    elif optimizer != "darts-2nd":
        # One step an epoch: the architecture's first comes before the weights', which is what was changed.
        assert torch.equal(*alphas)
    if name not in OF_ARCHITECTURE or optimizer != "gdas":  # whose path is another only if another sample is highest
        assert not torch.equal(*weights)


def test_every_value_of_the_nine_is_one_that_a_search_takes(tmp_path):
    space = config_space("cs3")
    space.seed(0)
    for number, config in enumerate(space.sample_configuration(3)):
        values = {key: value.item() if hasattr(value, "item") else value for key, value in dict(config).items()}
        (report,) = run(trial("darts", train_limit=80), task(tmp_path / str(number), 1, **values))
        assert np.isfinite(report.metrics["one_shot_valid_loss"])


def test_a_hyperparameter_that_the_optimizer_does_not_have_is_refused_before_training(tmp_path):
    with pytest.raises(InvalidValue, match=r"random-ws.*arch_learning_rate"):
        run(trial("random-ws"), task(tmp_path, arch_learning_rate=0.1))


class TestReleased:
    def test_the_architecture_is_scored_before_the_epoch(self, tmp_path):
        given = {"arch_learning_rate": 0.5, "batch_norm_momentum": 0.1, "valid_fraction": 0.5}
        corrected = run(trial("darts", **given), task(tmp_path / "a", 3))
        one = trial("darts", variant="released", **given)
        released = run(one, task(tmp_path / "b", 3))
        # Digits of 8×8 are 5×5 after one pool with padding, so weights and alphas differ: compare with its own.
        decoded = [self._decoded(report) for report in released]
        assert [report.notes["hash"] for report in released][1:] == decoded[:-1]
        assert [report.notes["hash"] for report in corrected] == [self._decoded(report) for report in corrected]

    @staticmethod
    def _decoded(report):
        alphas = report.notes["alphas"]
        space = nasbench1shot1.space("s1")
        return nasbench1shot1.decode(space, alphas["operations"], alphas["parents"], alphas["output"]).cell().hash

    @pytest.mark.parametrize("optimizer", ["enas", "random-ws"])
    def test_architectures_that_are_sampled_are_sampled_after_the_last_epoch(self, optimizer, tmp_path, monkeypatch):
        happened = []
        build = search.build_optimizer

        def spied(*arguments):
            made = build(*arguments)
            for name in ("end_epoch", "choose"):
                method = getattr(made, name)
                monkeypatch.setattr(
                    made, name, lambda *a, _m=method, _n=name, **k: (happened.append(_n), _m(*a, **k))[1], raising=True
                )
            return made

        monkeypatch.setattr(search, "build_optimizer", spied)
        run(trial(optimizer, variant="released", samples=3), task(tmp_path))
        assert happened == ["end_epoch", "choose"] * 2

    @pytest.mark.parametrize("name", NOT_FORWARDED)
    def test_five_hyperparameters_of_a_configuration_have_no_effect(self, name, tmp_path):
        one = trial("darts", variant="released", train_limit=80)
        plain = run(one, task(tmp_path / "a", 1))
        changed = run(one, task(tmp_path / "b", 1, **{name: CHANGED[name]}))
        assert plain[0].metrics == changed[0].metrics

    def test_its_settings(self):
        assert trial(variant="released").recipe.batch_norm_momentum == 0.997
        assert trial(variant="released").recipe.valid_fraction == 0.0
        assert trial().recipe.batch_norm_momentum == 0.1
