"""What an engine is: something that runs the jobs a source hands out, and reports back.

The source decides; the engine only carries. Guarantees an engine gives (held to by
``tests/contracts/engine.py``):

1. It asks only when a worker is free, or when nothing is in flight, so that a decision uses every result there is.
2. For each assignment it calls ``report`` in the order the trial yields, then ``ended`` once, whatever
   happens to the trial or to the process it runs in.
3. All calls to the source come from one thread, one after the other.
4. ``run`` returns after the source has answered ``DONE``. After ``WAIT`` it asks again, at the latest
   when a job has ended.
5. A trial that fails never takes the engine with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from asha_nas.schedulers import Answer, Job
from trials.contract import Failure, Report, Task, Trial


@dataclass(frozen=True, slots=True)
class Assignment:
    """A job made ready to run."""

    job: Job
    """What was decided."""
    attempt: int
    """How often it was handed out before, from 0."""
    task: Task
    """What the trial is told."""


class JobSource(Protocol):
    """Where an engine gets work and brings results: the driver of a study."""

    def ask(self) -> Assignment | Answer:
        """The next job to start, WAIT or DONE."""
        ...

    def report(self, assignment: Assignment, report: Report) -> None:
        """The trial has finished an epoch. Repeating a report does no harm."""
        ...

    def ended(self, assignment: Assignment, failure: Failure | None) -> None:
        """The attempt is over; ``None`` when the trial came to its end."""
        ...

    def leave(self) -> bool:
        """The process was told to stop, by SIGTERM. Whether the source answers DONE, or interrupts, soon by itself."""
        ...


class Engine(Protocol):
    """Runs jobs."""

    def run(self, source: JobSource, trial: Trial) -> None:
        """Run what ``source`` hands out until it answers DONE.

        Args:
            source: decides; called from one thread only.
            trial: does the work; must be picklable for engines that use other processes.
        """
        ...
