"""Suggestions of BOHB's model: what one takes, and what it is worth, ours beside HpBandSter's and random search.

Time: milliseconds to learn one more result and suggest a configuration by the model, at nine hyperparameters (CS3) with
280 results. Worth: known functions are minimised, each evaluation at full budget, one after the other; given is the
regret of the best of them and the rank among the three (1 is best, ties share), mean ± standard error over the seeds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from _common import Goal, Spread, Table, alternating, parser, progress, publish, ratios
from scipy.stats import rankdata

from asha_nas.samplers import KDE, HpBandSter, Independent
from asha_nas.schedulers import Job, Outcome, Sampler
from spaces.encodings import Hyperparameters
from spaces.hyperparameters import config_space, from_plain

RESULTS = 280
WHO: dict[str, Callable[[Hyperparameters, int], Sampler]] = {
    "ours": KDE,
    "HpBandSter": HpBandSter,
    "random": lambda encoding, seed: Independent(encoding.draw, seed),
}


# --- functions with a known minimum ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Function:
    """What is minimised."""

    space: Mapping[str, Any]
    value: Callable[[Mapping[str, Any]], float]
    minimum: float


def branin(x: Mapping[str, Any]) -> float:
    """Two numbers, three equal minima."""
    a, b = x["a"], x["b"]
    bowl = (b - 5.1 / (4 * math.pi**2) * a**2 + 5 / math.pi * a - 6) ** 2
    return float(bowl + 10 * (1 - 1 / (8 * math.pi)) * math.cos(a) + 10)


_A = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
_P = 1e-4 * np.array([
    [1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991],
    [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381],
])  # fmt: skip


def hartmann6(x: Mapping[str, Any]) -> float:
    """Six numbers, six minima of different depths."""
    at = np.array([x[f"x{i}"] for i in range(6)])
    return -float(np.array([1.0, 1.2, 3.0, 3.2]) @ np.exp(-(_A * (at - _P) ** 2).sum(axis=1)))


def counting_ones(x: Mapping[str, Any]) -> float:
    """The function of the BOHB paper (section 5.1), without its noise: flags and probabilities, which are to be 1."""
    return -float(sum(x.values()))


def training(x: Mapping[str, Any]) -> float:
    """Like a training: the best rate depends on the optimizer and, a little, on the width."""
    best = {"sgd": -1.5, "adam": -3.0, "rmsprop": -3.5, "adagrad": -2.0}[x["optimizer"]]
    penalty = {"sgd": 0.0, "adam": 0.05, "rmsprop": 0.15, "adagrad": 0.2}[x["optimizer"]]
    rate = math.log10(x["rate"]) - best + 0.5 * (x["width"] - 24) / 32
    return float(penalty + 0.3 * rate**2 + 0.5 * ((x["width"] - 24) / 32) ** 2 + 0.4 * (x["dropout"] - 0.2) ** 2)


_UNIT = {"range": [0.0, 1.0]}
FUNCTIONS = {
    "branin": Function({"a": {"range": [-5.0, 10.0]}, "b": {"range": [0.0, 15.0]}}, branin, 0.39788735773),
    "hartmann6": Function({f"x{i}": _UNIT for i in range(6)}, hartmann6, -3.32236801142),
    "counting ones": Function(
        {f"flag{i}": {"choices": [0, 1]} for i in range(4)} | {f"x{i}": _UNIT for i in range(4)}, counting_ones, -8.0
    ),
    "training": Function(
        {
            "rate": {"range": [1e-6, 1.0], "log": True},
            "width": {"range": [1, 32]},
            "optimizer": {"choices": ["sgd", "adam", "rmsprop", "adagrad"]},
            "dropout": _UNIT,
        },
        training,
        0.0,
    ),
}


# --- what a suggestion takes ----------------------------------------------------------------------------


def time_suggestions(who: str, count: int) -> float:
    """Milliseconds to learn one more result and suggest by the model, the mean of ``count``."""
    encoding, rng = Hyperparameters(config_space("cs3")), np.random.default_rng(0)
    sampler = {"ours": KDE, "HpBandSter": HpBandSter}[who](encoding, 0, random_fraction=0)
    jobs = [Job(trial, trial, encoding.draw(rng), 0, 0, 1) for trial in range(RESULTS + count)]
    losses = rng.random(len(jobs)).tolist()
    for job in jobs[: RESULTS - 1]:
        sampler.learn(job, Outcome(losses[job.number]))
    sampler.propose(0)  # the first one fits the model to everything
    began = time.perf_counter()
    for job in jobs[RESULTS - 1 : -1]:
        sampler.learn(job, Outcome(losses[job.number]))
        assert sampler.propose(job.number).origin == "model"
    return 1e3 * (time.perf_counter() - began) / count


# --- what it is worth -----------------------------------------------------------------------------------


def regret(name: str, who: str, seed: int, evaluations: int) -> float:
    """Regret of the best of that many evaluations."""
    function = FUNCTIONS[name]
    sampler, best = WHO[who](Hyperparameters(from_plain(function.space)), seed), math.inf
    for trial in range(evaluations):
        made = sampler.propose(trial)
        value = function.value(made.config)
        best = min(best, value)
        sampler.learn(Job(trial, trial, made.config, 0, 0, 1), Outcome(value))
    return best - function.minimum


def main() -> None:
    """Measure time, then worth, and print."""
    options = parser(__doc__ or "", repeats=5)
    options.add_argument("--seeds", type=int, default=50, help="studies of each function and sampler")
    options.add_argument("--evaluations", type=int, default=80, help="evaluations of each study")
    options.add_argument("--workers", type=int, default=2, help="processes that run studies")
    given = options.parse_args()
    runs: dict[str, list[float]] = {"ours": [], "HpBandSter": []}
    for repeat, who in alternating(list(runs), given.repeats):
        progress(f"repeat {repeat + 1}: {who}")
        runs[who].append(time_suggestions(who, 50 if who == "ours" else 10))
    regrets = _regrets(given.seeds, given.evaluations, given.workers)
    tables = [_times(runs), _worth(regrets, given.evaluations)]
    figures = {
        "milliseconds": runs,
        "regrets": {name: {w: r.tolist() for w, r in by.items()} for name, by in regrets.items()},
    }
    publish(
        given.json, tables, _goals(runs, regrets), figures, ["asha-nas", "hpbandster", "ConfigSpace", "numpy", "scipy"]
    )


def _regrets(seeds: int, evaluations: int, workers: int) -> dict[str, dict[str, np.ndarray]]:
    """By function and sampler: an array (seeds,)."""
    found: dict[str, dict[str, np.ndarray]] = {}
    with ProcessPoolExecutor(workers) as pool:
        for name in FUNCTIONS:
            progress(f"{name}: {seeds} seeds")
            studies = {who: [pool.submit(regret, name, who, seed, evaluations) for seed in range(seeds)] for who in WHO}
            found[name] = {who: np.array([study.result() for study in mine]) for who, mine in studies.items()}
    return found


def _ranks(by_sampler: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Rank of each sampler for each seed. Regrets that differ by rounding only share a rank."""
    ranks = rankdata(np.round(np.stack(list(by_sampler.values())), 9), axis=0)
    return dict(zip(by_sampler, ranks, strict=True))


def _times(runs: Mapping[str, list[float]]) -> Table:
    shares = ratios(runs, "HpBandSter")
    rows = [[who, Spread.of(runs[who]).text(2), shares[who].text(4)] for who in runs]
    return Table("Milliseconds a suggestion, nine hyperparameters, 280 results", ["", "ms", "of HpBandSter's"], rows)


def _worth(regrets: Mapping[str, Mapping[str, np.ndarray]], evaluations: int) -> Table:
    rows = [
        [name, *(f"{_mean(mine, 4)}; {_mean(_ranks(by)[who], 2)}" for who, mine in by.items())]
        for name, by in regrets.items()
    ]
    return Table(f"Regret after {evaluations} evaluations; rank", ["function", *WHO], rows)


def _mean(values: np.ndarray, digits: int) -> str:
    error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else math.nan
    return f"{values.mean():.{digits}f} ± {error:.{digits}f}"


def _goals(runs: Mapping[str, list[float]], regrets: Mapping[str, Mapping[str, np.ndarray]]) -> list[Goal]:
    share = ratios(runs, "HpBandSter")["ours"]
    goals = [
        Goal("a suggestion takes at most 1/20 of HpBandSter's", f"1/{1 / share.median:.0f}", share.median <= 1 / 20)
    ]
    for name, by in regrets.items():
        ranks = _ranks(by)
        for who, claim in (
            ("HpBandSter", "ranks no worse than HpBandSter"),
            ("random", "ranks better than random search"),
        ):
            ahead = ranks[who] - ranks["ours"]
            error = ahead.std(ddof=1) / len(ahead) ** 0.5 if len(ahead) > 1 else math.nan
            met = ahead.mean() > (-2 if who == "HpBandSter" else 2) * error
            goals.append(Goal(f"{name}: ours {claim}, by two standard errors", f"{_mean(ahead, 2)} ahead", bool(met)))
    return goals


if __name__ == "__main__":
    main()
