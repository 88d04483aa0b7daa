"""Which tables there are, where they are kept, and how to open one by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spaces.errors import UnknownName, UserError
from spaces.nasbench1shot1.regret import Reference
from spaces.table import ESTIMATED, SUFFIX, Table
from trials.folders import data_folder

EMBEDDED = Path(__file__).resolve().parent.parent / "spaces" / "table" / "embedded"
"""Tables that come with the package, each beside the study file it was built by."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One table of the catalogue."""

    name: str
    """What :func:`find` calls it: its file's name without the ending."""
    state: str
    """``embedded`` (comes with the package) or ``installed``; where it cannot be read, ``damaged: `` and why."""
    path: str
    """Where it lies."""
    bytes: int
    """Size of its file."""
    space: str | None = None
    """Space of its cells."""
    data: str | None = None
    """Data set they were trained on."""
    cells: int | None = None
    """Number of cells."""
    budgets: tuple[int, ...] | None = None
    """Epochs, ascending."""
    repeats: int | None = None
    """Trainings of each cell at each budget."""


def folder(data_dir: str | None = None) -> Path:
    """Where tables are installed: ``tables`` in the data folder; see :func:`trials.data.data_folder`."""
    return data_folder(data_dir) / "tables"


def find(name: str, data_dir: str | None = None) -> Path:
    """The file of a table.

    Args:
        name: of a table of the catalogue, or the path of a table's file. An installed table hides an embedded
            one of the same name.
        data_dir: see :func:`trials.data.data_folder`.

    Raises:
        UnknownName: there is no such table.
    """
    if name.endswith(SUFFIX):
        return Path(name).expanduser()
    for place in (folder(data_dir), EMBEDDED):
        path = place / f"{name}{SUFFIX}"
        if "/" not in name and path.is_file():
            return path
    raise UnknownName("table", name, _files(data_dir))


def open_table(name: str, data_dir: str | None = None, **options: Any) -> Table:
    """Open a table by name or path; see :func:`find`, and :meth:`spaces.table.Table.open` for the options.

    Raises:
        UnknownName: there is no such table.
        TableMissing, TableDamaged, TableTooNew: its file is not there or cannot be read.
    """
    return Table.open(find(name, data_dir), **options)


def describe(data_dir: str | None = None) -> list[Entry]:
    """All tables by name, also those that cannot be read."""
    return [_entry(name, path) for name, path in sorted(_files(data_dir).items())]


def shortcomings(
    table: Table, rows: NDArray[np.int64] | None, reference: Reference, asked: Mapping[str, Sequence[int]]
) -> tuple[str, ...]:
    """What a reader of figures must know: a line for each way in which they fall short of a whole table's.

    Args:
        table: where they come from.
        rows: (M,) of the cells that may be asked for; None for all.
        reference: what regret is above: the ``best`` single run, or the best ``mean``.
        asked: for each metric that is asked for, at which budgets.
    """
    found = []
    if reference == "mean":
        found.append("regret is above the best mean over repeats: the table does not have single runs")
    if table.aggregate("valid_accuracy") == "maximum":
        found.append("valid_error is that of the best repeat: the table does not have their mean")
    for metric, budgets in asked.items():
        figures, stages = table.figures(metric), map(table.budgets.index, budgets)
        share = np.mean([figures.all_statuses(stage, rows) == ESTIMATED for stage in stages])
        if share > 0:
            found.append(f"{share:.1%} of the figures of {metric} are estimates, not measured")
    return tuple(found)


def _files(data_dir: str | None) -> dict[str, Path]:
    places = (EMBEDDED, folder(data_dir))
    return {path.stem: path for place in places for path in sorted(place.glob(f"*{SUFFIX}"))}


def _entry(name: str, path: Path) -> Entry:
    size = path.stat().st_size if path.is_file() else 0
    try:
        table = Table.open(path)
    except UserError as error:
        return Entry(name, f"damaged: {str(error).splitlines()[0]}", str(path), size)
    state = "embedded" if path.parent == EMBEDDED else "installed"
    return Entry(name, state, str(path), size, table.space, table.data, len(table), tuple(table.budgets), table.repeats)
