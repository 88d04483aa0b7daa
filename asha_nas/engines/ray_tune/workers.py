"""Which worker gets the next job: what Tune leaves to its schedulers, and a little of what it should not keep."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ray
from ray.tune.experiment import Trial
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.schedulers import TrialScheduler

from asha_nas.engines.ray_tune.silence import Silence
from trials.contract import Failure, Report, Task

PATIENCE = 30.0
"""Seconds after which a job that waits for a worker of its own is given a free one before newer jobs are."""
IDLE = 0.05
"""Seconds between two looks for room while there is no worker at all: Tune then has nothing to wait for."""


class WorkerKeeper(TrialScheduler):
    """A Tune scheduler that decides nothing about trials, only about workers (Tune's reused actors).

    Left alone, Tune gives each actor that has become free to a trial that waits for an actor of its own, and
    takes back the request for that one. Jobs shorter than the seconds an actor takes to start would
    all run on the first actor, one after the other, whatever the number of workers. It also keeps
    at most one free actor, so that workers that wait for a rung to fill would be started again.

    So the actor of a job that is over is *held*: its Tune trial stays open, with nothing to do, until there
    is a job for the actor. That is the next job asked for, while those before wait for theirs to start.

    On a cluster that others use too, held workers that the study is to do without are stopped at once, the one first
    that has been free for longest. A job that there is no room for is *kept*, as a trial that Tune takes for paused.
    While there is one, Tune goes on looking; without any trial it would sit down and wait for one, and neither hear
    that a worker has stopped, nor Ctrl-C.

    Tune moreover keeps every trial it has seen, walks over all of them at each step and writes them to a file at
    the end. Those that are over are dropped, so that neither time per job nor memory grows.

    Workers that are silent for too long are killed.
    """

    def __init__(
        self,
        over: Callable[[Mapping[str, Any]], bool],
        too_many: Callable[[int], int] = lambda _held: 0,
        *,
        heard: Callable[[Mapping[str, Any]], Sequence[Report]],
        task: Callable[[Trial], Task],
        silence: Silence[Trial],
        give_up: Callable[[str, Failure], None],
    ) -> None:
        """Hold no worker yet.

        Args:
            over: whether a result is the last of its job.
            too_many: by how much the jobs handed out, with so many held workers, are more than there is room for.
            heard: the reports in a result.
            task: what a trial is to do.
            silence: says which workers to give up.
            give_up: called with the id of the trial of a worker that is given up, and why.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self._over = over
        self._too_many = too_many
        self._new: deque[Trial] = deque()  # no worker was looked for yet
        self._waiting: dict[Trial, float] = {}  # for a worker that starts; since when
        self._held: list[Trial] = []  # over, each with a free worker; the last used one last
        self._gone: list[Trial] = []  # to be dropped
        self._heard, self._task = heard, task
        self._silence, self._say_lost = silence, give_up

    @property
    def busy(self) -> bool:
        """Whether the job handed out last is to be given a held worker before another is handed out."""
        return bool(self._new and self._held)

    @property
    def held(self) -> int:
        """Free workers."""
        return len(self._held)

    @property
    def waiting(self) -> int:
        """Jobs handed out that no worker has begun."""
        return len(self._new) + sum(trial.status == Trial.PENDING for trial in self._waiting)

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """The trial that Tune is to give a worker to, once a step of Tune. Frees a held worker for it."""
        self._drop(tune_controller)
        if self._silence.is_time():
            self._kill_silent(tune_controller)
        if tune_controller.search_alg.is_finished():
            while self._held:
                tune_controller.stop_trial(self._held.pop())
            return None
        trial = self._next()
        if trial is None:
            self._stop_spare(tune_controller)
        elif self._held:
            self._waiting.pop(trial, None)
            # Tune now caches the worker of the stopped trial, and gives it to `trial` as we return.
            tune_controller.stop_trial(self._held.pop())
        return trial

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:  # noqa: ARG002 - Tune's signature
        """A job was handed out."""
        self._new.append(trial)
        if self._too_many(0) > 0:
            trial.set_status(Trial.PAUSED)  # type: ignore[no-untyped-call]
            trial.init_local_path()  # type: ignore[no-untyped-call]  # which Tune looks for if it is interrupted

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:  # noqa: ARG002
        """Go on, or hold the worker of a job that is over."""
        for report in self._heard(result):
            self._silence.heard(trial, self._task(trial), report.epoch)
        if not self._over(result):
            return self.CONTINUE
        self._held.append(trial)
        return self.NOOP

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:  # noqa: ARG002
        """A held worker was freed."""
        self._gone.append(trial)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:  # noqa: ARG002
        """A worker was lost."""
        self._gone.append(trial)

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:  # noqa: ARG002
        """A trial was stopped that had no worker yet."""
        self._gone.append(trial)

    def debug_string(self) -> str:
        """For Tune's own tables, which are off."""
        return "asha-nas"

    def __getstate__(self) -> dict[str, Any]:
        # Tune pickles its configuration into a file, which we never read.
        return {}

    def _next(self) -> Trial | None:
        self._waiting = {t: since for t, since in self._waiting.items() if t.status == Trial.PENDING}
        longest = next(iter(self._waiting.items()), None)
        now = time.monotonic()
        if self._held and longest is not None and (not self._new or now - longest[1] > PATIENCE):
            return longest[0]
        if not self._new or (self._new[0].status == Trial.PAUSED and self._too_many(0) > 0):
            return None
        trial = self._new.popleft()
        self._waiting[trial] = now
        return trial

    def _stop_spare(self, tune_controller: Any) -> None:
        """Stop the held workers that are too many."""
        for _ in range(min(len(self._held), self._too_many(len(self._held)))):
            tune_controller.stop_trial(self._held.pop(0))
            # Private to Tune, which would keep the worker for the next trial.
            tune_controller._cleanup_cached_actors(force_all=True)
        if self._new and len(tune_controller.get_live_trials()) == len(self._new):
            time.sleep(IDLE)

    def _kill_silent(self, tune_controller: Any) -> None:
        """Kill workers that are silent for too long; Tune then learns that they are gone, as of any other."""
        held = set(self._held)
        actors = {
            trial: trial.temporary_state.ray_actor for trial in tune_controller.get_live_trials() if trial not in held
        }
        running = {trial: self._task(trial) for trial, actor in actors.items() if actor is not None}
        for trial, failure in self._silence.look(running).items():
            self._say_lost(trial.trial_id, failure)
            ray.kill(actors[trial])

    def _drop(self, tune_controller: Any) -> None:
        still, self._gone = self._gone, []
        for trial in still:
            if trial.status not in (Trial.TERMINATED, Trial.ERROR):
                self._gone.append(trial)
                continue
            if trial in tune_controller.get_trials():
                tune_controller.get_trials().remove(trial)
            tune_controller.get_live_trials().discard(trial)
            # Private to Tune; where a version has no such set, it merely keeps the trial.
            for name in ("_stopped_trials", "_failed_trials", "_trials_to_cache"):
                getattr(tune_controller, name, set()).discard(trial)


class NoProgress(TrialProgressCallback):
    """Stands in for Tune's printer of progress, which would be added otherwise, and keeps every trial it saw."""

    def on_trial_result(self, *_: Any, **__: Any) -> None:
        """Print and keep nothing."""

    def on_trial_error(self, *_: Any, **__: Any) -> None:
        """Print and keep nothing."""

    def on_trial_complete(self, *_: Any, **__: Any) -> None:
        """Print and keep nothing."""
