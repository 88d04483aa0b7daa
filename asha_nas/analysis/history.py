"""A study's log folded into trials, jobs and rungs: what every report, page and frame is made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from asha_nas.analysis.trajectory import Trajectory, TrajectoryFold, rank
from asha_nas.errors import NoResult, TrialNotFound
from asha_nas.reuse import NOTE, Trained
from asha_nas.store import Asked, Closed, Event, Failed, Opened, Repeated, Reported, Row, Told
from asha_nas.study import StudySpec, Sweep
from trials.contract import Failure


@dataclass(slots=True)
class JobRecord:
    """One job and what became of it."""

    number: int
    trial: int
    rung: int
    start: int
    stop: int
    asked: int
    """Sequence number of its Asked event."""
    asked_at: float
    """Seconds since 1970, UTC."""
    begin: int = 0
    """Epochs that its training had when it was asked for: ``start``, unless results of its trial were reused."""
    bracket: int = 0
    """Bracket of its trial, in schedulers that have several."""
    told: int | None = None
    """Sequence number of its Told event, once it ended."""
    told_at: float | None = None
    loss: float | None = None
    """Less is better; ``None`` while it runs and when it failed."""
    failure: Failure | None = None
    """Why it ended without a result."""
    retries: list[Failure] = field(default_factory=list)
    """Attempts that failed and were repeated."""
    metrics: dict[int, Mapping[str, float]] = field(default_factory=dict)
    """By epoch."""
    seconds: dict[int, float] = field(default_factory=dict)
    """By epoch."""
    checkpoint_bytes: int = 0
    """Size of its newest checkpoint."""
    notes: dict[str, Any] = field(default_factory=dict)
    """What its reports said beside results, by name; of each name the latest."""
    clock: dict[str, Any] = field(default_factory=dict)
    """Times that its reports gave beside ``seconds``, by name; of each name the latest."""

    @property
    def epochs(self) -> int:
        """Epochs it trained so far beyond ``begin``, by the last one reported; a reused result is not trained."""
        # An objective that reports only at its end trained those before as well.
        return max(0, max(self._trained, default=self.begin) - self.begin)

    @property
    def retrained(self) -> int:
        """Reported epochs that its trial had before this job began, and trained again for want of a checkpoint."""
        return sum(epoch <= self.begin for epoch in self._trained)

    @property
    def reused(self) -> str | None:
        """Which trial of which study its result comes from, ``owner/study trial N``; ``None`` if it was trained."""
        return self.notes.get(NOTE)

    @property
    def spared(self) -> int:
        """Epochs that were not trained since its result was reused, of those it was asked for."""
        return max(0, self.stop - self.start - self.epochs) if self.reused else 0

    @property
    def _trained(self) -> list[int]:
        """Epochs that were reported and not reused."""
        return [epoch for epoch in self.metrics if not (self.reused and epoch == self.stop)]

    @property
    def state(self) -> str:
        """``running``, ``done``, ``diverged`` or ``failed``."""
        if self.told is None:
            return "running"
        if self.failure is None:
            return "done"
        return "diverged" if self.failure.kind == "diverged" else "failed"


@dataclass(slots=True)
class TrialRecord:
    """One trial and its jobs, lowest rung first. A job that starts at epoch 0 begins a training from scratch."""

    number: int
    config: Mapping[str, Any]
    identity: str | None
    """Canonical identity of its architecture, where the space has one."""
    origin: str = ""
    """Where its configuration comes from: ``default``, ``random``, ``model``, ``mutation`` or ``policy``."""
    jobs: list[JobRecord] = field(default_factory=list)

    @property
    def epochs(self) -> int:
        """Epochs of its longest training so far, by the jobs that gave a loss."""
        return max((job.stop for job in self.jobs if job.loss is not None), default=0)

    @property
    def telling(self) -> JobRecord:
        """The job that stands for it: of the lowest loss (ties: more epochs), or the last one, if none has a loss."""
        ended = [(job.loss, -job.stop, job.number) for job in self.jobs if job.loss is not None]
        number = min(ended)[2] if ended else self.jobs[-1].number
        return next(job for job in self.jobs if job.number == number)


@dataclass(frozen=True, slots=True)
class RungView:
    """One rung, as a person wants to see it."""

    rung: int
    epochs: int
    running: int
    results: int
    """Jobs that gave a loss."""
    diverged: int
    failed: int
    promoted: int
    """Trials that went up from here."""
    best: float | None
    """Lowest loss."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a study spent, beside training every architecture it started to R."""

    trials: int
    epochs: int
    """Epochs trained, of all trainings: a trial that is trained from scratch at each budget has several. Each epoch of
    a training counts once: one that was trained again, after a crash or because a checkpoint was lost or damaged,
    cost time (``trial_seconds``) but is progress only once."""
    retrained_epochs: int
    """Epochs that a later job of the same trial trained again, for want of a checkpoint; not in ``epochs``."""
    full_epochs: int | None
    """Epochs that training every trial once, straight to R, would have taken; ``None`` in a sweep, which leaves nothing
    out."""
    trial_seconds: float
    """Summed over workers."""
    wall_seconds: float
    """Of all sessions."""
    reused: int = 0
    """Results that were taken over from other studies."""
    reused_epochs: int = 0
    """Epochs that their jobs were asked for and did not train; not in ``epochs``. A trial that goes up from a reused
    result to one that nobody has is trained from epoch 0, and those epochs are in ``epochs`` then."""


class History:
    """The fold. Feed it rows in order; read it at any time in between."""

    def __init__(self, spec: StudySpec, name: str | None = None, owner: str = "") -> None:
        """The history of a study that has not begun.

        Args:
            spec: the study.
            name: what it is called in words, ``owner/name`` where it is another's; by default as the spec says.
            owner: whose it is; empty for nobody's.
        """
        self.spec = spec
        self.name = spec.name if name is None else name
        self.owner = owner
        self.ladder = spec.scheduler.ladder
        """Epochs of each rung, ascending."""
        self.trials: dict[int, TrialRecord] = {}
        self.jobs: dict[int, JobRecord] = {}
        self.incumbents: list[JobRecord] = []
        """The best job so far, each time it changed."""
        self.state = "new"
        """``new``, ``open`` (a driver runs it, or died), or why its last driver stopped."""
        self.shortage = ""
        """Where there was no room for checkpoints, in words, if its last driver stopped because of that."""
        self.repeats: dict[int, Trajectory] = {}
        """Of a study that was simulated repeatedly, what is kept of each repeat, by its number."""
        self._fold = TrajectoryFold()
        self._trained = Trained()
        self._sessions: list[tuple[float, float]] = []

    @classmethod
    def of(cls, spec: StudySpec, rows: Iterable[Row]) -> History:
        """The history that a log tells."""
        history = cls(spec)
        for row in rows:
            history.add(row.event, row.sequence, row.time)
        return history

    def add(self, event: Event, sequence: int, time: float) -> None:
        """Fold in the next event."""
        self._fold.add(event, time)
        match event:
            case Opened():
                self.state, self.shortage = "open", ""
                self._sessions.append((time, time))
            case Closed():
                self.state = event.reason
                self.shortage = str(event.clock.get("shortage", ""))
            case Asked():
                job = JobRecord(
                    event.job, event.trial, event.rung, event.start, event.stop, sequence, time,
                    self._trained.begin(event), event.bracket,
                )  # fmt: skip
                if event.trial not in self.trials:
                    self.trials[event.trial] = TrialRecord(
                        event.trial, event.config or {}, event.identity, event.origin
                    )
                self.trials[event.trial].jobs.append(job)
                self.jobs[event.job] = job
            case Reported():
                job = self.jobs[event.job]
                job.metrics[event.epoch] = event.metrics
                if NOTE not in event.notes:
                    job.seconds[event.epoch] = float(event.clock.get("seconds", 0.0))
                job.notes.update(event.notes)
                job.clock.update({name: value for name, value in event.clock.items() if name != "seconds"})
                if event.checkpoint is not None:
                    job.checkpoint_bytes = event.checkpoint.size
            case Failed():
                self.jobs[event.job].retries.append(event.failure)
            case Told():
                self._end(self.jobs[event.job], event, sequence, time)
            case Repeated():
                self.repeats[event.repeat] = Trajectory.from_plain(event.trajectory)
            case _:
                pass
        if self._sessions:
            self._sessions[-1] = (self._sessions[-1][0], time)

    def _end(self, job: JobRecord, event: Told, sequence: int, time: float) -> None:
        job.told, job.told_at, job.loss, job.failure = sequence, time, event.loss, event.failure
        if job.reused:
            self._trained.reuse(job.trial, job.begin + job.epochs)
        if job.loss is not None and (not self.incumbents or _rank(job) < _rank(self.incumbents[-1])):
            self.incumbents.append(job)

    @property
    def found_something(self) -> bool:
        """Whether a job gave a result, in the study itself or in one of its repeats."""
        return bool(self.incumbents) or any(len(one) for one in self.repeats.values())

    @property
    def last_time(self) -> float | None:
        """When its newest event was, in seconds since 1970; None if there is none."""
        return self._sessions[-1][1] if self._sessions else None

    @property
    def trajectory(self) -> Trajectory:
        """How the best result came about."""
        return self._fold.trajectory()

    @property
    def best(self) -> JobRecord:
        """The job of the lowest loss at any rung (Li et al. 2020, Sec. 3.3); ties: more epochs, lower trial.

        Raises:
            NoResult: nothing has finished.
        """
        if not self.incumbents:
            raise NoResult("no job of this study has finished with a result yet\nSee: asha-nas show STUDY")
        return self.incumbents[-1]

    @property
    def best_trial(self) -> TrialRecord:
        """The trial of the best job; NoResult if nothing has finished."""
        return self.trials[self.best.trial]

    def value(self, loss: float | None) -> float | None:
        """The metric itself, from a loss (whose sign is turned where more is better)."""
        return -loss if loss is not None and self.spec.problem.mode == "max" else loss

    def shown(self, loss: float | None) -> str:
        """The metric for people, to four digits; a dot where there is none."""
        value = self.value(loss)
        return "·" if value is None else f"{value:.4f}"

    def trial(self, number: int) -> TrialRecord:
        """The trial of that number.

        Raises:
            TrialNotFound: there is none.
        """
        if number not in self.trials:
            known = f"0 to {max(self.trials)}" if self.trials else "none yet"
            raise TrialNotFound(f"no trial {number} in this study\nIts trials are: {known}.")
        return self.trials[number]

    def rungs(self) -> list[RungView]:
        """The ladder, lowest rung first."""
        levels: list[list[JobRecord]] = [[] for _ in self.ladder]
        for job in self.jobs.values():
            levels[job.rung].append(job)
        first = {trial.jobs[0].number for trial in self.trials.values()}
        above = [sum(job.number not in first for job in level) for level in levels[1:]] + [0]
        return [self._rung(k, level, promoted) for k, (level, promoted) in enumerate(zip(levels, above, strict=True))]

    def _rung(self, k: int, level: list[JobRecord], promoted: int) -> RungView:
        states = [job.state for job in level]
        return RungView(
            rung=k, epochs=self.ladder[k], running=states.count("running"), results=states.count("done"),
            diverged=states.count("diverged"), failed=states.count("failed"), promoted=promoted,
            best=min((job.loss for job in level if job.loss is not None), default=None),
        )  # fmt: skip

    def cost(self) -> Cost:
        """What was spent so far. An epoch that was trained twice counts once; see :class:`Cost`."""
        return Cost(
            trials=len(self.trials),
            epochs=sum(job.epochs for job in self.jobs.values()),
            retrained_epochs=sum(job.retrained for job in self.jobs.values()),
            full_epochs=None if isinstance(self.spec.scheduler, Sweep) else len(self.trials) * self.ladder[-1],
            trial_seconds=sum(sum(job.seconds.values()) for job in self.jobs.values()),
            # A clock that was set back meanwhile must not take away what other sessions took.
            wall_seconds=sum(max(0.0, end - begin) for begin, end in self._sessions),
            reused=sum(job.reused is not None for job in self.jobs.values()),
            reused_epochs=sum(job.spared for job in self.jobs.values()),
        )


def _rank(job: JobRecord) -> tuple[float, int, int]:
    assert job.loss is not None
    return rank(job.loss, job.stop, job.trial)
