"""Which workers have been silent for so long that they are taken for lost.

Ray notices a process that has died, and a machine that has fallen silent. It does not notice a process that is there
and does nothing: one that was stopped, or hangs in a dead network file system or in a driver of its GPU. Such a worker
would keep its job, and so the study, for ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)

LEAST_SECONDS = 600.0
LONGEST_EPOCHS = 20.0
"""A job may be silent for the first, and for so many times as long as any worker has taken for a report until now."""


class Silence(Generic[T]):
    """When running jobs gave their last sign of life."""

    def __init__(self, seconds: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing runs yet.

        Args:
            seconds: that a job may be silent; by default it is learned from the reports, and there is no bound before
                the first one.
            clock: seconds.
        """
        self._seconds = seconds
        self._clock = clock
        self._longest: float | None = None
        self._heard: dict[T, float] = {}

    @property
    def bound(self) -> float | None:
        """Seconds that a job may be silent now; ``None`` for any number."""
        if self._seconds is not None or self._longest is None:
            return self._seconds
        return max(LEAST_SECONDS, LONGEST_EPOCHS * self._longest)

    def report(self, job: T) -> None:
        """A job has reported."""
        now = self._clock()
        if job in self._heard:
            self._longest = max(self._longest or 0.0, now - self._heard[job])
        self._heard[job] = now

    def silent(self, running: Iterable[T]) -> list[T]:
        """Which of these, which are all that run, have been silent for too long. Each is named once."""
        now, bound = self._clock(), self.bound
        self._heard = {job: self._heard.get(job, now) for job in running}
        found = [] if bound is None else [job for job, heard in self._heard.items() if now - heard > bound]
        for job in found:
            self._heard[job] = float("inf")
        return found
