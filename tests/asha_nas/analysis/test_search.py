"""Searches out of a log: curves, averages over seeds, and their picture."""

import math

import numpy as np
import pytest

from asha_nas.analysis import History
from asha_nas.analysis.curves import draw_curves
from asha_nas.analysis.search import Spread, by_budget, curve, curves, over_seeds, searches, spread
from asha_nas.errors import InvalidValue, TrialNotFound
from asha_nas.store import Asked, Opened, Reported, Row, Told
from asha_nas.study import make_spec
from trials.contract import Failure

# By seed, then epoch: test regret. The one-shot error is ten times that.
REGRETS = {0: (0.04, 0.02, 0.01), 1: (0.08, 0.04, 0.03)}


def asked(job, seed, rung=0, stop=3):
    return Asked(job=job, trial=job, rung=rung, start=0, stop=stop, config={"seed": seed})


def reported(job, epoch, regret, scored=True):
    metrics = {"one_shot_valid_error": 10 * regret, **({"valid_error": regret / 2, "regret": regret} if scored else {})}
    clock = {"seconds": 2.0, "search_seconds": 2.0 * epoch, "parts": {"train": 1.5}}
    clock |= {"simulated_seconds": 2.0 * epoch + 100} if scored else {}
    notes = {"cell": f"cell {job} {epoch}", "hash": f"hash {job} {epoch}", "alphas": [[0.1]]}
    return Reported(job=job, epoch=epoch, metrics=metrics, notes=notes, clock=clock)


def history(*events, budgets=(3,), seeds=(0, 1)):
    spec = make_spec({"name": "x", "problem": {"kind": "search", "seeds": seeds}, "scheduler": {"budgets": budgets}})
    return History.of(spec, (Row(n, event, float(n)) for n, event in enumerate([Opened(session=0), *events])))


def searched(job, seed, regrets, **place):
    yield asked(job, seed, **place)
    yield from (reported(job, epoch, regret) for epoch, regret in enumerate(regrets, start=1))


def ended(job, seed, regrets, **place):
    yield from searched(job, seed, regrets, **place)
    yield Told(job=job, loss=regrets[-1] / 2)


@pytest.fixture
def two():
    return history(*ended(0, 0, REGRETS[0]), *ended(1, 1, REGRETS[1]))


def test_a_curve_is_what_was_reported(two):
    one = curve(two, 1)
    assert (one.trial, one.seed, one.budget, one.state) == (1, 1, 3, "done")
    assert one.epochs.tolist() == [1, 2, 3]
    assert one.metrics["regret"].tolist() == list(REGRETS[1])
    assert (one.cell, one.hash) == ("cell 1 3", "hash 1 3")
    assert (one.search_seconds, one.simulated_seconds) == (6.0, 106.0)
    assert one.last("regret") == 0.03
    assert math.isnan(one.last("no such metric"))
    with pytest.raises(TrialNotFound):
        curve(two, 2)


def test_epochs_that_were_searched_again_stand_in_their_place():
    again = history(asked(0, 0), reported(0, 1, 0.5), reported(0, 2, 0.4), reported(0, 1, 0.3))
    one = curve(again, 0)
    assert one.epochs.tolist() == [1, 2]
    assert one.metrics["regret"].tolist() == [0.3, 0.4]


def test_a_search_that_has_not_reported_yet():
    one = curve(history(asked(0, 7)), 0)
    assert (one.seed, one.state, len(one.epochs), one.cell, one.hash) == (7, "running", 0, None, None)
    assert math.isnan(one.search_seconds)
    assert math.isnan(one.simulated_seconds)
    assert math.isnan(one.last("regret"))


def test_a_search_without_a_table_has_no_regret():
    one = curve(history(asked(0, 0), reported(0, 1, 0.1, scored=False)), 0)
    assert "regret" not in one.metrics
    assert math.isnan(one.simulated_seconds)
    assert over_seeds([one]).regret is None


def test_a_genotype_stands_for_the_cell():
    event = Reported(job=0, epoch=1, metrics={"one_shot_valid_error": 0.5}, notes={"genotype": "normal:…"})
    one = curve(history(asked(0, 0), event), 0)
    assert (one.cell, one.hash) == ("normal:…", None)


def test_the_frame(two):
    frame = searches(two)
    assert frame.index.tolist() == [0, 1]
    assert frame["seed"].tolist() == [0, 1]
    assert frame["regret"].tolist() == [0.01, 0.03]
    assert frame["hash"].tolist() == ["hash 0 3", "hash 1 3"]
    assert frame["simulated_seconds"].tolist() == [106.0, 106.0]
    assert list(searches(history()).columns)[:4] == ["seed", "budget", "epochs", "state"]


def test_means_and_deviations_over_seeds(two):
    averaged = over_seeds(curves(two))
    assert averaged.seeds == 2
    assert averaged.epochs.tolist() == [1, 2, 3]
    assert averaged.regret.mean == pytest.approx([0.06, 0.03, 0.02])
    assert averaged.regret.std == pytest.approx([0.02 * 2**0.5, 0.01 * 2**0.5, 0.01 * 2**0.5])
    assert averaged.one_shot.mean == pytest.approx([0.6, 0.3, 0.2])
    alone = over_seeds(curves(two)[:1])
    assert alone.regret.std.tolist() == [0.0, 0.0, 0.0]


def test_only_epochs_that_all_have_are_averaged():
    uneven = history(*searched(0, 0, REGRETS[0]), *searched(1, 1, REGRETS[1][:2]))
    averaged = over_seeds(curves(uneven))
    assert averaged.epochs.tolist() == [1, 2]
    assert averaged.regret.mean == pytest.approx([0.06, 0.03])
    assert over_seeds(curves(history(*searched(0, 0, REGRETS[0]), asked(1, 1)))) is None
    assert over_seeds([]) is None


def test_finished_searches_count_before_those_that_run_and_lost_ones_never():
    lost = [*searched(2, 0, (0.9,)), Told(job=2, loss=None, failure=Failure("crashed", "gone"))]
    mixed = history(
        *lost, *ended(0, 0, REGRETS[0], rung=1), *searched(1, 1, REGRETS[1][:1], rung=1),
        *searched(3, 0, (0.5,), stop=2), budgets=(2, 3),
    )  # fmt: skip
    found = by_budget(mixed)
    assert [*found] == [3, 2]
    assert [[one.trial for one in each] for each in found.values()] == [[0], [3]]


def test_one_number_over_seeds():
    assert spread([0.1, 0.3, math.nan]) == Spread(2, pytest.approx(0.2), pytest.approx(0.1 * 2**0.5))
    assert spread([0.1]) == Spread(1, 0.1, 0.0)
    assert spread([math.nan]) is None


# --- the picture -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("suffix", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_the_same_curves_give_the_same_picture(two, tmp_path, suffix, begins):
    found = {"gdas": over_seeds(curves(two)), "one $seed$ of it": over_seeds(curves(two)[:1])}
    contents = []
    for name in ("a", "b"):
        draw_curves(tmp_path / f"{name}.{suffix}", found, 0.05, "title")
        contents.append((tmp_path / f"{name}.{suffix}").read_bytes())
    assert contents[0].startswith(begins)
    assert contents[0] == contents[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a.{suffix}", f"b.{suffix}"]


def test_the_axis_is_logarithmic_where_values_differ_much_and_none_is_zero(two):
    from asha_nas.analysis.curves import _figure

    def scale(regrets, random=None):
        one = over_seeds(curves(history(*searched(0, 0, regrets))))
        [axes] = _figure({"x": one}, random, "").axes
        return axes.get_yscale()

    assert scale(REGRETS[0]) == "log"
    assert scale((0.04, 0.0, 0.01)) == "linear"
    assert scale((math.nan, 0.02, 0.01)) == "log"


def test_lines_bands_and_the_random_cell_are_drawn(two):
    from asha_nas.analysis.curves import _figure

    [axes] = _figure({"gdas": over_seeds(curves(two))}, 0.05, "title").axes
    dashed, solid, dotted = axes.get_lines()
    assert np.array_equal(solid.get_ydata(), over_seeds(curves(two)).regret.mean)
    assert np.array_equal(dashed.get_ydata(), over_seeds(curves(two)).one_shot.mean)
    assert set(dotted.get_ydata()) == {0.05}
    assert len(axes.collections) == 1  # the band
    words = [text.get_text() for text in axes.get_legend().get_texts()]
    assert "gdas (2 seeds)" in words
    assert "expected regret of a random cell, 5.00 %" in words


def test_without_a_table_there_is_one_line_and_no_random_cell(tmp_path):
    from asha_nas.analysis.curves import _figure

    one = over_seeds(curves(history(asked(0, 0), reported(0, 1, 0.01, scored=False))))
    [axes] = _figure({"random-ws": one}, 0.05, "").axes
    [line] = axes.get_lines()
    assert line.get_marker() == "o"  # a single epoch would be a line without length
    draw_curves(tmp_path / "one.png", {"random-ws": one})


@pytest.mark.parametrize(("name", "found"), [("x.pdf", True), ("x.png", False)])
def test_what_cannot_be_drawn(two, tmp_path, name, found):
    with pytest.raises(InvalidValue):
        draw_curves(tmp_path / name, {"x": over_seeds(curves(two))} if found else {})
    assert not [*tmp_path.iterdir()]
