"""Look-ups in a full-size table of NAS-Bench-101: ours beside pickled dictionaries of the same figures.

All 423,624 cells, four budgets, three repeats, figures at half and at the end; the figures are random, the cells
are not. Three contestants, each measured in a fresh process with the file in the system's cache:

- *table*: our memory-mapped file;
- *arrays*: a pickled dictionary from hash to one numpy array of all figures of a cell;
- *nested*: a pickled dictionary of dictionaries of floats, laid out like what the official reader builds.

A look-up finds the mean test accuracy of a random cell at 108 epochs: by its hash; by the cell, which is hashed
first; and many at once. Memory is taken after 100,000 look-ups of three figures at random budgets. For the
table it counts the pages of the file that were touched, which all processes of a machine share.
"""

from __future__ import annotations

import json
import pickle
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _common import Goal, Spread, Table, alternating, in_a_process, parser, progress, publish, ratios

WHO = ("table", "arrays", "nested")
BUDGETS, REPEATS, IMAGES = (4, 12, 36, 108), 3, 9984
TOUCHED = 100_000
"""Look-ups before memory is taken, and in a batch."""
SECONDS = 600.0
"""Limit of one process."""
COUNTS = ("halfway_train", "halfway_valid", "halfway_test", "train", "valid", "test")
TIMES = ("halfway_seconds", "seconds")


def main() -> None:
    """Build what is not there, measure everybody, and print."""
    options = parser(__doc__ or "")
    options.add_argument("--cells", type=int, default=423_624, help="cells in the table, the first ones by hash")
    options.add_argument("--folder", type=Path, help="where to keep the files for another run (about 1 GB)")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        build(folder, given.cells)
        runs: dict[str, list[dict[str, float]]] = {who: [] for who in WHO}
        for repeat, who in alternating(WHO, given.repeats):
            progress(f"repeat {repeat + 1}: {who}")
            found = in_a_process("table.py", "--measure", who, str(folder), limit=SECONDS)
            if found is None:
                raise TimeoutError(f"{who} took more than {SECONDS:.0f} s")
            runs[who].append(found)
        publish(given.json, [_table(runs), _speeds(runs)], _goals(runs), runs, ["asha-nas", "numpy"])


def build(folder: Path, count: int) -> None:
    """Write the three files, unless they are there for as many cells."""
    from spaces import nasbench101
    from spaces.table import Column, Content, write_table
    from spaces.table import Table as Built

    path = folder / "table.nastable"
    if path.is_file() and len(Built.open(path)) == count:
        return
    progress(f"building files for {count:,} cells in {folder}")
    cells = nasbench101.enumerate_cells()[:count]
    hashes = nasbench101.hash_cells(cells)
    rng = np.random.default_rng(0)
    shape = (len(BUDGETS), count, REPEATS)
    counts = {name: rng.integers(0, IMAGES + 1, shape, dtype=np.uint16) for name in COUNTS}
    times = {name: rng.random(shape, dtype=np.float32) * np.float32(5000) for name in TIMES}
    columns = {f"{name}_correct": Column(values, IMAGES) for name, values in counts.items()}
    content = Content(
        name="nasbench101",
        space="nasbench101",
        data="cifar10",
        budgets=BUDGETS,
        repeats=REPEATS,
        cells=cells,
        hashes=hashes,
        columns=columns | {name: Column(values) for name, values in times.items()},
        evaluated={"train": IMAGES, "valid": IMAGES, "test": IMAGES},
        parameters=rng.integers(0, 1 << 25, count, dtype=np.int32),
    )
    keys = [row.tobytes().hex() for row in hashes]
    shares = [(values / np.float32(IMAGES)).astype(np.float32) for values in counts.values()]
    figures = np.stack([*shares, *times.values()], axis=-1).transpose(1, 0, 2, 3)  # (N, B, R, 8)
    picker = random.Random(0)
    rows = picker.choices(range(count), k=TOUCHED)
    sample = [keys[row] for row in rows], [cells[row] for row in rows[:3000]], picker.choices(BUDGETS, k=TOUCHED)
    _pickle(folder / "sample.pickle", sample)
    _pickle(folder / "arrays.pickle", dict(zip(keys, map(np.copy, figures), strict=True)))
    _pickle(folder / "nested.pickle", {key: _nested(cell) for key, cell in zip(keys, figures, strict=True)})
    write_table(path, content)


def _pickle(path: Path, content: Any) -> None:
    with path.open("wb") as file:
        pickle.dump(content, file, protocol=5)


def _nested(cell: Any) -> dict[int, list[dict[str, float]]]:
    names = (*COUNTS, *TIMES)
    runs = cell.tolist()
    return {budget: [dict(zip(names, run, strict=True)) for run in runs[stage]] for stage, budget in enumerate(BUDGETS)}


def measure(who: str, folder: Path) -> dict[str, float]:
    """Open one contestant's file and use it; in a process of its own."""
    from spaces.table import Table as Ours

    path = folder / ("table.nastable" if who == "table" else f"{who}.pickle")
    keys, cells, budgets = pickle.loads((folder / "sample.pickle").read_bytes())
    packed = np.frombuffer(bytes.fromhex("".join(keys)), np.uint8).reshape(-1, 16)
    before = _megabytes("VmRSS")
    start = time.perf_counter()
    if who == "table":
        opened: Any = Ours.open(path)
    else:
        with path.open("rb") as file:
            opened = pickle.load(file)
    seconds = time.perf_counter() - start
    touch, one, many = {"table": _table_reads, "arrays": _array_reads, "nested": _nested_reads}[who](opened)
    touch(keys, budgets)
    found = {"open_ms": 1000 * seconds, "mb": _megabytes("VmRSS"), "private_mb": _megabytes("RssAnon")}
    found["file_mb"] = path.stat().st_size / 1e6
    found["before_mb"] = before
    found["by_hash"] = len(keys) / _best(lambda: [one(key) for key in keys])
    found["by_cell"] = len(cells) / _best(lambda: [one(cell.hash) for cell in cells])
    found["batch"] = len(keys) / _best(lambda: many(packed if who == "table" else keys))
    return found


def _best(work: Callable[[], Any]) -> float:
    """Seconds of the fastest of five."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def _table_reads(table: Any) -> tuple[Callable[..., Any], ...]:
    def touch(keys: Sequence[str], budgets: Sequence[int]) -> None:
        for key, budget in zip(keys, budgets, strict=True):
            entry = table.lookup(key, budget)
            _ = entry.valid_accuracy, entry.test_accuracy, entry.seconds

    def many(hashes: Any) -> Any:
        return table.column("test_accuracy", 108, rows=table.rows(hashes))

    return touch, lambda key: table.lookup(key, 108).test_accuracy, many


def _array_reads(content: Any) -> tuple[Callable[..., Any], ...]:
    test = COUNTS.index("test")

    def touch(keys: Sequence[str], budgets: Sequence[int]) -> None:
        for key, budget in zip(keys, budgets, strict=True):
            _ = content[key][BUDGETS.index(budget)].mean(axis=0)

    def one(key: str) -> float:
        runs = content[key][3, :, test].tolist()
        return float(sum(runs) / len(runs))

    return touch, one, lambda keys: np.stack([content[key][3, :, test] for key in keys]).mean(axis=1)


def _nested_reads(content: Any) -> tuple[Callable[..., Any], ...]:
    def figure(key: str, budget: int, name: str) -> float:
        runs = content[key][budget]
        return float(sum([run[name] for run in runs]) / len(runs))

    def touch(keys: Sequence[str], budgets: Sequence[int]) -> None:
        for key, budget in zip(keys, budgets, strict=True):
            _ = [figure(key, budget, name) for name in ("valid", "test", "seconds")]

    return touch, lambda key: figure(key, 108, "test"), lambda keys: [figure(key, 108, "test") for key in keys]


def _megabytes(field: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(field + ":"))


def _spread(runs: dict[str, list[dict[str, float]]], who: str, figure: str) -> Spread:
    return Spread.of(run[figure] for run in runs[who])


def _table(runs: dict[str, list[dict[str, float]]]) -> Table:
    figures = {"file_mb": 0, "open_ms": 1, "mb": 0, "private_mb": 0}
    rows = [[who, *[_spread(runs, who, name).text(digits) for name, digits in figures.items()]] for who in WHO]
    columns = ["", "file, MB", "ms to open", "MB resident after 100,000 look-ups", "of them not of the file"]
    return Table("Size, time to open, memory of the process", columns, rows)


def _speeds(runs: dict[str, list[dict[str, float]]]) -> Table:
    rows = []
    for who in WHO:
        row = [who]
        for name in ("by_hash", "by_cell", "batch"):
            times = {peer: [1 / run[name] for run in runs[peer]] for peer in WHO}
            speed = Spread.of(run[name] / 1000 for run in runs[who])
            row += [speed.text(0), ratios(times, "table")[who].text(2) + "×"]
        rows.append(row)
    kinds = ["by hash", "by cell", "many at once"]
    columns = ["", *[text for kind in kinds for text in (f"{kind}, 1000/s", "time of table's")]]
    return Table("Look-ups", columns, rows)


def _goals(runs: dict[str, list[dict[str, float]]]) -> list[Goal]:
    limits = (
        ("open_ms", "opens in less than 50 ms", 50, "ms"),
        ("mb", "less than 120 MB resident after 100,000 look-ups", 120, "MB"),
        ("by_hash", "at least 200,000 look-ups a second by hash", 200_000, "/s"),
        ("by_cell", "at least 10,000 look-ups a second by cell", 10_000, "/s"),
        ("batch", "at least 1,000,000 look-ups a second at once", 1_000_000, "/s"),
    )
    goals = []
    for name, claim, limit, unit in limits:
        median = _spread(runs, "table", name).median
        met = median < limit if unit in ("ms", "MB") else median >= limit
        goals.append(Goal(claim, f"{median:,.1f} {unit}" if unit != "/s" else f"{median:,.0f}{unit}", met))
    return goals


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2], Path(sys.argv[3]))))
    else:
        main()
