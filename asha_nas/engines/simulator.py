"""Plays a study on a virtual clock: hundreds of workers and days of training in a moment.

A trial's reports say how many seconds they took (:attr:`trials.contract.Report.seconds`), and the clock jumps from
one report to the next. So any trial that looks its results up, instead of training, can be played; what is logged, in
which order and at what times, is what a cluster of so many workers would have logged.

Stragglers and failures are those of Li et al. (2020, arXiv:1810.05934, appendix A.1), with a rate for the latter: each
job takes 1 + |z| times as long as it should, z ~ N(0, σ), and a busy worker is lost after an exponential time.
"""

from __future__ import annotations

import dataclasses
import heapq
import math
import time
from collections.abc import Iterator

import numpy as np

from asha_nas.engines.protocol import Assignment, JobSource
from asha_nas.schedulers import DONE, Answer
from trials.contract import Failure, Report, Trial, run, step

_STREAM = 1
"""Sets these draws apart from those of samplers, which are seeded by (seed, number): NumPy ignores zeros at the end."""

LOST = Failure("worker_lost", "the simulated worker was lost")


@dataclasses.dataclass(slots=True)
class _Job:
    """A job under way."""

    assignment: Assignment
    reports: Iterator[Report]
    slowness: float
    """Factor on its seconds."""
    lost_at: float
    """When its worker is lost, unless it has ended; seconds on the virtual clock."""


_News = Report | Failure | None


class SimulatorEngine:
    """Runs jobs on ``workers`` workers that exist on a virtual clock only. Deterministic, like its log."""

    def __init__(
        self, workers: int, *, stragglers: float = 0.0, failures: float = 0.0, seed: int = 0, began: float | None = None
    ) -> None:
        """A cluster that has not begun.

        Args:
            workers: jobs at a time, >= 1.
            stragglers: standard deviation of the slowness of jobs, >= 0.
            failures: times an hour that a busy worker is lost, >= 0.
            seed: of stragglers and failures, together with a job's number and attempt.
            began: where the clock stands, in seconds since 1970; now, if not given.
        """
        self._workers = workers
        self._stragglers = stragglers
        self._failures = failures
        self._seed = seed
        self._now = time.time() if began is None else began
        self._events: list[tuple[float, int, _Job, _News]] = []  # a heap; ties in the order they were made
        self._made = 0

    def now(self) -> float:
        """The virtual clock, in seconds since 1970."""
        return self._now

    def run(self, source: JobSource, trial: Trial) -> None:
        """Run jobs until the source answers DONE."""
        self._events.clear()
        busy = 0
        while True:
            answer: Assignment | Answer | None = None
            while busy < self._workers and isinstance(answer := source.ask(), Assignment):
                self._start(answer, trial)
                busy += 1
            if not self._events:
                assert answer is DONE, "a source answered WAIT although no job is in flight"
                return
            self._now, _, job, news = heapq.heappop(self._events)
            busy -= self._take(source, job, news)

    def _start(self, assignment: Assignment, trial: Trial) -> None:
        slowness, lost_at = 1.0, math.inf
        if self._stragglers or self._failures:
            rng = np.random.default_rng([self._seed, assignment.job.number, assignment.attempt, _STREAM])
            slowness += abs(self._stragglers * rng.standard_normal())
            if self._failures:
                lost_at = self._now + rng.exponential(3600 / self._failures)
        # Nothing waits here: a trial that measures its own time would be too slow for the clock, not wrong.
        self._next(_Job(assignment, run(trial, assignment.task), slowness, lost_at))

    def _next(self, job: _Job) -> None:
        """Let the job work up to its next news, and note when that comes."""
        news = step(job.reports)
        at = self._now
        if isinstance(news, Report):
            seconds = max(0.0, news.seconds) * job.slowness
            news = dataclasses.replace(news, seconds=seconds) if job.slowness != 1.0 else news
            at += seconds
        if at > job.lost_at:
            at, news = max(self._now, job.lost_at), LOST
        heapq.heappush(self._events, (at, self._made, job, news))
        self._made += 1

    def _take(self, source: JobSource, job: _Job, news: _News) -> int:
        """Bring news to the source. Returns how many workers are free by it."""
        if isinstance(news, Report):
            source.report(job.assignment, news)
            if news.epoch < job.assignment.task.stop:
                self._next(job)
                return 0
            news = step(job.reports)  # its end, which takes no time
        assert not isinstance(news, Report)  # `run` ends a trial there
        source.ended(job.assignment, news)
        return 1
