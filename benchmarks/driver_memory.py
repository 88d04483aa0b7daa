"""Memory of the driver process at 1,000 and 10,000 no-op jobs on a local Ray: ours beside stock Ray Tune.

Each run is a process of its own, on two workers, without promotions (one rung), so that a job is a trial for
everybody: *engine* is our Ray engine with results kept in memory, *service* all of ours with the store,
*quiet* Ray Tune's ASHAScheduler with loggers and snapshots off as in ours, *stock* the same as it comes.
Given are megabytes resident at the end beyond those before the first job, the peak, and milliseconds a job once
it runs, which shows whether time grows with the number of jobs.
"""

from __future__ import annotations

from typing import Any

from _common import Goal, Spread, Table, alternating, in_a_process, parser, progress, publish

WHO = ("engine", "service", "quiet", "stock")


def main() -> None:
    """Measure everybody, and print."""
    options = parser(__doc__ or "", repeats=1)
    options.add_argument("--jobs", type=int, nargs="+", default=[1000, 10_000], help="numbers of jobs")
    options.add_argument("--limit", type=float, default=1500.0, help="seconds for one run")
    given = options.parse_args()
    runs: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for repeat, who in alternating(WHO, given.repeats):
        for jobs in given.jobs:
            progress(f"repeat {repeat + 1}: {who}, {jobs:,} jobs")
            found = in_a_process("_ray_run.py", who, str(jobs), "1", "3", "2", limit=given.limit)
            if found is not None:
                runs.setdefault((who, jobs), []).append(found)
    rows = [
        [f"{who}, {jobs:,} jobs", *_cells(runs.get((who, jobs)), given.limit)] for who in WHO for jobs in given.jobs
    ]
    table = Table(
        "Driver process", ["", "MB at the end, beyond the start", "MB at the peak", "ms a job", "s in all"], rows
    )
    figures = {f"{who}/{jobs}": found for (who, jobs), found in runs.items()}
    publish(given.json, [table], _goals(runs, given.jobs), figures, ["asha-nas", "ray"])


def _cells(found: list[dict[str, Any]] | None, limit: float) -> list[str]:
    if not found:
        return [f"not done in {limit:.0f} s", "·", "·", "·"]
    grown = Spread.of(run["end_mb"] - run["before_mb"] for run in found)
    peak = Spread.of(run["peak_mb"] for run in found)
    time = Spread.of(1000 * run["steady_seconds_a_result"] for run in found)
    return [grown.text(0), peak.text(0), time.text(), Spread.of(run["seconds"] for run in found).text(0)]


def _goals(runs: dict[tuple[str, int], list[dict[str, Any]]], jobs: list[int]) -> list[Goal]:
    few, many = min(jobs), max(jobs)
    goals = []
    for who in ("engine", "service"):
        same = f"{who}: time a job within 20 % from {few:,} to {many:,} jobs"
        small = f"{who}: memory grows by less than 5 kB a job from {few:,} to {many:,} jobs"
        if few == many or not all(runs.get((who, number)) for number in (few, many)):
            goals += [Goal(claim, "not both sizes were run to their end", None) for claim in (same, small)]
            continue
        slower = _median(runs[who, many], "steady_seconds_a_result") / _median(
            runs[who, few], "steady_seconds_a_result"
        )
        grown = 1024 * (_median(runs[who, many], "end_mb") - _median(runs[who, few], "end_mb")) / (many - few)
        goals += [Goal(same, f"{slower:.2f}×", slower <= 1.2), Goal(small, f"{grown:.1f} kB", grown < 5)]
    return goals


def _median(found: list[dict[str, Any]], name: str) -> float:
    return Spread.of(run[name] for run in found).median


if __name__ == "__main__":
    main()
