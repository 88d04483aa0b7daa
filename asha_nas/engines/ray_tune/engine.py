"""Runs each job as one Ray Tune trial on reused actors."""

from __future__ import annotations

import logging
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import ray
from ray import tune

from asha_nas.engines.protocol import JobSource
from asha_nas.engines.ray_tune.generator import JobGenerator
from asha_nas.engines.ray_tune.searcher import NEWS_KEY, TASK_KEY, SourceSearcher, StopOnError, is_last, reports
from asha_nas.engines.ray_tune.silence import Silence
from asha_nas.engines.ray_tune.workers import NoProgress, WorkerKeeper
from asha_nas.engines.stopping import sigterm_as_ctrl_c
from asha_nas.sharing import Allot, Capacity, Need, Sharing, fitting
from cluster.connection import connected, resolved
from cluster.watch import watched
from spaces.errors import InvalidValue
from trials.contract import Report, Task, Trial, run, step

# What Tune would do besides running jobs, and the store does better: loggers and copies of all results,
# an experiment snapshot every few seconds whose size grows with the number of jobs.
_TUNE_ENVIRONMENT = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": str(10**9),
    # Workers start all at once, not one after the other. How many is the searcher's to say: it gives no more jobs.
    "TUNE_MAX_PENDING_TRIALS_PG": str(10**6),
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "60",
    "RAY_AIR_NEW_OUTPUT": "0",
}


@dataclass(frozen=True, slots=True)
class RayTuneEngine:
    """The engine for laptops and clusters alike."""

    workers: int | None = None
    """Jobs at a time; ``None`` for as many as the cluster has room for, as it grows and shrinks."""
    cpus_per_trial: float = 1.0
    gpus_per_trial: float = 0.0
    """May be a fraction."""
    address: str | None = None
    """Cluster to join; ``None`` for ``RAY_ADDRESS``, else a Ray of our own on this machine."""
    dashboard: bool = False
    """Whether a Ray of our own has a dashboard."""
    announce: Callable[[str], None] = lambda _url: None
    """Called with the dashboard's URL, if there is one."""
    sharing: Sharing | None = None
    """Says how much of a cluster that others may use is the study's; ``None`` for all that there is room for."""
    silence_minutes: float | None = None
    """After which a worker that gives no report is killed and its job repeated; ``None`` to learn it
    (:mod:`asha_nas.engines.ray_tune.silence`)."""

    def run(self, source: JobSource, trial: Trial) -> None:
        """Run jobs until the source answers DONE.

        Raises:
            ClusterUnreachable: there is no Ray at ``address``.
            ClusterLost: its head is gone.
            InvalidValue: Ray has no room for even one job.
            KeyboardInterrupt: a person pressed Ctrl-C; running jobs were told to stop.
        """
        # A Ray of our own offers as many processors as the workers ask for, be there fewer; GPUs only those there are.
        cpus = None if self.workers is None else math.ceil(self.workers * self.cpus_per_trial)
        ours = resolved(self.address) is None and not ray.is_initialized()
        searcher = SourceSearcher(source, lambda: 0 if keeper.busy else room())
        keeper = WorkerKeeper(
            is_last,
            lambda held: searcher.in_flight + held - room() if allot else 0,
            heard=reports,
            task=lambda job: job.config[TASK_KEY],
            silence=Silence(None if self.silence_minutes is None else 60.0 * self.silence_minutes),
            give_up=searcher.give_up,
        )
        room = _remembered(lambda: self._share(searcher, keeper, allot), seconds=1.0)
        # The innermost handler of SIGTERM: only here is it known whether a worker has begun what could be saved.
        with (
            connected(self.address, cpus=cpus, dashboard=self.dashboard) as url,
            sigterm_as_ctrl_c(lambda: searcher.in_flight > keeper.waiting and source.leave()),
            _scratch() as folder,
            self._allotment(ours) as allot,
        ):
            self._check_room()
            if url:
                self.announce(url)
            tuner = tune.Tuner(
                tune.with_resources(_trainable(trial), {"cpu": self.cpus_per_trial, "gpu": self.gpus_per_trial}),
                tune_config=tune.TuneConfig(
                    search_alg=JobGenerator(searcher), scheduler=keeper, num_samples=-1, reuse_actors=True
                ),
                run_config=tune.RunConfig(
                    name="jobs",
                    storage_path=folder,
                    verbose=0,
                    stop=StopOnError(searcher),
                    callbacks=[NoProgress()],
                    checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
                ),
            )
            with watched(searcher.fail):
                tuner.fit()
            if searcher.error is not None:
                raise searcher.error
            if not searcher.done:
                raise KeyboardInterrupt

    def _allotment(self, ours: bool) -> AbstractContextManager[Allot | None]:
        """What divides the cluster; nothing where it is ours alone."""
        if ours or self.sharing is None:
            return nullcontext()
        # A cluster's name for itself, whatever the address: another one each time that its head is started.
        return self.sharing(ray.get_runtime_context().get_session_name())

    def _share(self, searcher: SourceSearcher, keeper: WorkerKeeper, allot: Allot | None) -> int:
        """Jobs that may run at a time, given what the cluster has now and what others claim."""
        capacity, room = self._room()
        if allot is None:
            return room
        need = Need(
            self.cpus_per_trial, self.gpus_per_trial,
            wanted=max(room, searcher.in_flight) if searcher.wants_more else searcher.in_flight,
            most=max(room, searcher.in_flight),
            workers=searcher.in_flight - keeper.waiting + keeper.held,
        )  # fmt: skip
        return min(room, allot(capacity, need))

    def _room(self) -> tuple[Capacity, int]:
        """What the cluster has now, and how many of our jobs it has room for."""
        have: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        capacity = Capacity(have.get("CPU", 0.0), have.get("GPU", 0.0))
        fit = fitting(capacity, self.cpus_per_trial, self.gpus_per_trial)
        return capacity, fit if self.workers is None else min(self.workers, fit)

    def _check_room(self) -> None:
        have, room = self._room()
        if room < 1:
            raise InvalidValue(
                "resources of a job",
                f"{self.cpus_per_trial:g} CPUs and {self.gpus_per_trial:g} GPUs",
                f"Ray has only {have.cpus:g} CPUs and {have.gpus:g} GPUs",
                "Lower --cpus-per-trial or --gpus-per-trial, or join a larger cluster with --address.",
            )


def _remembered(look_up: Callable[[], int], seconds: float) -> Callable[[], int]:
    """``look_up``, asked again only after so many seconds: it is wanted at every step of Tune, several times a job."""
    value, until = 0, -math.inf

    def recent() -> int:
        nonlocal value, until
        if time.monotonic() >= until:
            value, until = look_up(), time.monotonic() + seconds
        return value

    return recent


def _trainable(trial: Trial) -> type[tune.Trainable]:
    """A Tune trainable that steps through ``trial``'s reports; failures are news too, so the actor lives on."""
    # Unpickled when it is first run, not with the class: a module that a worker lacks is then the failure
    # of a job, with its reason, and not an actor that cannot be made.
    pickled = ray.cloudpickle.dumps(trial)  # type: ignore[no-untyped-call]

    def run_pickled(task: Task) -> Iterator[Report]:
        yield from run(ray.cloudpickle.loads(pickled), task)

    class Job(tune.Trainable):
        _reports: Iterator[Report]

        def setup(self, config: Mapping[str, Any]) -> None:
            self.reset_config(config)

        def reset_config(self, new_config: Mapping[str, Any]) -> bool:
            self._task: Task = new_config[TASK_KEY]
            self._reports = run_pickled(self._task)
            return True

        def step(self) -> dict[str, Any]:
            # The last epoch's report and the end travel together, which saves a message to and fro.
            news = [step(self._reports)]
            if isinstance(news[0], Report) and news[0].epoch >= self._task.stop:
                news.append(step(self._reports))
            return {NEWS_KEY: news}

    return Job


@contextmanager
def _scratch() -> Iterator[str]:
    """A folder for what Tune insists on writing, and a quiet Tune while it is used."""
    folder = tempfile.mkdtemp(prefix="asha-nas-tune-")
    before = {name: os.environ.get(name) for name in _TUNE_ENVIRONMENT}
    os.environ.update(_TUNE_ENVIRONMENT)
    logger = logging.getLogger("ray.tune")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield folder
    finally:
        logger.setLevel(level)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        shutil.rmtree(folder, ignore_errors=True)
