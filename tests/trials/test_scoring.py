"""Scores of found cells: what a table says of them, and tables that cannot score a search, refused beforehand."""

import pickle

import numpy as np
import pytest

from spaces import nasbench1shot1, nasbench201
from spaces.errors import InvalidValue, UnknownName
from spaces.nasbench1shot1 import regret, regrets, sample_choice, unique_cells, unique_hashes
from spaces.nasbench101 import Cell, Cells
from spaces.table import CellUnknown, Column, Content, MetricAbsent, convert, prepared, write_table
from tests.spaces.small_table import real
from trials.scoring import Scorer
from trials.tables import open_table

S1, S2, S3 = (nasbench1shot1.space(name) for name in ("s1", "s2", "s3"))
BUDGETS, REPEATS, IMAGES = (4, 12, 108), 3, 9984
LUCKY, STEADY, PLAIN = 100, 200, 300  # rows, hashes ascending


def counts(change=None):
    """All cells of S1 at 9000 correct images, but for two at the last budget."""
    values = np.full((len(BUDGETS), len(unique_cells(S1)), REPEATS), 9000, dtype=np.uint16)
    values[-1, LUCKY] = [9100, 9600, 9200]  # mean 9300
    values[-1, STEADY] = [9400, 9410, 9420]  # mean 9410
    if change is not None:
        change(values)
    return values


def column(change=None, **more):
    return Column(counts(change), IMAGES, **more)


def figures():
    seconds = np.arange(len(BUDGETS) * len(unique_cells(S1)), dtype=np.float32).reshape(len(BUDGETS), -1, 1)
    return {"test_correct": column(), "valid_correct": column(), "seconds": Column(seconds)}


def write(folder, columns=None, rows=slice(None), **changes):
    columns = figures() | (columns or {})
    values = {
        "name": "made up", "space": "s1", "data": "cifar10", "budgets": BUDGETS, "repeats": REPEATS,
        "cells": unique_cells(S1)[rows], "hashes": unique_hashes(S1)[rows],
        "columns": {name: one for name, one in columns.items() if one is not None},
        "evaluated": {"test": IMAGES, "valid": IMAGES},
    }  # fmt: skip
    return str(write_table(folder / "made-up.nastable", Content(**values | changes)))


def open_made(folder, variant="corrected", **content):
    return Scorer.open(write(folder, **content), "s1", "cifar10", variant=variant)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("table")
    low = column(change=lambda values: values.__setitem__((0, PLAIN), [9001, 9002, 9003]))
    valid = column(change=lambda values: values.__setitem__((slice(None), PLAIN), [8000, 8100, 8500]))
    return open_made(folder, columns={"test_correct": low, "valid_correct": valid})


@pytest.fixture(scope="module")
def digits():
    return Scorer.open("s1-digits", "s1", "digits")


def cell(row):
    return unique_cells(S1)[row]


def test_a_score_is_worked_by_hand(made):
    lucky = made.score(cell(LUCKY))
    assert lucky.hash == cell(LUCKY).hash
    assert list(lucky.budgets) == list(made.budgets) == [4, 12, 108]
    assert (lucky.reference, made.reference, made.remarks()) == ("best", "best", ())
    assert lucky.budgets[108].test_error == pytest.approx((IMAGES - 9300) / IMAGES)
    assert lucky.budgets[108].regret == pytest.approx((9600 - 9300) / IMAGES)
    assert lucky.budgets[4].regret == pytest.approx(3 / IMAGES)
    assert lucky.seconds == 2 * len(unique_cells(S1)) + LUCKY
    plain = made.score(cell(PLAIN))
    assert plain.budgets[4].test_error == pytest.approx((IMAGES - 9002) / IMAGES)
    assert plain.budgets[4].regret == pytest.approx(1 / IMAGES)
    assert plain.budgets[12].valid_error == pytest.approx((IMAGES - 8200) / IMAGES)


def test_metrics_are_named_by_budget(made):
    score = made.score(cell(STEADY))
    metrics = score.metrics()
    names = ("valid_error", "test_error", "regret")
    assert list(metrics) == [*names, *(f"{name}_{budget}" for budget in BUDGETS for name in names)]
    for name in names:
        assert metrics[name] == metrics[f"{name}_108"] == getattr(score.budgets[108], name)
        assert metrics[f"{name}_4"] == getattr(score.budgets[4], name)
    assert {type(value) for value in metrics.values()} == {float}


def test_scores_of_the_embedded_table_are_those_of_look_ups_and_regrets(digits):
    table, rng = open_table("s1-digits"), np.random.default_rng(0)
    assert digits.budgets == table.budgets == (1, 2, 4)
    for _ in range(50):
        found = sample_choice(rng, S1).cell()  # with its loose ends
        score = digits.score(found)
        assert score == digits.score(score.hash)
        assert score.seconds == table.lookup(found).seconds
        for budget, at in score.budgets.items():
            entry = table.lookup(found, budget)
            assert (at.valid_error, at.test_error) == (entry.valid_error, entry.test_error)
            assert at.regret == regret(table, S1, found, budget=budget) >= 0
            lowest = 1 - max(table.column("test_accuracy", budget, run).max() for run in range(3))
            assert at.regret == pytest.approx(at.test_error - lowest)


def test_the_regret_of_a_random_cell(digits, made):
    mean, std = digits.random_regret()
    every = regrets(open_table("s1-digits"), S1, unique_cells(S1))
    assert (mean, std) == pytest.approx((every.mean(), every.std()))
    others = np.full(len(unique_cells(S1)), 600.0)
    others[[LUCKY, STEADY]] = 300, 190
    assert made.random_regret() == pytest.approx((others.mean() / IMAGES, others.std() / IMAGES))


def test_a_pickled_scorer_scores_alike(made, digits):
    for scorer in (made, digits):
        again = pickle.loads(pickle.dumps(scorer))
        assert again.score(cell(LUCKY)) == scorer.score(cell(LUCKY))
        assert again.random_regret() == scorer.random_regret()


def test_released_draws_one_repeat_for_the_validation_error_alone(made):
    drawing = Scorer.open(str(made.table.path), "s1", "cifar10", variant="released")
    expected = made.score(cell(PLAIN))
    possible = {(IMAGES - right) / IMAGES for right in (8000, 8100, 8500)}
    generator, seen = np.random.default_rng(0), set()
    for _ in range(60):
        score = drawing.score(cell(PLAIN), generator)
        assert [at.test_error for at in score.budgets.values()] == [at.test_error for at in expected.budgets.values()]
        assert [at.regret for at in score.budgets.values()] == [at.regret for at in expected.budgets.values()]
        seen.add(tuple(at.valid_error for at in score.budgets.values()))
    assert {error for errors in seen for error in errors} == possible
    assert len(seen) > 3  # each budget has its own draw


def test_released_depends_on_the_generator_or_the_seed_alone(made):
    path = str(made.table.path)
    drawing = Scorer.open(path, "s1", "cifar10", variant="released")

    def drawn(seed):
        generator = np.random.default_rng(seed)
        return [drawing.score(cell(PLAIN), generator) for _ in range(10)]

    assert drawn(3) == drawn(3) != drawn(4)
    assert drawing.score(cell(PLAIN)) == drawing.score(cell(PLAIN))
    errors = {
        Scorer.open(path, "s1", "cifar10", variant="released", valid_seed=seed).score(cell(PLAIN)).budgets[108]
        for seed in range(20)
    }
    assert len(errors) == 3


def test_corrected_draws_nothing(made):
    generator = np.random.default_rng(0)
    before = generator.bit_generator.state
    assert made.score(cell(PLAIN), generator) == made.score(cell(PLAIN))
    assert generator.bit_generator.state == before


def test_a_table_of_nasbench101_fits_every_space_and_scores_no_cell_outside_the_one_searched(tmp_path):
    both = np.concatenate([unique_hashes(S1), unique_hashes(S2)])
    _, first = np.unique(both.view("V16"), return_index=True)
    packed = Cells(
        *(
            np.concatenate([getattr(unique_cells(space), name) for space in (S1, S2)])[first]
            for name in ("vertices", "adjacency", "operations")
        )
    )
    right = np.random.default_rng(0).integers(5000, IMAGES, (len(BUDGETS), len(first), REPEATS)).astype(np.uint16)
    columns = {
        "test_correct": Column(right, IMAGES), "valid_correct": Column(right, IMAGES),
        "seconds": Column(np.ones((len(BUDGETS), len(first), 1), dtype=np.float32)),
    }  # fmt: skip
    path = write(tmp_path, columns, space="nasbench101", name="whole", cells=packed, hashes=both[first])
    for space, other in ((S1, S2), (S2, S1)):
        scorer = Scorer.open(path, space.name, "cifar10")
        inside = unique_cells(space)[17]
        assert scorer.score(inside).budgets[12].regret == regret(scorer.table, space, inside, budget=12)
        keys = unique_hashes(space).view("V16").ravel()
        alien = int(np.argmin(np.isin(unique_hashes(other).view("V16").ravel(), keys)))
        with pytest.raises(InvalidValue, match=f"lies outside space {space.name}"):
            scorer.score(unique_cells(other)[alien])
    with pytest.raises(CellUnknown, match="whole"):
        Scorer.open(path, "s3", "cifar10")


def test_a_cell_that_is_not_in_the_table(made):
    with pytest.raises(CellUnknown):
        made.score(Cell(((0, 1), (0, 0)), ()))


def test_names():
    with pytest.raises(UnknownName, match="table 's1-digit'"):
        Scorer.open("s1-digit", "s1", "digits")
    with pytest.raises(UnknownName, match="space 'darts-cnn'"):
        Scorer.open("s1-digits", "darts-cnn", "digits")
    with pytest.raises(UnknownName, match=r"variant 'release'\n.*'released'"):
        Scorer.open("s1-digits", "s1", "digits", variant="release")


def test_a_table_of_another_space():
    with pytest.raises(InvalidValue) as caught:
        Scorer.open("s1-digits", "s3", "digits")
    assert str(caught.value) == (
        "table = 's1-digits': holds cells of s1, and those of s3 are searched\n"
        "Search s1 with it, or give a table of s3 or nasbench101; `asha-nas table list` shows which there are."
    )


def test_a_table_of_nasbench201_fits_nothing(tmp_path):
    cells = [nasbench201.parse_cell("|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|")]
    hashes = np.array([list(bytes.fromhex(one.hash)) for one in cells], dtype=np.uint8)
    columns = {"valid_correct": Column(np.zeros((3, 1, 3), np.uint16), IMAGES), "test_correct": None, "seconds": None}
    path = write(tmp_path, cells=nasbench201.Cells.of(cells), hashes=hashes, columns=columns, space="nasbench201")
    with pytest.raises(InvalidValue, match=r"of nasbench201, and those of s2 are searched\nGive a table of s2 or"):
        Scorer.open(path, "s2", "cifar10")


def test_a_table_of_another_data_set(tmp_path):
    with pytest.raises(InvalidValue) as caught:
        Scorer.open("s1-digits", "s1", "cifar10")
    assert str(caught.value).startswith(
        "table = 's1-digits': its cells were trained on digits, and the search is on cifar10\nSearch on digits, or"
    )
    assert open_made(tmp_path, data="unknown").budgets == BUDGETS


def test_a_table_that_lacks_a_cell(tmp_path):
    rows = np.delete(np.arange(len(unique_cells(S1))), PLAIN)
    fewer = {
        name: Column(one.values[:, rows], one.denominator, one.status, one.aggregate) for name, one in figures().items()
    }
    with pytest.raises(CellUnknown, match=cell(PLAIN).hash):
        open_made(tmp_path, rows=rows, columns=fewer)


@pytest.mark.parametrize("metric", ["test_correct", "valid_correct", "seconds"])
def test_a_table_that_lacks_a_metric(tmp_path, metric):
    with pytest.raises(MetricAbsent, match=metric.replace("correct", "accuracy")):
        open_made(tmp_path, columns={metric: None})


@pytest.mark.parametrize("stage", [0, 2])
@pytest.mark.parametrize("metric", ["test_correct", "valid_correct"])
def test_a_table_that_lacks_one_figure(tmp_path, metric, stage):
    status = np.ones((len(BUDGETS), len(unique_cells(S1))), dtype=np.uint8)
    status[stage, PLAIN] = 0
    with pytest.raises(MetricAbsent, match=rf"at {BUDGETS[stage]} epochs, cell {cell(PLAIN).hash}"):
        open_made(tmp_path, columns={metric: column(status=status)})


def test_training_times_are_needed_at_the_highest_budget_only(tmp_path):
    status = np.ones((len(BUDGETS), len(unique_cells(S1))), dtype=np.uint8)
    values, status[0] = figures()["seconds"].values, 0
    assert open_made(tmp_path, columns={"seconds": Column(values, status=status)}).budgets == BUDGETS
    status[2, PLAIN] = 0
    with pytest.raises(MetricAbsent, match="seconds"):
        open_made(tmp_path, columns={"seconds": Column(values, status=status)})


def test_a_budget_without_any_test_accuracy_is_not_scored_unless_it_is_the_highest(tmp_path):
    status = np.ones((len(BUDGETS), len(unique_cells(S1))), dtype=np.uint8)
    status[1] = 0
    scorer = open_made(
        tmp_path, columns={"test_correct": column(status=status), "valid_correct": column(status=status)}
    )
    assert scorer.budgets == tuple(scorer.score(cell(LUCKY)).budgets) == (4, 108)
    assert "regret_12" not in scorer.score(cell(LUCKY)).metrics()
    status[2] = 0
    with pytest.raises(MetricAbsent, match="at 108 epochs"):
        open_made(tmp_path, columns={"test_correct": column(status=status)})


def test_without_single_runs_the_best_mean_is_the_reference(tmp_path):
    sums = counts().sum(axis=2, keepdims=True, dtype=np.uint16)
    scorer = open_made(tmp_path, columns={"test_correct": Column(sums, REPEATS * IMAGES, aggregate="mean")})
    score = scorer.score(cell(LUCKY))
    assert (scorer.reference, score.reference) == ("mean", "mean")
    assert score.budgets[108].regret == pytest.approx((9410 - 9300) / IMAGES)
    assert scorer.score(cell(STEADY)).budgets[108].regret == 0
    assert [line.split(":")[0] for line in scorer.remarks()] == ["regret is above the best mean over repeats"]


def test_the_maximum_of_runs_serves_for_validation_alone(tmp_path):
    highest = Column(counts().max(axis=2, keepdims=True), IMAGES, aggregate="maximum")
    scorer = open_made(tmp_path, columns={"valid_correct": highest})
    assert scorer.score(cell(LUCKY)).budgets[108].valid_error == (IMAGES - 9600) / IMAGES
    assert ["best repeat" in line for line in scorer.remarks()] == [True]
    with pytest.raises(MetricAbsent, match="one by one"):
        open_made(tmp_path, columns={"valid_correct": highest}, variant="released")
    with pytest.raises(InvalidValue, match="regret needs their mean"):
        open_made(tmp_path, columns={"test_correct": highest})


def test_estimates_are_remarked_on(tmp_path):
    status = np.ones((len(BUDGETS), len(unique_cells(S1))), dtype=np.uint8)
    status[:, : len(status[0]) // 3] = 2
    scorer = open_made(tmp_path, columns={"valid_correct": column(status=status)})
    assert scorer.remarks() == ("33.3% of the figures of valid_accuracy are estimates, not measured",)


@pytest.mark.parametrize(("space", "random"), [(S1, 0.0364), (S2, 0.0364), (S3, 0.0439)])
def test_real_figures_of_nasbench101(tmp_path, monkeypatch, space, random):
    folder = real("nasbench101", "cells.npz").parent
    monkeypatch.setattr(prepared, "check_hashes", lambda *_: None)  # half a minute; tests of the hash do it
    scorer = Scorer.open(str(convert(folder, tmp_path / "t.nastable")), space.name, "cifar10")
    assert (scorer.budgets, scorer.reference) == ((108,), "mean")
    assert ["estimates" in line for line in scorer.remarks()] == [False, False, True, True]
    assert scorer.random_regret()[0] == pytest.approx(random, abs=5e-5)
    rng = np.random.default_rng(0)
    for _ in range(5):
        found = sample_choice(rng, space).cell()
        expected = regret(scorer.table, space, found, reference="mean")
        assert scorer.score(found).metrics()["regret"] == expected >= 0
