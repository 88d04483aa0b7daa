"""Tables of measured architectures as pages for people: numbers are rounded, and every one says what it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from rich.table import Table as Page

from asha_nas.analysis.table_page import (
    PER_CELL,
    Correlation,
    Distribution,
    Figure,
    figures,
    graph_lines,
    stands_for,
)
from asha_nas.cli.output import out, size
from asha_nas.cli.output import table as plain
from spaces.table import METRICS, Table

if TYPE_CHECKING:
    from trials.tables import Entry

ACCURACIES: Final = ("train_accuracy", "valid_accuracy", "test_accuracy")
_BAR: Final = 40
"""Characters of the longest bar of a histogram."""
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"


def print_listing(entries: Sequence[Entry]) -> None:
    """All tables: one a row where that fits, else one a paragraph; of one that cannot be read, why."""
    rows = [
        [
            entry.name, entry.space, entry.data, _number(entry.cells), _list(entry.budgets), entry.repeats,
            size(entry.bytes), entry.state.partition(":")[0], entry.path,
        ]
        for entry in entries
    ]  # fmt: skip
    columns = ["name", "space", "data", "cells", "epochs", "repeats", "size", "state", "path"]
    page = plain(columns, rows, right=("cells", "repeats", "size"))
    if out.measure(page, options=out.options.update(width=10_000)).maximum <= out.width:
        out.print(page)
    else:
        for entry in entries:
            _print_listed(entry)
    for entry in entries:
        if entry.space is None:
            out.print(f"{entry.name}: {entry.state}", style="yellow", markup=False, soft_wrap=True)


def _print_listed(entry: Entry) -> None:
    out.print(f"[bold]{_plain(entry.name)}[/]  {entry.state.partition(':')[0]}, {size(entry.bytes)}", soft_wrap=True)
    if entry.cells is not None and entry.repeats is not None:
        what = f"{_counted(entry.cells, 'cell')} of {entry.space} on {entry.data}"
        out.print(f"  {what}; epochs {_list(entry.budgets)}; {_counted(entry.repeats, 'repeat')}", markup=False)
    out.print(f"  {entry.path}", markup=False, soft_wrap=True, style="dim")


def summary(table: Table) -> str:
    """A table in one line."""
    return (
        f"[bold]{_plain(table.name)}[/]: {len(table):,} cells of {table.space} on {_plain(table.data)},"
        f" trained for {_list(table.budgets)} epochs, {_counted(table.repeats, 'repeat')}"
    )


def print_header(table: Table) -> None:
    """What a table is, where it lies and where its figures come from."""
    out.print(summary(table), soft_wrap=True)
    out.print(f"{size(table.bytes)} in {table.path}", markup=False, soft_wrap=True, style="dim")
    seen = ", ".join(f"{split} {images:,}" for split, images in table.evaluated.items())
    out.print(f"images of an evaluation: {seen}", markup=False)
    out.print(f"licence: {table.licence or 'not stated'}", markup=False)
    if table.provenance:
        words = "; ".join(f"{key}: {_brief(value)}" for key, value in table.provenance.items())
        room = max(2 * out.width - len("made from: "), 60)
        cut = words if len(words) <= room else words[: room - 20].rstrip() + " … (all: --json)"
        out.print(f"made from: {cut}", markup=False)


def _brief(value: Any) -> str:
    """A value of a table's provenance: digests are cut, and of something large only its name is told."""
    if isinstance(value, Mapping):
        if "name" in value:
            return str(value["name"])
        return ", ".join(f"{key} {_brief(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_brief, value))
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 and text.isalnum() else text


def print_coverage(table: Table) -> None:
    """For how many cells each metric is measured, estimated and absent, by budget; and how large the networks are."""
    rows: list[list[Any]] = []
    for name in METRICS:
        metric = table.metrics.get(name)
        if metric is None or name == PER_CELL:
            continue
        words, figure = stands_for(metric, table.repeats), _short(name)
        for status in ("measured", "estimated", "absent"):
            counts = [getattr(metric.coverage[budget], status) for budget in table.budgets]
            if any(counts):
                rows.append([figure, words, status, *(_number(count or None) for count in counts)])
                figure = words = ""
    heads = list(map(str, table.budgets))
    out.print("\n[bold]cells with a figure, by epochs[/]")
    out.print(plain(["", "each is", "", *heads], rows, right=tuple(heads)))
    missing = [_words(name) for name in ACCURACIES if name not in table.metrics]
    if missing:
        out.print(f"no figures at all: {', '.join(missing)}", style="dim")
    if PER_CELL in table.metrics:
        sizes = table.column(PER_CELL)
        least, median, most = sizes.min(), np.median(sizes), sizes.max()
        out.print(f"parameters: {least:,.0f} to {most:,.0f}, median {median:,.0f}")


def print_distribution(spread: Distribution, table: Table) -> None:
    """How errors are spread: quantiles, and a histogram."""
    words = _stands_for(table, spread.metric.replace("error", "accuracy"))
    title = f"{_words(spread.metric)} after {_epochs(spread.budget)}"
    out.print(f"\n[bold]{title}[/] ({words}; {_counted(spread.cells, 'cell')}, {spread.status})")
    out.print(
        f"best [bold green]{_percent(spread.best)}[/], median {_percent(spread.median)},"
        f" expected of a random cell {_percent(spread.mean)}"
    )
    heads = [f"{100 * share:.0f} %" for share in spread.quantiles]
    shown = [f"{100 * error:.2f}" for error in spread.quantiles.values()]
    out.print(plain(["of cells", *heads], [["have at most", *shown]], right=tuple(heads)))
    out.print()
    for line in _bars(spread):
        out.print(line, markup=False, no_wrap=True)


def _bars(spread: Distribution) -> list[str]:
    most = max(one.cells for one in spread.histogram)
    digits = 1 if all(round(1000 * one.low, 6).is_integer() for one in spread.histogram) else 2
    widest = max(len(f"{100 * one.low:.{digits}f}") for one in spread.histogram)
    lines = []
    for one in spread.histogram:
        low = f"{100 * one.low:{widest}.{digits}f}"
        high = "" if one.high is None else f"{100 * one.high:.{digits}f}"
        span = f"{low} – {high:>{widest}}" if high else f"{low} or more"
        lines.append(f"{span:<{max(2 * widest + 3, widest + 8)}} %  {_bar(one.cells / most):<{_BAR}}  {one.cells:>9,}")
    return lines


def _bar(share: float) -> str:
    """A bar of eighths of a character; something, however little, is seen."""
    eighths = max(round(share * _BAR * 8), int(share > 0))
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (_EIGHTHS[rest] if rest else "")


def print_best(table: Table, row: int, spread: Distribution) -> None:
    """The best cell: what it is, how it is wired, its errors and seconds by budget."""
    out.print(f"\n[bold]best cell[/] by {_words(spread.metric)} after {_epochs(spread.budget)}")
    print_cell(table, row)
    shown = figures(table, row)
    out.print(_errors(shown, table))
    print_legend(shown)
    for name in ACCURACIES:
        if name in table.metrics and table.metrics[name].aggregate == "maximum":
            words = stands_for(table.metrics[name], table.repeats)
            out.print(f"{_words(name)} is the {words}, so its error is the least of them", style="dim")


def print_legend(shown: Iterable[Figure]) -> None:
    """Say what ``~`` before a number means, if there is one."""
    if any(figure.status == "estimated" and figure.value is not None for figure in shown):
        out.print("~ estimated, not measured", style="dim")


def print_cell(table: Table, row: int) -> None:
    """A cell: its hash, its text, its size, and its graph as text."""
    cell = table.cell(row)
    out.print(f"hash {table.hash_of(row)}")
    out.print(str(cell), markup=False, soft_wrap=True)
    if PER_CELL in table.metrics:
        out.print(f"{table.parameters_of(row):,} parameters")
    for line in graph_lines(cell.graph()):
        out.print(f"  {line}", markup=False, soft_wrap=True)


def _errors(shown: list[Figure], table: Table) -> Page:
    """Errors by budget, in percent."""
    by = {(figure.metric, figure.budget): figure for figure in shown}
    columns = [name for name in ACCURACIES if name in table.metrics]
    rows = []
    for budget in table.budgets:
        errors = [_error(by[name, budget]) for name in columns]
        rows.append([budget, *errors, _value(by["seconds", budget])])
    heads = ["epochs", *(_words(name.replace("accuracy", "error")) for name in columns), "time"]
    return plain(heads, rows, right=tuple(heads))


def _error(figure: Figure) -> str | None:
    if figure.value is None:
        return None
    return f"{'~' if figure.status == 'estimated' else ''}{_percent(1 - figure.value)}"


def figure_table(shown: list[Figure], table: Table, run: str | int) -> Page:
    """Figures of one cell, by budget: of all runs and their mean, or of one run."""
    several = run == "mean" and any(len(figure.runs) > 1 for figure in shown)
    heads = [f"run {number}" for number in range(table.repeats)] if several else []
    together = "all runs" if any(figure.aggregate == "maximum" for figure in shown) else "mean"
    kind = together if run == "mean" else f"run {run}"
    rows = []
    last = None
    for figure in shown:
        alone = figure.runs or [None] * table.repeats
        rows.append(
            [
                "" if figure.budget == last else figure.budget, _short(figure.metric), _value(figure),
                *(_shown(figure.metric, value) for value in alone if several), _status(figure, table, run),
            ]
        )  # fmt: skip
        last = figure.budget
    return plain(["epochs", "accuracy", kind, *heads, "status"], rows, right=("epochs", kind, *heads))


def _status(figure: Figure, table: Table, run: str | int) -> str:
    if figure.status == "absent" or figure.runs:
        return figure.status
    words = stands_for(table.metrics[figure.metric], table.repeats)
    return f"only the {words}" if figure.aggregate and run != "mean" else f"{figure.status}, {words}"


def one_run(figure: Figure, run: int) -> Figure:
    """A figure of one run alone; without a value where there is only an aggregate of the runs."""
    if figure.aggregate is not None:
        return replace(figure, value=None, counts=())
    if not figure.runs:
        return figure
    return replace(figure, value=figure.runs[run], runs=figure.runs[run : run + 1], counts=figure.counts[run : run + 1])


def print_correlations(found: Sequence[Correlation], table: Table) -> None:
    """Rank correlations as two matrices, and over how many cells they are."""
    if not found:
        return
    counts = sorted({one.cells for one in found})
    over = f"{counts[0]:,} to {counts[-1]:,} cells" if len(counts) > 1 else _counted(counts[0], "cell")
    metrics = dict.fromkeys(metric for one in found for metric, _ in (one.first, one.second))
    what = " and ".join(f"{_words(metric)} ({_stands_for(table, metric)})" for metric in metrics)
    out.print("\n[bold]rank correlation between budgets[/]")
    out.print(f"of {what}, over {over} with both figures measured")
    rows = list(dict.fromkeys(one.first for one in found))
    columns = list(dict.fromkeys(one.second for one in found))
    by = {(one.first, one.second): one for one in found}
    for name, words in (("spearman", "Spearman's ρ"), ("kendall", "Kendall's τ")):
        heads = list(map(_at, columns))
        lines = [
            [
                f"{row[0].removesuffix('_accuracy')} {row[1]}",
                *(_coefficient(by.get((row, column)), name) for column in columns),
            ]
            for row in rows
        ]
        out.print(plain([words, *heads], lines, right=tuple(heads)))


def _at(series: tuple[str, int]) -> str:
    metric, budget = series
    return f"{metric.removesuffix('_accuracy')} {budget}"


def _coefficient(one: Correlation | None, name: str) -> str | None:
    value = None if one is None else getattr(one, name)
    return None if value is None else f"{value:.3f}"


def _stands_for(table: Table, metric: str) -> str:
    """As ``stands_for``, where one number is shown for a cell."""
    about = table.metrics[metric]
    words = stands_for(about, table.repeats)
    return f"mean of {words}" if about.runs > 1 else words


def _short(metric: str) -> str:
    return _words(metric).removesuffix(" accuracy")


def _words(metric: str) -> str:
    words = metric.replace("_", " ").replace("valid", "validation").replace("train ", "training ")
    return words.replace("seconds", "time")


def _value(figure: Figure) -> str | None:
    shown = _shown(figure.metric, figure.value)
    return f"~{shown}" if shown is not None and figure.status == "estimated" else shown


def _shown(metric: str, value: float | None) -> str | None:
    if value is None:
        return None
    if not metric.endswith("seconds"):
        return _percent(value)
    return f"{value:,.0f} s" if value >= 100 else f"{value:.3g} s"


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _number(count: int | None) -> str | None:
    return None if count is None else f"{count:,}"


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _epochs(budget: int) -> str:
    return _counted(budget, "epoch")


def _list(numbers: Sequence[int] | None) -> str | None:
    return None if numbers is None else ", ".join(map(str, numbers))


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
