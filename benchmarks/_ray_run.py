"""One run of no-op jobs on a local Ray, in a process of its own: ``_ray_run.py WHO CONFIGS R ETA WORKERS``.

Prints one line of JSON last. Ray is started before the clock, for everybody alike. ``stock`` is Ray Tune as it
comes; ``quiet`` is the same without its loggers and snapshots, which our engine does without as well.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Our engine sets these for itself; so a stock Tune with them is measured too.
QUIET = {"TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", "TUNE_GLOBAL_CHECKPOINT_S": str(10**9), "RAY_AIR_NEW_OUTPUT": "0"}


@dataclass(frozen=True, slots=True)
class Size:
    """What is run."""

    configs: int
    """Configurations started."""
    rungs: Sequence[int]
    eta: int
    workers: int
    folder: str
    """For whatever is written."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What was done."""

    jobs: int
    """Ray Tune trials: our jobs, or stock Tune's trials."""
    moments: Sequence[float]
    """When each rung result was taken in, in seconds of ``time.perf_counter``."""


def engine(size: Size) -> Counts:
    """Our Ray engine around our ASHA core, with nothing but a dictionary behind it."""
    from asha_nas.engines import Assignment
    from asha_nas.engines.ray_tune import RayTuneEngine
    from asha_nas.samplers import Independent
    from asha_nas.schedulers import ASHA, Answer, Outcome
    from trials.contract import Failure, Report, Task

    class Memory:
        def __init__(self) -> None:
            self.core = ASHA(Independent(_draw, 0), rungs=size.rungs, eta=size.eta, configs=size.configs)
            self.loss: dict[int, float] = {}
            self.moments: list[float] = []

        def ask(self) -> Assignment | Answer:
            job = self.core.ask()
            if isinstance(job, Answer):
                return job
            return Assignment(job, 0, Task(job.trial, job.config, job.start, job.stop, 0, size.folder))

        def report(self, assignment: Assignment, report: Report) -> None:
            self.loss[assignment.job.number] = report.metrics["loss"]

        def ended(self, assignment: Assignment, failure: Failure | None) -> None:
            assert failure is None, failure
            self.core.tell(assignment.job, Outcome(self.loss.pop(assignment.job.number)))
            self.moments.append(time.perf_counter())

    def trial(task: Task) -> Iterator[Report]:
        yield Report(task.stop, {"loss": task.config["x"]})

    source = Memory()
    RayTuneEngine(workers=size.workers).run(source, trial)
    return Counts(len(source.moments), source.moments)


def service(size: Size) -> Counts:
    """All of ours: spec, driver, and every event in an SQLite store before anyone acts on it."""
    import asha_nas
    from asha_nas.store import Event, Told

    moments: list[float] = []

    def listen(event: Event) -> None:
        if isinstance(event, Told):
            moments.append(time.perf_counter())

    study = asha_nas.objective_study(
        "benchmark", _objective, {"x": {"range": [0.0, 1.0]}},
        asha_nas.Asha(r=size.rungs[0], R=size.rungs[-1], eta=size.eta, configs=size.configs),
        engine=asha_nas.Workers(workers=size.workers, dashboard=False),
        store=asha_nas.Store(f"sqlite:///{size.folder}/store.db"), checkpoints=size.folder,
    )  # fmt: skip
    assert study.run([listen]) == "done"
    return Counts(len(moments), moments)


def stock(size: Size) -> Counts:
    """Ray Tune with its own ASHA scheduler, reusing actors; a trial reports once a rung."""
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler

    class NoOp(tune.Trainable):  # type: ignore[misc]
        def setup(self, config: dict[str, Any]) -> None:
            self.reset_config(config)

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.loss, self.rung = new_config["x"], -1
            return True

        def step(self) -> dict[str, Any]:
            self.rung += 1
            return {"loss": self.loss, "epoch": size.rungs[self.rung]}

    moments: list[float] = []

    class Listen(tune.Callback):  # type: ignore[misc]
        def on_trial_result(self, *_: Any, **__: Any) -> None:
            moments.append(time.perf_counter())

    scheduler = ASHAScheduler(
        time_attr="epoch", max_t=size.rungs[-1], grace_period=size.rungs[0], reduction_factor=size.eta
    )
    tuner = tune.Tuner(
        tune.with_resources(NoOp, {"cpu": 1}),
        param_space={"x": tune.uniform(0, 1)},
        tune_config=tune.TuneConfig(
            metric="loss", mode="min", num_samples=size.configs, scheduler=scheduler, reuse_actors=True
        ),
        run_config=tune.RunConfig(
            name="stock", storage_path=size.folder, verbose=0, callbacks=[Listen()],
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
        ),
    )  # fmt: skip
    results = tuner.fit()
    assert len(results) == size.configs
    assert not results.errors
    return Counts(size.configs, moments)


WHO: dict[str, Callable[[Size], Counts]] = {"engine": engine, "service": service, "stock": stock, "quiet": stock}


def main(who: str, configs: str, r_to_R: str, eta: str, workers: str) -> None:
    """Measure one run."""
    if who != "stock":
        os.environ.update(QUIET)
    import ray
    import ray.tune  # everybody's imports before the clock

    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    rungs = [int(epochs) for epochs in r_to_R.split(",")]
    ray.init(num_cpus=int(workers), include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        before = resident()
        began = time.perf_counter()
        counts = WHO[who](Size(int(configs), rungs, int(eta), int(workers), folder))
        seconds = time.perf_counter() - began
        # Workers take seconds to start, of which a few are luck: the first tenth of the results is left out.
        results, first = len(counts.moments), len(counts.moments) // 10
        steady = (counts.moments[-1] - counts.moments[first]) / (results - 1 - first)
        found = {
            "seconds": seconds, "start_seconds": counts.moments[0] - began, "steady_seconds_a_result": steady,
            "configs": int(configs), "jobs": counts.jobs, "results": results,
            "before_mb": before, "end_mb": resident(),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }  # fmt: skip
    ray.shutdown()
    print("\n" + json.dumps(found), flush=True)


def resident() -> float:
    """Resident memory of this process, MB."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise OSError("no VmRSS in /proc/self/status")


def _draw(rng: Any) -> dict[str, float]:
    return {"x": float(rng.random())}


def _objective(task: Any) -> float:
    return float(task.config["x"])


if __name__ == "__main__":
    main(*sys.argv[1:])
