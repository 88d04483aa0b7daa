"""Simulated jobs a second: studies of one table on a virtual clock, ours beside Syne Tune's simulator back-end.

Both play studies of as many configurations of the space S1 of NAS-Bench-1Shot1 on the embedded table ``s1-digits`` (its
validation errors and training seconds at 1, 2 and 4 epochs), with one process and any number of virtual workers: random
search, where a configuration is one job of 4 epochs, and ASHA (r = 1, R = 4, η = 2), where each result at a rung counts
as a job. Ours promotes; Syne Tune 0.16 has no promotion kind any more, so its stopping kind is measured.

- *memory*: our driver and simulator with the fold that keeps incumbents, as ``asha-nas simulate --repeats`` plays it;
- *store*: the same study with every event in an SQLite file;
- *stripped*: Syne Tune's own ``Tuner``, back-end and ``BlackboxTabular`` of the table, without what can be left out:
  nothing is stored, saved, logged or printed, and in ASHA its constant-time ``IndependentMultiFidelitySearcher`` draws;
- *stock*: the same as it comes: results are collected and written, the tuner is pickled now and then, and ASHA has
  its default random searcher, which is rebuilt out of all results for each suggestion.

Syne Tune's clock advances in ticks, at which the tuner looks whether something happened. A tick here is ``--tick``
times the mean time between two results, at which most looks find one: finer ones cost it more, and coarser ones leave
workers idle. Real seconds that pass in its loop are added to its clock; the table's are given to it a thousandfold, so
that this does not matter. Time is processor time of the run, without making spaces and tables, and without imports.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import logging
import os
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from _common import Goal, Spread, Table, alternating, parser, progress, publish, ratios, version

TABLE, SPACE, RUNGS, ETA = "s1-digits", "s1", (1, 2, 4), 2
WORKERS = (25, 100, 500)
KINDS = ("random", "asha")
OURS, STORED, STRIPPED, STOCK = "memory", "store", "stripped", "stock"
WHO = {OURS: "asha-nas", STORED: "asha-nas", STRIPPED: "syne-tune", STOCK: "syne-tune"}
SLOWED = 1000.0
"""What the table's seconds are multiplied by for Syne Tune."""


def main() -> None:
    """Measure everybody, and print."""
    options = parser(__doc__ or "")
    options.add_argument("--configs", type=int, default=2000, help="configurations of each study")
    options.add_argument("--workers", type=int, nargs="+", default=list(WORKERS), help="virtual workers")
    options.add_argument("--tick", type=float, default=1.0, help="of Syne Tune's clock, in times between two results")
    given = options.parse_args()
    there = [name for name, package in WHO.items() if version(package)]
    logging.disable(logging.CRITICAL)
    cases = list(itertools.product(KINDS, given.workers))
    runs: dict[tuple[str, int], dict[str, list[float]]] = {case: {name: [] for name in there} for case in cases}
    for kind, workers in cases:
        for repeat, name in alternating(there, given.repeats):
            progress(f"{kind}, {workers} workers, repeat {repeat + 1}: {name}")
            runs[kind, workers][name].append(_play(name, kind, workers, given.configs, repeat, given.tick))
    publish(given.json, [_table(kind, runs) for kind in KINDS], [_goal(runs)], _plain(runs), [
        "asha-nas", "syne-tune", "numpy", "pandas",
    ])  # fmt: skip


def _play(name: str, kind: str, workers: int, configs: int, seed: int, tick: float) -> float:
    """Play one study, and return its jobs a second of processor time."""
    if WHO[name] == "asha-nas":
        return (ours if name == OURS else stored)(kind, workers, configs, seed)
    return syne_tune(kind, workers, configs, seed, tick, stripped=name == STRIPPED)


# --- ours --------------------------------------------------------------------------------------------------------


def _spec(kind: str, workers: int, configs: int, seed: int) -> Any:
    from asha_nas.study import make_spec

    ladder = {"R": RUNGS[-1]} if kind == "random" else {"r": RUNGS[0], "R": RUNGS[-1], "eta": ETA}
    return make_spec(
        {
            "name": "simulated", "seed": seed,
            "problem": {"kind": "table", "table": TABLE, "space": SPACE},
            "scheduler": {"kind": kind, "configs": configs, **ladder},
            "engine": {"kind": "simulator", "workers": workers},
        }
    )  # fmt: skip


def ours(kind: str, workers: int, configs: int, seed: int) -> float:
    """In memory."""
    from asha_nas import problems, simulation

    spec = _spec(kind, workers, configs, seed)
    problem = problems.build(spec)
    began = time.process_time()
    played = simulation.play(spec, problem, 0)
    return float(played.trajectory["end"]["evaluations"] / (time.process_time() - began))


def stored(kind: str, workers: int, configs: int, seed: int) -> float:
    """With the log in SQLite."""
    from asha_nas import problems, simulation
    from asha_nas.runner import run
    from asha_nas.store import Store, Told

    spec = _spec(kind, workers, configs, seed)
    problem = problems.build(spec)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(str(Path(folder) / "studies.db"))
        record = store.create(spec.name, spec.model_dump_json(), "{}")
        cluster = simulation.engine(spec)
        began = time.process_time()
        run(record, spec, problem, store, cluster, folder=folder, clock=cluster.now)
        seconds = time.process_time() - began
        jobs = sum(isinstance(row.event, Told) for row in store.rows(record))
        store.close()
    return jobs / seconds


# --- Syne Tune ---------------------------------------------------------------------------------------------------


def syne_tune(kind: str, workers: int, configs: int, seed: int, tick: float, *, stripped: bool) -> float:
    """Its tuner on its simulator back-end."""
    import numpy as np
    import syne_tune.tuner as module
    from syne_tune import StoppingCriterion, Tuner
    from syne_tune.backend.simulator_backend.simulator_callback import SimulatorCallback
    from syne_tune.blackbox_repository import UserBlackboxBackend

    class Counting(SimulatorCallback):  # type: ignore[misc]
        """Advances the clock, and counts results."""

        jobs = 0

        def on_trial_result(self, trial: Any, status: str, result: dict[str, Any], decision: str) -> None:
            """A rung result."""
            self.jobs += 1
            if not stripped:
                super().on_trial_result(trial, status, result, decision)

        def store_results(self) -> None:
            """Write them."""
            if not stripped:
                super().store_results()

    blackbox, mean_seconds = _blackbox(RUNGS if kind == "asha" else RUNGS[-1:])
    backend = UserBlackboxBackend(
        blackbox, elapsed_time_attr="seconds", seed=0, tuner_sleep_time=tick * mean_seconds / workers
    )
    np.random.seed(seed)  # noqa: NPY002 - what its searchers draw from
    counting = Counting()
    quiet = {"print_update_interval": 1e9, "results_update_interval": 1e9, "save_tuner": False} if stripped else {}
    if stripped:
        module.print_best_metric_found = lambda **_: None
    with tempfile.TemporaryDirectory() as folder, _silence(folder):
        tuner = Tuner(
            backend, _scheduler(kind, blackbox.configuration_space, seed, stripped),
            StoppingCriterion(max_num_trials_started=configs), workers, sleep_time=0, callbacks=[counting],
            wait_trial_completion_when_stopping=True, **quiet,
        )  # fmt: skip
        began = time.process_time()
        tuner.run()
        return counting.jobs / (time.process_time() - began)


def _scheduler(kind: str, space: dict[str, Any], seed: int, stripped: bool) -> Any:
    from syne_tune.optimizer.baselines import RandomSearch
    from syne_tune.optimizer.schedulers.asha import AsynchronousSuccessiveHalving
    from syne_tune.optimizer.schedulers.searchers.multi_fidelity_searcher import IndependentMultiFidelitySearcher
    from syne_tune.optimizer.schedulers.searchers.random_searcher import RandomSearcher

    if kind == "random":
        return RandomSearch(space, ["valid_error"], random_seed=seed)
    searcher = (
        IndependentMultiFidelitySearcher(space, RandomSearcher, random_seed=seed) if stripped else "random_search"
    )
    return AsynchronousSuccessiveHalving(
        space, metric="valid_error", searcher=searcher, time_attr="epochs", max_t=RUNGS[-1], grace_period=RUNGS[0],
        reduction_factor=ETA, random_seed=seed,
    )  # fmt: skip


def _blackbox(budgets: tuple[int, ...]) -> tuple[Any, float]:
    """The table as Syne Tune has it, over all choices of the space, and the mean seconds up to a result."""
    import numpy as np
    import pandas as pd
    from syne_tune.blackbox_repository.blackbox_tabular import BlackboxTabular
    from syne_tune.config_space import choice, randint

    from spaces.encodings import encoding_of
    from spaces.nasbench101 import parse_cell
    from trials.tables import open_table

    encoding, table = encoding_of(SPACE), open_table(TABLE)
    choices = {name: list(one.choices) for name, one in encoding.space.items()}
    every = [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]
    rows = np.array([table.lookup(parse_cell(encoding.decode(values)["cell"])).row for values in every])
    seconds = SLOWED * np.stack([table.column("seconds", budget, rows=rows) for budget in budgets], axis=-1)
    errors = np.stack([1 - table.column("valid_accuracy", budget, rows=rows) for budget in budgets], axis=-1)
    # As with ours, a budget is a training from scratch: going on to it takes all of its time.
    objectives = np.stack([errors, seconds.cumsum(axis=-1)], axis=-1)[:, None]  # (choices, 1 seed, budgets, 2)
    blackbox = BlackboxTabular(
        pd.DataFrame(every), {name: choice(values) for name, values in choices.items()},
        {"epochs": randint(1, budgets[-1])}, objectives, np.array(budgets), ["valid_error", "seconds"],
    )  # fmt: skip
    return blackbox, float(seconds.mean())


@contextlib.contextmanager
def _silence(folder: str) -> Any:
    """Nothing on the terminal, and what is written goes into a folder that is thrown away."""
    before, os.environ["SYNETUNE_FOLDER"] = os.environ.get("SYNETUNE_FOLDER"), folder
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.environ.pop("SYNETUNE_FOLDER")
        if before is not None:
            os.environ["SYNETUNE_FOLDER"] = before


# --- what is printed ---------------------------------------------------------------------------------------------

Runs = dict[tuple[str, int], dict[str, list[float]]]


def _table(kind: str, runs: Runs) -> Table:
    mine = {workers: found for (of, workers), found in runs.items() if of == kind}
    rows = []
    for name, package in WHO.items():
        if not version(package):
            rows.append([name, *[f"{package} not installed"] * 2 * len(mine)])
            continue
        cells = [(Spread.of(found[name]), ratios(found, name)[OURS]) for found in mine.values()]
        rows.append([name, *(part for rate, ratio in cells for part in (rate.text(0), f"{ratio.text(1)}×"))])
    columns = [part for workers in mine for part in (f"{workers} workers", "memory / this")]
    title = {"random": "Random search", "asha": "ASHA"}[kind]
    return Table(f"{title}: jobs a second of processor time", ["", *columns], rows)


def _goal(runs: Runs) -> Goal:
    claim = "in memory ten times as many jobs a second as Syne Tune stripped"
    if not version("syne-tune"):
        return Goal(claim, "Syne Tune is not installed", None)
    least = {case: ratios(found, STRIPPED)[OURS].median for case, found in runs.items()}
    (kind, workers), ratio = min(least.items(), key=lambda item: item[1])
    return Goal(claim, f"at least {ratio:.1f}× ({kind}, {workers} workers)", ratio >= 10)


def _plain(runs: Runs) -> list[dict[str, Any]]:
    return [{"kind": kind, "workers": workers, "jobs_a_second": found} for (kind, workers), found in runs.items()]


if __name__ == "__main__":
    main()
