"""The official release of NAS-Bench-101, a TFRecord file, as the content of a table.

A record is a JSON list: the cell's hash, epochs, its adjacency matrix row by row as digits, its labels with commas,
and a ``ModelMetrics`` message in base 64 (Ying et al., arXiv 1902.09635, and the released reader). A cell has three
records at each budget, in the order of which its repeats are numbered.

Accuracies in it are counts of 9,984 images, 39 batches of 256, divided in float32. They are turned back into counts,
and one that is no count is refused. Of the three points of a run, half and end are kept. The first, at epoch 0, is
checked for being that and left out: it is the evaluation of an untrained network, and the official reader passes it
over too.
"""

from __future__ import annotations

import binascii
import hashlib
import json
from dataclasses import dataclass, field
from functools import cache
from math import isqrt
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spaces.errors import InvalidValue
from spaces.nasbench101 import INPUT, MAX_VERTICES, OPERATIONS, OUTPUT, Cells
from spaces.table import model_metrics
from spaces.table.columns import SPLITS, hash_cells
from spaces.table.content import Column, Content
from spaces.table.errors import SourceDamaged
from spaces.table.tfrecord import Batch, Progress, read_records

IMAGES: Final = 9984
"""Images of each split that an evaluation sees: 39 batches of 256."""
REPEATS: Final = 3
"""Runs of each cell at each budget."""
RELEASES: Final = {
    2_085_986_016: ("nasbench_full", "3d64db8180fb1b0207212f9032205064312b6907a3bbc81eabea10db2f5c7e9c"),
    522_767_376: ("nasbench_only108", "4c39c3936e36a85269881d659e44e61a245babcb72cb374eacacf75d0e5f4fd1"),
}
"""Name and SHA-256 of the official files, as their authors publish them, by size in bytes."""
LICENCE: Final = "Apache-2.0 (NAS-Bench-101)"

_DECODER: Final = json.JSONDecoder()
_CLOSE: Final = 1e-3
"""How far from a whole number of images an accuracy may be: float32 accounts for at most 6e-4."""
_NOT_RELEASED: Final = "Give nasbench_full.tfrecord or nasbench_only108.tfrecord as released, or fetch it again."


@dataclass(slots=True)
class _Runs:
    """What has been read so far; one item of each list of arrays is a batch of records."""

    rows: dict[str, int] = field(default_factory=dict)
    """Row of a cell by its hash, in the order in which they appear."""
    texts: list[tuple[str, str]] = field(default_factory=list)
    """Matrix and labels of each row."""
    parameters: list[int] = field(default_factory=list)
    """Of each row."""
    row: list[NDArray[np.int64]] = field(default_factory=list)
    epochs: list[NDArray[np.int64]] = field(default_factory=list)
    counts: list[NDArray[np.uint16]] = field(default_factory=list)
    """(M, 2, 3): half and end; training, validation, test."""
    seconds: list[NDArray[np.float32]] = field(default_factory=list)
    """(M, 2): half and end."""
    unlike: int = 0
    """Accuracies that are not the float32 nearest to their count's share."""


def read(path: Path, name: str | None = None, progress: Progress | None = None) -> Content:
    """Read a release.

    Args:
        path: ``nasbench_full.tfrecord``, ``nasbench_only108.tfrecord``, or another file in their form.
        name: Name of the table; ``nasbench101``, or ``nasbench101-only108`` if that is the one budget.
        progress: Told the bytes read and their total.

    Raises:
        SourceDamaged: the file is cut short, altered or not whole, or is not a release of NAS-Bench-101.
    """
    runs, digest = _Runs(), hashlib.sha256()
    for batch in read_records(path, progress=progress, digest=digest):
        _take(path, batch, runs)
    if not runs.rows:
        raise SourceDamaged(path, "holds no records", _NOT_RELEASED)
    release = _release(path, digest.hexdigest())
    cells = _cells(runs)
    budgets, columns = _columns(path, runs)
    return Content(
        name=name or ("nasbench101-only108" if budgets == (108,) else "nasbench101"),
        space="nasbench101",
        data="cifar10",
        budgets=budgets,
        repeats=REPEATS,
        cells=cells,
        hashes=_hashes(path, runs, cells),
        columns=columns,
        evaluated=dict.fromkeys(SPLITS, IMAGES),
        parameters=np.array(runs.parameters, dtype=np.int32),
        licence=LICENCE,
        provenance={
            "source": path.name,
            "bytes": path.stat().st_size,
            "sha256": digest.hexdigest(),
            "release": release,
            "accuracies unlike the float32 of their count": runs.unlike,
            "left out": "the evaluation at epoch 0 of each run",
        },
    )


def _release(path: Path, digest: str) -> str:
    name, published = RELEASES.get(path.stat().st_size, ("unknown release", digest))
    if digest != published:
        raise SourceDamaged(
            path, f"is as long as {name}.tfrecord, but its SHA-256 is {digest}, not {published}", _NOT_RELEASED
        )
    return name


def _take(path: Path, batch: Batch, runs: _Runs) -> None:
    """Add a batch of records."""
    rows: list[int] = []
    epochs: list[int] = []
    messages: list[bytes] = []
    try:
        for record in batch.records:
            text = record.decode()
            (digest, budget, matrix, labels, message), end = _DECODER.raw_decode(text)
            if end != len(text):
                raise ValueError("something follows its list")
            if type(budget) is not int or not 1 <= budget < 1 << 31:
                raise ValueError(f"epochs are {budget!r}")
            row = runs.rows.get(digest)
            if row is None:
                row = _new_row(runs, digest, matrix, labels)
            elif runs.texts[row] != (matrix, labels):
                raise ValueError(f"cell {digest} has another matrix or other labels than before")
            rows.append(row)
            epochs.append(budget)
            messages.append(binascii.a2b_base64(message))
        metrics = model_metrics.decode(messages)
    except model_metrics.BadMessage as error:
        raise _bad(path, batch, error.index, error.found) from error
    except (ValueError, TypeError) as error:  # UnicodeDecodeError, JSONDecodeError, binascii.Error among them
        raise _bad(path, batch, len(messages), str(error)) from error
    if messages:
        _keep(path, batch, runs, np.array(rows, np.int64), np.array(epochs, np.int64), metrics)


def _new_row(runs: _Runs, digest: str, matrix: str, labels: str) -> int:
    if len(digest) != 32 or len(bytes.fromhex(digest)) != 16:
        raise ValueError(f"{digest!r} is no hash")
    if _vertices_and_edges(matrix)[0] != _operations(labels)[0]:
        raise ValueError(f"cell {digest} has {len(matrix)} digits and labels {labels!r}")
    runs.texts.append((matrix, labels))
    runs.rows[digest] = len(runs.rows)
    return len(runs.rows) - 1


@cache
def _vertices_and_edges(matrix: str) -> tuple[int, int]:
    """Return how many vertices a matrix has, and its edges as bits (see :class:`Cells`)."""
    n = isqrt(len(matrix))
    if n * n != len(matrix) or not 2 <= n <= MAX_VERTICES or set(matrix) - {"0", "1"}:
        raise ValueError(f"{matrix[:60]!r} is no matrix")
    edges = [(x, y) for x in range(n) for y in range(n) if matrix[n * x + y] == "1"]
    if any(x >= y for x, y in edges):
        raise ValueError(f"matrix {matrix!r} has an edge that does not lead to a later vertex")
    return n, sum(1 << x + y * (y - 1) // 2 for x, y in edges)


@cache
def _operations(labels: str) -> tuple[int, bytes]:
    """Return how many vertices labels are for, and the five codes of the inner ones (see :class:`Cells`)."""
    first, *inner, last = labels.split(",") if "," in labels else (labels, "")
    if first != INPUT or last != OUTPUT or len(inner) > MAX_VERTICES - 2 or set(inner) - set(OPERATIONS):
        raise ValueError(f"{labels[:120]!r} are no labels of a cell")
    return len(inner) + 2, bytes(map(OPERATIONS.index, inner)).ljust(MAX_VERTICES - 2, b"\xff")


def _bad(path: Path, batch: Batch, index: int, found: str) -> SourceDamaged:
    at = f"record {batch.first + index:,} at byte {batch.offsets[index]:,}"
    return SourceDamaged(path, f"{at} is not one of NAS-Bench-101: {found}", _NOT_RELEASED)


def _keep(
    path: Path,
    batch: Batch,
    runs: _Runs,
    rows: NDArray[np.int64],
    epochs: NDArray[np.int64],
    metrics: model_metrics.Metrics,
) -> None:
    """Check a batch of metrics and add them; messages name the first record that fails."""
    points, accuracies = metrics.points, metrics.points[:, 1:, 2:]
    share = np.array([0, 0.5, 1]) * epochs[:, None]
    counts = np.rint(accuracies * IMAGES)
    whole = (np.abs(accuracies * IMAGES - counts) <= _CLOSE) & (counts >= 0) & (counts <= IMAGES)
    seconds = points[:, 1:, 1]
    unknown = len(runs.parameters)
    runs.parameters += [0] * (len(runs.rows) - unknown)
    for row, count in zip(rows.tolist(), metrics.parameters.tolist(), strict=True):
        runs.parameters[row] = runs.parameters[row] or count
    same = metrics.parameters == np.array(runs.parameters, dtype=np.int64)[rows]
    rules = (
        (
            (np.abs(points[:, :, 0] - share) <= 0.01 * epochs[:, None]).all(axis=1),
            "its points are not start, half, end",
        ),
        (whole.all(axis=(1, 2)), f"an accuracy is no multiple of 1/{IMAGES}"),
        ((np.isfinite(seconds) & (seconds >= 0)).all(axis=1), "seconds are not finite and >= 0"),
        (same & (metrics.parameters < 1 << 31), "its parameters are not those of the cell's other records"),
    )
    for passed, found in rules:
        if not passed.all():
            raise _bad(path, batch, int(np.argmin(passed)), found)
    runs.unlike += int(((counts / IMAGES).astype(np.float32) != accuracies.astype(np.float32)).sum())
    runs.row.append(rows)
    runs.epochs.append(epochs)
    runs.counts.append(counts.astype(np.uint16))
    runs.seconds.append(seconds.astype(np.float32))


def _cells(runs: _Runs) -> Cells:
    vertices, adjacency = zip(*[_vertices_and_edges(matrix) for matrix, _ in runs.texts], strict=True)
    codes = b"".join([_operations(labels)[1] for _, labels in runs.texts])
    return Cells(
        np.array(vertices, dtype=np.uint8),
        np.array(adjacency, dtype=np.uint32),
        np.frombuffer(codes, dtype=np.uint8).reshape(-1, MAX_VERTICES - 2),
    )


def _hashes(path: Path, runs: _Runs, cells: Cells) -> NDArray[np.uint8]:
    """Return the stored hashes, once they are found to be those of the cells."""
    stored = np.frombuffer(bytes.fromhex("".join(runs.rows)), dtype=np.uint8).reshape(-1, 16)
    check_hashes(path, cells, stored)
    return stored


def check_hashes(path: Path, cells: Cells, stored: NDArray[np.uint8]) -> None:
    """Raise :class:`SourceDamaged` unless every cell's matrix and labels have the hash stored with it."""
    try:
        own = hash_cells("nasbench101")(cells)
    except InvalidValue as error:
        raise SourceDamaged(path, f"holds a graph that is no cell: {error}", _NOT_RELEASED) from error
    wrong = np.flatnonzero((own != stored).any(axis=1))
    if wrong.size:
        which = f"the matrix and labels of cell {stored[wrong[0]].tobytes().hex()} have another hash"
        raise SourceDamaged(path, f"{which} ({wrong.size:,} of {len(stored):,} cells)", _NOT_RELEASED)


def _columns(path: Path, runs: _Runs) -> tuple[tuple[int, ...], dict[str, Column]]:
    """Return the budgets, and the columns with every cell's runs in the order of the records."""
    rows, epochs, cells = np.concatenate(runs.row), np.concatenate(runs.epochs), len(runs.rows)
    budgets = np.unique(epochs)
    group = np.searchsorted(budgets, epochs) * cells + rows
    found = np.bincount(group, minlength=len(budgets) * cells)
    wrong = np.flatnonzero(found != REPEATS)
    if wrong.size:
        stage, row = divmod(int(wrong[0]), cells)
        which = f"cell {list(runs.rows)[row]} has {found[wrong[0]]} runs of {budgets[stage]} epochs, not {REPEATS}"
        raise SourceDamaged(path, f"is not whole: {which} ({wrong.size:,} such)", _NOT_RELEASED)
    order = np.argsort(group, kind="stable")
    shape = (len(budgets), cells, REPEATS)
    counts = np.concatenate(runs.counts)[order].reshape(*shape, 2, len(SPLITS))
    seconds = np.concatenate(runs.seconds)[order].reshape(*shape, 2)
    columns: dict[str, Column] = {}
    for point, half in enumerate(("halfway_", "")):
        for index, split in enumerate(SPLITS):
            values: NDArray[Any] = np.ascontiguousarray(counts[..., point, index])
            columns[f"{half}{split}_correct"] = Column(values, IMAGES)
        columns[f"{half}seconds"] = Column(np.ascontiguousarray(seconds[..., point]))
    return tuple(budgets.tolist()), columns
