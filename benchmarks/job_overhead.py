"""Milliseconds a no-op job costs on a local Ray: ours beside stock Ray Tune's ASHAScheduler.

Four contestants on two workers, r = 1, R = 9, η = 3, each run in a process of its own:

- *engine*: our Ray engine around our ASHA core, results kept in memory;
- *service*: all of ours, with every event in an SQLite store before anyone acts on it;
- *stock*: Ray Tune with ``ASHAScheduler`` and ``reuse_actors``, otherwise as it comes;
- *quiet*: the same with loggers and snapshots off, as in ours.

Start-up is taken out: what counts is the slope between a small and a large run. Our job is one visit to one
rung; stock's is a trial, which may pass several rungs. So figures are given for each job and, which favours
nobody, for each rung result.
"""

from __future__ import annotations

from typing import Any

from _common import Goal, Spread, Table, alternating, in_a_process, parser, progress, publish, ratios

WHO = ("engine", "service", "stock", "quiet")
SECONDS = 900.0
"""Limit of one run."""


def main() -> None:
    """Measure everybody, and print."""
    options = parser(__doc__ or "")
    options.add_argument("--small", type=int, default=200, help="configurations of the small run")
    options.add_argument("--large", type=int, default=1000, help="configurations of the large run")
    given = options.parse_args()
    per_job: dict[str, list[float]] = {who: [] for who in WHO}
    per_result: dict[str, list[float]] = {who: [] for who in WHO}
    whole: dict[str, list[float]] = {who: [] for who in WHO}
    for repeat, who in alternating(WHO, given.repeats):
        progress(f"repeat {repeat + 1}: {who}")
        small, large = (_run(who, configs) for configs in (given.small, given.large))
        seconds = 1000 * (large["seconds"] - small["seconds"])
        per_job[who].append(seconds / (large["jobs"] - small["jobs"]))
        per_result[who].append(seconds / (large["results"] - small["results"]))
        whole[who].append(1000 * large["seconds"] / large["results"])
    measured = {"a job": per_job, "a rung result": per_result, "a rung result, start-up included": whole}
    ratio = {name: ratios(values, "stock") for name, values in measured.items()}
    rows = [
        [who, *(f"{Spread.of(values[who]).text()} = {ratio[name][who].text(2)}×" for name, values in measured.items())]
        for who in WHO
    ]
    table = Table("Milliseconds, and ratio to stock", ["", *measured], rows)
    goals = [
        Goal(f"{who} at most half of stock, {name}", f"{ratio[name][who].text(2)}×", ratio[name][who].median <= 0.5)
        for who in ("engine", "service")
        for name in ("a job", "a rung result")
    ]
    figures = {name: {who: values[who] for who in WHO} for name, values in measured.items()}
    publish(given.json, [table], goals, figures, ["asha-nas", "ray"])


def _run(who: str, configs: int) -> dict[str, Any]:
    found = in_a_process("_ray_run.py", who, str(configs), "1,3,9", "3", "2", limit=SECONDS)
    if found is None:
        raise TimeoutError(f"{who} took more than {SECONDS:.0f} s for {configs} configurations")
    return found


if __name__ == "__main__":
    main()
