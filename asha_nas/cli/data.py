"""Commands for data sets: data list, get, add."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from asha_nas.cli.options import JsonOption
from asha_nas.cli.output import err, out, print_json, size, table

app = typer.Typer(help="List, download and add data sets.", no_args_is_help=True)


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the data sets, and where each is."""
    from trials.data import catalogue  # noqa: PLC0415 - imports PyTorch

    entries = catalogue.describe()
    if as_json:
        print_json(entries)
        return
    rows = [
        [
            entry.name, entry.state, entry.classes, "×".join(map(str, entry.shape)), f"{entry.train_images:,}",
            f"{entry.test_images:,}", size(entry.bytes) if entry.bytes else None, entry.path,
        ]
        for entry in entries
    ]  # fmt: skip
    columns = ["name", "state", "classes", "image", "train", "test", "size", "path"]
    out.print(table(columns, rows, right=("classes", "train", "test", "size")))


@app.command()
def get(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Data set, e.g. cifar10.")],
    url: Annotated[str | None, typer.Option("--url", help="Mirror of its official archive.")] = None,
) -> None:
    """Download a data set from its official place, check it, and install it."""
    from trials.data import catalogue  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        download = bar.add_task(name, total=None)
        path = catalogue.get(
            name, url=url, progress=lambda done, total: bar.update(download, completed=done, total=total)
        )
    out.print(f"{name} is installed in {path}", soft_wrap=True)


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Data set, e.g. cifar10.")],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Its official archive, or a prepared file or folder.")],
    check: Annotated[bool, typer.Option(help="Compare the archive with its published checksum.")] = True,
) -> None:
    """Install a data set from a file you have."""
    from trials.data import catalogue  # noqa: PLC0415

    out.print(f"{name} is installed in {catalogue.add(name, str(path), check=check)}", soft_wrap=True)
