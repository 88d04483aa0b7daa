"""The thin layer between Ray Tune and a study's driver: one job = one Ray Tune trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar, cast

from ray import tune
from ray.tune.search import Searcher

from asha_nas.engines.protocol import Assignment, JobSource
from asha_nas.schedulers import DONE, WAIT
from trials.contract import Failure, Report

TASK_KEY = "task"
NEWS_KEY = "news"

P = ParamSpec("P")
T = TypeVar("T")

LOST = Failure("worker_lost", "the worker process died (killed, out of memory, or its node was lost)")


class SourceSearcher(Searcher):
    """Hands a source's assignments to Ray Tune, and Tune's results back to the source.

    Tune asks for work ahead of time; this asks the source only while fewer jobs are in flight than
    there is room for, so that each decision is made when a worker is free for it. Where nothing is in flight, no
    result can change the decision any more: one job is asked for then, room or not. So a study that has to wait for
    others, on a cluster that they share, is over as soon as it has nothing left to do.

    What the source raises (a lost lease, a full disk) would be taken by Tune for the failure of a trial;
    it is kept in ``error`` instead, and no more work is given out.
    """

    def __init__(self, source: JobSource, room: Callable[[], int]) -> None:
        super().__init__()
        self._source = source
        self._room = room
        self._in_flight: dict[str, Assignment] = {}
        self._has_news = False  # a job has ended since the source was asked last
        self.wants_more = True
        """Whether the source may have another job beside those handed out: it had one, or was not asked since."""
        self.done = False
        self.error: BaseException | None = None

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """The next job as a Tune config, ``None`` to wait, FINISHED at the end."""
        if self.error is None and self._in_flight and len(self._in_flight) >= self._room():
            self.wants_more = self.wants_more or self._has_news
            return None
        answer = self._safely(self._source.ask)
        self._has_news, self.wants_more = False, isinstance(answer, Assignment)
        if isinstance(answer, Assignment):
            self._in_flight[trial_id] = answer
            return {TASK_KEY: answer.task}
        self.done = answer is DONE
        return None if answer is WAIT else cast("dict[str, Any]", Searcher.FINISHED)

    @property
    def in_flight(self) -> int:
        """Jobs handed out to Tune and not over."""
        return len(self._in_flight)

    def on_trial_result(self, trial_id: str, result: Mapping[str, Any]) -> None:
        """Reports came, or the end: by itself or with a failure that the trial raised."""
        for news in result.get(NEWS_KEY, ()):
            assignment = self._in_flight.get(trial_id)
            if assignment is not None and isinstance(news, Report):
                self._safely(self._source.report, assignment, news)
            elif assignment is not None:
                del self._in_flight[trial_id]
                self._has_news = True
                self._safely(self._source.ended, assignment, news)

    def on_trial_complete(
        self,
        trial_id: str,
        result: Mapping[str, Any] | None = None,  # noqa: ARG002 - Tune's signature
        error: bool = False,  # noqa: ARG002
    ) -> None:
        """The Tune trial is over. If its job is not, its process is gone."""
        assignment = self._in_flight.pop(trial_id, None)
        if assignment is not None:
            self._has_news = True
            self._safely(self._source.ended, assignment, LOST)

    def give_up(self, trial_id: str, failure: Failure) -> None:
        """The job's worker is not waited for any longer, whether or not it can be killed."""
        assignment = self._in_flight.pop(trial_id, None)
        if assignment is not None:
            self._has_news = True
            self._safely(self._source.ended, assignment, failure)

    def fail(self, error: BaseException) -> None:
        """Give out no more work, and end with this error; may be called from another thread."""
        if self.error is None:
            self.error = error

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the study's log is the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: a study is resumed from its log, not from Tune's files."""

    def __getstate__(self) -> dict[str, Any]:
        # Tune pickles its search algorithm into its own snapshot, which we never read.
        return {}

    def _safely(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        if self.error is None:
            try:
                return call(*args, **kwargs)
            except BaseException as error:
                self.error = error
        return None


def is_last(result: Mapping[str, Any]) -> bool:
    """Whether a result is the last of its job: it ends with something else than a report."""
    return NEWS_KEY in result and not isinstance(result[NEWS_KEY][-1], Report)


def reports(result: Mapping[str, Any]) -> list[Report]:
    """The reports in a result."""
    return [news for news in result.get(NEWS_KEY, ()) if isinstance(news, Report)]


class StopOnError(tune.Stopper):
    """Ends Tune's run at once when the source has raised."""

    def __init__(self, searcher: SourceSearcher) -> None:
        self._searcher = searcher

    def __call__(self, trial_id: str, result: Mapping[str, Any]) -> bool:  # noqa: ARG002 - Tune's signature
        """No trial is stopped on its own."""
        return False

    def stop_all(self) -> bool:
        """Whether everything is to stop."""
        return self._searcher.error is not None
