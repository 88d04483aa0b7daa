"""The driver's loop at scale: time and memory a job, as a study of 500 workers grows from 1,000 to 100,000 jobs.

The real driver and scheduler (promotion ASHA, r = 1, R = 64, η = 4), with an engine that runs nothing: 500 workers of
the simulator, whose trials report a random loss at once. *memory* writes no log; *store* writes every event to an
SQLite file. Each run is a process of its own. Given are microseconds of processor time a job, and kilobytes a job that
the process has grown by.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from _common import Goal, Spread, Table, alternating, in_a_process, parser, progress, publish

WORKERS = 500
WHO = ("memory", "store")


def main() -> None:
    """Measure every size, and print."""
    options = parser(__doc__ or "")
    options.add_argument("--jobs", type=int, nargs="+", default=[1000, 10_000, 100_000], help="numbers of jobs, about")
    options.add_argument("--limit", type=float, default=1500.0, help="seconds for one run")
    given = options.parse_args()
    runs: dict[tuple[str, int], list[dict[str, float]]] = {}
    for repeat, who in alternating(WHO, given.repeats):
        for jobs in given.jobs:
            progress(f"repeat {repeat + 1}: {who}, {jobs:,} jobs")
            found = in_a_process("scale.py", "--one", who, str(jobs), limit=given.limit)
            if found is not None:
                runs.setdefault((who, jobs), []).append(found)
    rows = [[f"{who}, {jobs:,} jobs", *_cells(runs.get((who, jobs)))] for who in WHO for jobs in given.jobs]
    table = Table(f"A study on {WORKERS} simulated workers", ["", "µs a job", "kB a job"], rows)
    figures = {f"{who}/{jobs}": found for (who, jobs), found in runs.items()}
    publish(given.json, [table], _goals(runs, given.jobs), figures, ["asha-nas", "SQLAlchemy"])


def _cells(found: list[dict[str, float]] | None) -> list[str]:
    if not found:
        return ["not done in time", "·"]
    return [
        Spread.of(run["microseconds"] for run in found).text(0),
        Spread.of(run["kilobytes"] for run in found).text(),
    ]


def _goals(runs: dict[tuple[str, int], list[dict[str, float]]], jobs: list[int]) -> list[Goal]:
    few, many = min(jobs), max(jobs)
    goals = []
    for who in WHO:
        for name, what in (("microseconds", "time"), ("kilobytes", "memory")):
            claim = f"{who}: {what} a job at {many:,} jobs at most 1.2 times that at {few:,}"
            if few == many or not all(runs.get((who, number)) for number in (few, many)):
                goals.append(Goal(claim, "not both sizes were run to their end", None))
                continue
            low, high = (Spread.of(run[name] for run in runs[who, number]).median for number in (few, many))
            goals.append(Goal(claim, f"{high / low:.2f}×", high <= 1.2 * low))
    return goals


# --- one run, in a process of its own ------------------------------------------------------------------------------


def one(who: str, jobs: int) -> dict[str, float]:
    """Play a study of about so many jobs."""
    from asha_nas.engines import SimulatorEngine
    from asha_nas.problems import build
    from asha_nas.runner import Driver, run
    from asha_nas.store import Asked, Store
    from asha_nas.study import make_spec

    spec = make_spec({
        "name": "scale", "engine": {"kind": "simulator", "workers": WORKERS},
        "problem": {"kind": "objective", "objective": "math:sqrt", "space": {"x": {"range": [0.0, 1.0]}}},
        "scheduler": {"kind": "asha", "R": 64, "eta": 4, "configs": max(1, round(jobs * 0.75))},  # 1 + 1/4 + 1/16 + …
    })  # fmt: skip
    problem, engine, count = build(spec, _looked_up), SimulatorEngine(WORKERS, began=0.0), [0]
    with tempfile.TemporaryDirectory() as folder:
        before, began = _resident(), time.process_time()
        if who == "memory":
            driver = Driver(spec, problem, lambda event: _count(count, event, Asked), "", clock=engine.now)
            engine.run(driver, problem.trial)
        else:
            store = Store(str(Path(folder) / "studies.db"))
            record = store.create(spec.name, spec.model_dump_json(), "{}")
            run(record, spec, problem, store, engine, folder="", clock=engine.now,
                listeners=[lambda event: _count(count, event, Asked)])  # fmt: skip
        seconds = time.process_time() - began
    return {
        "jobs": count[0], "microseconds": 1e6 * seconds / count[0], "kilobytes": (_resident() - before) / count[0],
    }  # fmt: skip


def _count(count: list[int], event: Any, kind: type) -> None:
    count[0] += isinstance(event, kind)


def _looked_up(task: Any) -> Iterator[Any]:
    from trials.contract import Report

    yield Report(task.stop, {"loss": (task.seed % 100_003) / task.stop}, seconds=float(task.stop - task.start))


def _resident() -> float:
    """Most kilobytes resident so far: what was let go again may still count."""
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one(sys.argv[2], int(sys.argv[3]))))
    else:
        main()
