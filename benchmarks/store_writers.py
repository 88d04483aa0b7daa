"""Eight concurrent studies that write to one store: events a second, milliseconds an event; SQLite beside PostgreSQL.

Each study is a process with a lease of its own that appends events as its driver does, one transaction each, as fast
as it can; nothing is trained. *Alone* is one such process. Every store is a fresh one in a temporary folder, set up as
users have it: SQLite in WAL mode, PostgreSQL a server of the benchmark's own that waits for its disk at each commit.
For PostgreSQL it needs psycopg and an installed server; without them its rows say so.

Goal: no event fails, whatever the others do. (A store waits for others that write; an error is what a study would
have died of.)
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from _common import ROOT, Goal, Spread, Table, alternating, parser, progress, publish

sys.path.insert(0, str(ROOT))  # the tests are no package that is installed

from asha_nas.store import Reported, Store
from tests.contracts import postgres_server

WHO = ("SQLite", "PostgreSQL")
SPAWN = get_context("spawn")


def main() -> None:
    """Measure both, alone and together, and print."""
    options = parser(__doc__ or "")
    options.add_argument("--studies", type=int, default=8, help="studies that write at a time")
    options.add_argument("--events", type=int, default=1000, help="events of each study")
    given = options.parse_args()
    counts = sorted({1, given.studies})
    missing = postgres_server.missing()
    runs: dict[str, list[dict[str, Any]]] = {f"{who}/{count}": [] for who in WHO for count in counts}
    for repeat, who in alternating([who for who in WHO if who == "SQLite" or not missing], given.repeats):
        for count in counts:
            progress(f"repeat {repeat + 1}: {who}, {count} writing")
            with _database(who) as url:
                runs[f"{who}/{count}"].append(_measure(url, count, given.events))
    rows = [_row(who, count, runs[f"{who}/{count}"], missing) for who in WHO for count in counts]
    columns = ["", "events/s together", "ms an event, median", "99 of 100 below, ms", "longest, ms", "errors"]
    table = Table(f"{given.events:,} events of each study", columns, rows)
    goals = [_goal(who, given.studies, runs[f"{who}/{given.studies}"]) for who in WHO]
    publish(given.json, [table], goals, runs, ["asha-nas", "SQLAlchemy", "psycopg"])


@contextmanager
def _database(who: str) -> Iterator[str]:
    if who == "SQLite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{Path(folder) / 'studies.db'}"
        return
    with postgres_server.server() as server, server.database() as url:
        yield url


def _measure(url: str, count: int, events: int) -> dict[str, Any]:
    store = Store(url)
    pipes = []
    for number in range(count):
        store.create(f"study-{number}", "{}", "{}")
        ours, theirs = SPAWN.Pipe()
        SPAWN.Process(target=_write, args=(theirs, url, f"study-{number}", events), daemon=True).start()
        pipes.append(ours)
    for pipe in pipes:
        assert pipe.recv() == "ready"
    began = time.perf_counter()
    for pipe in pipes:
        pipe.send("go")
    results = [pipe.recv() for pipe in pipes]
    seconds = time.perf_counter() - began
    taken = [value for times, _ in results for value in times]
    errors = [error for _, found in results for error in found]
    written = sum(len(list(store.rows(study))) for study in store.studies())
    store.close()
    if written + len(errors) != count * events:
        raise AssertionError(f"{written} events are in the store and {len(errors)} failed, of {count * events}")
    cuts = statistics.quantiles(taken, n=100)
    return {
        "events_a_second": written / seconds, "median_ms": 1000 * cuts[49], "p99_ms": 1000 * cuts[98],
        "longest_ms": 1000 * max(taken), "errors": errors,
    }  # fmt: skip


def _write(pipe: Any, url: str, name: str, events: int) -> None:
    """In a process of its own: the events, the seconds of each, and what failed."""
    store = Store(url)
    lease = store.lease(store.study(name))
    pipe.send("ready")
    pipe.recv()
    taken, errors = [], []
    for number in range(events):
        event = Reported(job=number, epoch=1, metrics={"loss": number / 7, "accuracy": 0.5}, clock={"seconds": 1.0})
        began = time.perf_counter()
        try:
            store.append(lease, event)
        except Exception as error:
            errors.append(str(error))
        taken.append(time.perf_counter() - began)
    pipe.send((taken, errors))
    lease.release()
    store.close()


def _row(who: str, count: int, runs: list[dict[str, Any]], missing: str) -> list[str]:
    name = f"{who}, {'alone' if count == 1 else f'{count} studies'}"
    if not runs:
        return [name, missing, "·", "·", "·", "·"]
    spreads = {key: Spread.of(run[key] for run in runs) for key in runs[0] if key != "errors"}
    return [
        name, spreads["events_a_second"].text(0), spreads["median_ms"].text(2), spreads["p99_ms"].text(1),
        spreads["longest_ms"].text(0), str(sum(len(run["errors"]) for run in runs)),
    ]  # fmt: skip


def _goal(who: str, studies: int, runs: list[dict[str, Any]]) -> Goal:
    claim = f"{studies} studies write to one {who} without an error"
    if not runs:
        return Goal(claim, "there is no server here", None)
    errors = [error for run in runs for error in run["errors"]]
    return Goal(claim, f"{len(errors)} errors {sorted(set(errors))[:1]}" if errors else "no error", not errors)


if __name__ == "__main__":
    main()
