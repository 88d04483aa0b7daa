"""What a real cluster loses when something dies: each victim at every boundary between two events, and in between.

A small study (three configurations, four jobs, sixteen epochs, a checkpoint every third) runs on a cluster of a head
and two nodes, one job at a time, its store in PostgreSQL where a server is installed. Its driver is held before an
event, the victim gets SIGKILL, all its processes at once; what went down is started again, and the study is resumed if
it did not go on by itself. Then its log is compared with that of the undisturbed study, digit for digit. Random moments
are in seconds, epochs of 0.1 s, drawn from ``--seed``; so are those of the other troubles. With two jobs at a time,
whose results may come in any order, decisions are compared with those of a fresh scheduler upon results in that order.

Goal: nothing lost, nothing twice, decisions identical, in all cases.
"""

from __future__ import annotations

import queue
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from _common import ROOT, Goal, Spread, Table, parser, progress, publish

sys.path.insert(0, str(ROOT))  # the tests are no package that is installed

from tests.crash import matrix
from tests.crash.world import World, database

LONGEST = 1.6
"""Seconds that the undisturbed study trains, with epochs of :data:`tests.crash.matrix.PACE`."""
COLUMNS = (
    "", "cases", "went on by itself", "resumed", "lost", "twice", "other results", "other decisions",
    "checkpoints missing", "epochs again",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One cell of the matrix."""

    row: str
    what: str
    moment: int | float


@dataclass
class Found:
    """What came of it."""

    case: Case
    outcome: matrix.Outcome | None
    """None if nothing could happen then."""
    error: str = ""
    seconds: float = 0.0


def main() -> None:
    """Play every case and print."""
    options = parser(__doc__ or "")
    options.add_argument("--every", type=int, default=1, help="try every how-many-th boundary")
    options.add_argument("--moments", type=int, default=10, help="random moments for each victim and trouble")
    options.add_argument("--lanes", type=int, default=2, help="clusters side by side")
    options.add_argument("--seed", type=int, default=0, help="of the random moments")
    options.add_argument("--rows", nargs="*", help="only rows with these words in them")
    given = options.parse_args()
    found = [each for workers in (1, 2) for each in _play(_cases(workers, given), workers, given.lanes)]
    rows = [
        _row(name, [one for one in found if one.case.row == name]) for name in dict.fromkeys(f.case.row for f in found)
    ]
    figures = [{"row": f.case.row, "moment": f.case.moment, "error": f.error, "seconds": f.seconds,
                "outcome": None if f.outcome is None else asdict(f.outcome)} for f in found]  # fmt: skip
    note = f"Seed {given.seed}; cases at which there was nothing to kill are left out; epochs again: median (min..max)."
    table = Table("A cluster that is killed", COLUMNS, rows)
    publish(given.json, [table], [_goal(found)], figures, ["asha-nas", "ray", "psycopg"], note)


def _cases(workers: int, given: Any) -> list[Case]:
    """All cases of studies of so many workers, in an order that mends little."""
    draw = random.Random(given.seed + workers)
    cases = []
    if workers == 1:
        for victim in matrix.VICTIMS:
            cases += [Case(f"{victim}, between events", victim, n) for n in range(1, 27, given.every)]
        for trouble in [*matrix.TROUBLES, *matrix.ON_A_DISK]:
            cases += [Case(trouble, trouble, draw.randint(3, 25)) for _ in range(given.moments)]
    for victim in matrix.VICTIMS:
        row = f"{victim}, at any time" + ("" if workers == 1 else ", two at a time")
        cases += [Case(row, victim, round(draw.uniform(0, LONGEST / workers), 3)) for _ in range(given.moments)]
    return [case for case in cases if not given.rows or any(word in case.row for word in given.rows)]


def _play(cases: Sequence[Case], workers: int, lanes: int) -> list[Found]:
    """Play cases on clusters of their own, side by side."""
    waiting: queue.SimpleQueue[Case] = queue.SimpleQueue()
    for case in cases:
        waiting.put(case)

    def lane(folder: str) -> list[Found]:
        if waiting.empty():
            return []
        with database() as server:
            world = World(Path(folder) / "world", server=server, workers=workers)
            try:
                world.mend()
                expected = matrix.undisturbed(world)
                return list(_played(world, expected, waiting))
            finally:
                world.close()

    with ThreadPoolExecutor(lanes) as pool, tempfile.TemporaryDirectory() as folder:
        parts = list(pool.map(lane, [f"{folder}/{number}" for number in range(lanes)]))
    order = {case: number for number, case in enumerate(cases)}
    return sorted((found for part in parts for found in part), key=lambda found: order[found.case])


def _played(world: World, expected: matrix.Expected, waiting: queue.SimpleQueue[Case]) -> list[Found]:
    found = []
    while True:
        try:
            case = waiting.get_nowait()
        except queue.Empty:
            return found
        if (case.what == "database" and world.server is None) or (case.what in matrix.ON_A_DISK and world.disk is None):
            continue
        began = time.perf_counter()
        try:
            each = Found(case, matrix.play(world, case.what, case.moment, expected))
        except AssertionError as error:
            each = Found(case, None, f"{error}"[-2000:])
            world.abandon()
        each.seconds = time.perf_counter() - began
        found.append(each)
        fine = "nothing to kill" if each.outcome is None else "fine" if each.outcome.fine else f"{each.outcome}"
        progress(f"{case.row} @ {case.moment}: {each.error or fine} ({each.seconds:.0f} s, {waiting.qsize()} left)")


def _row(name: str, found: Sequence[Found]) -> list[str]:
    done = [each.outcome for each in found if each.outcome is not None]
    broken = sum(bool(each.error) for each in found)
    if not done:
        return [name, f"0 ({broken} broken off)", *["·"] * (len(COLUMNS) - 2)]
    return [
        name, f"{len(done)}" + (f" ({broken} broken off)" if broken else ""),
        str(sum(not each.resumes for each in done)), str(sum(bool(each.resumes) for each in done)),
        *(str(sum(getattr(each, what) for each in done)) for what in ("lost", "twice", "changed")),
        str(sum(not each.same for each in done)), str(sum(each.missing for each in done)),
        Spread.of(float(each.again) for each in done).text(0),
    ]  # fmt: skip


def _goal(found: Sequence[Found]) -> Goal:
    tried = [each for each in found if each.outcome is not None or each.error]
    wrong = [each for each in tried if each.outcome is None or not each.outcome.fine]
    measured = f"{len(tried) - len(wrong)} of {len(tried)} cases"
    return Goal("0 lost, 0 twice, decisions identical, in all cases", measured, not wrong if tried else None)


if __name__ == "__main__":
    main()
