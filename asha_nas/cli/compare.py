"""The command that puts studies side by side: compare."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from asha_nas import lookups
from asha_nas.analysis import comparison as numbers
from asha_nas.analysis import lines as grouping
from asha_nas.analysis.comparison import Averaged, Axis, Moment, Standing, Value
from asha_nas.cli import show
from asha_nas.cli.files import check_picture, drawing, make_room, not_written, write_csv
from asha_nas.cli.options import JsonOption, StoreOption, names
from asha_nas.cli.output import err, out, print_json, table
from asha_nas.store import Store


def compare(
    studies: Annotated[
        list[str],
        typer.Argument(
            metavar="STUDY…",
            help="Studies; those that differ by their seed alone are repeats of one line."
            " LABEL=STUDY,STUDY,… makes a line and names it.",
            autocompletion=names,
        ),
    ],
    axis_name: Annotated[
        str,
        typer.Option("--axis", help="spent (time of all jobs together), clock, evaluations or epochs."),
    ] = "spent",
    value_name: Annotated[
        str | None,
        typer.Option(
            "--value",
            metavar="NAME",
            help="What to compare by: a metric that all have, or loss. Default: regret, test_error, or their metric.",
        ),
    ] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Compare studies though they are about different problems.")
    ] = False,
    draw: Annotated[
        Path | None, typer.Option("--draw", metavar="FILE", help="Where to draw it (.svg or .png).")
    ] = None,
    csv_path: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write the lines of the picture as numbers.")
    ] = None,
    store_url: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare studies: how good the best result was at each moment, by test regret where they have it.

    Means and standard errors over repeats, as Figures 5, 14 and 15 of NAS-Bench-1Shot1 (Zela et al., 2020) have them.
    """
    axis = numbers.find_axis(axis_name)
    chosen, labels = grouping.parse(studies)
    picture = draw or drawing(f"{chosen[0]}-comparison")
    check_picture(picture)
    for path in filter(None, (draw, csv_path)):
        make_room(path)
    entries, remarks = _read(chosen, Store(store_url, create=False))
    ground = {} if anyway else grouping.common_ground(entries)
    lines = grouping.lines(entries, labels)
    value = numbers.find_value(lines, value_name)
    found = numbers.averaged(lines, axis, value)
    unit, unit_name = numbers.unit_of(axis, max(float(one.x[-1]) for one in found))
    moments = numbers.moments(lines, axis, value, numbers.common_xs(lines, axis, unit, most=2))
    remarks += list(_remarks(lines))
    remarks += dict.fromkeys(remark for entry in entries for remark in lookups.remarks(entry.spec))
    drawn = _draw(picture, found, axis, value, _title(ground), insist=draw is not None)
    if csv_path is not None:
        write_csv(csv_path, ["label", "repeats", axis_name, *_COLUMNS], _rows(found))
    if as_json:
        values = {"axis": axis_name, "value": value.name, "ground": ground, "lines": _values(lines)}
        files = {"drawing": str(picture) if drawn else None, "csv": None if csv_path is None else str(csv_path)}
        print_json({**values, "moments": moments, "remarks": remarks, **files})
        return
    _print_table(moments, axis, value, unit, unit_name)
    for remark in remarks:
        out.print(f"note: {remark}", style="yellow", markup=False, soft_wrap=True)
    if drawn:
        out.print(f"drawn in {picture}", soft_wrap=True, markup=False)
    if csv_path is not None:
        out.print(f"all numbers are in {csv_path}", soft_wrap=True, markup=False)


def _read(chosen: Sequence[str], store: Store) -> tuple[list[grouping.Entry], list[str]]:
    """The studies, and which of them still run."""
    entries, remarks = [], []
    for name in chosen:
        record, _, history = show.open_study(name, store)
        entries.append(entry := grouping.Entry.of(history, name))
        if entry.empty:
            repeats = len(entry.trajectories) + entry.empty
            remarks.append(f"{entry.empty} of {repeats} repeats of {name} found nothing and are left out")
        state = show.state_of(record, history, store)
        if state not in ("done", "time"):
            words = "is still running" if state == "running" else f"is not over ({state})"
            remarks.append(f"{name} {words}: its line is what it has so far")
    return entries, remarks


def _values(lines: Sequence[grouping.Line]) -> list[dict[str, Any]]:
    return [{"label": one.label, "studies": one.studies, "repeats": len(one.trajectories)} for one in lines]


def _remarks(lines: Sequence[grouping.Line]) -> Iterator[str]:
    for line in lines:
        if differing := grouping.differences(line):
            yield f"the studies of {line.label!r} differ not by their seed alone: {', '.join(differing)}"
        if same := numbers.repeated_exactly(line):
            count = len(line.trajectories)
            yield f"{same} of the {count} repeats of {line.label!r} are like another one to the last digit; same seed?"
    single = [line.label for line in lines if len(line.trajectories) == 1]
    if single:
        yield f"a single repeat tells nothing of the spread: {', '.join(single)}"


def _title(ground: dict[str, str]) -> str:
    named = dict(ground)
    space, by = named.pop("space", None), named.pop("table", None)
    if by is not None:
        return f"{space}, by {by}" if space else by
    return ", ".join(named.values())


def _draw(path: Path, found: Sequence[Averaged], axis: Axis, value: Value, title: str, *, insist: bool) -> bool:
    """Draw; False if the file cannot be written where nobody asked for it."""
    from asha_nas.analysis.comparison_plot import draw_comparison  # noqa: PLC0415 - imports matplotlib

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draw_comparison(path, found, axis, value, title)
    except OSError as error:
        if insist:
            raise not_written(path, error) from error
        err.print(f"not drawn: {path}: {error.strerror or error}", style="yellow", markup=False, soft_wrap=True)
        return False
    return True


# --- what came of it -------------------------------------------------------------------------------


def _print_table(moments: Sequence[Moment], axis: Axis, value: Value, unit: float, unit_name: str) -> None:
    """A row for each line, the best at its end first; a column for each moment. Then how far others are behind."""
    *shared, last = moments
    order = numbers.ranking([one.mean for one in last.standings], value)
    several = any(one.repeats > 1 for one in last.standings)
    words = f"{value.name} of the best so far{' in %' if value.is_share else ''}, by {axis.words}"
    words += "; mean ± standard error over n repeats" if several else ""
    out.print(words, style="dim", soft_wrap=True, markup=False)
    heads = ["", "n", *(_moment(moment.x or 0.0, unit, unit_name) for moment in shared), "at its end"]
    rows: list[list[Any]] = [
        [last.standings[k].label, last.standings[k].repeats, *(_mean(each.standings[k], value) for each in moments)]
        for k in order
    ]
    out.print(table(heads, rows, right=tuple(heads[1:])))
    out.print()
    _print_behind([[each.standings[k] for k in order] for each in (*shared[-1:], last)], value, unit, unit_name)


def _print_behind(moments: Sequence[Sequence[Standing]], value: Value, unit: float, unit_name: str) -> None:
    """How far lines are behind the best one: at the last moment that they have in common, and at their ends."""
    *shared, last = moments
    places = [f"at {_moment(standings[0].x, unit, unit_name)}" for standings in shared]
    interval = f"behind the best ({100 * numbers.CONFIDENCE:.0f} % interval)"
    heads = ["", "end", *(f"{interval} {place}" for place in (*places, "at its end"))]
    rows = [
        [end.label, _moment(end.x, unit, unit_name), *(_behind(standings[k], value) for standings in moments)]
        for k, end in enumerate(last)
    ]
    out.print(table(heads, rows, right=tuple(heads[1:])))


def _moment(x: float, unit: float, name: str) -> str:
    number = x / unit
    return f"{number:,.0f} {name}".strip() if not name or number >= 100 else f"{number:.3g} {name}"


def _mean(one: Standing, value: Value) -> str | None:
    if math.isnan(one.mean):
        return None
    return _number(one.mean, value) + (f"±{_number(one.standard_error, value, 2)}" if one.repeats > 1 else "")


def _behind(one: Standing, value: Value) -> str | None:
    """The difference, and its interval where there is one."""
    if math.isnan(one.mean):
        return None
    if one.behind is None:
        return "best"
    words = _signed(one.behind.mean, value)
    if math.isnan(one.behind.low):
        return words
    return f"{words} ({_signed(one.behind.low, value)} to {_signed(one.behind.high, value)})"


def _number(number: float, value: Value, digits: int = 4) -> str:
    """Shares in per cent, with as many decimals as a regret needs."""
    return f"{100 * number:.3f}" if value.is_share else f"{number:.{digits}g}"


def _signed(number: float, value: Value) -> str:
    return f"{'−' if number < 0 else '+'}{_number(abs(number), value)}"


_COLUMNS = ("mean", "standard_error", "median", "low_quartile", "high_quartile")


def _rows(found: Sequence[Averaged]) -> Iterator[list[Any]]:
    for one in found:
        for place, x in enumerate(one.x):
            yield [one.label, one.repeats, float(x), *(float(getattr(one, name)[place]) for name in _COLUMNS)]
