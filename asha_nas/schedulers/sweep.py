"""A sweep: every configuration of a list once, each to an epoch of its own. Nothing is decided by results."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from asha_nas.schedulers.protocol import Answer, Config, Desk, Job, Outcome


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of a sweep."""

    config: Config
    """What its trial does."""
    rung: int
    """Number of the budget, from 0."""
    stop: int
    """The budget: epochs to train, >= 1."""


class Sweep:
    """Hands out each of ``pieces`` as a trial of one job, in their order.

    A piece whose job gave no result is handed out again, as a new trial, when all others have been: what took its
    worker away may be over by then. One that diverged is not, as it would again. The sweep itself never gives up; a
    driver does for the time being, when job after job is lost (:data:`asha_nas.runner.LOST_IN_A_ROW`).
    """

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._waiting = deque(pieces)
        self._running: dict[int, Piece] = {}
        self._finished: list[int] = []
        self._desk = Desk()

    def ask(self) -> Job | Answer:
        """The next piece."""
        if not self._waiting:
            return self._desk.nothing()
        piece = self._waiting.popleft()
        job = self._desk.hand_out(self._desk.jobs, piece.config, piece.rung, 0, piece.stop)
        self._running[job.number] = piece
        return job

    def tell(self, job: Job, outcome: Outcome) -> None:
        """Take the end of a job."""
        self._desk.take_back(job)
        piece = self._running.pop(job.number)
        if outcome.loss is None and not outcome.diverged:
            self._waiting.append(piece)
        self._finished.append(job.trial)

    def finished(self) -> Sequence[int]:
        """All whose job has ended; what is handed out again is another trial."""
        return self._finished
