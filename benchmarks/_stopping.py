"""Peers' schedulers that stop trials, driven on a virtual clock: their own objects decide, without their clusters."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Protocol

from asha_nas.problems import Problem
from asha_nas.samplers import Independent
from asha_nas.schedulers import Config
from asha_nas.study import StudySpec
from trials.contract import Report, Task, TrialFailure


@dataclass(slots=True)
class Best:
    """The lowest loss reported so far, at each moment that it fell."""

    times: list[float] = field(default_factory=list)
    """Seconds, ascending."""
    metrics: list[dict[str, float]] = field(default_factory=list)
    _loss: float = float("inf")

    def add(self, time: float, loss: float, metrics: dict[str, float]) -> None:
        """A report."""
        if loss < self._loss:
            self._loss = loss
            self.times.append(time)
            self.metrics.append(metrics)


class Stopping(Protocol):
    """A scheduler that lets a trial go on, or stops it for good."""

    def begin(self, trial: int) -> None:
        """A trial starts."""
        ...

    def goes_on(self, trial: int, epoch: int, loss: float) -> bool:
        """A trial has reported."""
        ...


class RayTune:
    """Ray Tune's ``AsyncHyperBandScheduler`` (``ASHAScheduler``)."""

    def __init__(self, r: int, R: int, eta: int) -> None:
        from ray.tune.schedulers import AsyncHyperBandScheduler

        self._scheduler = AsyncHyperBandScheduler(
            time_attr="epoch", metric="loss", mode="min", grace_period=r, max_t=R, reduction_factor=eta
        )
        self._trials: dict[int, Any] = {}

    def begin(self, trial: int) -> None:
        """See :class:`Stopping`."""
        self._trials[trial] = SimpleNamespace(trial_id=str(trial))
        self._scheduler.on_trial_add(None, self._trials[trial])

    def goes_on(self, trial: int, epoch: int, loss: float) -> bool:
        """See :class:`Stopping`."""
        result = {"epoch": epoch, "loss": loss}
        return bool(self._scheduler.on_trial_result(None, self._trials[trial], result) != self._scheduler.STOP)


class SyneTune:
    """Syne Tune's ``AsynchronousSuccessiveHalving``; its searcher is asked nothing."""

    def __init__(self, r: int, R: int, eta: int) -> None:
        from syne_tune.config_space import uniform
        from syne_tune.optimizer.schedulers.asha import AsynchronousSuccessiveHalving

        searcher = SimpleNamespace(on_trial_result=lambda *_, **__: None)
        self._scheduler = AsynchronousSuccessiveHalving(
            {"x": uniform(0, 1)}, metric="loss", searcher=searcher, time_attr="epoch", grace_period=r, max_t=R,
            reduction_factor=eta, random_seed=0,
        )  # fmt: skip
        self._trials: dict[int, Any] = {}

    def begin(self, trial: int) -> None:
        """See :class:`Stopping`."""
        self._trials[trial] = SimpleNamespace(trial_id=trial, config={"x": 0.5})
        self._scheduler.on_trial_add(self._trials[trial])

    def goes_on(self, trial: int, epoch: int, loss: float) -> bool:
        """See :class:`Stopping`."""
        return bool(self._scheduler.on_trial_result(self._trials[trial], {"epoch": epoch, "loss": loss}) != "STOP")


PEERS: dict[str, tuple[str, Callable[[int, int, int], Stopping]]] = {
    "Ray Tune": ("ray", RayTune),
    "Syne Tune": ("syne-tune", SyneTune),
}
"""By name, the package and what makes one of r, R and η."""


def play_stopping(peer: Stopping, spec: StudySpec, problem: Problem, workers: int, until: float) -> Best:
    """Play a study whose trials are those that our studies of this seed draw, on the same clock.

    Args:
        peer: decides.
        spec: gives the seed and the rungs, and whether each rung is a training from scratch.
        problem: what is looked up.
        workers: trials at a time.
        until: seconds on the virtual clock.
    """
    sampler, best = Independent(problem.draw, spec.seed), Best()
    events: list[tuple[float, int, int, Report, Iterator[Report]]] = []
    made = started = 0

    def follow(now: float, trial: int, reports: Iterator[Report]) -> bool:
        """Note when the trial reports next; False at its end."""
        nonlocal made
        try:
            report = next(reports, None)
        except TrialFailure:  # it diverged: its worker is free, and its scheduler is told nothing
            return False
        if report is not None:
            heapq.heappush(events, (now + report.seconds, made, trial, report, reports))
            made += 1
        return report is not None

    def start(now: float) -> None:
        nonlocal started
        under_way = False
        while not under_way:
            trial, started = started, started + 1
            peer.begin(trial)
            under_way = follow(now, trial, _reports(spec, problem, trial, sampler.propose(trial).config))

    for _ in range(workers):
        start(0.0)
    while events[0][0] <= until:
        now, _, trial, report, reports = heapq.heappop(events)
        loss = problem.loss(report.metrics)
        best.add(now, loss, dict(report.metrics))
        if not (peer.goes_on(trial, report.epoch, loss) and follow(now, trial, reports)):
            start(now)
    return best


def _reports(spec: StudySpec, problem: Problem, trial: int, config: Config) -> Iterator[Report]:
    """All that a trial can report; one from scratch for each rung, where each is a training of its own."""
    ladder = spec.scheduler.ladder
    for stop in ladder if spec.problem.from_scratch else ladder[-1:]:
        yield from problem.trial(Task(trial, config, 0, stop, seed=0, folder=""))
