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
    """The results at one rung. Recording and promoting cost O(log n)."""

    def __init__(self, eta: int, promotion: str) -> None:
        self._eta = eta
        self._capped = promotion == "capped"
        self._waiting: list[_Ranked] = []  # a heap: best first
        self._promoted: SortedList[_Ranked] = SortedList()
        self.results = 0

    def record(self, trial: int, loss: float | None) -> None:
        """Add a result; ``None`` for a trial that diverged."""
        self.results += 1
        if loss is not None:
            heapq.heappush(self._waiting, (loss, trial))

    def promotable(self) -> int | None:
        """The trial to promote next, if there is one. Changes nothing."""
        if not self._waiting:
            return None
        before = len(self._promoted) if self._capped else self._promoted.bisect_left(self._waiting[0])
        return self._waiting[0][1] if before < self.results // self._eta else None

    def promote(self) -> None:
        """The trial that ``promotable`` named goes up."""
        self._promoted.add(heapq.heappop(self._waiting))


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
        self._desk = Desk()

    def ask(self) -> Job | Answer:
        """The deepest promotion that fits, else a new configuration, else WAIT or DONE."""
        for k, bracket in self._places:
            trial = self._rungs[bracket][k].promotable()
            start, stop = self._starts[k + 1], self._epochs[k + 1]
            if trial is not None and self._fits(stop - start):
                self._rungs[bracket][k].promote()
                self._spent[bracket] += stop - start
                return self._desk.hand_out(trial, self._trials[trial], k + 1, start, stop, bracket)
        return self._start_new()

    def tell(self, job: Job, outcome: Outcome) -> None:
        """Record the job's result in its rung."""
        self._desk.take_back(job)
        self._sampler.learn(job, outcome)
        rung = self._rungs[job.bracket].get(job.rung)
        if rung is not None and (outcome.loss is not None or outcome.diverged):
            rung.record(job.trial, outcome.loss)

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
        return self._desk.hand_out(trial, made.config, bracket, 0, self._epochs[bracket], bracket, made.origin)

    def _fits(self, epochs: int) -> bool:
        return self._max_epochs is None or self._desk.epochs + epochs <= self._max_epochs
