"""Which checkpoints of a study are needed, as a fold of its log: pure, so that a resumed driver knows the same.

Needed are:

- of a training that may go on, the newest two (the older one for the day that the newer is damaged), and the one that
  its running job began with;
- of a training that is over, nothing, except that the newest one stays of the best trial so far that has any, and of
  each trial of a study whose trained networks are what it was run for (:attr:`Policy.lasting`);
- always those at a multiple of ``keep_every`` epochs, where the trial keeps such.

A training is over when the scheduler names its trial as finished; where each budget is a training from scratch, when
its job has ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from asha_nas.schedulers import Job
from asha_nas.study import FullTraining, Objective, OneShot, Search, StudySpec
from trials.contract import Checkpoint

_BEST_UNKNOWN = (float("inf"), 0, 0)


@dataclass(frozen=True, slots=True)
class Policy:
    """How a study's checkpoints are kept."""

    deletes: bool = True
    """Whether anything is deleted by the driver at all."""
    keep_every: int | None = None
    """Epochs between those that stay in any case."""
    lasting: bool = False
    """Whether the newest of every training stays."""
    from_scratch: bool = False
    """Whether no job goes on from the checkpoints of another."""
    named_only: bool = False
    """Whether only files are deleted that a report has named: a user's function may write others beside them."""


def policy(spec: StudySpec) -> Policy:
    """The policy of a study."""
    problem = spec.problem
    return Policy(
        deletes=spec.keep == "needed",
        keep_every=problem.recipe.keep_every if isinstance(problem, OneShot) else None,
        lasting=isinstance(problem, Search | FullTraining),
        from_scratch=problem.from_scratch,
        named_only=isinstance(problem, Objective),
    )


@dataclass(frozen=True, slots=True)
class Removal:
    """Files of a folder that nothing needs any more."""

    folder: str
    names: tuple[str, ...] = ()
    """Files to delete; those that are gone already do no harm."""
    keep: frozenset[str] | None = None
    """If given, all other checkpoints in the folder go as well, those included that no log knows of."""

    def sparing(self, needed: frozenset[str]) -> Removal:
        """The same without what is needed now."""
        names = tuple(name for name in self.names if name not in needed)
        return Removal(self.folder, names, None if self.keep is None else self.keep | needed)


@dataclass(slots=True, eq=False)
class _Training:
    """A trial's course from epoch 0 on: one for all its jobs, or one for each that trains from scratch."""

    folder: str
    known: list[Checkpoint] = field(default_factory=list)  # newest first; without those deleted
    start: int = 0  # where its running, or last, job began
    over: bool = False


def trial_folder(study_folder: str, trial: int) -> str:
    """Where a trial keeps its checkpoints."""
    return f"{study_folder}/trial-{trial:05d}"


class Shelf:
    """The checkpoints that a study has. Each change returns what is to be deleted by it."""

    def __init__(self, folder: str, policy: Policy) -> None:
        """An empty shelf.

        Args:
            folder: path or URL below which each trial has its folder.
            policy: what is kept.
        """
        self._folder = folder
        self.policy = policy
        self._trainings: dict[int, _Training] = {}  # by trial, its newest
        self._best: _Training | None = None
        self._best_rank: tuple[float, int, int] = _BEST_UNKNOWN
        self.bytes = 0
        """Taken by all checkpoints that are known and not deleted."""
        self.largest = 0
        """Bytes of the largest checkpoint so far."""

    def __contains__(self, trial: int) -> bool:
        """Whether a trial has begun."""
        return trial in self._trainings

    def begin(self, job: Job) -> None:
        """A job was handed out; one that starts at epoch 0 begins a training of its own."""
        if job.start == 0:
            folder = trial_folder(self._folder, job.trial)
            again = job.trial in self._trainings
            self._trainings[job.trial] = _Training(f"{folder}/to-{job.stop:05d}" if again else folder)
        self._trainings[job.trial].start = job.start

    def of(self, trial: int) -> tuple[str, tuple[Checkpoint, ...]]:
        """Folder and newest checkpoints, newest first, of a trial's training."""
        training = self._trainings[trial]
        return training.folder, tuple(training.known[:3])

    def add(self, trial: int, checkpoint: Checkpoint) -> list[Removal]:
        """A checkpoint was saved. Later ones are forgotten: the training went back, and will write them again."""
        training = self._trainings[trial]
        self._count(training.known, -1)
        training.known = [checkpoint, *(each for each in training.known if each.epoch < checkpoint.epoch)]
        self._count(training.known, +1)
        self.largest = max(self.largest, checkpoint.size)
        return self._tidy(training)

    def end(self, job: Job, loss: float | None) -> list[Removal]:
        """A job has ended."""
        training = self._trainings[job.trial]
        removals = []
        # A result that was reused has nothing to keep, and does not cost the best one that has.
        if training.known and loss is not None and (loss, -job.stop, job.trial) < self._best_rank:
            before, self._best = self._best, training
            self._best_rank = (loss, -job.stop, job.trial)
            if before is not None and before is not training and before.over:
                removals += self._tidy(before)
        if self.policy.from_scratch:
            removals += self._close(training)
        return removals

    def finish(self, trials: Iterable[int]) -> list[Removal]:
        """Trials will never have another job."""
        return [removal for trial in trials for removal in self._close(self._trainings[trial])]

    def needed(self) -> dict[str, frozenset[str]]:
        """Names of the checkpoints that are needed, by folder."""
        return {
            training.folder: frozenset(each.name for each in training.known)
            for training in (*self._trainings.values(), *([self._best] if self._best is not None else []))
        }

    def _close(self, training: _Training) -> list[Removal]:
        if training.over:
            return []
        training.over = True
        return self._tidy(training)

    def _tidy(self, training: _Training) -> list[Removal]:
        """Part with what is not needed of a training, or with what its trial has parted with by itself."""
        policy = self.policy
        if not policy.deletes and policy.named_only:
            return []
        kept = [each for place, each in enumerate(training.known) if self._stays(training, place, each)]
        gone = tuple(each.name for each in training.known if each not in kept)
        self._count(training.known, -1)
        training.known = kept
        self._count(kept, +1)
        if not policy.deletes:
            return []
        if training.over and not policy.named_only:
            # Of a study without any checkpoints no folder is listed in vain.
            return [Removal(training.folder, gone, frozenset(each.name for each in kept))] if self.largest else []
        return [Removal(training.folder, gone)] if gone else []

    def _stays(self, training: _Training, place: int, checkpoint: Checkpoint) -> bool:
        """Whether the checkpoint at that place, newest first, is needed."""
        every = self.policy.keep_every
        if every is not None and checkpoint.epoch % every == 0:
            return True
        if training.over and self.policy.deletes:
            return place == 0 and (self.policy.lasting or training is self._best)
        return place < 2 or checkpoint.epoch == training.start

    def _count(self, checkpoints: Iterable[Checkpoint], sign: int) -> None:
        self.bytes += sign * sum(each.size for each in checkpoints)
