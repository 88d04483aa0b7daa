"""Synchronous successive halving, bracket after bracket: with the right brackets this is Hyperband, and BOHB.

A stage of a bracket is over when all its jobs are; then the best of them go on together (Jamieson & Talwalkar, 2016;
Hyperband: Li et al., 2018, arXiv:1603.06560, Algorithm 1). While a bracket waits for its last jobs, free workers begin
the next one, so that workers idle only at the very end. With a sampler that learns it is BOHB (Falkner et al., 2018,
arXiv:1807.01774).

Who goes on: the best of those that have a result, ties by trial number. One that diverged or crashed never does; if
fewer have a result than may go on, all of them do, and if none has, the bracket ends there. So whoever has as many
better ones before it as may go on is finished, though its stage is not over yet.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Sequence

from asha_nas.schedulers.brackets import Bracket
from asha_nas.schedulers.protocol import Answer, Config, Desk, Job, Outcome, Sampler


class _Course:
    """One bracket under way."""

    def __init__(self, plan: Bracket) -> None:
        self.plan = plan
        self.stage = 0
        self.begun = 0  # configurations that it has begun
        self.stuck = False  # whether what it would hand out next is known to fit no more
        self.queue: deque[int] = deque()  # trials to go on, best first
        self._running = 0
        self._best: list[tuple[float, int]] = []  # as many as may go on; a heap of (-loss, -trial): the worst first

    @property
    def going_on(self) -> int:
        """How many of this stage may go on."""
        return self.plan.sizes[self.stage + 1] if self.stage + 1 < len(self.plan.sizes) else 0

    @property
    def waiting(self) -> list[int]:
        """Trials that may go on, as far as results tell."""
        return [*self.queue, *(-trial for _, trial in self._best)]

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

    def end(self, trial: int, loss: float | None) -> tuple[bool, int | None]:
        """A job has ended.

        Returns:
            Whether that has opened the next stage, for the trials in ``queue``; and a trial that cannot go on any more.
        """
        self._running -= 1
        beaten: int | None = trial
        if loss is not None and len(self._best) < self.going_on:
            heapq.heappush(self._best, (-loss, -trial))
            beaten = None
        elif loss is not None and self.going_on:
            beaten = -heapq.heappushpop(self._best, (-loss, -trial))[1]
        if self._running or self.queue or self.begins or not self.going_on:
            return False, beaten
        best = sorted(self._best, reverse=True)
        self._best.clear()
        self.stage += 1
        self.queue.extend(-trial for _, trial in best)
        return bool(best), beaten


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
        self._finished: list[int] = []
        self._named: set[int] = set()  # the same
        self._open: list[_Course] = []  # those not known to be stuck; kept where epochs are bounded
        self._desk = Desk()

    def ask(self) -> Job | Answer:
        """The next trial to go on, of the oldest bracket that has one, else a new configuration, else WAIT or DONE."""
        for number in self._ready if self._max_epochs is None else sorted(self._ready):
            if self._fits(self._cost(self._courses[number].rung)):
                return self._go_on(number)
        return self._begin()

    def tell(self, job: Job, outcome: Outcome) -> None:
        """Record the end of a job; the last one of a stage decides who goes on."""
        self._desk.take_back(job)
        self._sampler.learn(job, outcome)
        course = self._courses[job.bracket]
        opened, beaten = course.end(job.trial, outcome.loss)
        if opened:
            heapq.heappush(self._ready, job.bracket)
        self._name([beaten] if beaten is not None else [])
        self._name([job.trial] if course.stuck else [])

    def finished(self) -> Sequence[int]:
        """Trials that will never have another job; where epochs are bounded, O(b) for b brackets under way."""
        for course in self._open:
            if not self._fits(self._next_cost(course)):
                course.stuck = True
                self._name(course.waiting)
        self._open = [course for course in self._open if (course.going_on or course.queue) and not course.stuck]
        return self._finished

    def _name(self, trials: Iterable[int]) -> None:
        new = [trial for trial in trials if trial not in self._named]
        self._finished += new
        self._named.update(new)

    def _next_cost(self, course: _Course) -> int:
        """Epochs of a job without which no trial that waits in the bracket will go on."""
        if course.begins or course.queue:
            return self._cost(course.rung) if course.queue else self._epochs[course.rung]
        return self._cost(course.rung + 1) if course.going_on else 0

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
            self._open += [course] if self._max_epochs is not None else []
        trial = len(self._trials)
        made = self._sampler.propose(trial)
        self._trials.append(made.config)
        course.begun += 1
        course.start()
        return self._desk.hand_out(trial, made.config, course.rung, 0, stop, number, made.origin)

    def _cost(self, rung: int) -> int:
        return self._epochs[rung] - self._starts[rung]

    def _fits(self, epochs: int) -> bool:
        return self._max_epochs is None or self._desk.epochs + epochs <= self._max_epochs
