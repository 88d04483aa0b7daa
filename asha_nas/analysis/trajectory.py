"""How the best result of a study came about: when its incumbent changed, and what had been spent by then.

This is all that is kept of a repeat of a simulated study, and all that comparing studies needs. The fold is cheap
enough to listen to every event of many repeats.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from asha_nas.reuse import NOTE, Trained
from asha_nas.store.events import Asked, Event, Opened, Reported, Told


@dataclass(frozen=True, slots=True)
class Spent:
    """What a study had spent at some moment."""

    evaluations: int = 0
    """Jobs that had ended; those that failed or diverged count."""
    epochs: int = 0
    """Epochs that these jobs trained, as :class:`asha_nas.analysis.history.Cost` counts them: none for one whose result
    was reused, which is an evaluation all the same."""
    spent_seconds: float = 0.0
    """Their cost, summed in the order they ended in: the simulated time t_sim = t_search + t_train of NAS-Bench-1Shot1
    (Zela et al., 2020, Sec. 5.4). Of a job it is what its last report's clock has as ``simulated_seconds``, else the
    seconds of its epochs."""
    clock_seconds: float = 0.0
    """Time since the study began, by the log, without that between two sessions."""


@dataclass(frozen=True, slots=True)
class Trajectory:
    """The incumbents of a study, in order. All tuples have one entry for each time that the incumbent changed.

    The incumbent is the job of the lowest loss at any budget; see :func:`rank` for ties.
    """

    evaluations: tuple[int, ...]
    """Ascending; see :class:`Spent` for this and the next three."""
    epochs: tuple[int, ...]
    spent_seconds: tuple[float, ...]
    clock_seconds: tuple[float, ...]
    loss: tuple[float, ...]
    """Less is better; never rises."""
    metrics: Mapping[str, tuple[float, ...]]
    """By name, what the incumbent's last epoch reported; NaN where it did not."""
    end: Spent
    """At the end of the study, or by now."""

    def __len__(self) -> int:
        """How often the incumbent changed."""
        return len(self.loss)

    def to_plain(self) -> dict[str, Any]:
        """Plain JSON values; NaN as None."""
        return {
            **{name: list(getattr(self, name)) for name in (*_AXES, "loss")},
            "metrics": {
                name: [None if math.isnan(value) else value for value in values]
                for name, values in self.metrics.items()
            },
            "end": {name: getattr(self.end, name) for name in _AXES},
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Trajectory:
        """What :meth:`to_plain` made.

        Raises:
            ValueError: a part is missing, or parts have different lengths.
        """
        try:
            columns = {name: tuple(plain[name]) for name in (*_AXES, "loss")}
            metrics = {name: _numbers(values) for name, values in plain["metrics"].items()}
            end = Spent(**plain["end"])
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"no trajectory: {error}") from None
        if len({len(values) for values in (*columns.values(), *metrics.values())}) > 1:
            raise ValueError("no trajectory: its parts have different lengths")
        return cls(**columns, metrics=metrics, end=end)


_AXES = ("evaluations", "epochs", "spent_seconds", "clock_seconds")


def _numbers(values: Iterable[float | None]) -> tuple[float, ...]:
    return tuple(math.nan if value is None else value for value in values)


def rank(loss: float, stop: int, trial: int) -> tuple[float, int, int]:
    """What makes a result the better one, least first: a lower loss; ties: more epochs, lower trial."""
    return (loss, -stop, trial)


@dataclass(slots=True)
class _Running:
    """A job in flight."""

    trial: int
    begin: int
    """Epochs that its training had before."""
    stop: int
    last: int
    """Highest epoch trained; ``begin`` before."""
    reused: bool = False
    seconds: dict[int, float] = field(default_factory=dict)
    """By epoch: one that is trained again, after a crash, takes the place of the earlier."""
    simulated: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Of epoch ``stop``."""


class TrajectoryFold:
    """The fold. Feed it events in order; ask for the trajectory at any time in between."""

    def __init__(self) -> None:
        self._running: dict[int, _Running] = {}
        self._trained = Trained()
        self._best: tuple[float, int, int] = (math.inf, 0, 0)
        self._changes: list[tuple[Spent, float, Mapping[str, float]]] = []
        self._evaluations = self._epochs = 0
        self._seconds = 0.0
        self._began: float | None = None
        self._now = 0.0

    def add(self, event: Event, time: float) -> None:
        """Fold in the next event.

        Args:
            event: of the study.
            time: when it happened, in seconds since any moment; never falls within a session.
        """
        if self._began is None:
            self._began = time
        elif isinstance(event, Opened):
            self._began += time - self._now  # nobody ran it meanwhile
        self._now = time
        if isinstance(event, Reported):
            job = self._running[event.job]
            epoch, clock = event.epoch, event.clock
            if NOTE in event.notes:
                job.reused = True
            else:
                job.last = max(job.last, epoch)
            job.seconds[epoch] = clock.get("seconds", 0.0)
            job.simulated = clock.get("simulated_seconds", job.simulated)
            if epoch == job.stop:
                job.metrics = event.metrics
        elif isinstance(event, Asked):
            self._running[event.job] = _Running(event.trial, begin := self._trained.begin(event), event.stop, begin)
        elif isinstance(event, Told):
            self._end(self._running.pop(event.job), event.loss)

    def _end(self, job: _Running, loss: float | None) -> None:
        self._evaluations += 1
        self._epochs += job.last - job.begin
        if job.reused:
            self._trained.reuse(job.trial, job.last)
        self._seconds += sum(job.seconds.values()) if job.simulated is None else job.simulated
        if loss is not None and (found := rank(loss, job.stop, job.trial)) < self._best:
            self._best = found
            self._changes.append((self.spent(), loss, job.metrics))

    def spent(self) -> Spent:
        """What has been spent so far."""
        clock = 0.0 if self._began is None else self._now - self._began
        return Spent(self._evaluations, self._epochs, self._seconds, clock)

    def trajectory(self) -> Trajectory:
        """The trajectory so far."""
        names = dict.fromkeys(name for _, _, metrics in self._changes for name in metrics)
        columns = {name: tuple(getattr(spent, name) for spent, _, _ in self._changes) for name in _AXES}
        return Trajectory(
            **columns, loss=tuple(loss for _, loss, _ in self._changes),
            metrics={
                name: tuple(metrics.get(name, math.nan) for _, _, metrics in self._changes) for name in names
            },
            end=self.spent(),
        )  # fmt: skip
