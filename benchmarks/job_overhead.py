"""Milliseconds a no-op job costs on a local Ray: ours beside stock Ray Tune's ASHAScheduler.

Four contestants on two workers, η = 3, each run in a process of its own:

- *engine*: our Ray engine around our ASHA core, results kept in memory;
- *service*: all of ours, with every event in an SQLite store before anyone acts on it;
- *quiet*: Ray Tune with ``ASHAScheduler`` and ``reuse_actors``, loggers and snapshots off as in ours;
- *stock*: the same as it comes, with its loggers and snapshots.

Workers take seconds to start, and Tune some to end. So the time of each rung result is taken in the run itself,
and the cost is the slope from a tenth of the results to the last; whole runs are given beside it. Our
job is one visit to one rung; a trial of Tune may pass several rungs. So figures are given for a job and, which
favours nobody, for a rung result.
"""

from __future__ import annotations

from typing import Any

from _common import Goal, Spread, Table, alternating, in_a_process, parser, progress, publish, ratios

WHO = ("engine", "service", "quiet", "stock")
BASE = "quiet"
SECONDS = 900.0
"""Limit of one run."""


def main() -> None:
    """Measure everybody, and print."""
    options = parser(__doc__ or "")
    options.add_argument("--configs", type=int, default=600, help="configurations started in a run")
    options.add_argument("--rungs", default="1,3,9", help="epochs of the rungs, each three times the one before")
    given = options.parse_args()
    runs: dict[str, list[dict[str, Any]]] = {who: [] for who in WHO}
    for repeat, who in alternating(WHO, given.repeats):
        progress(f"repeat {repeat + 1}: {who}")
        runs[who].append(_run(who, given.configs, given.rungs))
    result = {who: [1000 * run["steady_seconds_a_result"] for run in runs[who]] for who in WHO}
    job = {
        who: [ms * run["results"] / run["jobs"] for ms, run in zip(result[who], runs[who], strict=True)] for who in WHO
    }
    measured = {"a rung result": result, "a job": job}
    tables = [_table(measured), _whole(runs)]
    publish(given.json, tables, _goals(measured), runs, ["asha-nas", "ray"])


def _run(who: str, configs: int, rungs: str) -> dict[str, Any]:
    found = in_a_process("_ray_run.py", who, str(configs), rungs, "3", "2", limit=SECONDS)
    if found is None:
        raise TimeoutError(f"{who} took more than {SECONDS:.0f} s for {configs} configurations")
    return found


def _table(measured: dict[str, dict[str, list[float]]]) -> Table:
    columns = [text for name in measured for text in (f"ms {name}", f"of {BASE}")]
    rows = []
    for who in WHO:
        row = [who]
        for values in measured.values():
            row += [Spread.of(values[who]).text(), ratios(values, BASE)[who].text(2) + "×"]
        rows.append(row)
    return Table("Once it runs: milliseconds, and their ratio to Tune with nothing else to do", ["", *columns], rows)


def _whole(runs: dict[str, list[dict[str, Any]]]) -> Table:
    rows = []
    for who, mine in runs.items():
        whole = Spread.of(run["seconds"] for run in mine)
        start = Spread.of(run["start_seconds"] for run in mine)
        counts = Spread.of(run["results"] for run in mine)
        rows.append([who, whole.text(), start.text(), counts.text(0), str(mine[0]["jobs"])])
    columns = ["", "s in all", "s to the first result", "rung results", "jobs"]
    return Table("Whole runs of the same number of configurations", columns, rows)


def _goals(measured: dict[str, dict[str, list[float]]]) -> list[Goal]:
    return [
        Goal(f"{who} at most half of {BASE} Tune, {name}", f"{ratio.text(2)}×", ratio.median <= 0.5)
        for who in ("engine", "service")
        for name, values in measured.items()
        for ratio in [ratios(values, BASE)[who]]
    ]


if __name__ == "__main__":
    main()
