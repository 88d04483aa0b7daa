"""What a table holds, before it is a file; and the step that checks and writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spaces.errors import InvalidValue, UnknownName
from spaces.table import file
from spaces.table.columns import (
    AGGREGATES,
    COUNTS,
    METRIC_COLUMNS,
    SECONDS,
    SPLITS,
    STATUSES,
    Cells,
    cells_class,
    encoding,
)

SUFFIX: Final = ".nastable"
"""Ending of a table's file name."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """The figures of one metric for all budgets and cells."""

    values: NDArray[Any]
    """(B, N, R): budgets, cells, repeats. Correct images as uint16 or uint32, or training seconds as float32. R is
    the table's repeats, or 1 where one figure stands for all. Zero where absent."""
    denominator: int | None = None
    """Images that a count is of, so that accuracy = count / denominator; ``None`` for seconds. Where a figure is
    the mean of r runs it is r times the images."""
    status: str | NDArray[np.uint8] = "measured"
    """``measured`` or ``estimated`` for all; or for each budget and cell, (B, N): 0 absent, 1 measured, 2 estimated."""
    aggregate: str | None = None
    """What a single figure stands for: ``mean`` or ``maximum`` of runs that are not known one by one, or ``None``."""


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """All of a table. Rows may come in any order; :func:`write_table` sorts them by hash."""

    name: str
    """Name of the table, such as ``nasbench101``."""
    space: str
    """One of ``columns.SPACES``."""
    data: str
    """Data set the cells were trained on, such as ``cifar10``."""
    budgets: tuple[int, ...]
    """Epochs, ascending, each >= 1."""
    repeats: int
    """Runs of each training, >= 1."""
    cells: Cells
    """N cells of the space, N >= 1."""
    hashes: NDArray[np.uint8]
    """(N, 16): their hashes, all different."""
    columns: Mapping[str, Column]
    """By name, out of ``columns.METRIC_COLUMNS``; at least one."""
    evaluated: Mapping[str, int]
    """Images that one evaluation sees, by split: ``train``, ``valid``, ``test``; each that has a column."""
    parameters: NDArray[np.int32] | None = None
    """(N,): trainable parameters, each >= 0; ``None`` if not known."""
    licence: str = ""
    """Terms of the figures."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Where the figures come from: anything that JSON can hold."""


def write_table(path: Path | str, content: Content) -> Path:
    """Check ``content`` and write it to ``path``, in place of a table that is there.

    Returns:
        ``path``.

    Raises:
        InvalidValue: the content is inconsistent; nothing is written.
        UnknownName: it names a space or a column that there is not.
        TableNotWritten: the folder cannot take the file; an older table there is untouched.
    """
    path = check_target(path)
    check(content)
    order = _order(content.hashes)
    hashes = np.ascontiguousarray(content.hashes[order])
    parts = [file.Part("prefix", hashes.view(">u8")[:, 0].astype("<u8")), file.Part("hash", hashes)]
    cells = content.cells[order]
    parts += [file.Part(name, getattr(cells, name)) for name in encoding(content.space)]
    if content.parameters is not None:
        parts.append(file.Part("parameters", content.parameters[order]))
    for name in METRIC_COLUMNS:
        if name in content.columns:
            parts += _parts(name, content.columns[name], order)
    file.write(path, _header(content), parts)
    return path


def check_target(path: Path | str) -> Path:
    """Return the path of a table to be written, or raise :class:`InvalidValue` if its ending is not a table's."""
    path = Path(path)
    if path.suffix != SUFFIX:
        raise InvalidValue("table", str(path), f"must end in {SUFFIX}", f"Such as {path.name}{SUFFIX}.")
    return path


def _parts(name: str, column: Column, order: NDArray[np.int64]) -> list[file.Part]:
    about: dict[str, Any] = {"aggregate": column.aggregate}
    if column.denominator is not None:
        about["denominator"] = column.denominator
    if isinstance(column.status, str):
        return [file.Part(name, column.values[:, order], {**about, "status": column.status})]
    return [
        file.Part(name, column.values[:, order], {**about, "status": None}),
        file.Part(f"{name}_status", column.status[:, order]),
    ]


def _header(content: Content) -> dict[str, Any]:
    return {
        "name": content.name,
        "space": content.space,
        "data": content.data,
        "budgets": list(content.budgets),
        "repeats": content.repeats,
        "cells": len(content.cells),
        "evaluated": dict(content.evaluated),
        "licence": content.licence,
        "provenance": dict(content.provenance),
    }


def _order(hashes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the rows in ascending order of hash, all different."""
    halves = np.ascontiguousarray(hashes).view(">u8")
    order = np.lexsort((halves[:, 1], halves[:, 0]))
    ordered = halves[order]
    same = np.flatnonzero((ordered[1:] == ordered[:-1]).all(axis=1))
    if same.size:
        twice = hashes[order[same[0]]].tobytes().hex()
        raise InvalidValue("hashes", twice, f"are in the table twice: {same.size} of {len(hashes)} repeat another")
    return order


def check(content: Content) -> None:
    """Raise unless every part of ``content`` is what :class:`Content` and :class:`Column` say."""
    for name in ("name", "data"):
        if not isinstance(getattr(content, name), str) or not getattr(content, name):
            raise InvalidValue(name, getattr(content, name), "must be text that is not empty")
    budgets = content.budgets
    if not budgets or any(not _is_count(budget) for budget in budgets) or sorted(set(budgets)) != list(budgets):
        raise InvalidValue("budgets", budgets, "must be ascending integers >= 1")
    if not _is_count(content.repeats):
        raise InvalidValue("repeats", content.repeats, "must be an integer >= 1")
    _check_rows(content)
    try:
        json.dumps(dict(content.provenance), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidValue("provenance", dict(content.provenance), f"must be what JSON can hold ({error})") from None
    if not content.columns:
        raise InvalidValue("columns", {}, "must hold at least one metric", f"Give one of {', '.join(METRIC_COLUMNS)}.")
    for name, column in content.columns.items():
        if name not in METRIC_COLUMNS:
            raise UnknownName("column", name, METRIC_COLUMNS)
        _check_column(name, column, content)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _check_rows(content: Content) -> None:
    wanted = cells_class(content.space)
    if not isinstance(content.cells, wanted):
        rule = f"must be {wanted.__module__}.{wanted.__name__} for space {content.space!r}"
        raise InvalidValue("cells", type(content.cells).__name__, rule)
    count = len(content.cells)
    if count < 1:
        raise InvalidValue("cells", 0, "a table has at least one cell")
    _check_array("hashes", content.hashes, (count, 16), ("uint8",))
    if content.parameters is not None:
        _check_array("parameters", content.parameters, (count,), ("int32",))
        if content.parameters.min() < 0:
            raise InvalidValue("parameters", int(content.parameters.min()), "must be >= 0")


def _check_array(name: str, array: NDArray[Any], shape: tuple[int, ...], kinds: tuple[str, ...]) -> None:
    if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype.name not in kinds:
        found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise InvalidValue(name, found, f"must be {' or '.join(kinds)} of shape {shape}")


def _check_column(name: str, column: Column, content: Content) -> None:
    runs = column.values.shape[2] if column.values.ndim == 3 else 0
    shape = (len(content.budgets), len(content.cells), runs if runs in (1, content.repeats) else content.repeats)
    _check_array(name, column.values, shape, ("float32",) if name in SECONDS else ("uint16", "uint32"))
    if column.aggregate is not None and (column.aggregate not in AGGREGATES or runs > 1):
        rule = f"must be one of {', '.join(AGGREGATES)} for a single figure, or None"
        raise InvalidValue(f"aggregate of {name}", column.aggregate, rule)
    _check_status(name, column, shape[:2])
    if name in COUNTS:
        _check_counts(name, column, content.evaluated)
        return
    if column.denominator is not None:
        raise InvalidValue(f"denominator of {name}", column.denominator, "must be None: seconds are no counts")
    if not np.isfinite(column.values).all() or column.values.min() < 0:
        raise InvalidValue(name, "a value", "must be finite and >= 0")


def _check_status(name: str, column: Column, shape: tuple[int, ...]) -> None:
    if isinstance(column.status, str):
        if column.status not in STATUSES[1:]:
            raise InvalidValue(f"status of {name}", column.status, f"must be one of {', '.join(STATUSES[1:])}")
        return
    _check_array(f"status of {name}", column.status, shape, ("uint8",))
    if column.status.max() >= len(STATUSES):
        raise InvalidValue(f"status of {name}", int(column.status.max()), f"must be 0 to {len(STATUSES) - 1}")


def _check_counts(name: str, column: Column, evaluated: Mapping[str, int]) -> None:
    split = next(split for split in SPLITS if split in name)
    images = evaluated.get(split)
    if not _is_count(images):
        raise InvalidValue(f"evaluated[{split!r}]", images, f"must be the images behind {name}, >= 1")
    denominator = column.denominator
    if denominator is None or not _is_count(denominator) or denominator % (images or 1):
        raise InvalidValue(f"denominator of {name}", denominator, f"must be a multiple of evaluated[{split!r}]")
    largest = int(column.values.max())
    if largest > denominator:
        raise InvalidValue(name, largest, f"a count must be at most its denominator {denominator}")
