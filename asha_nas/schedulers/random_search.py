"""Random search: every configuration is trained to R, none is stopped early."""

from __future__ import annotations

from asha_nas.schedulers.protocol import Answer, Desk, Job, Outcome, Sampler, draw


class RandomSearch:
    """Trains ``configs`` independent configurations, each in one job of R epochs.

    With a sampler that always gives the same configuration this repeats one training with as many
    seeds, which is how ``evaluate`` uses it.
    """

    def __init__(
        self, sampler: Sampler, seed: int, *, R: int, configs: int | None, max_epochs: int | None = None
    ) -> None:
        self._sampler = sampler
        self._seed = seed
        self._R = R
        self._configs = configs
        self._max_epochs = max_epochs
        self._desk = Desk()

    def ask(self) -> Job | Answer:
        """The next configuration, until ``configs`` or ``max_epochs`` is reached."""
        trial = self._desk.jobs
        enough = self._configs is not None and trial >= self._configs
        too_dear = self._max_epochs is not None and self._desk.epochs + self._R > self._max_epochs
        if enough or too_dear:
            return self._desk.nothing()
        return self._desk.hand_out(trial, draw(self._sampler, self._seed, trial), rung=0, start=0, stop=self._R)

    def tell(self, job: Job, outcome: Outcome) -> None:  # noqa: ARG002 - nothing is learned from outcomes
        """Take the end of a job."""
        self._desk.take_back(job)
