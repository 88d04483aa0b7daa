"""Runs every job in this process, one after the other: for tests, debugging and tiny studies."""

from __future__ import annotations

from asha_nas.engines.protocol import Assignment, JobSource
from asha_nas.schedulers import Answer
from trials.contract import Report, Trial, run, step


class InlineEngine:
    """One worker, this process. Deterministic: the log of a study is the same every time."""

    def run(self, source: JobSource, trial: Trial) -> None:
        """Run jobs until the source answers DONE."""
        # With one worker nothing is in flight when we ask, so WAIT cannot occur.
        while not isinstance(assignment := source.ask(), Answer):
            self._run_one(source, trial, assignment)

    def _run_one(self, source: JobSource, trial: Trial, assignment: Assignment) -> None:
        reports = run(trial, assignment.task)
        while isinstance(news := step(reports), Report):
            source.report(assignment, news)
        source.ended(assignment, news)
