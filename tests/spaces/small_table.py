"""A small table of random figures, with every kind of column; and where real figures are."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spaces import nasbench101, nasbench201
from spaces.table import Column, Content
from tests.spaces.tfrecords import small_cells

CELLS = small_cells(40)
BUDGETS, REPEATS, IMAGES = (4, 12, 108), 3, 9984

DATA = [Path(__file__).resolve().parents[3] / "shared" / "data"]
if os.environ.get("ASHA_NAS_DATA"):
    DATA.insert(0, Path(os.environ["ASHA_NAS_DATA"]))


def real(*parts):
    """A file or folder of the real data, or skip by name."""
    for folder in DATA:
        if folder.joinpath(*parts).exists():
            return folder.joinpath(*parts)
    pytest.skip(f"{'/'.join(parts)} is neither in ASHA_NAS_DATA nor in ../shared/data")


def hashes_of(cells):
    return np.array([list(bytes.fromhex(cell.hash)) for cell in cells], dtype=np.uint8)


def make(seed=0, cells=CELLS, space="nasbench101", **changes):
    """A table's content: all statuses in validation, an aggregate in test, one figure for all repeats in seconds."""
    rng = np.random.default_rng(seed)
    shape = (len(BUDGETS), len(cells), REPEATS)
    one = (*shape[:2], 1)
    columns = {
        "valid_correct": Column(
            rng.integers(0, IMAGES + 1, shape, dtype=np.uint16), IMAGES, rng.integers(0, 3, shape[:2], dtype=np.uint8)
        ),
        "test_correct": Column(rng.integers(0, 3 * IMAGES + 1, one, dtype=np.uint32), 3 * IMAGES, aggregate="mean"),
        "halfway_train_correct": Column(rng.integers(0, IMAGES + 1, shape, dtype=np.uint16), IMAGES, "estimated"),
        "seconds": Column(rng.random(one, dtype=np.float32) * 1000),
        "halfway_seconds": Column(rng.random(shape, dtype=np.float32) * 500),
    }
    content = Content(
        name="small",
        space=space,
        data="cifar10",
        budgets=BUDGETS,
        repeats=REPEATS,
        cells=nasbench201.Cells.of(cells) if space == "nasbench201" else nasbench101.Cells.of(cells),
        hashes=hashes_of(cells),
        columns=columns,
        evaluated={"train": IMAGES, "valid": IMAGES, "test": IMAGES},
        parameters=rng.integers(0, 1 << 30, len(cells), dtype=np.int32),
        licence="CC0",
        provenance={"seed": seed, "what": ["ü", None]},
    )
    return replace(content, **changes)
