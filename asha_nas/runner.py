"""The driver: folds a study's log through a fresh scheduler, then goes on writing it.

Running and resuming are the same thing. A new study has an empty log; a study that was killed has a
longer one. Either way the driver replays what is there, hands out again the jobs that were in
flight, from their last checkpoint, and asks the scheduler for more. Nothing else is ever kept, so
there is nothing that a crash could leave half done: every event is one transaction.
"""

from __future__ import annotations

import hashlib
import math
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from asha_nas.engines import Assignment, Engine
from asha_nas.engines.stopping import sigterm_as_ctrl_c
from asha_nas.errors import ReplayMismatch
from asha_nas.problems import Problem, identity
from asha_nas.provenance import provenance
from asha_nas.schedulers import DONE, WAIT, Answer, Job, Outcome
from asha_nas.scheduling import sampler, scheduler
from asha_nas.store import (
    Asked,
    Closed,
    Event,
    Failed,
    Lease,
    Listener,
    Opened,
    Repeated,
    Reported,
    Row,
    Store,
    StudyRecord,
    Told,
)  # fmt: skip
from asha_nas.study import FullTraining, StudySpec, Sweep
from spaces.errors import InvalidValue
from trials.contract import Checkpoint, Failure, Report, Task

LOST_IN_A_ROW = 5
"""Jobs of a sweep without any result, one after the other, after which a session ends: something is out of order that
the next job will not mend. What was lost is handed out again when the study is resumed."""


@dataclass(slots=True)
class _Training:
    """A trial's course from epoch 0 on: one for all its jobs, or one for each that trains from scratch."""

    folder: str
    checkpoints: list[Checkpoint] = field(default_factory=list)  # newest first


@dataclass(slots=True)
class _Running:
    """A job that was asked for and not yet told."""

    job: Job
    attempt: int = 0
    metrics: dict[str, float] | None = None  # those of epoch job.stop, once reported
    failures: dict[str, int] = field(default_factory=dict)  # by kind


def trial_folder(study_folder: str, trial: int) -> str:
    """Where a trial keeps its checkpoints."""
    return f"{study_folder}/trial-{trial:05d}"


class Driver:
    """Runs one study: the source an engine takes jobs from.

    Used from one thread. What it has decided and learned is in the log before anyone acts on it.
    """

    def __init__(
        self,
        spec: StudySpec,
        problem: Problem,
        write: Callable[[Event], None],
        folder: str,
        clock: Callable[[], float] = time.monotonic,
        max_hours: float | None = None,
    ) -> None:
        """A driver that has seen nothing yet.

        Args:
            spec: the study.
            problem: what :func:`asha_nas.problems.build` made of it.
            write: puts an event into the log, whole, before it returns.
            folder: path or URL below which each trial has its folder of checkpoints.
            clock: seconds; decides nothing but the study's time limit.
            max_hours: time limit over all sessions, instead of the spec's.
        """
        self._spec = spec
        self._problem = problem
        self._write = write
        self._folder = folder.rstrip("/")
        self._clock = clock
        if max_hours is not None and not max_hours > 0:
            raise InvalidValue("max_hours", max_hours, "must be above 0", "Leave it out for no limit.")
        self._max_hours = spec.scheduler.max_hours if max_hours is None else max_hours
        # A final training must not repeat, by its seed, the very training that its architecture was chosen by.
        self._purpose = "evaluate" if isinstance(spec.problem, FullTraining) else ""
        self._scheduler = scheduler(spec, sampler(spec, problem))
        self._running: dict[int, _Running] = {}
        self._again: deque[int] = deque()  # jobs to hand out again, before any new one
        self._trainings: dict[int, _Training] = {}  # by trial, its newest
        self._spent = 0.0  # seconds of earlier sessions
        self._began = clock()
        self.session = 0
        self._lost_in_a_row = 0
        self.out_of_time = False
        self.stopping = False

    # --- replay ------------------------------------------------------------------------------------

    def replay(self, rows: Iterable[Row]) -> None:
        """Take over what the log says. Afterwards the driver is where the one that wrote it was.

        Raises:
            ReplayMismatch: the scheduler would not have decided what the log says it did.
        """
        opened = last = 0.0
        for row in rows:
            if isinstance(row.event, Opened):
                self._spent += last - opened
                opened = row.time
                self.session = row.event.session + 1
            last = row.time
            self._fold(row.event)
        self._spent += last - opened
        self._again = deque(self._running)

    def _fold(self, event: Event) -> None:
        match event:
            case Asked():
                job = self._scheduler.ask()
                if isinstance(job, Answer) or not _same(job, event):
                    raise ReplayMismatch(
                        f"the log of {self._spec.name!r} handed out job {event.job} as trial {event.trial},"
                        f" epochs {event.start} to {event.stop}; this version would decide otherwise: {job}\n"
                        "Resume it with the version it was made with (asha-nas show names it)."
                    )
                self._begin(job)
            case Reported():
                self._take_report(self._running[event.job], event)
            case Failed():
                running = self._running[event.job]
                running.attempt = event.attempt + 1
                running.failures[event.failure.kind] = running.failures.get(event.failure.kind, 0) + 1
            case Told():
                self._scheduler.tell(self._running.pop(event.job).job, _outcome(event))
            case _:
                pass

    # --- what engines call -------------------------------------------------------------------------

    def ask(self) -> Assignment | Answer:
        """The next job: one to be repeated, else what the scheduler says."""
        while self._again:
            running = self._running[self._again.popleft()]
            if running.metrics is None:
                return self._assignment(running)
            self._finish(running, None)  # its result is in the log; only the telling was missing
        if self.stopping or self._time_is_up():
            return WAIT if self._running else DONE
        job = self._scheduler.ask()
        if isinstance(job, Answer):
            return job
        first = job.trial not in self._trainings
        self._write(
            Asked(
                job=job.number, trial=job.trial, rung=job.rung, start=job.start, stop=job.stop, bracket=job.bracket,
                config=dict(job.config) if first else None,
                identity=identity(self._spec, job.config) if first else None, origin=job.origin,
            )
        )  # fmt: skip
        self._begin(job)
        return self._assignment(self._running[job.number])

    def report(self, assignment: Assignment, report: Report) -> None:
        """Log an epoch. A message from an attempt that was given up is ignored."""
        running = self._current(assignment)
        if running is None:
            return
        event = Reported(
            job=assignment.job.number, epoch=report.epoch, metrics=dict(report.metrics),
            checkpoint=report.checkpoint, notes=dict(report.notes),
            clock={**report.clock, "seconds": round(report.seconds, 4)},
        )  # fmt: skip
        self._write(event)
        self._fold(event)

    def ended(self, assignment: Assignment, failure: Failure | None) -> None:
        """Tell the scheduler how the job ended, or arrange for it to be repeated."""
        running = self._current(assignment)
        if running is None:
            return
        if running.metrics is None:
            failure = failure or Failure("crashed", f"the trial ended without a report of epoch {running.job.stop}")
            if running.failures.get(failure.kind, 0) < self._spec.retries.allowed(failure.kind):
                event = Failed(job=running.job.number, attempt=running.attempt, failure=failure)
                self._write(event)
                self._fold(event)
                self._again.append(running.job.number)
                return
        self._finish(running, failure)

    # --- inside ------------------------------------------------------------------------------------

    def _begin(self, job: Job) -> None:
        """Take a job in flight; one that starts at epoch 0 begins a training of its own."""
        self._running[job.number] = _Running(job)
        if job.start == 0:
            folder = trial_folder(self._folder, job.trial)
            again = job.trial in self._trainings
            self._trainings[job.trial] = _Training(f"{folder}/to-{job.stop:05d}" if again else folder)

    def _assignment(self, running: _Running) -> Assignment:
        job, training = running.job, self._trainings[running.job.trial]
        task = Task(
            trial=job.trial, config=job.config, start=job.start, stop=job.stop,
            seed=trial_seed(self._spec.seed, job.trial, self._purpose), folder=training.folder,
            checkpoints=tuple(training.checkpoints), job=job.number,
        )  # fmt: skip
        return Assignment(job, running.attempt, task)

    def _current(self, assignment: Assignment) -> _Running | None:
        running = self._running.get(assignment.job.number)
        return running if running is not None and running.attempt == assignment.attempt else None

    def _take_report(self, running: _Running, event: Reported) -> None:
        if event.epoch == running.job.stop:
            running.metrics = dict(event.metrics)
        if event.checkpoint is not None:
            known = self._trainings[running.job.trial].checkpoints
            known[:] = [event.checkpoint, *(c for c in known if c.epoch < event.checkpoint.epoch)][:3]

    def _finish(self, running: _Running, failure: Failure | None) -> None:
        """Log and tell the job's end. Once its last epoch is reported it has its result, whatever
        happened to its worker afterwards.
        """  # noqa: D205
        event = Told(job=running.job.number, loss=None, failure=failure)
        if running.metrics is not None:
            loss = self._problem.loss(running.metrics)
            event = Told(job=running.job.number, loss=loss)
            if not math.isfinite(loss):
                reason = f"{self._problem.metric} is not finite at epoch {running.job.stop}"
                event = Told(job=running.job.number, loss=None, failure=Failure("diverged", reason))
        self._write(event)
        self._fold(event)
        lost = event.failure is not None and event.failure.kind != "diverged"
        self._lost_in_a_row = self._lost_in_a_row + 1 if lost else 0
        if self.failing:
            self.stopping = True

    @property
    def failing(self) -> bool:
        """Whether job after job of a sweep was lost, so that this session had better end."""
        return isinstance(self._spec.scheduler, Sweep) and self._lost_in_a_row >= LOST_IN_A_ROW

    def _time_is_up(self) -> bool:
        spent = self._spent + self._clock() - self._began
        if self._max_hours is not None and spent > self._max_hours * 3600:
            self.out_of_time = True
        return self.out_of_time


def run(
    record: StudyRecord,
    spec: StudySpec,
    problem: Problem,
    store: Store,
    engine: Engine,
    *,
    folder: str,
    listeners: Iterable[Listener] = (),
    max_hours: float | None = None,
    clock: Callable[[], float] | None = None,
    afterwards: Callable[[Callable[[Event], None]], None] = lambda _write: None,
) -> str:
    """Run a study, new or begun, until it is over, its time is up or it is interrupted: by Ctrl-C or by SIGTERM.

    Args:
        record: the study in its store.
        spec: what it is.
        problem: what :func:`asha_nas.problems.build` made of it.
        store: where its log is.
        engine: runs its jobs.
        folder: path or URL below which each trial has its folder of checkpoints.
        listeners: called with each event after it is in the log.
        max_hours: time limit over all sessions, instead of the spec's.
        clock: a virtual clock, in seconds since 1970, that events are dated by. Nothing is at stake then that could
            not be played again, so events are written many at a time.
        afterwards: called when the engine is done, with what writes further events, before the session is closed.

    Returns:
        Why it ended: ``done``, ``time``, ``interrupted``, or ``failing`` (a sweep, see :data:`LOST_IN_A_ROW`).

    Raises:
        StudyLocked: another driver is running it.
        ReplayMismatch: see :meth:`Driver.replay`.
        LeaseLost: another driver took over meanwhile.
    """
    lease = store.lease(record)
    listening = tuple(listeners)
    played = None if clock is None else _Buffer(store, lease, clock)

    def write(event: Event) -> None:
        if played is None:
            store.append(lease, event)
        else:
            played.append(event)
        for listener in listening:
            listener(event)

    try:
        driver = Driver(spec, problem, write, folder, clock or time.monotonic, max_hours)
        driver.replay(store.rows(record))
        write(Opened(session=driver.session, clock=_circumstances()))
        try:
            with sigterm_as_ctrl_c():
                engine.run(driver, problem.trial)
                afterwards(write)
            reason = "failing" if driver.failing else "time" if driver.out_of_time else "done"
        except KeyboardInterrupt:
            reason = "interrupted"
        write(Closed(session=driver.session, reason=reason))
        if played is not None:
            played.flush()
        return reason
    finally:
        lease.release()


PLAYED_AT_ONCE = 500
"""Events of a simulated study that are written in one transaction; a whole repeat is one event, and waits for none."""


class _Buffer:
    """Events of a simulated study on their way to the store."""

    def __init__(self, store: Store, lease: Lease, clock: Callable[[], float]) -> None:
        self._store, self._lease, self._clock = store, lease, clock
        self._waiting: list[tuple[Event, float]] = []

    def append(self, event: Event) -> None:
        self._waiting.append((event, self._clock()))
        if len(self._waiting) >= PLAYED_AT_ONCE or isinstance(event, Repeated):
            self.flush()

    def flush(self) -> None:
        self._store.append_all(self._lease, self._waiting)
        self._waiting = []


def trial_seed(study_seed: int, trial: int, purpose: str = "") -> int:
    """Seed of everything random inside a trial, 0 <= seed < 2**63: a function of the arguments alone."""
    digest = hashlib.sha256(f"{study_seed}/{trial}{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _circumstances() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid(), **provenance()}


def _same(job: Job, event: Asked) -> bool:
    decided = (job.number, job.trial, job.rung, job.start, job.stop, job.bracket)
    logged = (event.job, event.trial, event.rung, event.start, event.stop, event.bracket)
    return decided == logged and (event.config is None or dict(job.config) == dict(event.config))


def _outcome(event: Told) -> Outcome:
    diverged = event.failure is not None and event.failure.kind == "diverged"
    return Outcome(event.loss, diverged=diverged)
