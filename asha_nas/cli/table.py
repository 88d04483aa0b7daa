"""Commands for tables of measured architectures: table list, info, lookup, convert, build."""

from __future__ import annotations

import shlex
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import platformdirs
import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from asha_nas.analysis import table_page
from asha_nas.cli import table_view
from asha_nas.cli.build import build
from asha_nas.cli.options import DrawOption, JsonOption
from asha_nas.cli.output import err, out, print_json
from asha_nas.errors import InvalidValue
from spaces import nasbench101, nasbench201
from spaces.table import SUFFIX, Table, TableNotWritten, convert
from trials import tables

app = typer.Typer(help="Tables of measured architectures: list, look into, convert, build.", no_args_is_help=True)

TableArgument = Annotated[str, typer.Argument(metavar="TABLE", help="Name of a table, or a .nastable file.")]


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the tables that come with the package or were installed."""
    entries = tables.describe()
    if as_json:
        print_json(entries)
        return
    if not entries:
        out.print("No tables yet. Make one: [bold]asha-nas table convert SOURCE[/] or [bold]asha-nas table build[/]")
        return
    table_view.print_listing(entries)


@app.command()
def info(
    name: TableArgument,
    draw: DrawOption = None,
    verify: Annotated[bool, typer.Option("--verify", help="Compare every column with its SHA-256.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show a table at a glance: what it holds, its errors, its best cell, rank correlations between budgets.

    Spread, best cell and correlations are of measured figures, where there are any; estimates are marked by ~.
    """
    if draw is not None and draw.suffix.lower() not in (".svg", ".png"):
        raise InvalidValue("--draw", str(draw), "must end in .svg or .png")
    table = _open(name, verify=verify)
    if as_json:
        print_json(_info_json(table, verified=verify, draw=draw))
        return
    table_view.print_header(table)
    if verify:
        out.print("verified: every column matches its SHA-256", style="green")
    table_view.print_coverage(table)
    with err.status("ranking cells …"):
        page = table_page.make_page(table)
    if page.distribution is not None and page.best is not None:
        table_view.print_distribution(page.distribution, table)
        table_view.print_best(table, page.best, page.distribution)
        path = draw or Path(platformdirs.user_data_dir("asha-nas")) / "drawings" / f"{table.path.stem}-best.png"
        _draw_best(table, page.best, path)
        out.print(f"drawn in {path}", markup=False, soft_wrap=True)
    table_view.print_correlations(page.correlations, table)
    hint = f"asha-nas table lookup {shlex.quote(name)} HASH"
    out.print(f"\nnext:\n  {hint}", markup=False, soft_wrap=True)


def _info_json(table: Table, *, verified: bool, draw: Path | None) -> dict[str, Any]:
    page = table_page.make_page(table)
    if draw is not None and page.best is not None:
        _draw_best(table, page.best, draw)
    return {
        "name": table.name, "space": table.space, "data": table.data, "cells": len(table), "budgets": table.budgets,
        "repeats": table.repeats, "evaluated": table.evaluated, "licence": table.licence,
        "provenance": table.provenance, "path": str(table.path), "bytes": table.bytes, "verified": verified,
        "metrics": {
            name: {**asdict(metric), "coverage": {b: asdict(counted) for b, counted in metric.coverage.items()}}
            for name, metric in table.metrics.items()
        },
        "distribution": page.distribution,
        "best": None if page.best is None else cell_facts(table, page.best),
        "correlations": page.correlations,
        "drawing": None if draw is None or page.best is None else str(draw),
    }  # fmt: skip


def cell_facts(table: Table, row: int, budgets: tuple[int, ...] | None = None) -> dict[str, Any]:
    """All that a table holds of the cell in a row, for programs."""
    return {
        "hash": table.hash_of(row), "cell": str(table.cell(row)),
        "parameters": table.parameters_of(row) if table_page.PER_CELL in table.metrics else None,
        "figures": table_page.figures(table, row, budgets),
    }  # fmt: skip


def _draw_best(table: Table, row: int, path: Path) -> None:
    from spaces.drawing import draw  # noqa: PLC0415 - matplotlib takes a while to import

    path.parent.mkdir(parents=True, exist_ok=True)
    draw([table.cell(row).graph(table.hash_of(row))], path, title=f"{table.name}: best cell")


@app.command()
def lookup(
    name: TableArgument,
    cell: Annotated[
        str,
        typer.Argument(
            metavar="CELL", help="Its hash, or its text: ADJACENCY:OPERATIONS, or |op~0|+… of NAS-Bench-201."
        ),
    ],
    budget: Annotated[int | None, typer.Option("--budget", help="Epochs; all budgets if not given.")] = None,
    repeat: Annotated[str, typer.Option("--repeat", help="mean (with all runs), or one run: 0, 1, …")] = "mean",
    as_json: JsonOption = False,
) -> None:
    """Look up one cell: its accuracies and seconds, and whether they are measured or estimated."""
    table = _open(name)
    run: str | int = int(repeat) if repeat.isdecimal() else repeat
    row = table.lookup(_cell(table, cell), budget, run).row
    facts = cell_facts(table, row, None if budget is None else (budget,))
    if isinstance(run, int):
        facts["figures"] = [table_view.one_run(figure, run) for figure in facts["figures"]]
    if as_json:
        print_json({"table": table.name, "repeat": run, **facts})
        return
    table_view.print_cell(table, row)
    out.print(table_view.figure_table(facts["figures"], table, run))
    table_view.print_legend(facts["figures"])


def _cell(table: Table, text: str) -> Any:
    """The cell or hash that a text means in a table's space."""
    text = text.strip()
    if len(text) == 32 and not set(text.lower()) - set("0123456789abcdef"):
        return text.lower()
    sign, form = ("|", "|op~0|+|op~0|op~1|+…") if table.space == "nasbench201" else (":", "0100…:input,…,output")
    if sign not in text:
        rule = f"must be a hash of 32 hexadecimal digits, or a cell of {table.space} as text"
        raise InvalidValue("cell", text, rule, f"The text has the form {form}")
    return nasbench201.parse_cell(text) if sign == "|" else nasbench101.parse_cell(text)


def _open(name: str, *, verify: bool = False) -> Table:

    return tables.open_table(name, verify=verify)


@app.command("convert")
def convert_(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="A release of NAS-Bench-101, cells.npz's folder, nasbench201.csv.")
    ],
    to: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The table's file; default: with the others.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the table; default: by the source.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a table of published figures, for which nothing is trained."""
    if name is not None and (Path(name).name != name or name.startswith(".")):
        raise InvalidValue("--name", name, "must be the name of a file, without '/' and not beginning with '.'")
    folder = tables.folder()
    if to is None and name is not None:
        to = folder / f"{name}{SUFFIX}"
    path = _convert_into(folder, source) if to is None else _convert(source, to, name)
    table = Table.open(path)
    if as_json:
        print_json(
            {
                "name": table.name, "space": table.space, "data": table.data, "cells": len(table),
                "budgets": table.budgets, "repeats": table.repeats, "path": str(path), "bytes": table.bytes,
            }
        )  # fmt: skip
        return
    out.print(table_view.summary(table), soft_wrap=True)
    out.print(f"in {path}", markup=False, soft_wrap=True)
    known = path.stem if path.parent == folder else shlex.quote(str(path))
    out.print(f"\nnext:\n  asha-nas table info {known}", markup=False, soft_wrap=True)


def _convert(source: Path, target: Path, name: str | None) -> Path:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with ExitStack() as shown:
        bar = shown.enter_context(Progress(*columns, console=err, transient=True))
        task = bar.add_task(f"reading {source.name}", total=None)

        def show(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total)
            if done == total and bar.live.is_started:  # how long the rest takes is not known
                bar.stop()
                shown.enter_context(err.status("checking and writing …"))

        return convert(source, target, name=name, progress=show)


def _convert_into(folder: Path, source: Path) -> Path:
    """Convert into a folder, under the name that the source's content gives the table."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".convert-", dir=folder) as apart:
            made = _convert(source, Path(apart) / f"table{SUFFIX}", None)
            target = folder / f"{Table.open(made).name}{SUFFIX}"
            made.replace(target)
    except OSError as error:
        raise TableNotWritten(folder, error) from error
    except TableNotWritten as error:
        cause = error.__cause__
        raise TableNotWritten(folder, cause if isinstance(cause, OSError) else OSError(str(error))) from cause
    return target


app.command("build")(build)
