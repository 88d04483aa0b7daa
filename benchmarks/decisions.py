"""Microseconds a scheduler takes to decide, as its study grows: ours beside Syne Tune's and Optuna's.

A decision is one rung result taken in, and what follows from it: for our ASHA an ``ask`` and a ``tell``; for
peers, whose ASHA stops trials, the share of suggesting a trial, one report and the verdict on it. Everybody
draws one uniform number a trial. Losses are random, one worker, r = 1, R = 64, η = 4. What is timed is the
last tenth of the trials up to each size. A peer that reaches its time limit is cut off, and it is said where.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from _common import Goal, Spread, Table, alternating, parser, progress, publish, version

RUNGS = (1, 4, 16, 64)
ETA = 4
Step = Callable[[float], bool]
"""Takes a random loss, makes one decision; True when a new trial was started."""


def ours(promotion: str) -> Step:
    """Our ASHA core."""
    from asha_nas.samplers import Independent
    from asha_nas.schedulers import ASHA, Answer, Outcome

    core = ASHA(
        Independent(lambda rng: {"x": rng.random()}, 0), rungs=RUNGS, eta=ETA, configs=None, promotion=promotion
    )

    def step(loss: float) -> bool:
        job = core.ask()
        assert not isinstance(job, Answer)
        core.tell(job, Outcome(loss))
        return job.rung == 0

    return step


def syne_tune() -> Step:
    """Syne Tune's asynchronous successive halving."""
    import datetime

    from syne_tune.backend.trial_status import Trial
    from syne_tune.config_space import uniform
    from syne_tune.optimizer.schedulers.asha import AsynchronousSuccessiveHalving

    scheduler = AsynchronousSuccessiveHalving(
        {"x": uniform(0, 1)}, metric="loss", time_attr="epoch", max_t=RUNGS[-1], grace_period=RUNGS[0],
        reduction_factor=ETA, random_seed=0,
    )  # fmt: skip

    def trial_results() -> Iterator[Callable[[float], str]]:
        number = 0
        while True:
            suggestion = scheduler.suggest()
            trial = Trial(number, suggestion.config, datetime.datetime.now())
            scheduler.on_trial_add(trial)
            number += 1
            for epoch in RUNGS:
                verdict: list[str] = []

                def report(loss: float, trial: Any = trial, epoch: int = epoch, said: list[str] = verdict) -> str:
                    said.append(scheduler.on_trial_result(trial, {"loss": loss, "epoch": epoch}))
                    return said[0]

                yield report
                if verdict[0] == "STOP":
                    scheduler.on_trial_remove(trial)
                    break
            else:
                scheduler.on_trial_complete(trial, {"loss": 0.0, "epoch": RUNGS[-1]})

    return _stepper(trial_results())


def optuna() -> Step:
    """Optuna's successive-halving pruner on a study in memory."""
    import optuna as peer

    peer.logging.set_verbosity(peer.logging.ERROR)
    study = peer.create_study(
        sampler=peer.samplers.RandomSampler(seed=0),
        pruner=peer.pruners.SuccessiveHalvingPruner(min_resource=RUNGS[0], reduction_factor=ETA),
    )

    def trial_results() -> Iterator[Callable[[float], str]]:
        while True:
            trial = study.ask()
            trial.suggest_float("x", 0, 1)
            pruned = False
            for epoch in RUNGS:
                verdict: list[str] = []

                def report(loss: float, trial: Any = trial, epoch: int = epoch, said: list[str] = verdict) -> str:
                    trial.report(loss, epoch)
                    said.append("STOP" if trial.should_prune() else "CONTINUE")
                    return said[0]

                yield report
                pruned = verdict[0] == "STOP"
                if pruned:
                    break
            study.tell(trial, None if pruned else 0.0, state=peer.trial.TrialState.PRUNED if pruned else None)

    return _stepper(trial_results())


def _stepper(results: Iterator[Callable[[float], str]]) -> Step:
    """One report at a time; a trial is new when the one before was stopped or complete."""
    reached = [0]

    def step(loss: float) -> bool:
        new = reached[0] == 0
        stopped = next(results)(loss) == "STOP"
        reached[0] = 0 if stopped or reached[0] == len(RUNGS) - 1 else reached[0] + 1
        return new

    return step


WHO: dict[str, tuple[Callable[[], Step], str]] = {
    "asha-nas capped": (lambda: ours("capped"), "asha-nas"),
    "asha-nas eager": (lambda: ours("eager"), "asha-nas"),
    "syne-tune": (syne_tune, "syne-tune"),
    "optuna": (optuna, "optuna"),
}


def grow(step: Step, sizes: list[int], limit: float) -> tuple[dict[int, float], int]:
    """Microseconds a decision in the last tenth before each size, and the trials reached within ``limit`` seconds."""
    losses = np.random.default_rng(0).random(1 << 16).tolist()
    found: dict[int, float] = {}
    began = time.perf_counter()
    trials = decisions = 0
    for size in sizes:
        while trials < size - size // 10:
            trials += step(losses[decisions & 0xFFFF])
            decisions += 1
            if not decisions & 0xFF and time.perf_counter() - began > limit:
                return found, trials
        window, start = time.perf_counter(), decisions
        while trials < size:
            trials += step(losses[decisions & 0xFFFF])
            decisions += 1
            if not decisions & 0xFF and time.perf_counter() - began > limit:
                return found, trials
        found[size] = 1e6 * (time.perf_counter() - window) / (decisions - start)
    return found, trials


def main() -> None:
    """Measure everybody, and print."""
    options = parser(__doc__ or "")
    options.add_argument("--largest", type=int, default=10**6, help="largest number of trials")
    options.add_argument("--limit", type=float, default=60.0, help="seconds for each scheduler and repeat")
    given = options.parse_args()
    sizes = [size for size in (10**3, 10**4, 10**5, 10**6) if size <= given.largest]
    there = [name for name, (_, package) in WHO.items() if version(package)]
    runs: dict[str, list[dict[int, float]]] = {name: [] for name in there}
    reached: dict[str, int] = {}
    for repeat, name in alternating(there, given.repeats):
        progress(f"repeat {repeat + 1}: {name}")
        found, reached[name] = grow(WHO[name][0](), sizes, given.limit)
        runs[name].append(found)
    spreads = {
        name: {s: Spread.of(run[s] for run in runs[name] if s in run) for s in sizes if any(s in r for r in runs[name])}
        for name in there
    }
    publish(given.json, [_table(sizes, spreads, reached)], _goals(spreads, sizes), _plain(spreads), [
        "asha-nas", "syne-tune", "optuna",
    ])  # fmt: skip


def _table(sizes: list[int], spreads: dict[str, dict[int, Spread]], reached: dict[str, int]) -> Table:
    rows = []
    for name in WHO:
        if name not in spreads:
            rows.append([name, *["not installed"] * len(sizes), ""])
            continue
        mine = spreads[name]
        cells = [mine[s].text() if s in mine else f"cut off at {reached[name]:,} trials" for s in sizes]
        base = spreads["asha-nas capped"]
        common = [s for s in sizes if s in mine and s in base]
        ratio = f"{mine[common[-1]].median / base[common[-1]].median:.1f} at {common[-1]:,}" if common else "·"
        rows.append([name, *cells, ratio])
    title = "Microseconds a decision, by number of trials"
    return Table(title, ["scheduler", *(f"{size:,}" for size in sizes), "× ours (capped)"], rows)


def _goals(spreads: dict[str, dict[int, Spread]], sizes: list[int]) -> list[Goal]:
    mine = spreads["asha-nas capped"]
    medians = [mine[size].median for size in sizes if size in mine]
    flat, most = max(medians) / min(medians), max(medians)
    complete = len(medians) == 4
    return [
        Goal("flat within 2× from 10³ to 10⁶ trials", f"{flat:.2f}×", flat <= 2 if complete else None),
        Goal("under 50 µs a decision", f"at most {most:.1f} µs", most < 50 if complete else None),
    ]


def _plain(spreads: dict[str, dict[int, Spread]]) -> dict[str, Any]:
    return {
        name: {str(size): {"median": s.median, "low": s.low, "high": s.high} for size, s in by_size.items()}
        for name, by_size in spreads.items()
    }


if __name__ == "__main__":
    main()
