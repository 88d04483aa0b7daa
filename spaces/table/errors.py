"""What can be wrong with a table, with what it is made from, or with what is asked of it.

``UserError``: ``TableMissing``, ``NotATable``, ``TableDamaged``, ``TableTooNew`` (opening);
``TableNotWritten`` (writing); ``SourceUnknown``, ``SourceDamaged`` (converting); ``CellUnknown``,
``BudgetUnknown``, ``RepeatUnknown``, ``MetricAbsent`` (asking).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from spaces.errors import UserError

SOURCES = (
    "nasbench_full.tfrecord or nasbench_only108.tfrecord of NAS-Bench-101, a folder with cells.npz and "
    "budgets_*.npz, or nasbench201.csv(.gz)"
)
"""What can be converted, for messages."""


class TableMissing(UserError):
    """There is no file at this path."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"table {path}: no such file\nMake it with `asha-nas table convert`, or correct the path.")


class NotATable(UserError):
    """The file is something else."""

    def __init__(self, path: Path, found: str = "is not a table (.nastable)") -> None:
        super().__init__(f"{path}: {found}\nTables are made with `asha-nas table convert` from {SOURCES}.")


class TableDamaged(UserError):
    """The file's bytes are not those that were written."""

    def __init__(self, path: Path, found: str) -> None:
        super().__init__(f"table {path}: {found}, so it is not what was written\nMake it again, or copy it again.")


class TableTooNew(UserError):
    """A later version of the program wrote the file."""

    def __init__(self, path: Path, version: int, known: int) -> None:
        super().__init__(
            f"table {path}: made by a newer version (format {version}; this one reads up to {known})\n"
            "Upgrade with `pip install --upgrade asha-nas`, or make the table again with this version."
        )


class TableNotWritten(UserError):
    """The folder cannot take the file: full, read-only, not a folder. An older table there is untouched."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(
            f"table {path}: could not be written ({error.strerror or error}); what was there is as before\n"
            "Free space there or make the folder writable, then try again."
        )


class SourceUnknown(UserError):
    """What should be converted is none of what can be."""

    def __init__(self, path: Path, found: str) -> None:
        super().__init__(f"{path}: {found}\nGive {SOURCES}.")


class SourceDamaged(UserError):
    """What should be converted is cut short, altered, or not whole."""

    def __init__(self, path: Path, found: str, remedy: str = "Fetch the file again.") -> None:
        super().__init__(f"{path}: {found}\n{remedy}")


class CellUnknown(UserError):
    """The table has no such cell."""

    def __init__(self, table: str, count: int, what: str) -> None:
        super().__init__(
            f"table {table!r} holds no cell with hash {what}\n"
            f"It holds {count:,} cells; a cell outside of its space has no row."
        )


class BudgetUnknown(UserError):
    """The table has no such budget."""

    def __init__(self, table: str, budget: object, known: Iterable[int]) -> None:
        super().__init__(
            f"budget = {budget!r}: table {table!r} has no figures for it\n"
            f"Its budgets in epochs: {', '.join(map(str, known))}."
        )


class RepeatUnknown(UserError):
    """The table has no such repeat."""

    def __init__(self, table: str, repeat: object, repeats: int) -> None:
        super().__init__(
            f"repeat = {repeat!r}: table {table!r} has {repeats} repeat{'s' * (repeats > 1)} of each training\n"
            f"Ask for 'mean' or an integer from 0 to {repeats - 1}."
        )


class MetricAbsent(UserError):
    """The table does not hold this figure, or only an estimate that was not asked for."""

    def __init__(self, metric: str, why: str, there: str) -> None:
        super().__init__(f"no {metric}: {why}\nThere is: {there}.")
