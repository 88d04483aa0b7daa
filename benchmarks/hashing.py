"""Cells of NAS-Bench-101 hashed a second: ours one by one and in bulk beside nasbench-pytorch, and the whole space.

Every cell is met once, so that nothing can be remembered of it. The peer is given matrices and labels of
cells that are pruned already, which is the least it can do; ours begins with cells and looks for what to prune.
Rates are for a second of processor time, of which each uses one core; the whole space is timed by the clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from _common import Goal, Spread, Table, alternating, parser, progress, publish, version

from spaces.nasbench101 import OPERATIONS, Cell, Cells, enumerate_cells, hash_cells

PEER = "nasbench-pytorch"
ONE, BULK = "asha-nas, one cell at a time", "asha-nas, in bulk"


def one_by_one(space: Cells) -> Callable[[], list[str]]:
    """Ours, from a cell to its text; the cells are made before."""
    cells = _unpacked(space)
    return lambda: [cell.hash for cell in cells]


def in_bulk(space: Cells) -> Callable[[], list[str]]:
    """Ours, from arrays to text."""
    return lambda: [row.tobytes().hex() for row in hash_cells(space)]


def peer(space: Cells) -> Callable[[], list[str]]:
    """The function that the peer has taken over from the official code."""
    from nasbench_pytorch.model import graph_util

    inputs = [
        (np.array(cell.matrix), [-1, *[OPERATIONS.index(name) for name in cell.operations], -2])
        for cell in _unpacked(space)
    ]
    return lambda: [graph_util.hash_module(matrix, labels) for matrix, labels in inputs]


WHO: dict[str, tuple[Callable[[Cells], Callable[[], list[str]]], str]] = {
    ONE: (one_by_one, "asha-nas"),
    BULK: (in_bulk, "asha-nas"),
    PEER: (peer, PEER),
}


def main() -> None:
    """Measure everybody, and print."""
    options = parser(__doc__ or "")
    options.add_argument("--cells", type=int, default=20_000, help="different cells, drawn uniformly from the space")
    given = options.parse_args()
    seconds: list[float] = []
    for repeat in range(given.repeats):
        progress(f"repeat {repeat + 1}: the whole space")
        start = time.perf_counter()
        space = enumerate_cells()
        seconds.append(time.perf_counter() - start)
    chosen = np.random.default_rng(0).choice(len(space), min(given.cells, len(space)), replace=False)
    drawn = space[np.sort(chosen)]
    there = [name for name, (_, package) in WHO.items() if version(package)]
    rates: dict[str, list[float]] = {name: [] for name in there}
    for repeat, name in alternating(there, given.repeats):
        progress(f"repeat {repeat + 1}: {name}")
        run = WHO[name][0](drawn)
        start = time.process_time()
        hashes = run()
        rates[name].append(len(drawn) / (time.process_time() - start))
        if hashes != sorted(set(hashes)):  # the space is in the order of its hashes
            raise RuntimeError(f"{name} gives other hashes")
    spreads = {name: Spread.of(found) for name, found in rates.items()}
    whole = Spread.of(seconds)
    figures: dict[str, Any] = {"cells_per_second": rates, "enumeration_seconds": seconds, "cells": len(drawn)}
    publish(
        given.json, _tables(spreads, whole, len(space)), _goals(spreads, whole), figures, ["asha-nas", "numpy", PEER]
    )


def _unpacked(space: Cells) -> list[Cell]:
    return [space[row] for row in range(len(space))]


def _tables(spreads: dict[str, Spread], whole: Spread, size: int) -> list[Table]:
    rows = []
    for name in WHO:
        if name not in spreads:
            rows.append([name, "not installed", ""])
            continue
        ratio = f"{spreads[name].median / spreads[PEER].median:.1f}" if PEER in spreads else "·"
        rows.append([name, spreads[name].text(0), ratio])
    return [
        Table("Cells hashed a second of one core", ["who", "cells/s", "× peer"], rows),
        Table("The whole space found and hashed", ["cells", "seconds"], [[f"{size:,}", whole.text()]]),
    ]


def _goals(spreads: dict[str, Spread], whole: Spread) -> list[Goal]:
    one, bulk = spreads[ONE].median, spreads[BULK].median
    return [
        Goal("at least 10,000 cells/s one by one", f"{one:,.0f}", one >= 10_000),
        Goal("at least 20,000 cells/s in bulk", f"{bulk:,.0f}", bulk >= 20_000),
        Goal("the whole space in less than 180 s", f"{whole.median:.1f} s", whole.median < 180),
    ]


if __name__ == "__main__":
    main()
