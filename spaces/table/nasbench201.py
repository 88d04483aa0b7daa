"""``nasbench201.csv``, final accuracies of NAS-Bench-201's 15,625 cells, as the content of a table.

The file prints percentages with four decimals. Each stands for one whole number of correct images out of a known
number, which is what the table keeps; the denominators below are the smallest for which every figure of the file is
such a number. Evaluations see 25,000 validation images of CIFAR-10 and 10,000 test images, 5,000 of either of
CIFAR-100, and 3,000 of either of ImageNet16-120 (Dong & Yang, arXiv 2001.00326, section 2.2). Cells were trained one
to three times for 200 epochs and the figure is a mean, so six times the images serve all; the validation figures at
12 epochs need twice the images, so they are means too.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spaces.errors import UnknownName, UserError
from spaces.nasbench201 import Cells, hash_cells, parse_cell
from spaces.table.columns import ABSENT, MEASURED
from spaces.table.content import Column, Content
from spaces.table.errors import SourceDamaged
from spaces.table.tfrecord import Progress

LICENCE: Final = "MIT (NAS-Bench-201), Apache-2.0"
HEADER: Final = b"arch,cell,params_m,"
"""First bytes of the text."""

_DECIMALS: Final = 10**4


@dataclass(frozen=True, slots=True)
class Source:
    """One metric of a table."""

    columns: Mapping[int, str]
    """Column of the file by budget."""
    images: int
    """Images of one evaluation."""
    means: int = 1
    """How many times that the denominator is."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One table that can be made of the file."""

    data: str
    """Data set."""
    metrics: Mapping[str, Source]
    """By column of the table."""
    note: str
    """How the networks were trained."""
    parameters: bool = False
    """Whether the file's parameters are those of its networks, which have ten classes."""


KINDS: Final[Mapping[str, Kind]] = {
    "nasbench201-cifar10": Kind(
        "cifar10",
        {
            "valid_correct": Source({12: "c10_val_12", 200: "c10_val_200"}, 25_000, 6),
            "test_correct": Source({12: "c10_test_12", 200: "c10_test_200"}, 10_000, 6),
        },
        "valid: trained on half of the training set, seen on the other; test: trained on all of it",
        True,
    ),
    "nasbench201-cifar10-valid": Kind(
        "cifar10",
        {
            "valid_correct": Source({12: "c10_val_12", 200: "c10_val_200"}, 25_000, 6),
            "test_correct": Source({200: "c10_test_200_trainsplit"}, 10_000, 6),
        },
        "trained on half of the training set, for test too",
        True,
    ),
    "nasbench201-cifar100": Kind(
        "cifar100",
        {
            "valid_correct": Source({12: "c100_val_12"}, 5_000),
            "test_correct": Source({12: "c100_test_12"}, 5_000),
        },
        "the file's c100_heldout_200_run is left out: it does not say on which held-out half it is",
    ),
    "nasbench201-imagenet16-120": Kind(
        "imagenet16-120",
        {
            "valid_correct": Source({12: "in16_val_12"}, 3_000),
            "test_correct": Source({12: "in16_test_12"}, 3_000),
        },
        "the file's in16_heldout_200_run is left out: it does not say on which held-out half it is",
    ),
}
"""Tables by name; the first is made unless another is asked for."""


def read(path: Path, name: str | None = None, progress: Progress | None = None) -> Content:
    """Read the file, compressed or not, for one of the tables that it holds.

    Args:
        path: The file.
        name: One of :data:`KINDS`; ``nasbench201-cifar10`` if not given.
        progress: Told the bytes read and their total, once.

    Raises:
        UnknownName: there is no such table in it.
        SourceDamaged: it cannot be read, or a figure in it is no whole number of images.
    """
    name = name or next(iter(KINDS))
    if name not in KINDS:
        raise UnknownName("table of NAS-Bench-201", name, KINDS)
    kind = KINDS[name]
    content, rows = _rows(path)
    if progress is not None:
        progress(len(content), len(content))
    cells = _cells(path, rows)
    budgets = sorted({budget for source in kind.metrics.values() for budget in source.columns})
    return Content(
        name=name,
        space="nasbench201",
        data=kind.data,
        budgets=tuple(budgets),
        repeats=1,
        cells=cells,
        hashes=hash_cells(cells),
        columns={metric: _column(path, rows, source, budgets) for metric, source in kind.metrics.items()},
        evaluated={metric.removesuffix("_correct"): source.images for metric, source in kind.metrics.items()},
        parameters=_whole(path, rows, "params_m", 10**6).astype(np.int32) if kind.parameters else None,
        licence=LICENCE,
        provenance={"source": path.name, "sha256": hashlib.sha256(content).hexdigest(), "training": kind.note},
    )


def _rows(path: Path) -> tuple[bytes, list[dict[str, str]]]:
    try:
        content = path.read_bytes()
        text = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
        rows = list(csv.DictReader(io.StringIO(text.decode()), strict=True))
    except (OSError, EOFError, zlib.error, ValueError, csv.Error) as error:
        raise SourceDamaged(path, f"cannot be read ({error})") from error
    if not rows:
        raise SourceDamaged(path, "holds no cells")
    return content, rows


def _cells(path: Path, rows: list[dict[str, str]]) -> Cells:
    try:
        return Cells.of([parse_cell(row["cell"]) for row in rows])
    except (UserError, KeyError) as error:
        raise SourceDamaged(path, f"its cells cannot be read: {error}") from error


def _column(path: Path, rows: list[dict[str, str]], source: Source, budgets: list[int]) -> Column:
    denominator = source.images * source.means
    kind = np.uint16 if denominator < 1 << 16 else np.uint32
    values = np.zeros((len(budgets), len(rows), 1), dtype=kind)
    status = np.full((len(budgets), len(rows)), ABSENT, dtype=np.uint8)
    for stage, budget in enumerate(budgets):
        if budget in source.columns:
            values[stage, :, 0] = _counts(path, rows, source.columns[budget], denominator)
            status[stage] = MEASURED
    aggregate = "mean" if source.means > 1 else None
    return Column(values, denominator, "measured" if (status == MEASURED).all() else status, aggregate)


def _counts(path: Path, rows: list[dict[str, str]], column: str, denominator: int) -> NDArray[np.int64]:
    """Return the counts of which a column's percentages are the shares, rounded to four decimals."""
    printed = _whole(path, rows, column, _DECIMALS)
    counts: NDArray[np.int64] = np.rint(printed * (denominator / (100 * _DECIMALS))).astype(np.int64)
    exact = 2 * np.abs(counts * 100 * _DECIMALS - printed * denominator) <= denominator
    wrong = np.flatnonzero(~exact | (counts < 0) | (counts > denominator))
    if wrong.size:
        found = f"{column} of cell {rows[wrong[0]]['cell']} is {rows[wrong[0]][column]}"
        raise SourceDamaged(path, f"{found}, which is no share of {denominator:,} images")
    return counts


def _whole(path: Path, rows: list[dict[str, str]], column: str, unit: int) -> NDArray[np.int64]:
    """Return a column of decimal numbers as multiples of 1/``unit``, which they must be."""
    try:
        numbers = np.array([float(row[column]) for row in rows]) * unit
    except (KeyError, ValueError, TypeError) as error:
        raise SourceDamaged(path, f"column {column!r} is missing or holds no number ({error})") from error
    whole: NDArray[np.float64] = np.rint(numbers)
    if not (np.abs(numbers - whole) < 1e-4).all() or whole.min() < 0 or whole.max() >= 1 << 31:
        raise SourceDamaged(path, f"column {column!r} holds a number that is no multiple of 1/{unit}, or out of range")
    multiples: NDArray[np.int64] = whole.astype(np.int64)
    return multiples
