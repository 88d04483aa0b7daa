"""Studies side by side: step functions, means, intervals, and their picture."""

import math
import struct
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asha_nas.analysis.comparison import (
    AXES,
    Value,
    at,
    averaged,
    common_xs,
    difference,
    find_axis,
    find_value,
    moments,
    ranking,
    repeated_exactly,
    unit_of,
)
from asha_nas.analysis.comparison_plot import draw_comparison
from asha_nas.analysis.lines import Entry, Line
from asha_nas.analysis.trajectory import Spent, Trajectory
from asha_nas.errors import InvalidValue, UnknownName, UserError

REGRET = Value("regret")
SPENT, CLOCK, EVALUATIONS = AXES["spent"], AXES["clock"], AXES["evaluations"]


def array(*values):
    return np.array(values, dtype=float)


def trajectory(*steps, end, seconds=10.0, metric="regret"):
    """Steps are (evaluations, value); an evaluation takes so many seconds, on ten workers."""
    counts, values = zip(*steps, strict=True)
    spent = tuple(seconds * count for count in counts)
    clock = tuple(each / 10 for each in spent)
    total = Spent(end, 3 * end, seconds * end, seconds * end / 10)
    return Trajectory(counts, tuple(3 * count for count in counts), spent, clock, values, {metric: values}, total)


def line(label, *trajectories, metric="regret", mode="min"):
    spec = SimpleNamespace(name=label, problem=SimpleNamespace(metric=metric, mode=mode))
    return Line(label, (Entry(spec, trajectories),))


A = trajectory((1, 0.5), (4, 0.1), end=10)
B = trajectory((2, 0.3), (6, 0.2), end=8)
TWO = line("two", A, B)


# --- step functions ----------------------------------------------------------------------------------------


def test_a_trajectory_is_a_step_function():
    found = at(A, EVALUATIONS, REGRET, array(0, 1, 3, 4, 10, 99))
    assert str(found.tolist()) == "[nan, 0.5, 0.5, 0.1, 0.1, 0.1]"
    assert str(at(A, SPENT, REGRET, array(9.9, 10, 39.9, 40)).tolist()) == "[nan, 0.5, 0.5, 0.1]"


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 50)), min_size=1, max_size=6), st.integers(0, 30))
def test_a_step_function_is_what_was_the_best_by_then(jumps, x):
    counts = np.cumsum([jump for jump, _ in jumps]).tolist()
    values = sorted((value / 50 for _, value in jumps), reverse=True)
    steps = list(zip(counts, values, strict=True))
    known = [value for count, value in steps if count <= x]
    [found] = at(trajectory(*steps, end=40), EVALUATIONS, REGRET, array(x))
    assert (math.isnan(found) and not known) or found == known[-1]


def test_the_mean_begins_where_all_have_a_value_and_ends_with_the_last():
    [found] = averaged([TWO], EVALUATIONS, REGRET)
    assert found.repeats == 2
    assert found.x.tolist() == list(range(2, 11))
    np.testing.assert_allclose(found.mean, [0.4, 0.4, 0.2, 0.2, 0.15, 0.15, 0.15, 0.15, 0.15])
    # Sample standard deviation of (a, b) is |a - b| / √2, so the mean's error is |a - b| / 2.
    np.testing.assert_allclose(found.standard_error, [0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.05])
    np.testing.assert_allclose(found.median, found.mean)
    np.testing.assert_allclose(found.low_quartile[-1], 0.125)
    np.testing.assert_allclose(found.high_quartile[-1], 0.175)


def test_lines_share_a_grid_and_each_has_its_own_part_of_it():
    long = line("long", trajectory((3, 0.5), (100, 0.1), end=5000))
    first, second = averaged([TWO, long], SPENT, REGRET)
    assert (first.x[0], first.x[-1]) == (20.0, 100.0)
    assert (second.x[0], second.x[-1]) == (30.0, 50_000.0)
    shared = second.x[second.x <= 100]
    assert np.isin(shared, first.x).all()
    assert len(second.x) < 500
    np.testing.assert_allclose(np.diff(np.log(second.x))[5:-5].mean(), math.log(50_000 / 20) / 400, rtol=0.1)


def test_many_evaluations_are_thinned_out_and_stay_whole():
    [found] = averaged([line("long", trajectory((1, 0.5), end=10_000))], EVALUATIONS, REGRET)
    assert 100 < len(found.x) <= 400
    assert (found.x == found.x.round()).all()
    assert (found.x[0], found.x[-1]) == (1, 10_000)


def test_a_single_repeat_has_no_spread():
    [found] = averaged([line("one", A)], EVALUATIONS, REGRET)
    assert not found.standard_error.any()
    np.testing.assert_array_equal(found.low_quartile, found.mean)


def test_logs_without_times():
    still = line("still", trajectory((1, 0.5), end=3, seconds=0.0))
    with pytest.raises(InvalidValue, match="no times\nTake one of evaluations, epochs"):
        averaged([still], SPENT, REGRET)
    assert len(averaged([still], AXES["epochs"], REGRET)[0].x) == 7


def test_a_first_result_at_time_zero():
    early = line("early", Trajectory((1, 2), (1, 2), (0.0, 5.0), (0.0, 5.0), (0.5, 0.4), {}, Spent(2, 2, 5.0, 5.0)))
    [found] = averaged([early], SPENT, Value("loss"))
    assert (found.x[0], found.mean[0], found.x[-1], found.mean[-1]) == (0.0, 0.5, 5.0, 0.4)


# --- at some moments ---------------------------------------------------------------------------------------


def test_standings():
    other = line("other", trajectory((4, 0.05), end=6), trajectory((4, 0.07), end=6))
    early, late, last = moments([TWO, other], EVALUATIONS, REGRET, [2, 5])
    assert (early.x, late.x, last.x) == (2, 5, None)
    assert [one.label for one in early.standings] == ["two", "other"]
    assert math.isnan(early.standings[1].mean)
    assert early.standings[0].behind is None and early.standings[1].behind is None
    two, best = late.standings
    assert (two.mean, best.mean) == (pytest.approx(0.2), pytest.approx(0.06))
    assert best.behind is None
    assert two.behind.mean == pytest.approx(0.14)
    assert [(one.x, one.repeats) for one in last.standings] == [(9.0, 2), (6.0, 2)]
    assert last.standings[0].mean == pytest.approx(0.15)


def test_where_more_is_better_the_highest_is_the_best():
    low, high = (line(str(v), trajectory((1, v), end=2, metric="accuracy")) for v in (0.5, 0.7))
    [last] = moments([low, high], EVALUATIONS, Value("accuracy", maximise=True), [])
    assert last.standings[1].behind is None
    assert last.standings[0].behind.mean == pytest.approx(-0.2)


def test_what_is_not_known_is_nobodys_best():
    gap = line("gap", trajectory((1, math.nan), end=9))
    [last] = moments([gap, TWO, line("better", trajectory((1, 0.01), end=9))], EVALUATIONS, REGRET, [])
    assert [one.behind is None for one in last.standings] == [True, False, True]
    assert last.standings[1].behind.mean == pytest.approx(0.14)
    assert ranking([math.nan, 2.0, 1.0], REGRET) == [2, 1, 0]
    assert ranking([math.nan, 2.0, 1.0], Value("accuracy", maximise=True)) == [1, 2, 0]


def test_welch_by_hand():
    # Means 2 and 5, variances 1 and 4 of 3 and 4 values: error² = 1/3 + 1, so freedom is
    # (4/3)² / ((1/3)²/2 + 1²/3) = (16/9) / (1/18 + 1/3) = 32/7; t at 97.5 % and 32/7 is 2.6432.
    found = difference(array(3, 3, 7, 7) * 0.8660254037844386 + (5 - 5 * 0.8660254037844386), array(1, 2, 3))
    assert found.mean == pytest.approx(3.0)
    half = 2.6432 * math.sqrt(4 / 3)
    assert (found.low, found.high) == (pytest.approx(3 - half, abs=2e-3), pytest.approx(3 + half, abs=2e-3))


@pytest.mark.parametrize(("column", "best"), [((1.0,), (0.0, 0.5)), ((1.0, 2.0), (0.5,)), ((1.0, 1.0), (0.5, 0.5))])
def test_no_interval_without_a_spread(column, best):
    found = difference(array(*column), array(*best))
    assert found.mean > 0
    assert math.isnan(found.low) and math.isnan(found.high)


def test_common_moments_are_round_and_within_all_lines():
    early = line("early", trajectory((3, 0.5), end=1000, seconds=1.0))
    late = line("late", trajectory((30, 0.5), end=90_000, seconds=1.0))
    assert common_xs([early, late], SPENT) == [50.0, 200.0, 500.0, 1000.0]
    assert common_xs([early, late], SPENT, most=2) == [50.0, 500.0, 1000.0]
    assert common_xs([early], SPENT, unit=60.0) == [3.0, 60.0, 600.0]  # its end is told anyway
    assert common_xs([early, late], EVALUATIONS, most=1) == [50.0, 1000.0]


def test_lines_that_were_never_there_together_have_no_common_moment():
    early = line("early", trajectory((1, 0.5), end=5))
    late = line("late", trajectory((6, 0.5), end=9))
    assert common_xs([early, late], EVALUATIONS) == []


@pytest.mark.parametrize(
    ("axis", "high", "unit"),
    [
        (SPENT, 60.0, (1.0, "s")),
        (SPENT, 20_000.0, (3600.0, "h")),
        (CLOCK, 1e6, (86_400.0, "d")),
        (EVALUATIONS, 1e6, (1.0, "")),
    ],
)
def test_units_of_time(axis, high, unit):
    assert unit_of(axis, high) == unit


def test_repeats_that_are_the_same_are_noticed():
    slower = trajectory((1, 0.5), (4, 0.1), end=10, seconds=99.0)
    assert repeated_exactly(line("x", A, B, slower)) == 1
    assert repeated_exactly(TWO) == 0


# --- what is compared --------------------------------------------------------------------------------------


def with_metrics(**metrics):
    return Trajectory((1,), (1,), (1.0,), (1.0,), (0.5,), {k: (v,) for k, v in metrics.items()}, Spent(1, 1, 1.0, 1.0))


def test_the_regret_comes_first_then_the_test_error_then_the_metric():
    def value(*lines, wanted=None):
        return find_value(lines, wanted)

    full = line("full", with_metrics(valid_error=1, test_error=2, regret=3), metric="valid_error")
    test = line("test", with_metrics(valid_error=1, test_error=2), metric="valid_error")
    bare = line("bare", with_metrics(valid_error=1), metric="valid_error")
    assert value(full) == value(full, full) == Value("regret", is_share=True)
    assert value(full, test) == Value("test_error", is_share=True)
    assert value(full, test, bare) == Value("valid_error", is_share=True)
    assert value(full, wanted="loss") == Value("loss")
    with pytest.raises(UnknownName, match="unknown value, of those that all studies have, 'regret'"):
        value(full, bare, wanted="regret")


def test_a_metric_that_is_maximised():
    up = line("up", with_metrics(accuracy=0.5), metric="accuracy", mode="max")
    assert find_value([up]) == Value("accuracy", maximise=True)
    assert find_value([up], "loss") == Value("loss")


def test_studies_with_nothing_in_common():
    one = line("one", with_metrics(perplexity=3), metric="perplexity")
    other = line("other", with_metrics(accuracy=3), metric="accuracy", mode="max")
    with pytest.raises(
        UserError, match="optimise accuracy, perplexity, and have nothing in common\nSay which: --value"
    ):
        find_value([one, other])
    assert find_value([one, other], "loss") == Value("loss")


def test_axes():
    assert find_axis("spent").is_time
    with pytest.raises(UnknownName, match="unknown axis 'epoch'\nDid you mean 'epochs'"):
        find_axis("epoch")


# --- the picture -------------------------------------------------------------------------------------------


def drawn(path, lines, axis=SPENT, value=REGRET, title="s1, by s1-digits"):
    draw_comparison(path, averaged(lines, axis, value), axis, value, title)
    return path.read_bytes()


@pytest.mark.parametrize("axis", AXES.values(), ids=AXES)
def test_a_picture(tmp_path, axis):
    made = drawn(tmp_path / "a.png", [TWO, line("one", A)], axis)
    assert made.startswith(b"\x89PNG")
    assert min(struct.unpack(">II", made[16:24])) > 500
    assert drawn(tmp_path / "b.png", [TWO, line("one", A)], axis) == made


@pytest.mark.parametrize(
    "lines",
    [
        [line("zero", trajectory((1, 0.0), end=4))],
        [line("a point", trajectory((3, 0.2), end=3))],
        [line("negative", trajectory((1, -0.5), (2, -1.5), end=4))],
        [line("many decades", trajectory((1, 1.0), (100, 1e-6), end=100_000))],
        [line(f"$label_{k}$", trajectory((1, 0.5), (3, 0.1 + k / 50), end=5)) for k in range(20)],
        [line("gaps", trajectory((1, math.nan), (3, 0.2), (5, math.nan), end=9), A), TWO],
        [line("nothing known", trajectory((1, math.nan), end=9), A)],
        [line("down to zero", trajectory((1, 0.5), end=9), trajectory((1, 0.5), (2, 0.001), end=9))],
    ],
    ids=lambda lines: lines[0].label,
)
def test_pictures_of_odd_lines(tmp_path, lines):
    """Warnings are errors: of scales without length, of logarithms of zero, of labels taken for formulas."""
    assert drawn(tmp_path / "a.svg", lines).startswith(b"<?xml")
    assert drawn(tmp_path / "b.svg", lines, EVALUATIONS, Value("loss"), title="").startswith(b"<?xml")


def test_nothing_to_draw(tmp_path):
    with pytest.raises(InvalidValue, match="nothing to draw"):
        draw_comparison(tmp_path / "a.png", [], SPENT, REGRET)
    with pytest.raises(InvalidValue, match=r"must end in \.svg or \.png"):
        drawn(tmp_path / "a.pdf", [TWO])
