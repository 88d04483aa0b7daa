"""Which workers have been silent for so long that they are given up.

A process that was stopped, or hangs in a dead network mount or in a GPU's driver, reports nothing for ever and dies
never; Ray sees nothing wrong in it. Nor can anyone tell it from a long epoch, except by how long this study's epochs
take.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from trials.contract import Failure, Task

K = TypeVar("K", bound=Hashable)

LEAST = 600.0
"""Seconds that a job may always be silent, unless a person says otherwise."""
EPOCHS = 20.0
"""Times as long as the longest epoch so far a job may be silent."""
PAUSE = 1.0
"""Seconds between two looks; what a driver was away for beyond that (suspended, waiting for its store) does not count,
as it could hear nobody."""


def allowed(given: float | None, longest: float | None, epochs: int = 1) -> float:
    """Seconds that a job may be silent.

    Args:
        given: what a person says; ``None`` for the rule.
        longest: seconds of the longest epoch so far; ``None`` before the first, when nobody knows what to expect.
        epochs: that the job's next report is to cover, >= 1.
    """
    if given is not None:
        return given
    return math.inf if longest is None else max(LEAST, EPOCHS * longest * epochs)


@dataclass(slots=True)
class _Job:
    epoch: int  # reported last, or begun with
    since: float
    given_up: bool = False


class Silence(Generic[K]):
    """Listens to all jobs of a study, by whatever key they have."""

    def __init__(self, given: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Nobody is listened to yet.

        Args:
            given: seconds that a job may be silent; ``None`` for :func:`allowed`'s rule.
            clock: seconds.
        """
        self._given = given
        self._clock = clock
        self._seen = clock()
        self._now = self._looked = 0.0  # seconds listened
        self._jobs: dict[K, _Job] = {}
        self._longest: float | None = None
        self._each_epoch = False  # whether jobs are known to report before they are over

    def is_time(self) -> bool:
        """Whether it is time for another look; to be called often."""
        now = self._clock()
        self._now += min(now - self._seen, PAUSE)
        self._seen = now
        return self._now >= self._looked + PAUSE

    def look(self, running: Mapping[K, Task]) -> dict[K, Failure]:
        """Those of all jobs that a worker has now whose worker is to be given up; each is named once."""
        self._looked = self._now
        self._jobs = {
            key: self._jobs.get(key) or _Job(_begun(task), self._now) for key, task in running.items()
        }  # fmt: skip
        overdue = {}
        for key, job in self._jobs.items():
            epochs = 1 if self._each_epoch else max(1, running[key].stop - job.epoch)
            limit, silent = allowed(self._given, self._longest, epochs), self._now - job.since
            if silent > limit and not job.given_up:
                job.given_up = True
                overdue[key] = Failure("worker_lost", self._reason(silent, limit))
        return overdue

    def heard(self, key: K, task: Task, epoch: int) -> None:
        """A job has reported an epoch."""
        job = self._jobs.get(key)
        if job is None:  # quicker than anybody looked
            job = self._jobs[key] = _Job(_begun(task), self._now)
        epochs = max(1, epoch - job.epoch)
        self._each_epoch = self._each_epoch or epoch < task.stop
        self._longest = max(self._longest or 0.0, (self._now - job.since) / epochs)
        job.epoch, job.since = epoch, self._now

    def _reason(self, silent: float, limit: float) -> str:
        rule = "as the study says"
        if self._given is None:
            rule = f"{EPOCHS:g} times the longest epoch so far, but at least {LEAST:g} s"
        return (
            f"the worker reported nothing for {silent:.0f} s (stopped, or hangs), and was killed\n"
            f"A job may be silent for {limit:.0f} s ({rule}); silence_minutes under [engine] changes that."
        )


def _begun(task: Task) -> int:
    """The epoch that a job goes on from."""
    return max([task.start, *(each.epoch for each in task.checkpoints if each.epoch < task.stop)])
