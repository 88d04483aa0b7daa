"""ASHA, the promotion kind (Li et al., *Massively parallel hyperparameter tuning*, arXiv 1810.05834, Alg. 2).

A worker that asks for work gets the best trial that may be promoted, looked for from the deepest
rung down; if there is none, a new configuration starts at the bottom.

**Which trial may be promoted.** Let a rung hold n results. Two rules are offered:

``capped`` (default)
    At most ⌊n/η⌋ trials have *ever* been promoted from the rung. Every rung then costs exactly what
    its plan says: how many trials a finished study promoted does not depend on the order of finish.
    (That holds for a study bounded by ``configs``. Where ``max_epochs`` or a time limit ends it, the
    order of finish decides which promotions still find room.)
``eager``
    Algorithm 2 to the letter: any trial now in the top ⌊n/η⌋ that has not been promoted yet. As
    better trials arrive late, more than ⌊n/η⌋ may end up promoted (the paper's "mispromotions").

Both come down to one number: the best trial not yet promoted goes up if *fewer than ⌊n/η⌋ promoted
trials stand before it*, where ``capped`` counts all promoted trials of the rung and ``eager`` only
those with a better result. Ties are broken by trial number, so the order is total.

A trial that diverged counts among the n (it is a result, ranked last) and never goes up. A trial
that crashed does not count: nothing was learned about it, and an outage must not promote others.

**Who will never go up.** A rung can hold so many results at most: those it has, those of jobs in flight, and of those
that may still come from below, which follows from the rung below in the same way, down to the configurations not yet
begun. With N at most, whoever has ⌊N/η⌋ or more before it is finished, where those before it are the promoted trials
that its rule counts and the waiting ones that are better, which have to go up first. N never grows, so a trial that
is finished stays so. Where nothing bounds a study, only those that failed and those at the top are.

**Brackets.** With several, bracket b begins at rung b and has rungs of its own from there on: asynchronous Hyperband
(Li et al., section 3.2), which hedges against low rungs that say little. Hyperband gives each bracket the same budget;
so a new configuration begins in the bracket that was handed out the fewest epochs so far.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from sortedcontainers import SortedList

from asha_nas.schedulers.protocol import Answer, Config, Desk, Job, Outcome, Sampler

PROMOTIONS = ("capped", "eager")

_Ranked = tuple[float, int]  # (loss, trial): the order of a rung, ties by trial number


class Rung:
    """The results at one rung. Recording, promoting and closing cost O(log n) a trial."""

    def __init__(self, eta: int, promotion: str) -> None:
        self._eta = eta
        self._capped = promotion == "capped"
        self._waiting: list[_Ranked] = []  # a heap: best first
        self._promoted: SortedList[_Ranked] = SortedList()
        self._open: SortedList[_Ranked] = SortedList()  # those waiting that were not closed; decides nothing
        self.results = 0
        self.running = 0
        """Jobs in flight that reach it."""

    def record(self, trial: int, loss: float | None) -> None:
        """Add a result; ``None`` for a trial that diverged."""
        self.results += 1
        if loss is not None:
            heapq.heappush(self._waiting, (loss, trial))
            self._open.add((loss, trial))

    def promotable(self) -> int | None:
        """The trial to promote next, if there is one. Changes nothing."""
        if not self._waiting:
            return None
        before = len(self._promoted) if self._capped else self._promoted.bisect_left(self._waiting[0])
        return self._waiting[0][1] if before < self.results // self._eta else None

    def promote(self) -> None:
        """The trial that ``promotable`` named goes up."""
        best = heapq.heappop(self._waiting)
        self._promoted.add(best)
        self._open.discard(best)

    def close(self, arriving: int, fitting: int | None) -> tuple[list[int], int]:
        """Part with the trials that will never go up.

        Args:
            arriving: results that may still come, at most.
            fitting: promotions that there is still room for; ``None`` for no bound.

        Returns:
            Those trials, each named once, and how many others, with those to come, may still go up at most.
        """
        limit = 0 if fitting == 0 else (self.results + arriving) // self._eta
        closed = []
        while self._open and self._before_last() >= limit:
            closed.append(self._open.pop()[1])
        most = len(self._open) + arriving if limit else 0
        if self._capped:
            most = max(0, min(most, limit - len(self._promoted)))
        return closed, most if fitting is None else min(most, fitting)

    def _before_last(self) -> int:
        """How many will have been promoted before the last of the open ones can be, as its rule counts them."""
        promoted = len(self._promoted) if self._capped else self._promoted.bisect_left(self._open[-1])
        return len(self._open) - 1 + promoted


class ASHA:
    """Asynchronous successive halving by promotion.

    Bounded by ``configs`` (how many configurations are started) or by ``max_epochs`` (epochs handed
    out in all), or by both; with neither it goes on until its driver stops asking, as it does at a
    time limit. A promotion that no longer fits into ``max_epochs`` is passed over for one from a
    lower rung, and that for a new configuration, so the epochs are spent as far as any job fits.

    ``ask`` and ``tell`` cost O(log n) for n trials; memory is O(n).
    """

    def __init__(
        self,
        sampler: Sampler,
        *,
        rungs: Sequence[int],
        eta: int,
        configs: int | None,
        max_epochs: int | None = None,
        promotion: str = "capped",
        brackets: int = 1,
        from_scratch: bool = False,
    ) -> None:
        """Start an empty study.

        Args:
            sampler: says which configuration is tried next.
            rungs: epochs of each rung, strictly ascending (see :mod:`asha_nas.schedulers.rungs`).
            eta: reduction factor η, >= 2.
            configs: configurations to start, >= 1, or None for no bound.
            max_epochs: epochs to hand out in all, or None for no bound.
            promotion: ``capped`` or ``eager``, see the module's docstring.
            brackets: how many there are, 1 to the number of rungs.
            from_scratch: whether a job of a higher rung trains from epoch 0 again.
        """
        self._sampler = sampler
        self._starts = (0,) * len(rungs) if from_scratch else (0, *rungs)
        self._epochs = tuple(rungs)
        self._configs = configs
        self._max_epochs = max_epochs
        # Nothing is promoted from the last rung, so it needs no ranking.
        self._rungs = [{k: Rung(eta, promotion) for k in range(b, len(rungs) - 1)} for b in range(brackets)]
        self._places = [(k, b) for k in reversed(range(len(rungs) - 1)) for b in range(min(brackets, k + 1))]
        self._spent = [0] * brackets  # epochs handed out
        self._trials: list[Config] = []
        self._finished: list[int] = []
        self._desk = Desk()

    def ask(self) -> Job | Answer:
        """The deepest promotion that fits, else a new configuration, else WAIT or DONE."""
        for k, bracket in self._places:
            trial = self._rungs[bracket][k].promotable()
            start, stop = self._starts[k + 1], self._epochs[k + 1]
            if trial is not None and self._fits(stop - start):
                self._rungs[bracket][k].promote()
                self._spent[bracket] += stop - start
                self._expect(bracket, k + 1)
                return self._desk.hand_out(trial, self._trials[trial], k + 1, start, stop, bracket)
        return self._start_new()

    def tell(self, job: Job, outcome: Outcome) -> None:
        """Record the job's result in its rung."""
        self._desk.take_back(job)
        self._sampler.learn(job, outcome)
        rung = self._rungs[job.bracket].get(job.rung)
        if rung is not None:
            rung.running -= 1
            if outcome.loss is not None or outcome.diverged:
                rung.record(job.trial, outcome.loss)
        if rung is None or outcome.loss is None:
            self._finished.append(job.trial)

    def finished(self) -> Sequence[int]:
        """Trials that will never have another job; O(rungs) and, once for each trial, O(log n)."""
        if self._configs is not None or self._max_epochs is not None:
            for bracket, rungs in enumerate(self._rungs):
                arriving = self._not_begun(bracket)
                for k, rung in rungs.items():  # from the lowest up
                    fitting = self._room(self._epochs[k + 1] - self._starts[k + 1])
                    closed, arriving = rung.close(rung.running + arriving, fitting)
                    self._finished += closed
        return self._finished

    def _start_new(self) -> Job | Answer:
        trial = len(self._trials)
        enough = self._configs is not None and trial >= self._configs
        fitting = [b for b in range(len(self._spent)) if self._fits(self._epochs[b])]
        if enough or not fitting:
            return self._desk.nothing()
        bracket = min(fitting, key=self._spent.__getitem__)
        made = self._sampler.propose(trial)
        self._trials.append(made.config)
        self._spent[bracket] += self._epochs[bracket]
        self._expect(bracket, bracket)
        return self._desk.hand_out(trial, made.config, bracket, 0, self._epochs[bracket], bracket, made.origin)

    def _expect(self, bracket: int, k: int) -> None:
        if (rung := self._rungs[bracket].get(k)) is not None:
            rung.running += 1

    def _not_begun(self, bracket: int) -> int:
        """Configurations that may still begin in a bracket of a bounded study, at most."""
        bounds = [None if self._configs is None else self._configs - len(self._trials)]
        bounds.append(self._room(self._epochs[bracket]))
        return min(bound for bound in bounds if bound is not None)

    def _room(self, epochs: int) -> int | None:
        """Jobs of so many epochs that still fit; ``None`` for no bound."""
        return None if self._max_epochs is None else (self._max_epochs - self._desk.epochs) // epochs

    def _fits(self, epochs: int) -> bool:
        return self._max_epochs is None or self._desk.epochs + epochs <= self._max_epochs
