"""The ``ask``/``tell`` protocol: what every scheduler core is, and what it promises.

A scheduler core decides which trial is trained next and for how long. It is plain Python: it knows
no engine, no store, no clock and no PyTorch. Everything else in the service is built on these
guarantees, which ``tests/contracts/scheduler.py`` holds every implementation to:

1. **Deterministic.** The answers are a function of the constructor's arguments and of the sequence
   of ``ask`` and ``tell`` calls so far. Feeding the same sequence to a fresh core gives the same
   jobs and the same state: that is what resuming a study is.
2. **Waiting changes nothing.** An ``ask`` that answers ``WAIT`` or ``DONE`` leaves the core as it
   was, so only asks that gave a job need to be remembered.
3. **WAIT ends.** ``WAIT`` is answered only while some job is in flight; telling the jobs in flight
   leads to a job or to ``DONE``.
4. **DONE is final**, and answered only when no job is in flight.
5. **Every job once.** Each pair (trial, rung) is handed out at most once, jobs are numbered
   0, 1, 2, … in the order of asking, and trials are numbered in the order of their first job.
6. **A trial is one thread.** A trial has at most one job in flight; a later job of it reaches a higher
   rung, and only if the one before had a result. It starts where that one stopped, or, where each
   budget is a training from scratch, at 0.
7. **Told once.** ``tell`` takes a job in flight exactly once, in any order; anything else is a
   :class:`ProtocolError` and changes nothing.
8. **Finished is final.** A trial that ``finished`` names has no job in flight and gets none in any
   continuation. It names more and more trials, each once, and all of them when the study is over.
   Asking for them changes no decision.

Most cores only say *how long* a configuration is trained; *which* one is tried next they ask a
:class:`Sampler`, so that every way of doing the one goes with every way of doing the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import numpy as np

Config = Mapping[str, Any]
"""What distinguishes a trial; plain JSON values."""

Draw = Callable[[np.random.Generator], Config]
"""Draws one configuration. All its randomness comes from the generator."""


class Answer(Enum):
    """What ``ask`` answers when it has no job."""

    WAIT = "wait"
    """Nothing to start until a job in flight has ended."""
    DONE = "done"
    """The study is over."""


WAIT = Answer.WAIT
DONE = Answer.DONE


@dataclass(frozen=True, slots=True)
class Job:
    """Train trial ``trial`` from epoch ``start`` to epoch ``stop``."""

    number: int
    """Position in the order of asking, from 0; names the job in its study."""
    trial: int
    """Number of the trial, from 0, in the order of first jobs."""
    config: Config
    """The trial's configuration, the same in each of its jobs."""
    rung: int
    """Rung the job reaches, from 0 (the lowest)."""
    start: int
    """Epochs trained before, >= 0."""
    stop: int
    """Epochs to reach, > start."""
    bracket: int = 0
    """Bracket the trial belongs to, from 0, in schedulers that have several."""
    origin: str = ""
    """Where the configuration comes from, as its sampler says; given with the trial's first job only."""

    @property
    def epochs(self) -> int:
        """Epochs this job trains."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended: with a loss, as diverged, or without any result."""

    loss: float | None
    """To be minimised, finite. ``None`` when there is no usable value."""
    diverged: bool = False
    """True when training ran but its loss was not finite: evidence that the trial is bad. False with
    ``loss is None`` means that nothing was learned about it (a crash, a lost worker)."""

    def __post_init__(self) -> None:
        if self.loss is not None and (self.diverged or not math.isfinite(self.loss)):
            raise ProtocolError(f"an outcome's loss must be finite, not {self.loss!r}; say diverged=True")


class ProtocolError(RuntimeError):
    """A scheduler was used against its protocol. Always a defect of the caller, never of a user."""


class Scheduler(Protocol):
    """A scheduler core. See the module's docstring for what it guarantees."""

    def ask(self) -> Job | Answer:
        """The next job to start, or why there is none."""
        ...

    def tell(self, job: Job, outcome: Outcome) -> None:
        """Take the end of a job in flight.

        Raises:
            ProtocolError: the job is not in flight.
        """
        ...

    def finished(self) -> Sequence[int]:
        """Trials that will never have another job, in any order; those named before come first."""
        ...


@dataclass(frozen=True, slots=True)
class Proposal:
    """A configuration to try next."""

    config: Config
    """Plain JSON values."""
    origin: str
    """``default``, ``random``, ``model``, ``mutation`` or ``policy``: what made it; in brackets if that failed."""


class Sampler(Protocol):
    """Says which configuration is tried next, and learns from results.

    Guarantees, which ``tests/contracts/sampler.py`` holds every implementation to:

    1. **Deterministic.** A proposal is a function of the constructor's arguments, of its number and of
       what was proposed and learned before, in that order. Randomness is seeded by the study's seed and the
       proposal's number, so that no generator's state needs to be kept.
    2. **Learning is all it is told.** ``learn`` takes each ended job exactly once, failures too, from any
       number of workers, in any order; jobs of several budgets may be those of one trial.
    3. **It never fails for want of results**: before there is anything to learn from, it draws at random.
    """

    def propose(self, number: int) -> Proposal:
        """The configuration of trial ``number``; asked once for each, in ascending order from 0."""
        ...

    def learn(self, job: Job, outcome: Outcome) -> None:
        """Take the end of a job of a trial that was proposed."""
        ...


class Desk:
    """The book-keeping all cores share: numbers jobs, knows those in flight, checks the protocol."""

    def __init__(self) -> None:
        self.jobs = 0
        self.epochs = 0
        self._in_flight: dict[int, Job] = {}

    def hand_out(
        self, trial: int, config: Config, rung: int, start: int, stop: int, bracket: int = 0, origin: str = ""
    ) -> Job:
        """Number a new job and remember it as in flight."""
        job = Job(self.jobs, trial, config, rung, start, stop, bracket, origin)
        self.jobs += 1
        self.epochs += job.epochs
        self._in_flight[job.number] = job
        return job

    def take_back(self, job: Job) -> None:
        """The job has ended."""
        if self._in_flight.get(job.number) != job:
            raise ProtocolError(f"job {job.number} of trial {job.trial} is not in flight; was it told twice?")
        del self._in_flight[job.number]

    def nothing(self) -> Answer:
        """Why there is no job: some are still in flight, or the study is over."""
        return WAIT if self._in_flight else DONE
