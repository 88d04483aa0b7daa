"""Names of a table's columns, and which metric stands in which; for each space, how its cells are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from numpy.typing import NDArray

from spaces import nasbench101, nasbench201
from spaces.errors import UnknownName

ABSENT: Final = 0
MEASURED: Final = 1
ESTIMATED: Final = 2
STATUSES: Final = ("absent", "measured", "estimated")
"""The names of the values in a status column."""

AGGREGATES: Final = ("mean", "maximum")
"""What one figure may stand for where single runs are not known."""

SPLITS: Final = ("train", "valid", "test")

SECONDS: Final = ("seconds", "halfway_seconds")
COUNTS: Final = tuple(f"{half}{split}_correct" for half in ("", "halfway_") for split in SPLITS)
METRIC_COLUMNS: Final = (*COUNTS, *SECONDS)
"""Every column of figures that may be in a table, in the order in which they are written."""

ACCURACIES: Final = tuple(name.replace("correct", "accuracy") for name in COUNTS)
METRICS: Final = (*ACCURACIES, *SECONDS, "parameters")
"""What can be asked for in bulk."""

COLUMN_OF: Final[Mapping[str, str]] = MappingProxyType(
    {name: name for name in (*METRIC_COLUMNS, "parameters")}
    | {name.replace("correct", ending): name for name in COUNTS for ending in ("accuracy", "error")}
    | {name.removesuffix("_correct"): name for name in COUNTS}
)
"""Column of a metric; an accuracy, its error and its split share one."""

Cell: TypeAlias = nasbench101.Cell | nasbench201.Cell
Cells: TypeAlias = nasbench101.Cells | nasbench201.Cells

_KINDS: Final[Mapping[str, Any]] = MappingProxyType(
    dict.fromkeys(("nasbench101", "s1", "s2", "s3"), nasbench101) | {"nasbench201": nasbench201}
)

SPACES: Final = tuple(_KINDS)
"""Spaces that a table can be of."""


def metric_of(column: str) -> str:
    """Return the metric that stands in a column, such as ``valid_accuracy`` in ``valid_correct``."""
    return column.replace("correct", "accuracy")


def column_of(metric: str) -> str:
    """Return the column of a metric, an error rate, a split or a column.

    Raises:
        UnknownName: there is no such metric.
    """
    try:
        return COLUMN_OF[metric]
    except (KeyError, TypeError):
        raise UnknownName("metric", str(metric), METRICS) from None


def cell_class(space: str) -> type[Any]:
    """Return the class of one cell of a space."""
    kind: type[Any] = _kind(space).Cell
    return kind


def cell_parser(space: str) -> Callable[[str], Any]:
    """Return the function from the text of a cell of a space to the cell."""
    function: Callable[[str], Any] = _kind(space).parse_cell
    return function


def cells_class(space: str) -> type[Any]:
    """Return the class of many cells of a space."""
    kind: type[Any] = _kind(space).Cells
    return kind


def hash_cells(space: str) -> Callable[[Any], NDArray[Any]]:
    """Return the function from many cells of a space to their hashes, uint8 (N, 16)."""
    function: Callable[[Any], NDArray[Any]] = _kind(space).hash_cells
    return function


def _kind(space: str) -> Any:
    if space not in _KINDS:
        raise UnknownName("space", str(space), SPACES)
    return _KINDS[space]


def encoding(space: str) -> tuple[str, ...]:
    """Return the names of the columns that keep the cells of a space: the fields of its cells class."""
    return tuple(cells_class(space).__dataclass_fields__)
