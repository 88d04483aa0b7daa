"""A study's events as the numbers that are watched while it runs; plain, and of constant cost an event."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from asha_nas.reuse import NOTE, Trained
from asha_nas.store import Asked, Closed, Event, Failed, Opened, Reported, Row, Told
from asha_nas.study import StudySpec
from cluster import metrics
from cluster.metrics import Metric

Measurement = tuple[Metric, float, Mapping[str, str]]
"""A gauge's new value, an increment of a counter or what a histogram observes; with its tags beside
:data:`cluster.metrics.TAGS`."""

Meter = Callable[[Metric, float, Mapping[str, str]], None]
"""Takes a measurement; :class:`cluster.meter.RayMeter` passes it on to Ray."""


@dataclass(slots=True)
class _Job:
    """A job in flight."""

    trial: int
    rung: int
    asked_at: float | None  # None if another driver asked for it
    epoch: int
    seconds: float = 0.0
    reused: bool = False


class Telemetry:
    """Listens to a driver, and has a meter take what changed.

    :meth:`replay` the log first, so that a resumed study goes on from its totals.
    """

    def __init__(self, spec: StudySpec, meter: Meter, clock: Callable[[], float] = time.monotonic) -> None:
        """The telemetry of a study that has not begun.

        Args:
            spec: the study.
            meter: is told each measurement.
            clock: seconds.
        """
        self._meter = meter
        self._clock = clock
        self._ladder = spec.scheduler.ladder
        self._metric = {"metric": spec.problem.metric}
        self._sign = -1.0 if spec.problem.mode == "max" else 1.0
        self._jobs: dict[int, _Job] = {}
        self._trained = Trained()
        self._best: float | None = None
        self._totals: Counter[tuple[Metric, str]] = Counter()

    def replay(self, rows: Iterable[Row]) -> None:
        """Take over the totals that the log tells."""
        newest = {}
        for row in rows:
            for metric, value, tags in self._fold(row.event, None):
                if metric.kind == "gauge":
                    newest[metric, tuple(tags.items())] = value
        for (metric, its_tags), value in newest.items():
            self._meter(metric, value, dict(its_tags))

    def take(self, event: Event) -> None:
        """Take an event that has just been logged: a :data:`asha_nas.store.Listener`."""
        for measurement in self._fold(event, self._clock()):
            self._meter(*measurement)

    def _fold(self, event: Event, now: float | None) -> Iterator[Measurement]:
        match event:
            case Opened():
                yield self._state("running", 0)
            case Closed():
                yield metrics.JOBS, 0, {"state": "running"}  # those in flight wait in the log for the next driver
            case Asked():
                self._jobs[event.job] = _Job(event.trial, event.rung, now, self._trained.begin(event))
                yield self._state("running", 1)
                if event.config is not None:
                    yield self._total(metrics.TRIALS, "", 1, {})
                elif event.rung > 0:
                    yield self._on_rung(metrics.PROMOTIONS, event.rung - 1)
            case Reported() if event.job in self._jobs and NOTE in event.notes:
                self._jobs[event.job].reused = True
                yield self._total(metrics.REUSED, "", 1, {})
            case Reported() if event.job in self._jobs:
                yield from self._report(self._jobs[event.job], event)
            case Failed():
                kind = event.failure.kind
                yield self._total(metrics.FAILED_ATTEMPTS, kind, 1, {"failure": kind})
            case Told():
                yield from self._end(self._jobs.pop(event.job), event, now)
            case _:
                pass

    def _report(self, job: _Job, event: Reported) -> Iterator[Measurement]:
        seconds = float(event.clock.get("seconds", 0.0))
        job.seconds += seconds
        yield metrics.EPOCH_SECONDS, seconds, {}
        if event.epoch > job.epoch:  # not one that is trained again
            yield self._total(metrics.EPOCHS, "", event.epoch - job.epoch, {})
            job.epoch = event.epoch
        if event.checkpoint is not None:
            yield metrics.CHECKPOINT_BYTES, event.checkpoint.size, {}

    def _end(self, job: _Job, event: Told, now: float | None) -> Iterator[Measurement]:
        yield self._state("running", -1)
        if job.reused:
            self._trained.reuse(job.trial, job.epoch)
        if event.loss is not None:
            yield self._state("done", 1)
            yield self._on_rung(metrics.RESULTS, job.rung)
            if self._best is None or event.loss < self._best:
                self._best = event.loss
                yield metrics.BEST, self._sign * event.loss, self._metric
        else:
            diverged = event.failure is not None and event.failure.kind == "diverged"
            yield self._state("diverged" if diverged else "failed", 1)
        if now is not None and job.asked_at is not None and not job.reused:
            yield metrics.JOB_OVERHEAD, max(0.0, now - job.asked_at - job.seconds), {}

    def _state(self, state: str, more: int) -> Measurement:
        return self._total(metrics.JOBS, state, more, {"state": state})

    def _on_rung(self, metric: Metric, rung: int) -> Measurement:
        tags = {"rung": str(rung), "epochs": str(self._ladder[rung])}
        return self._total(metric, tags["rung"], 1, tags)

    def _total(self, metric: Metric, key: str, more: int, tags: Mapping[str, str]) -> Measurement:
        self._totals[metric, key] += more
        return metric, self._totals[metric, key], tags
