"""Results of trainings that another study may take over: what makes two results the same, and an index of them.

Pure: :mod:`asha_nas.experience` feeds the index from a store. A result is that of an architecture, by its canonical
identity, trained for so many epochs on the same data, by the same recipe, under a schedule of the same length. Its seed
is another one: what is saved is a repeat of the training, and what is lost is that the repeat would have differed by
noise.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from asha_nas.store.events import Asked, Event, Reported, Told
from asha_nas.study import PartialTraining, StudySpec

NOTE = "reused"
"""Name of the note, in a report, that says where its figures come from."""
_CHANGES_NO_RESULT = ("threads", "checkpoint_minutes")
"""Settings of a recipe. (The number of threads may change the last digits, which is less than another seed does.)"""


@dataclass(frozen=True, slots=True)
class Past:
    """A result that is there already."""

    metrics: Mapping[str, float]
    """At that epoch; all finite."""
    source: str
    """Where it comes from: ``owner/study trial N``."""


LookUp = Callable[[str, int], Past | None]
"""What is known of an architecture, by its identity, at an epoch."""


def nothing(_identity: str, _epoch: int) -> None:
    """A :data:`LookUp` that knows nothing."""


def key(spec: StudySpec) -> str | None:
    """Equal for studies whose results are worth the same; ``None`` for those whose results are not reused."""
    problem = spec.problem
    if not isinstance(problem, PartialTraining):
        return None
    recipe = {k: v for k, v in dataclasses.asdict(problem.recipe).items() if k not in _CHANGES_NO_RESULT}
    # The schedules of learning rate and drop-path span R: an epoch under another R is another epoch.
    same = {"kind": problem.kind, "data": problem.data, "recipe": recipe, "R": spec.scheduler.R}
    return json.dumps(same, sort_keys=True)


@dataclass(slots=True)
class _Job:
    """A job of another study, in flight or over."""

    trial: int
    found: list[tuple[str, int]] = dataclasses.field(default_factory=list)
    """Places, identity and epoch, that the index has a result of it at."""


class Results:
    """An index of the results of other studies. Feed it their events in order; ask at any time in between.

    Of several results the one that was fed first is given. One that was itself reused is left out: its origin is there.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[str, int], dict[tuple[str, int], Past]] = {}  # by place, then by study and job
        self._identities: dict[tuple[str, int], str] = {}  # by study and trial
        self._jobs: dict[tuple[str, int], _Job] = {}  # by study and number

    def __call__(self, identity: str, epoch: int) -> Past | None:
        """A :data:`LookUp`."""
        return next(iter(self._found.get((identity, epoch), {}).values()), None)

    def add(self, study: str, event: Event) -> None:
        """Fold in the next event of a study, which is named as a source is to name it."""
        match event:
            case Asked():
                self._jobs[study, event.job] = _Job(event.trial)
                if event.identity is not None:
                    self._identities[study, event.trial] = event.identity
            case Reported():
                self._report(study, event)
            case Told():
                job = self._jobs.pop((study, event.job))
                if event.failure is not None and event.failure.kind == "diverged":
                    for place in job.found:
                        self._found[place].pop((study, event.job), None)
            case _:
                pass

    def _report(self, study: str, event: Reported) -> None:
        job = self._jobs[study, event.job]
        identity = self._identities.get((study, job.trial))
        finite = all(math.isfinite(value) for value in event.metrics.values())
        if identity is None or not event.metrics or not finite or NOTE in event.notes:
            return
        place = (identity, event.epoch)
        known = self._found.setdefault(place, {})
        known[study, event.job] = Past(dict(event.metrics), f"{study} trial {job.trial}")
        job.found.append(place)


class Trained:
    """How many epochs a training has really had, where some results of its trial were reused; a fold of a log."""

    def __init__(self) -> None:
        self._behind: dict[int, int] = {}  # by trial whose newest result was reused

    def begin(self, event: Asked) -> int:
        """Epochs that the trial's training has had when a job is handed out: ``start``, unless there was reuse."""
        return self._behind.pop(event.trial, event.start)

    def reuse(self, trial: int, epochs: int) -> None:
        """The trial got a result that it was not trained for: its training has had so many epochs."""
        self._behind[trial] = epochs
