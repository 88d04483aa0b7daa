"""Synchronous successive halving, bracket after bracket: with the right brackets this is Hyperband, and BOHB.

A stage of a bracket is over when all its jobs are; then the best of them go on together (Jamieson & Talwalkar, 2016;
Hyperband: Li et al., 2018, arXiv:1603.06560, Algorithm 1). While a bracket waits for its last jobs, free workers begin
the next one, so that workers idle only at the very end. With a sampler that learns it is BOHB (Falkner et al., 2018,
arXiv:1807.01774).

Who goes on: the best of those that have a result, ties by trial number. One that diverged or crashed never does; if
fewer have a result than may go on, all of them do, and if none has, the bracket ends there.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence

from asha_nas.schedulers.brackets import Bracket
from asha_nas.schedulers.protocol import Answer, Config, Desk, Job, Outcome, Sampler


class _Course:
    """One bracket under way."""

    def __init__(self, plan: Bracket) -> None:
        self.plan = plan
        self.stage = 0
        self.begun = 0  # configurations that it has begun
        self.queue: deque[int] = deque()  # trials to go on, best first
        self._running = 0
        self._results: list[tuple[float, int]] = []

    @property
    def rung(self) -> int:
        """Rung of the stage that it is in."""
        return self.plan.rung + self.stage

    @property
    def begins(self) -> bool:
        """Whether it still wants new configurations."""
        return self.begun < self.plan.sizes[0]

    def start(self) -> None:
        """One of its jobs is handed out."""
        self._running += 1

    def end(self, trial: int, loss: float | None) -> bool:
        """A job has ended. Returns whether that has opened the next stage, for the trials in ``queue``."""
        self._running -= 1
        if loss is not None:
            self._results.append((loss, trial))
        if self._running or self.queue or self.begins or self.stage + 1 == len(self.plan.sizes):
            return False
        best = heapq.nsmallest(self.plan.sizes[self.stage + 1], self._results)
        self._results.clear()
        self.stage += 1
        self.queue.extend(trial for _, trial in best)
        return bool(best)


class SynchronousHalving:
    """Runs brackets in turn, beginning the next one whenever those under way have nothing for a free worker.

    ``ask`` and ``tell`` cost O(log b) for b brackets that have trials to go on, and O(n log n) at the end of a stage of
    n; memory is O(trials).
    """

    def __init__(
        self,
        sampler: Sampler,
        *,
        rungs: Sequence[int],
        brackets: Sequence[Bracket],
        iterations: int | None,
        max_epochs: int | None = None,
        from_scratch: bool = False,
    ) -> None:
        """Start an empty study.

        Args:
            sampler: says which configuration is tried next.
            rungs: epochs of each rung, strictly ascending.
            brackets: what is run in turn; begun again when all have been.
            iterations: brackets to run, >= 1, or None for no bound.
            max_epochs: epochs to hand out in all, or None for no bound. A job that no longer fits is passed over for
                one of a younger bracket; what is handed out last need not be a whole bracket.
            from_scratch: whether a job of a higher rung trains from epoch 0 again.
        """
        self._sampler = sampler
        self._epochs = tuple(rungs)
        self._starts = (0,) * len(rungs) if from_scratch else (0, *rungs)
        self._plans = tuple(brackets)
        self._iterations = iterations
        self._max_epochs = max_epochs
        self._courses: list[_Course] = []
        self._ready: list[int] = []  # a heap: numbers of courses with trials to go on
        self._trials: list[Config] = []
        self._desk = Desk()

    def ask(self) -> Job | Answer:
        """The next trial to go on, of the oldest bracket that has one, else a new configuration, else WAIT or DONE."""
        for number in self._ready if self._max_epochs is None else sorted(self._ready):
            if self._fits(self._cost(self._courses[number])):
                return self._go_on(number)
        return self._begin()

    def tell(self, job: Job, outcome: Outcome) -> None:
        """Record the end of a job; the last one of a stage decides who goes on."""
        self._desk.take_back(job)
        self._sampler.learn(job, outcome)
        if self._courses[job.bracket].end(job.trial, outcome.loss):
            heapq.heappush(self._ready, job.bracket)

    def _go_on(self, number: int) -> Job:
        course = self._courses[number]
        trial = course.queue.popleft()
        if not course.queue:
            self._ready.remove(number)
            heapq.heapify(self._ready)
        course.start()
        start, stop = self._starts[course.rung], self._epochs[course.rung]
        return self._desk.hand_out(trial, self._trials[trial], course.rung, start, stop, number)

    def _begin(self) -> Job | Answer:
        number = len(self._courses) - 1
        under_way = number >= 0 and self._courses[number].begins
        if not under_way:
            number += 1
        if self._iterations is not None and number >= self._iterations:
            return self._desk.nothing()
        course = self._courses[number] if under_way else _Course(self._plans[number % len(self._plans)])
        stop = self._epochs[course.rung]
        if not self._fits(stop):
            return self._desk.nothing()
        if not under_way:
            self._courses.append(course)
        trial = len(self._trials)
        made = self._sampler.propose(trial)
        self._trials.append(made.config)
        course.begun += 1
        course.start()
        return self._desk.hand_out(trial, made.config, course.rung, 0, stop, number, made.origin)

    def _cost(self, course: _Course) -> int:
        return self._epochs[course.rung] - self._starts[course.rung]

    def _fits(self, epochs: int) -> bool:
        return self._max_epochs is None or self._desk.epochs + epochs <= self._max_epochs
