"""The driver: folds a study's log through a fresh scheduler, then goes on writing it.

Running and resuming are the same thing. A new study has an empty log; a study that was killed has a
longer one. Either way the driver replays what is there, hands out again the jobs that were in
flight, from their last checkpoint, and asks the scheduler for more. Nothing else is ever kept, so
there is nothing that a crash could leave half done: every event is one transaction.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from asha_nas.checkpoints import FILES_PER_JOB, Removal, Room, Shelf, Shortage, policy
from asha_nas.engines import Assignment
from asha_nas.errors import ReplayMismatch
from asha_nas.problems import Problem, identity
from asha_nas.reuse import NOTE, LookUp, nothing
from asha_nas.schedulers import DONE, WAIT, Answer, Job, Outcome
from asha_nas.scheduling import sampler, scheduler
from asha_nas.stop_sign import StopSign
from asha_nas.store import (
    Asked,
    Event,
    Failed,
    Opened,
    Reported,
    Row,
    Told,
)  # fmt: skip
from asha_nas.study import FullTraining, StudySpec, Sweep
from spaces.errors import InvalidValue
from trials.contract import Failure, Report, Task

LOST_IN_A_ROW = 5
"""Jobs of a sweep without any result, one after the other, after which a session ends: something is out of order that
the next job will not mend. What was lost is handed out again when the study is resumed."""


@dataclass(slots=True)
class _Running:
    """A job that was asked for and not yet told."""

    job: Job
    attempt: int = 0
    metrics: dict[str, float] | None = None  # those of epoch job.stop, once reported
    failures: dict[str, int] = field(default_factory=dict)  # by kind


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
        room: Room = Room(),  # noqa: B008 - a value
        remove: Callable[[Removal], None] = lambda _removal: None,
        stop_sign: StopSign | None = None,
        past: LookUp = nothing,
    ) -> None:
        """A driver that has seen nothing yet.

        Args:
            spec: the study.
            problem: what :func:`asha_nas.problems.build` made of it.
            write: puts an event into the log, whole, before it returns.
            folder: path or URL below which each trial has its folder of checkpoints.
            clock: seconds; decides nothing but the study's time limit.
            max_hours: time limit over all sessions, instead of the spec's.
            room: what checkpoints have room for.
            remove: called with checkpoints that nothing needs any more, after the event is in the log by which it is
                so. It must not wait for a file system.
            stop_sign: how running trials learn that they had better save; ``None`` where it is not worth waiting for.
            past: results that other studies have. A job that has one is not handed out: the result is logged as its
                own, with a note of where it comes from. It is asked only when a job would be handed out, never in a
                replay, so it need not answer twice the same.
        """
        self._spec = spec
        self._problem = problem
        self._write = write
        self._shelf = Shelf(folder.rstrip("/"), policy(spec))
        self._room = room
        self._remove = remove
        self._stop_sign = stop_sign
        self._past = past
        self._unsaved: set[int] = set()  # jobs that are waited for, once told to stop
        self._finished = 0  # how many of the scheduler's finished trials the shelf knows of
        self._clock = clock
        if max_hours is not None and not max_hours > 0:
            raise InvalidValue("max_hours", max_hours, "must be above 0", "Leave it out for no limit.")
        self._max_hours = spec.scheduler.max_hours if max_hours is None else max_hours
        # A final training must not repeat, by its seed, the very training that its architecture was chosen by.
        self._purpose = "evaluate" if isinstance(spec.problem, FullTraining) else ""
        self._scheduler = scheduler(spec, sampler(spec, problem))
        self._running: dict[int, _Running] = {}
        self._again: deque[int] = deque()  # jobs to hand out again, before any new one
        self._spent = 0.0  # seconds of earlier sessions
        self._began = clock()
        self.session = 0
        self._lost_in_a_row = 0
        self.out_of_time = False
        self.shortage: Shortage | None = None
        """Why nothing was handed out any more, if it was for want of room."""
        self.stopping = False
        self.leaving = False
        """Whether the process was told to stop, and the study ends for that."""

    # --- replay ------------------------------------------------------------------------------------

    def replay(self, rows: Iterable[Row]) -> list[Removal]:
        """Take over what the log says. Afterwards the driver is where the one that wrote it was.

        Returns:
            All that the log implies is to be deleted: the driver that wrote it may not have come to it.

        Raises:
            ReplayMismatch: the scheduler would not have decided what the log says it did.
        """
        opened = last = 0.0
        removals: list[Removal] = []
        remove, self._remove = self._remove, removals.append
        for row in rows:
            if isinstance(row.event, Opened):
                self._spent += max(0.0, last - opened)  # the clock may have been set back
                opened = row.time
                self.session = row.event.session + 1
            last = row.time
            self._fold(row.event)
        self._spent += max(0.0, last - opened)
        self._again = deque(self._running)
        self._remove, needed = remove, self._shelf.needed()
        return [removal.sparing(needed.get(removal.folder, frozenset())) for removal in removals]

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
                job = self._running.pop(event.job).job
                self._scheduler.tell(job, _outcome(event))
                self._part_with(self._shelf.end(job, event.loss))
                if self._shelf.largest:  # else there is nothing to part with
                    finished = self._scheduler.finished()
                    self._part_with(self._shelf.finish(finished[self._finished :]))
                    self._finished = len(finished)
            case _:
                pass

    # --- what engines call -------------------------------------------------------------------------

    def ask(self) -> Assignment | Answer:
        """The next job: one to be repeated, else what the scheduler says; but none whose result is there already."""
        while self._again:
            running = self._running[self._again[0]]
            if running.metrics is None and (answer := self._without_room()) is not None:
                return answer
            self._again.popleft()
            if running.metrics is not None:
                self._finish(running, None)  # its result is in the log; only the telling was missing
            elif not self._reuse(running):
                return self._assignment(running)
        while not isinstance(job := self._next(), Answer):
            running = self._running[job.number]
            if not self._reuse(running):
                return self._assignment(running)
        return job

    def _next(self) -> Job | Answer:
        """A new job, logged and in flight."""
        if self.stopping or self._time_is_up():
            return WAIT if self._running else DONE
        if (answer := self._without_room()) is not None:
            return answer
        job = self._scheduler.ask()
        if isinstance(job, Answer):
            return job
        first = job.trial not in self._shelf
        self._write(
            Asked(
                job=job.number, trial=job.trial, rung=job.rung, start=job.start, stop=job.stop, bracket=job.bracket,
                config=dict(job.config) if first else None,
                identity=identity(self._spec, job.config) if first else None, origin=job.origin,
            )
        )  # fmt: skip
        self._begin(job)
        return job

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
        if report.checkpoint is not None:
            self._leave_without(assignment.job.number)

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
                self._leave_without(running.job.number)
                return
        self._finish(running, failure)
        self._leave_without(running.job.number)

    def leave(self) -> bool:
        """The process was told to stop: hand out nothing more, and have running trials save at the end of their epoch.

        Once each has, or has ended, the study is interrupted: whichever call that is found out in raises
        KeyboardInterrupt.

        Returns:
            False if there is nothing to wait for, or it was told before: whoever asks is to interrupt at once.
        """
        unsaved = set(self._running) - set(self._again)
        if self.leaving or self._stop_sign is None or not unsaved:
            return False
        self._unsaved, self.leaving, self.stopping = unsaved, True, True
        self._again.clear()  # the next session has them in its log
        self._stop_sign.show()
        return True

    # --- inside ------------------------------------------------------------------------------------

    def _begin(self, job: Job) -> None:
        """Take a job in flight."""
        self._running[job.number] = _Running(job)
        self._shelf.begin(job)

    def _reuse(self, running: _Running) -> bool:
        """Give a job the result of another study, if there is one."""
        job = running.job
        its_identity = None if self._past is nothing else identity(self._spec, job.config)
        past = None if its_identity is None else self._past(its_identity, job.stop)
        if past is None:
            return False
        event = Reported(job=job.number, epoch=job.stop, metrics=dict(past.metrics), notes={NOTE: past.source})
        self._write(event)
        self._fold(event)
        self._finish(running, None)
        self._leave_without(job.number)
        return True

    def _assignment(self, running: _Running) -> Assignment:
        job = running.job
        folder, checkpoints = self._shelf.of(job.trial)
        task = Task(
            trial=job.trial, config=job.config, start=job.start, stop=job.stop,
            seed=trial_seed(self._spec.seed, job.trial, self._purpose), folder=folder, checkpoints=checkpoints,
            job=job.number, stop_sign="" if self._stop_sign is None else self._stop_sign.path(self.session),
        )  # fmt: skip
        return Assignment(job, running.attempt, task)

    def _leave_without(self, number: int) -> None:
        """A job has saved, or ended: if it was the last one that is waited for, interrupt."""
        if self.leaving:
            self._unsaved.discard(number)
            if not self._unsaved:
                raise KeyboardInterrupt

    def _current(self, assignment: Assignment) -> _Running | None:
        running = self._running.get(assignment.job.number)
        return running if running is not None and running.attempt == assignment.attempt else None

    def _take_report(self, running: _Running, event: Reported) -> None:
        if event.epoch == running.job.stop:
            running.metrics = dict(event.metrics)
        if event.checkpoint is not None:
            self._part_with(self._shelf.add(running.job.trial, event.checkpoint))

    def _part_with(self, removals: Iterable[Removal]) -> None:
        for removal in removals:
            self._remove(removal)

    def _without_room(self) -> Answer | None:
        """What to answer if there is no room for the checkpoints of another job."""
        under_way = len(self._running) - len(self._again)
        every = self._shelf.policy.keep_every
        files = FILES_PER_JOB + (0 if every is None else self._spec.scheduler.R // every)
        shortage = self._room.shortage(self._shelf.bytes, self._shelf.largest, under_way + 1, files)
        if shortage is None:
            return None
        if under_way:
            return WAIT  # for their ends, which may make room
        self.shortage = shortage
        return DONE

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


def trial_seed(study_seed: int, trial: int, purpose: str = "") -> int:
    """Seed of everything random inside a trial, 0 <= seed < 2**63: a function of the arguments alone."""
    digest = hashlib.sha256(f"{study_seed}/{trial}{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _same(job: Job, event: Asked) -> bool:
    decided = (job.number, job.trial, job.rung, job.start, job.stop, job.bracket)
    logged = (event.job, event.trial, event.rung, event.start, event.stop, event.bracket)
    return decided == logged and (event.config is None or dict(job.config) == dict(event.config))


def _outcome(event: Told) -> Outcome:
    diverged = event.failure is not None and event.failure.kind == "diverged"
    return Outcome(event.loss, diverged=diverged)
