"""Studies side by side: how good the best result was, at each moment, over repeats.

A trajectory is a step function: at any moment it has the value of its incumbent. A line has no value before each of
its repeats has one, so that no mean is over fewer repeats than another; a repeat that has ended keeps its last value,
as its best result stays what it is, until the last repeat of the line has ended. Where lines are compared with each
other, a line that has ended likewise keeps its last value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from asha_nas.analysis.lines import Line
from asha_nas.analysis.trajectory import Trajectory
from asha_nas.errors import InvalidValue, UnknownName, UserError
from asha_nas.study import Objective

Array = NDArray[np.float64]

POINTS: Final = 400
"""Of a grid, about."""
CONFIDENCE: Final = 0.95
"""Of the intervals of differences."""


@dataclass(frozen=True, slots=True)
class Axis:
    """What a comparison runs over."""

    field: Literal["spent_seconds", "clock_seconds", "evaluations", "epochs"]
    """Of :class:`asha_nas.analysis.trajectory.Spent`."""
    words: str

    @property
    def is_time(self) -> bool:
        """Whether it is in seconds."""
        return self.field.endswith("_seconds")


AXES: Final = {
    "spent": Axis("spent_seconds", "time of all jobs together"),
    "clock": Axis("clock_seconds", "time since the study began"),
    "evaluations": Axis("evaluations", "evaluations"),
    "epochs": Axis("epochs", "epochs trained"),
}
"""By name. ``spent`` is the t_sim of NAS-Bench-1Shot1 (Zela et al., 2020, Sec. 5.4)."""


@dataclass(frozen=True, slots=True)
class Value:
    """What is compared."""

    name: str
    """``loss``, or a metric."""
    maximise: bool = False
    """Whether more is better."""
    is_share: bool = False
    """Whether it is a share of images, which people read in per cent."""


@dataclass(frozen=True, slots=True, eq=False)
class Averaged:
    """The repeats of one line on a grid of G points. All arrays are (G,); NaN where the line has no value."""

    label: str
    repeats: int
    """How many, >= 1."""
    x: Array
    mean: Array
    standard_error: Array
    """Of the mean; zeros for a single repeat."""
    median: Array
    low_quartile: Array
    high_quartile: Array


@dataclass(frozen=True, slots=True)
class Difference:
    """How far a line is behind the best one; by Welch's t interval, of two means whose spreads may differ."""

    mean: float
    low: float
    """Ends of the interval at :data:`CONFIDENCE`; NaN where a line has one repeat, or no repeat differs."""
    high: float


@dataclass(frozen=True, slots=True)
class Standing:
    """One line at one moment."""

    label: str
    repeats: int
    x: float
    """The moment: the same for all lines, or the mean over repeats of the line's own end."""
    mean: float
    """NaN where not all repeats have a value yet."""
    standard_error: float
    """Of the mean; 0 for a single repeat."""
    behind: Difference | None
    """Beside the best line; None for that one itself, and where either has no value."""


@dataclass(frozen=True, slots=True)
class Moment:
    """All lines at one moment."""

    x: float | None
    """In seconds, jobs or epochs; None for the end of each line."""
    standings: tuple[Standing, ...]
    """In the order of the lines."""


def ranking(means: Sequence[float], value: Value) -> list[int]:
    """Places from the best mean to the worst; those that are NaN come last."""
    sign = -1.0 if value.maximise else 1.0
    return sorted(range(len(means)), key=lambda k: math.inf if math.isnan(means[k]) else sign * means[k])


# --- what is compared ------------------------------------------------------------------------------


def find_axis(name: str) -> Axis:
    """The axis of that name.

    Raises:
        UnknownName: there is none.
    """
    if name not in AXES:
        raise UnknownName("axis", name, AXES)
    return AXES[name]


def find_value(lines: Sequence[Line], wanted: str | None = None) -> Value:
    """What to compare lines by: what is wanted, else the regret, the test error or loss, or the metric of all of them.

    Less is better, unless it is the metric of studies that maximise it.

    Raises:
        UserError: not all lines have it, or have anything in common.
    """
    entries = [entry for line in lines for entry in line.entries]
    having = [set(one.metrics) for line in lines for one in line.trajectories]
    common = set.intersection(*having) | {"loss"}
    goals = {(entry.spec.problem.metric, entry.spec.problem.mode) for entry in entries}
    if wanted is None:
        own = [metric for metric, _ in goals] if len(goals) == 1 else []
        wanted = next((name for name in ("regret", "test_error", "test_loss", *own) if name in common), None)
    if wanted is None:
        known = ", ".join(sorted(common - {"loss"})) or "nothing"
        metrics = ", ".join(sorted(metric for metric, _ in goals))
        raise UserError(f"these studies optimise {metrics}, and have {known} in common\nSay which: --value NAME")
    if wanted not in common:
        raise UnknownName("value, of those that all studies have,", wanted, common)
    # What a function of a user's own calls an error may be anything.
    ours = not any(isinstance(entry.spec.problem, Objective) for entry in entries)
    return Value(wanted, (wanted, "max") in goals, ours and _SHARE.fullmatch(wanted) is not None)


_SHARE: Final = re.compile(r"(regret|\w+_error)(_\d+)?")
"""Metrics of our own problems that are shares of images; ``regret_4`` is that after four epochs."""


def values(trajectory: Trajectory, value: Value) -> Array:
    """The value of each incumbent, (N,)."""
    return np.array(trajectory.metrics.get(value.name, trajectory.loss), dtype=float)


def at(trajectory: Trajectory, axis: Axis, value: Value, x: Array) -> Array:
    """The value of the incumbent at each of ``x``, (G,); NaN before the first one."""
    places = np.searchsorted(np.array(getattr(trajectory, axis.field), dtype=float), x, side="right") - 1
    return np.where(places < 0, math.nan, values(trajectory, value)[places])


# --- on a grid -------------------------------------------------------------------------------------


def averaged(lines: Sequence[Line], axis: Axis, value: Value) -> list[Averaged]:
    """The mean and the spread of each line, on a grid that they have in common."""
    grid = _grid(lines, axis)
    return [_average(line, axis, value, grid) for line in lines]


def _average(line: Line, axis: Axis, value: Value, grid: Array) -> Averaged:
    start, end = _span(line, axis)
    inside = grid[(grid >= start) & (grid <= end)]
    # (repeats, points inside)
    every = np.stack([at(one, axis, value, inside) for one in line.trajectories])
    count = len(every)
    error = every.std(axis=0, ddof=1) / math.sqrt(count) if count > 1 else np.zeros(len(inside))
    low, median, high = np.quantile(every, (0.25, 0.5, 0.75), axis=0)
    return Averaged(line.label, count, inside, every.mean(axis=0), error, median, low, high)


def _span(line: Line, axis: Axis) -> tuple[float, float]:
    """From where all repeats have a value to where the last one ends."""
    first = max(getattr(one, axis.field)[0] for one in line.trajectories)
    return first, max(getattr(one.end, axis.field) for one in line.trajectories)


def _grid(lines: Sequence[Line], axis: Axis) -> Array:
    """Every number of evaluations or epochs if there are few, else steps of equal ratio; and where lines begin and end.

    Raises:
        InvalidValue: nothing was spent.
    """
    spans = [_span(line, axis) for line in lines]
    low, high = min(first for first, _ in spans), max(last for _, last in spans)
    if high <= 0:
        names = ", ".join(name for name, one in AXES.items() if not one.is_time)
        raise InvalidValue("--axis", axis.field, "the logs of these studies have no times", f"Take one of {names}.")
    if not axis.is_time and high - low <= POINTS:
        return np.arange(low, high + 1, dtype=float)
    steps = np.geomspace(max(low, high / 1e9), high, POINTS)
    if not axis.is_time:
        steps = np.round(steps)
    return np.unique(np.concatenate([steps, np.ravel(spans)]))


# --- at some moments -------------------------------------------------------------------------------


def moments(lines: Sequence[Line], axis: Axis, value: Value, xs: Sequence[float]) -> list[Moment]:
    """How lines stand at each of ``xs``, and at the end of each line."""
    shared = [_moment(lines, x, [x] * len(lines), [_column(line, axis, value, x) for line in lines], value) for x in xs]
    last = [np.array([values(one, value)[-1] for one in line.trajectories]) for line in lines]
    ends = [float(np.mean([getattr(one.end, axis.field) for one in line.trajectories])) for line in lines]
    return [*shared, _moment(lines, None, ends, last, value)]


def _column(line: Line, axis: Axis, value: Value, x: float) -> Array:
    """(repeats,)."""
    return np.array([at(one, axis, value, np.array([x]))[0] for one in line.trajectories])


def _moment(
    lines: Sequence[Line], x: float | None, places: Sequence[float], columns: Sequence[Array], value: Value
) -> Moment:
    means = [float(column.mean()) for column in columns]
    best = ranking(means, value)[0]
    standings = [
        Standing(
            line.label, len(column), place, mean, standard_error(column),
            None if k == best or math.isnan(mean) else difference(column, columns[best]),
        )
        for k, (line, place, column, mean) in enumerate(zip(lines, places, columns, means, strict=True))
    ]  # fmt: skip
    return Moment(x, tuple(standings))


def standard_error(column: Array) -> float:
    """Of the mean; 0 for a single value."""
    return float(column.std(ddof=1) / math.sqrt(len(column))) if len(column) > 1 else 0.0


def difference(column: Array, best: Array) -> Difference:
    """Difference of two means with Welch's interval: t of Satterthwaite's degrees of freedom times its error."""
    from scipy import stats  # noqa: PLC0415 - takes a while to import

    mean = float(column.mean() - best.mean())
    own, other = standard_error(column) ** 2, standard_error(best) ** 2
    if min(len(column), len(best)) < 2 or own + other == 0:
        return Difference(mean, math.nan, math.nan)
    freedom = (own + other) ** 2 / (own**2 / (len(column) - 1) + other**2 / (len(best) - 1))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * math.sqrt(own + other)
    return Difference(mean, mean - half, mean + half)


def common_xs(lines: Sequence[Line], axis: Axis, unit: float = 1.0, most: int = 3) -> list[float]:
    """Some round moments at which all lines have a value and none has ended, and the last such moment.

    The latter is left out where it is the end of all lines.

    Args:
        lines: one or more.
        axis: what the moments are on.
        unit: what they are round in, such as 3600 seconds.
        most: how many round ones, at most.

    Returns:
        Ascending; empty if there is no such moment.
    """
    spans = [_span(line, axis) for line in lines]
    low, high = max(first for first, _ in spans), min(last for _, last in spans)
    if low > high:
        return []
    round_ones = [x for x in _round_numbers(low, 0.8 * high, unit) if axis.is_time or x >= 1]
    places = np.unique(np.linspace(0, len(round_ones) - 1, most).round().astype(int)) if round_ones else ()
    chosen = [round_ones[k] for k in places]
    return chosen if all(last == high for _, last in spans) else [*chosen, high]


def _round_numbers(low: float, high: float, unit: float) -> Iterator[float]:
    """1, 2 and 5 times powers of ten of a unit, from ``low`` to ``high``."""
    if high <= 0:
        return
    first = math.floor(math.log10(max(low, high / 1e6) / unit))
    for power in range(first, math.ceil(math.log10(high / unit)) + 1):
        yield from (x for step in (1, 2, 5) if low <= (x := step * 10.0**power * unit) <= high)


def unit_of(axis: Axis, high: float) -> tuple[float, str]:
    """What a person reads a time axis that ends at ``high`` in: its seconds and its name; (1, "") for counts."""
    if not axis.is_time:
        return 1.0, ""
    if high < 10_000:
        return 1.0, "s"
    return (3600.0, "h") if high < 4 * 86_400 else (86_400.0, "d")


def repeated_exactly(line: Line) -> int:
    """How many of a line's repeats are the same as an earlier one to the last digit, in all but times."""
    known = {repr((one.loss, one.evaluations, one.epochs, one.metrics)) for one in line.trajectories}
    return len(line.trajectories) - len(known)
