"""One-shot errors of a space's architectures, at each kept epoch of a study's searches, beside the table's errors.

First :func:`plan`, which finds what is wrong as far as that can be told without measuring, then :func:`measure`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

from asha_nas import problems, searching
from asha_nas.analysis import History, TrialRecord
from asha_nas.analysis.correlation import Measured, Truth
from asha_nas.api import Study
from asha_nas.checkpoints import trial_folder
from asha_nas.errors import InvalidValue, NoResult, OutOfMemory, UserError
from asha_nas.store import Reported
from asha_nas.study import Search
from spaces.nasbench1shot1 import Choice, Space, choices_of, unique_cells, unique_hashes
from trials.checkpoint import CheckpointDamaged, CheckpointMissing
from trials.contract import Checkpoint, Task
from trials.correlation import Judge
from trials.scoring import Scorer
from trials.search import OneShotSearch

ALL_UP_TO: Final = 3000
"""Spaces of so many architectures are measured whole, unless it is said how many."""
DRAWN: Final = 1000
"""Architectures that are drawn from larger ones."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint of a search."""

    trial: int
    epoch: int
    """Epochs searched."""
    checkpoint: Checkpoint
    chosen: str
    """Hash of the cell that the search would have ended with."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is to be measured. Made by :func:`plan`."""

    search: OneShotSearch
    """The trial of the study."""
    tasks: Mapping[int, Task]
    """Of the searches that are measured, by trial."""
    kept: tuple[Kept, ...]
    """By trial, then epoch; not empty. Whether their files are there is seen when they are read."""
    choices: tuple[Choice, ...]
    """One encoding of each architecture."""
    truth: Truth
    """What the table says of the same architectures."""
    whole: int
    """Architectures of the space."""
    images: int | None
    """How many images to measure on; None for the whole search part."""
    remarks: tuple[str, ...]
    """In which ways the table's figures fall short, for people."""

    @property
    def work(self) -> int:
        """Measurements in all: architectures times checkpoints."""
        return len(self.choices) * len(self.kept)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What was measured."""

    measured: tuple[Measured, ...]
    """By trial, then epoch; not empty."""
    left_out: tuple[str, ...]
    """A line for each checkpoint that is missing or damaged."""
    images: int
    """How many each architecture was measured on."""


def plan(
    study: Study,
    *,
    every: int | None = None,
    trial: int | None = None,
    architectures: int | None = None,
    seed: int = 0,
    images: int | None = None,
) -> Plan:
    """Find checkpoints, architectures, and what the table says of them.

    Args:
        study: of searches in a space of NAS-Bench-1Shot1; it may be running.
        every: only epochs that are multiples of it, and the last of each search; None for all that were kept.
        trial: the only search to measure; None for all.
        architectures: how many to draw, each with the same probability; None for all of a space of up to
            :data:`ALL_UP_TO`, else :data:`DRAWN`.
        seed: of the draw.
        images: how many images to measure on; None for the whole search part.

    Raises:
        InvalidValue: the study is none of searches that have a table, or a number is out of its range.
        TrialNotFound: there is no such trial.
        NoResult: no checkpoint was saved yet, or none at such an epoch.
        UserError: the table is not there, or lacks something.
    """
    scorer = _scorer(study)
    if every is not None and every < 1:
        raise InvalidValue("every", every, "must be at least 1 epoch")
    search = problems.build(study.spec).trial
    assert isinstance(search, OneShotSearch)
    history = study.history()
    wanted = list(history.trials.values()) if trial is None else [history.trial(trial)]
    tasks = {record.number: _task(study, record) for record in wanted}
    kept = tuple(_chosen_epochs(_saved(study, history), search, tasks, every))
    if not kept:
        raise NoResult(
            f"study {study.name!r} has no checkpoint yet whose weights could be measured\n"
            "Searches save one every `keep_every` epochs and at their end: look again later, or resume the study."
        )
    places, truth = _truth(scorer, _drawn(scorer.space, architectures, seed), {each.chosen for each in kept})
    cells = unique_cells(scorer.space)
    found = tuple(choices_of(cells[place], scorer.space) for place in places.tolist())
    choices = tuple(choice for choice in found if choice is not None)
    assert len(choices) == len(places)
    return Plan(search, tasks, kept, choices, truth, len(cells), images, scorer.remarks())


def measure(plan: Plan, progress: Callable[[Kept, int], None] = lambda _kept, _done: None) -> Found:
    """Measure all architectures with the weights of each checkpoint.

    Args:
        plan: what to measure.
        progress: called now and then with the checkpoint at work and the number of measurements since the last call;
            those of a checkpoint that cannot be read count at once.

    Raises:
        InvalidValue: there are too few images.
        UserError: no checkpoint can be read, or memory does not suffice.
    """
    measured: list[Measured] = []
    left_out: list[str] = []
    images = 0
    for trial, of_trial in groupby(plan.kept, key=lambda each: each.trial):
        judge = Judge(plan.search, plan.tasks[trial], plan.images)
        images = judge.images
        for kept in of_trial:
            try:
                judge.load(kept.checkpoint)
            except (CheckpointMissing, CheckpointDamaged) as error:
                left_out.append(f"trial {trial}, epoch {kept.epoch}: {str(error).splitlines()[0]}")
                progress(kept, len(plan.choices))
                continue
            measured.append(_measured(plan, judge, kept, progress))
    if not measured:
        raise UserError(
            f"none of {len(plan.kept)} checkpoints can be read: {left_out[0]}\n"
            "Bring their folder back, or search again; `--recipe keep_every=N` says at which epochs they are kept."
        )
    return Found(tuple(measured), tuple(left_out), images)


def _measured(plan: Plan, judge: Judge, kept: Kept, progress: Callable[[Kept, int], None]) -> Measured:
    task = plan.tasks[kept.trial]
    try:
        errors = judge.errors(plan.choices, lambda done: progress(kept, done))
    except OutOfMemory as error:
        raise UserError(f"{error}\nMeasure on fewer images: --images {max(judge.images // 10, 100)}") from error
    chosen = plan.truth.hashes.index(kept.chosen)
    return Measured(kept.trial, task.config.get("seed"), task.stop, kept.epoch, chosen, errors)


# --- which checkpoints -----------------------------------------------------------------------------


def _scorer(study: Study) -> Scorer:
    problem = study.spec.problem
    if not isinstance(problem, Search):
        rule = "is none of one-shot searches, and others have no shared weights"
        raise InvalidValue("study", study.name, rule, "Make one: asha-nas search")
    scorer = searching.scorer(problem)
    if scorer is None:
        rule = f"searches {problem.space}, for which there is no table to compare one-shot errors with"
        raise InvalidValue("study", study.name, rule, "Search s1, s2 or s3.")
    return scorer


def _task(study: Study, record: TrialRecord) -> Task:
    job = record.jobs[-1]  # a search is one job
    return Task(record.number, record.config, job.start, job.stop, 0, trial_folder(study.folder, record.number))


def _saved(study: Study, history: History) -> Iterator[Kept]:
    """All checkpoints that the log tells of, also those that were meant to be deleted since."""
    for row in study.store.rows(study.store.study(study.name)):
        event = row.event
        if not isinstance(event, Reported) or event.checkpoint is None:
            continue
        if event.job in history.jobs:  # a study that runs may have begun another one since its history was read
            yield Kept(history.jobs[event.job].trial, event.epoch, event.checkpoint, str(event.notes["hash"]))


def _chosen_epochs(
    saved: Iterable[Kept], search: OneShotSearch, tasks: Mapping[int, Task], every: int | None
) -> Iterator[Kept]:
    """Those that the searches keep to their end, and the newest of each; by trial, then epoch."""
    by_trial: dict[int, dict[int, Kept]] = {trial: {} for trial in tasks}
    for each in saved:
        if each.trial in by_trial:
            by_trial[each.trial][each.epoch] = each
    for trial, by_epoch in sorted(by_trial.items()):
        keep_every = search.recipe_of(tasks[trial]).keep_every
        for epoch in sorted(by_epoch):
            kept = keep_every is not None and epoch % keep_every == 0 and epoch % (every or 1) == 0
            if kept or epoch == max(by_epoch):
                yield by_epoch[epoch]


# --- which architectures ---------------------------------------------------------------------------


def _drawn(space: Space, count: int | None, seed: int) -> NDArray[np.int64]:
    """Places among the space's unique cells, ascending."""
    whole = len(unique_cells(space))
    if count is None:
        count = whole if whole <= ALL_UP_TO else DRAWN
    if not 2 <= count <= whole:
        raise InvalidValue("architectures", count, f"must be 2 to {whole}, all of {space.name}")
    return np.sort(np.random.default_rng(seed).choice(whole, count, replace=False))


def _truth(scorer: Scorer, drawn: NDArray[np.int64], chosen: Iterable[str]) -> tuple[NDArray[np.int64], Truth]:
    """What the table says of the drawn architectures, the chosen ones and the best; and their places in the space."""
    table, hashes = scorer.table, unique_hashes(scorer.space)
    rows = table.rows(hashes)
    numbers = {row.tobytes().hex(): place for place, row in enumerate(hashes)}
    best = int(table.column("test_accuracy", scorer.budgets[-1], rows=rows).argmax())
    places = np.unique([*drawn.tolist(), *(numbers[each] for each in chosen), best])
    errors = {
        split: {b: _errors(table.column(f"{split}_accuracy", b, rows=rows[places])) for b in scorer.budgets}
        for split in ("test", "valid")
    }
    names = tuple(hashes[place].tobytes().hex() for place in places)
    at_best = int(np.searchsorted(places, best))
    return places, Truth(names, np.isin(places, drawn), errors["test"], errors["valid"], at_best)


def _errors(accuracies: NDArray[np.float64]) -> NDArray[np.float64]:
    errors: NDArray[np.float64] = (1.0 - accuracies).round(12)  # 0.15, not 0.15000000000000002
    return errors
