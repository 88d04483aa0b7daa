"""Full training of everything: each configuration is trained to R, none is stopped early."""

from __future__ import annotations

from collections.abc import Sequence

from asha_nas.schedulers.protocol import Answer, Desk, Job, Outcome, Sampler


class FullTraining:
    """Trains ``configs`` configurations, each in one job of R epochs.

    With a sampler that draws independently this is random search; with one that learns it is regularized
    evolution, REINFORCE, TPE or SMAC. With one that always gives the same configuration it repeats a
    training with as many seeds, which is how ``evaluate`` uses it.
    """

    def __init__(self, sampler: Sampler, *, R: int, configs: int | None, max_epochs: int | None = None) -> None:
        """Start an empty study.

        Args:
            sampler: says which configuration is tried next.
            R: epochs of each training, >= 1.
            configs: configurations to start, >= 1, or None for no bound.
            max_epochs: epochs to hand out in all, or None for no bound.
        """
        self._sampler = sampler
        self._R = R
        self._configs = configs
        self._max_epochs = max_epochs
        self._finished: list[int] = []
        self._desk = Desk()

    def ask(self) -> Job | Answer:
        """The next configuration, until ``configs`` or ``max_epochs`` is reached."""
        trial = self._desk.jobs
        enough = self._configs is not None and trial >= self._configs
        too_dear = self._max_epochs is not None and self._desk.epochs + self._R > self._max_epochs
        if enough or too_dear:
            return self._desk.nothing()
        made = self._sampler.propose(trial)
        return self._desk.hand_out(trial, made.config, rung=0, start=0, stop=self._R, origin=made.origin)

    def tell(self, job: Job, outcome: Outcome) -> None:
        """Take the end of a job."""
        self._desk.take_back(job)
        self._sampler.learn(job, outcome)
        self._finished.append(job.trial)

    def finished(self) -> Sequence[int]:
        """All whose job has ended."""
        return self._finished
