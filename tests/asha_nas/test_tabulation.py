"""From a space to a table: the pieces, the study, and what its log becomes."""

import dataclasses
import json
from collections import Counter

import numpy as np
import pytest

from asha_nas import api, tabulation
from asha_nas.errors import SpecError, TableIncomplete, UnknownName, UserError
from asha_nas.plan import make_plan
from asha_nas.store import Asked, Reported, Store, Told
from asha_nas.study import make_spec
from spaces.nasbench101 import count_parameters, parse_cell
from spaces.table import Table
from trials import cell_training
from trials.contract import Failure

TINY = {"channels": 4, "stacks": 1, "train_limit": 120}


def spec_of(cells=6, name="tiny", budgets=(1, 2), repeats=2, recipe=TINY, **changes):
    return make_spec(
        {
            "name": name, "engine": {"kind": "inline"}, "scheduler": {"budgets": budgets, "repeats": repeats},
            "problem": {"kind": "tabulate", "cells": cells, "together": 4, "recipe": recipe, **changes},
        }
    )  # fmt: skip


@pytest.fixture
def store(tmp_path):
    return Store(str(tmp_path / "studies.db"))


@pytest.fixture
def study(store, tmp_path):
    made = api.create(spec_of(table=str(tmp_path / "tiny.nastable")), store=store)
    assert made.run() == "done"
    return made


def rows(study):
    return list(study.store.rows(study.store.study(study.name)))


def test_pieces_are_every_cell_at_every_budget_in_every_repeat():
    spec = spec_of(cells=None, budgets=(1, 3, 9), repeats=3, together=81)
    found = Counter()
    for piece in tabulation.pieces(spec):
        shapes = {parse_cell(text).pruned().matrix for text in piece.config["cells"]}
        assert len(shapes) == 1
        assert len(piece.config["cells"]) <= 81
        assert piece.stop == (1, 3, 9)[piece.rung]
        assert piece.config.get("timed", False) == ((piece.rung, piece.config["repeat"]) == (2, 0))
        found.update((parse_cell(text).hash, piece.stop, piece.config["repeat"]) for text in piece.config["cells"])
    assert set(found.values()) == {1}
    assert len(found) == 2685 * 3 * 3


def test_the_same_cells_for_a_seed_and_others_for_another():
    drawn = [tabulation.cells_of(spec_of().problem, seed) for seed in (0, 0, 1)]
    texts = [{str(cells[i]) for i in range(len(cells))} for cells in drawn]
    assert texts[0] == texts[1] != texts[2]
    assert [len(each) for each in texts] == [6, 6, 6]


def test_a_table_says_what_the_log_says(study, tmp_path):
    path = tabulation.write(study.spec, rows(study))
    assert path == tmp_path / "tiny.nastable"
    table = Table.open(path, verify=True)
    assert (table.name, table.space, table.data, tuple(table.budgets), table.repeats) == (
        "tiny",
        "s1",
        "digits",
        (1, 2),
        2,
    )
    assert len(table) == 6
    jobs, seen = {}, 0
    for row in rows(study):
        if isinstance(row.event, Asked):
            jobs[row.event.job] = row.event
        if isinstance(row.event, Reported) and "results" in row.event.notes:
            asked = jobs[row.event.job]
            for name, right in row.event.notes["results"].items():
                entry = table.lookup(name, asked.stop, repeat=asked.config["repeat"])
                assert entry.valid_accuracy == right["valid"] / row.event.notes["images"]["valid"]
                assert entry.test_accuracy == right["test"] / 359
                seen += 1
    assert seen == 6 * 2 * 2


def test_parameters_seconds_and_provenance(study):
    table = Table.open(tabulation.write(study.spec, rows(study)))
    for row in range(len(table)):
        cell = table.cell(row)
        short, long = table.lookup(cell, 1), table.lookup(cell, 2)
        sizes = {"channels": 4, "stacks": 1, "cells_per_stack": 1, "channels_in": 1}
        assert short.parameters == count_parameters(cell, **sizes)
        assert long.seconds == pytest.approx(2 * short.seconds, rel=1e-5)
    made = table.provenance
    again = make_spec(made["study"])
    assert (again.problem.recipe, again.scheduler) == (study.spec.problem.recipe, study.spec.scheduler)
    assert str(table.path.parent) not in str(made)  # what is shared tells nothing of the machine
    [session] = made["made_with"]
    assert {"torch", "source"} <= set(session)


def test_two_builds_measure_the_same(study, store, tmp_path):
    again = api.create(spec_of(name="again", table=str(tmp_path / "again.nastable")), store=store)
    again.run()
    first, second = (tabulation.content(each.spec, rows(each)) for each in (study, again))
    for column in ("valid_correct", "test_correct"):
        assert np.array_equal(first.columns[column].values, second.columns[column].values)


def test_a_build_that_was_stopped_goes_on(study, store, tmp_path):
    stopped = api.create(spec_of(name="stopped", table=str(tmp_path / "stopped.nastable")), store=store)

    class Stopped(BaseException):
        pass

    ends = []

    def stop(event):
        ends.extend([event] if isinstance(event, Told) else [])
        if len(ends) == 3:
            raise Stopped

    with pytest.raises(Stopped):
        stopped.run([stop])
    with pytest.raises(TableIncomplete, match="asha-nas resume stopped"):
        tabulation.write(stopped.spec, rows(stopped))
    assert not (tmp_path / "stopped.nastable").exists()
    assert stopped.run() == "done"
    first, second = (tabulation.content(each.spec, rows(each)) for each in (study, stopped))
    assert np.array_equal(first.columns["test_correct"].values, second.columns["test_correct"].values)


def test_lost_results_are_named(study):
    kept = [row for row in rows(study) if not (isinstance(row.event, Reported) and row.event.job == 0)]
    with pytest.raises(TableIncomplete, match="of 6 cells"):
        tabulation.content(study.spec, kept)


def test_a_job_that_is_lost_is_done_again_by_a_new_trial(store, tmp_path, monkeypatch):
    real, broken = cell_training.CellTraining, []

    def failing(*arguments):
        trial = real(*arguments)

        def train(task):
            if not broken or (broken[0] == task.trial and len(broken) < 3):  # the first job, and its repetition
                broken.append(task.trial)
                raise OSError("no space left")
            yield from trial(task)

        return train

    monkeypatch.setattr(cell_training, "CellTraining", failing)
    values = spec_of(name="lost", table=str(tmp_path / "lost.nastable")).model_dump()
    study = api.create(make_spec({**values, "retries": {"crashed": 1}}), store=store)
    study.run()
    failures = [row.event.failure for row in rows(study) if isinstance(row.event, Told) and row.event.failure]
    assert failures == [Failure("crashed", "OSError: no space left")]
    assert len(Table.open(tabulation.write(study.spec, rows(study)))) == 6


def test_a_build_in_which_everything_fails_stops_and_goes_on_later(store, tmp_path, monkeypatch):
    from asha_nas import driver

    real = cell_training.CellTraining

    def full_disk(*_arguments):
        def train(_task):
            raise OSError("no space left")
            yield

        return train

    values = spec_of(name="full", table=str(tmp_path / "full.nastable")).model_dump()
    study = api.create(make_spec({**values, "retries": {"crashed": 0}}), store=store)
    monkeypatch.setattr(cell_training, "CellTraining", full_disk)
    assert study.run() == "failing"
    assert sum(isinstance(row.event, Told) for row in rows(study)) == driver.LOST_IN_A_ROW
    with pytest.raises(TableIncomplete):
        tabulation.write(study.spec, rows(study))
    monkeypatch.setattr(cell_training, "CellTraining", real)
    assert study.run() == "done"
    assert len(Table.open(tabulation.write(study.spec, rows(study)))) == 6


def test_nothing_is_left_of_a_finished_piece(store, tmp_path):
    made = {**TINY, "checkpoint_minutes": 0.0}
    values = spec_of(name="tidy", table=str(tmp_path / "tidy.nastable"), recipe=made, cells=3).model_dump()
    study = api.create(make_spec({**values, "checkpoints": str(tmp_path / "checkpoints")}), store=store)
    study.run()
    assert any(row.event.checkpoint for row in rows(study) if isinstance(row.event, Reported))
    assert not [path for path in (tmp_path / "checkpoints").rglob("*") if path.is_file()]


def test_figures_of_different_data_make_no_table(study):
    changed = [
        dataclasses.replace(
            row, event=dataclasses.replace(row.event, notes={**row.event.notes, "images": {"valid": 1}})
        )
        if isinstance(row.event, Reported) and "images" in row.event.notes and row.event.job == 1
        else row
        for row in rows(study)
    ]
    with pytest.raises(TableIncomplete, match="different data"):
        tabulation.content(study.spec, changed)


def test_the_plan_counts_every_training(store):
    spec = spec_of(cells=None, budgets=(1, 3, 9), repeats=3, together=81)
    plan = make_plan(spec, store, 2)
    pieces = tabulation.pieces(spec)
    assert plan.jobs == len(pieces)
    assert plan.epochs == sum(piece.stop for piece in pieces)
    assert plan.full_epochs is None
    assert not plan.warnings


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scheduler": {"kind": "asha", "configs": 3}}, "does not fit"),
        ({"scheduler": {"budgets": [3, 1]}}, "ascending"),
        ({"scheduler": {"budgets": []}}, "ascending"),
        ({"problem": {"kind": "darts-cnn"}, "scheduler": {"kind": "sweep"}}, "does not fit"),
    ],
)
def test_specs_that_make_no_sense(changes, words):
    with pytest.raises(SpecError, match=words):
        make_spec({"name": "x", "problem": {"kind": "tabulate"}, **changes})


@pytest.mark.parametrize("name", ["out.csv", ".nastable", "/tmp"])
def test_a_table_has_to_be_a_table_s_file(name):
    with pytest.raises(UserError, match=r"nastable|folder"):
        make_spec({"name": "x", "problem": {"kind": "tabulate", "table": name}})


@pytest.mark.parametrize("changes", [{"space": "s4"}, {"data": "mnist"}, {"recipe": {"cells": 3}}])
def test_unknown_names(changes):
    with pytest.raises(UnknownName):
        make_spec({"name": "x", "problem": {"kind": "tabulate", **changes}})


def test_the_spec_survives_the_store():
    spec = spec_of()
    assert make_spec(json.loads(spec.model_dump_json())) == spec
