"""A compact folder of NAS-Bench-101's figures, ``cells.npz`` and ``budgets_*.npz``, as the content of a table.

The first file has every cell with the mean test accuracy of its three runs of the highest budget, which is measured,
and one validation accuracy and one training time, which are measured for some cells and estimated for the others. The
second has the highest validation accuracy of the three runs at all budgets for some cells. For the other cells, those
of the lower budgets are estimated here (:mod:`spaces.table.estimates`); so are training seconds at the lower budgets of
all cells, in proportion to epochs. The table keeps measured and estimated figures apart by status, and is never a
reproduction of a published figure where they are estimates.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spaces.nasbench101 import Cells
from spaces.table.columns import ABSENT, ESTIMATED, MEASURED
from spaces.table.content import Column, Content
from spaces.table.errors import SourceDamaged
from spaces.table.estimates import donors
from spaces.table.nasbench101 import IMAGES, LICENCE, REPEATS, check_hashes
from spaces.table.tfrecord import Progress

_CELLS: Final = {
    "hash": ("uint8", 16),
    "num_vertices": ("uint8", 0),
    "adj_bits": ("uint32", 0),
    "ops": ("uint8", 5),
    "params": ("int32", 0),
    "test_correct": ("uint16", 0),
    "valid_correct": ("uint16", 0),
    "valid_measured": ("bool", 0),
    "train_seconds": ("float32", 0),
    "train_seconds_measured": ("bool", 0),
}
"""Arrays of ``cells.npz``: type, and columns (0: one value a cell)."""

Arrays = dict[str, NDArray[Any]]


def files(folder: Path) -> list[Path]:
    """Return the files of a folder of this form; empty if it is not one."""
    cells, budgets = folder / "cells.npz", sorted(folder.glob("budgets_*.npz"))
    return [cells, *budgets] if cells.is_file() and len(budgets) == 1 else []


def read(folder: Path, name: str | None = None, progress: Progress | None = None) -> Content:
    """Read a folder.

    Args:
        folder: See :func:`files`.
        name: Name of the table; ``nasbench101-estimated`` if not given.
        progress: Told the bytes read and their total.

    Raises:
        SourceDamaged: a file cannot be read or is of another form.
    """
    paths = files(folder)
    sizes = [path.stat().st_size for path in paths]
    loaded: list[Arrays] = []
    for number, path in enumerate(paths):
        loaded.append(_load(path))
        if progress is not None:
            progress(sum(sizes[: number + 1]), sum(sizes))
    cells, some = loaded
    _check(paths[0], cells)
    _check_budgets(paths[1], some, cells)
    packed = Cells(cells["num_vertices"], cells["adj_bits"], cells["ops"])
    check_hashes(paths[0], packed, cells["hash"])
    return Content(
        name=name or "nasbench101-estimated",
        space="nasbench101",
        data="cifar10",
        budgets=tuple(some["epochs"].tolist()),
        repeats=REPEATS,
        cells=packed,
        hashes=cells["hash"],
        columns=_columns(cells, some),
        evaluated={"valid": IMAGES, "test": IMAGES},
        parameters=cells["params"],
        licence=f"{LICENCE}; figures of budgets_*.npz: ISC",
        provenance={
            "files": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths},
            "test": "mean of three runs, measured",
            "valid": "maximum of three runs where measured, otherwise an estimate",
            "valid at lower budgets": "where not measured, that of a measured cell that ends up alike",
            "seconds": "one run of the highest budget where measured, otherwise an estimate",
            "seconds at lower budgets": "in proportion to epochs, an estimate",
        },
    )


def _load(path: Path) -> Arrays:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, TypeError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise SourceDamaged(path, f"cannot be read ({error})") from error


def _check(path: Path, cells: Arrays) -> None:
    count = len(cells.get("hash", ()))
    for name, (kind, columns) in _CELLS.items():
        shape = (count, columns) if columns else (count,)
        if name not in cells or cells[name].dtype != kind or cells[name].shape != shape or not count:
            found = f"{cells[name].dtype} {cells[name].shape}" if name in cells else "missing"
            raise SourceDamaged(path, f"array {name!r} is {found}, not {kind} {shape}")
    for name, most in (("test_correct", IMAGES * REPEATS), ("valid_correct", IMAGES)):
        if cells[name].max() > most:
            raise SourceDamaged(path, f"array {name!r} holds {cells[name].max()}, more than {most}")


def _check_budgets(path: Path, some: Arrays, cells: Arrays) -> None:
    row, best, epochs, seconds = (some.get(n) for n in ("row", "val_max_correct", "epochs", "train_time_108"))
    if row is None or best is None or epochs is None or seconds is None:
        raise SourceDamaged(path, "lacks one of row, val_max_correct, epochs, train_time_108")
    if best.shape != (len(row), len(epochs)) or seconds.shape != row.shape or best.dtype != np.uint16:
        raise SourceDamaged(path, f"val_max_correct is {best.dtype} {best.shape}, for {len(row)} rows and {epochs}")
    if not row.size or row.min() < 0 or row.max() >= len(cells["hash"]) or len(np.unique(row)) != len(row):
        raise SourceDamaged(path, "row does not number cells of cells.npz")
    if best.max() > IMAGES or sorted(set(epochs.tolist())) != epochs.tolist():
        raise SourceDamaged(path, "val_max_correct or epochs are out of range")
    there = cells["valid_measured"][row] & cells["train_seconds_measured"][row]
    same = (cells["valid_correct"][row] == best[:, -1]) & (cells["train_seconds"][row] == seconds)
    if not (there & same).all():
        raise SourceDamaged(path, "its figures are not those that cells.npz calls measured")


def _columns(cells: Arrays, some: Arrays) -> dict[str, Column]:
    epochs, count, row = some["epochs"], len(cells["hash"]), some["row"]
    valid, test = (np.zeros((len(epochs), count, 1), dtype=np.uint16) for _ in range(2))
    valid[:, row, 0] = some["val_max_correct"].T
    measured = np.zeros(count, dtype=np.bool_)
    measured[row] = True
    valid[:, :, 0] = valid[:, _donors(cells, measured), 0]
    valid[-1, :, 0], test[-1, :, 0] = cells["valid_correct"], cells["test_correct"]
    seconds = (cells["train_seconds"] * (epochs / epochs[-1])[:, None]).astype(np.float32)[:, :, None]
    states = np.full((3, len(epochs), count), ESTIMATED, dtype=np.uint8)
    states[0][:, row] = states[1, -1] = MEASURED
    states[0, -1][cells["valid_measured"]] = states[2, -1][cells["train_seconds_measured"]] = MEASURED
    states[1, :-1] = ABSENT
    return {
        "valid_correct": Column(valid, IMAGES, states[0], "maximum"),
        "test_correct": Column(test, IMAGES * REPEATS, states[1], "mean"),
        "seconds": Column(seconds, None, states[2]),
    }


def _donors(cells: Arrays, measured: NDArray[np.bool_]) -> NDArray[np.int64]:
    """By cell, the row of the measured cell whose figures at lower budgets stand for it; its own if it is one."""
    test, valid = cells["test_correct"] / (IMAGES * REPEATS), cells["valid_correct"] / IMAGES
    return donors(cells["hash"], test, valid, cells["params"], measured)
