"""Training cells of NAS-Bench-101 side by side in one network, against one after the other.

Cells of S1 with the same matrix are trained on digits with the recipe of the embedded table, on one thread: one pass
over the training images. Given are microseconds of processor time an image and cell, forward, backward and update.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence

import torch
from _common import Goal, Spread, Table, alternating, parser, progress, publish

from spaces import nasbench1shot1
from spaces.nasbench101 import Cell
from trials.cell_training import CellTraining
from trials.contract import Task, run
from trials.recipe import CELL_RECIPES


def main() -> None:
    """Measure each number of cells in turn, and print."""
    options = parser(__doc__ or "")
    options.add_argument("--together", type=int, nargs="+", default=[1, 3, 9, 27, 81], help="cells side by side")
    given = options.parse_args()
    torch.set_num_threads(1)
    shapes = _shapes()
    runs: dict[str, list[float]] = {str(count): [] for count in given.together}
    for repeat, count in alternating(list(runs), given.repeats):
        progress(f"repeat {repeat + 1}: {count} together")
        runs[count].append(_measure(shapes[repeat % len(shapes)], int(count)))
    times = {count: Spread.of(found) for count, found in runs.items()}
    speedups = {count: Spread.of([1 / r for r in _values(runs, count)]) for count in runs}
    rows = [[count, times[count].text(0), speedups[count].text(1)] for count in runs]
    table = Table("Cells side by side", ["cells", "µs an image and cell", "times as fast as alone"], rows)
    best = max(speedups.values(), key=lambda spread: spread.median)
    goal = Goal("side by side at least 3 times as fast as alone", f"{best.text(1)}×", best.median >= 3)
    publish(given.json, [table], [goal], runs, ["torch", "asha-nas"])


def _values(runs: dict[str, list[float]], count: str) -> list[float]:
    alone = min(runs, key=int)
    return [mine / base for mine, base in zip(runs[count], runs[alone], strict=True)]


def _shapes() -> list[list[Cell]]:
    """Cells of S1 by matrix, those matrices that have most cells."""
    cells = nasbench1shot1.unique_cells(nasbench1shot1.space("s1"))
    by_matrix: dict[tuple[tuple[int, ...], ...], list[Cell]] = {}
    for i in range(len(cells)):
        cell = cells[i].pruned()
        by_matrix.setdefault(cell.matrix, []).append(cell)
    most = max(map(len, by_matrix.values()))
    return [same for same in by_matrix.values() if len(same) == most]


def _measure(cells: Sequence[Cell], count: int) -> float:
    """Microseconds of processor time an image and cell, in training; single cells are a sample of three."""
    step = max(1, len(cells) // max(count, 3))
    parts = [cells[::step][:count]] if count > 1 else [[cell] for cell in cells[::step][:3]]
    images, spent = 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        for part in parts:
            config = {"cells": [str(cell) for cell in part], "repeat": 0, "seed": 0}
            reports = run(CellTraining("digits", CELL_RECIPES["digits"]), Task(0, config, 0, 3, 0, folder))
            next(reports)  # the first epoch warms up
            began = time.process_time()
            next(reports)
            spent += time.process_time() - began
            images += len(part) * 719
            reports.close()
    return 1e6 * spent / images


if __name__ == "__main__":
    main()
