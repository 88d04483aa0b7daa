"""A one-shot search: the trial whose result is a cell, scored by a look-up in a table.

Reads from top to bottom: the trial, its course, one epoch, and what is saved.

A super-net is trained for ``task.stop`` search epochs, which all schedules span: each budget is a search from
scratch. After every epoch the architecture that the search would end with is looked up, so that a search is a curve
of regret (Zela, Siems & Hutter, 2020, arXiv:2001.10422, section 3). What a search sees is the training set without
a part that is kept for validating the table's networks, cut in two: images for the weights, and images for the
architecture. The table's figures enter no decision of a search, nor does the test set.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from spaces.darts_cell import Genotype
from spaces.errors import InvalidValue
from spaces.nasbench1shot1 import Choice
from trials import checkpoint as checkpoints
from trials.contract import Report, Task
from trials.course import Saver, derive, named_failures, prepare_process, resume
from trials.data import Dataset, load_on
from trials.oneshot.feed import Feed
from trials.oneshot.optimizers import build_optimizer, build_supernet
from trials.oneshot.shared import SharedWeights, means
from trials.scoring import Scorer
from trials.search_recipe import NOT_FORWARDED, BilevelRecipe, SearchRecipe, Variant, search_recipe

LEAST_PATHS = 8
"""Batches that the super-net is measured in, at least: where paths are drawn, it is measured by so many of them."""


@dataclass(frozen=True, slots=True)
class OneShotSearch:
    """A ``trials.contract.Trial``: searches for ``task.stop`` epochs with the seed ``task.config["seed"]``.

    Without ``seed`` in the configuration the task's own counts. Further keys are hyperparameters of the recipe, whose
    values they replace.

    Every epoch is reported. Metrics: ``one_shot_train_loss`` and ``one_shot_train_error`` (means over the epoch, of
    the weights' steps), ``one_shot_valid_loss`` and ``one_shot_valid_error`` (after it, of the super-net as it would
    be used, on the search part); with a table, what :meth:`trials.scoring.Score.metrics` names. Notes: ``cell`` and
    ``hash``, or ``genotype``, of the architecture the search would end with, and ``alphas``, the optimizer's
    parameters. Clock: ``search_seconds``, what a search of so many epochs takes (without measuring and looking up);
    ``simulated_seconds``, the same plus the table's time to train the cell; ``parts``, seconds of this epoch for
    ``data``, ``train``, ``measure``, ``choose`` and ``look_up``.

    Raises, on calling and while iterating: InvalidValue, UnknownName, DataMissing, DataDamaged, CellUnknown,
    MetricAbsent for wrong settings, before anything is trained; Diverged, OutOfMemory. A checkpoint that cannot be
    written is no failure: the report's note ``checkpoint_not_written`` says why, and training goes on.
    """

    optimizer: str
    """A name in ``trials.search_recipe.OPTIMIZERS``."""
    space: str
    """``s1``, ``s2``, ``s3`` or ``darts-cnn``."""
    data: str
    """Name of the data set, see :func:`trials.data.describe`."""
    recipe: SearchRecipe
    """How to search, of the optimizer's own class."""
    table: str | None = None
    """Name or path of the table that cells are looked up in; None in the DARTS space, which has none."""
    variant: Variant = "corrected"
    """``released`` repeats what the authors' code does; docs/corrections.md lists the differences."""
    data_dir: str | None = None
    """Folder of data sets and tables; None for the default, see :func:`trials.data.data_folder`."""

    def __post_init__(self) -> None:
        if (self.table is None) != (self.space == "darts-cnn"):
            rule = "there is none of the DARTS space" if self.table else f"must name one that holds space {self.space}"
            raise InvalidValue("table", self.table, rule)

    def __call__(self, task: Task) -> Iterator[Report]:
        """Search."""
        if task.start != 0:
            raise InvalidValue("start", task.start, "must be 0: each budget is a search from scratch, which it spans")
        if any(each.epoch >= task.stop for each in task.checkpoints):
            return
        recipe = self.recipe_of(task)
        with named_failures():
            learner = _Learner(self, recipe, task)
            start, notes = resume(learner, task)
        saver = Saver(task, start, recipe.keep_every)
        while learner.epoch < task.stop:
            began = time.perf_counter()
            with named_failures():
                metrics, found, clock = learner.search_epoch()
            epoch, seconds = learner.epoch, time.perf_counter() - began
            due = epoch == task.stop or saver.keeps(epoch) or saver.due(recipe.checkpoint_minutes)
            saved, trouble = saver.save(learner) if due else (None, {})
            yield Report(epoch, metrics, seconds, saved, notes | found | trouble, clock)
            notes = {}

    def recipe_of(self, task: Task) -> SearchRecipe:
        """The recipe, changed by the task's configuration."""
        changes = {name: value for name, value in task.config.items() if name != "seed"}
        if self.variant == "released":
            changes = {name: value for name, value in changes.items() if name not in NOT_FORWARDED}
        given = {**dataclasses.asdict(self.recipe), **changes}
        return search_recipe(self.optimizer, self.data, self.space, given, self.variant)


class _Learner:
    """A search under way. All that changes is in :meth:`state`."""

    def __init__(self, trial: OneShotSearch, recipe: SearchRecipe, task: Task) -> None:
        self.epoch, self.epochs = 0, task.stop
        # Architecture parameters are there to be noted at any time; sampling at the end comes at the end.
        self._late = trial.variant == "corrected" or not isinstance(recipe, BilevelRecipe)
        self.scorer = None
        if trial.table is not None:
            self.scorer = Scorer.open(trial.table, trial.space, trial.data, trial.data_dir, trial.variant)
        self.device = prepare_process(recipe.threads)
        data: Dataset = load_on(
            self.device, trial.data, trial.data_dir,
            valid_fraction=recipe.valid_fraction, train_limit=recipe.train_limit, test=False,
        )  # fmt: skip
        seed = task.config.get("seed", task.seed)
        self.feed = Feed(data, recipe, derive(seed, 0), self.device)
        network = build_supernet(trial.space, recipe, data, trial.variant, derive(seed, 1))
        network.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.shared = SharedWeights(network, recipe, self.epochs, self.device)
        self.optimizer = build_optimizer(
            trial.optimizer, trial.space, recipe, self.epochs, derive(seed, 2), self.device
        )
        self.trained_seconds = 0.0

    def search_epoch(self) -> tuple[dict[str, float], dict[str, Any], dict[str, Any]]:
        """Train, measure, choose and look up; returns metrics, notes and clock.

        The released code notes architecture parameters before it trains, so that its last epoch is never scored.
        """
        last = self.epoch + 1 == self.epochs
        watch = _Stopwatch()
        early = None if self._late else self.optimizer.choose(self.shared, self.feed, last=last)
        watch.lap("choose")
        metrics = self._train()
        watch.lap("train")
        metrics |= self._measure()
        watch.lap("measure")
        found = early if early is not None else self.optimizer.choose(self.shared, self.feed, last=last)
        watch.lap("choose")
        scores, notes, training_seconds = self._scored(found)
        watch.lap("look_up")
        notes |= {"alphas": self.optimizer.plain()}
        parts = watch.parts(data=self.feed.take_seconds())
        self.trained_seconds += parts["data"] + parts["train"]
        search_seconds = self.trained_seconds + parts["choose"]
        clock = {"search_seconds": search_seconds, "parts": parts}
        if training_seconds is not None:
            clock["simulated_seconds"] = search_seconds + training_seconds
        return metrics | scores, notes, clock

    def _train(self) -> dict[str, float]:
        """One pass over the weights' images."""
        self.shared.begin_epoch(self.epoch)
        self.optimizer.begin_epoch(self.epoch, self.epochs)
        sums = torch.zeros(3, dtype=torch.float64, device=self.device)
        for batch in self.feed.epoch():
            sums += self.optimizer.step(self.shared, batch, self.feed)
        self.epoch += 1
        self.optimizer.end_epoch(self.shared, self.feed)
        return means("one_shot_train", sums, self.epoch)

    def _measure(self) -> dict[str, float]:
        """The super-net on the search part."""
        batches = self.feed.whole(self.feed.search, least=LEAST_PATHS)
        sums = self.shared.measure(self.optimizer.evaluated, batches, self.optimizer.statistics)
        return means("one_shot_valid", sums, self.epoch)

    def _scored(self, found: Choice | Genotype) -> tuple[dict[str, float], dict[str, Any], float | None]:
        """Metrics and notes of an architecture, and the table's seconds to train it."""
        if isinstance(found, Genotype):
            return {}, {"genotype": str(found)}, None
        assert self.scorer is not None
        cell = found.cell().pruned()
        score = self.scorer.score(cell)
        return score.metrics(), {"cell": str(cell), "hash": score.hash}, score.seconds

    def state(self) -> checkpoints.State:
        """All that later epochs depend on, and the seconds so far, in which alone two equal searches differ."""
        return {
            "epoch": self.epoch,
            "shared": self.shared.state(),
            "feed": self.feed.state(),
            "optimizer": self.optimizer.state(),
            "trained_seconds": self.trained_seconds,
        }

    def restore(self, state: checkpoints.State) -> None:
        """Go on from a :meth:`state`."""
        self.epoch = state["epoch"]
        self.shared.restore(state["shared"])
        self.feed.restore(state["feed"])
        self.optimizer.restore(state["optimizer"])
        self.trained_seconds = state["trained_seconds"]


class _Stopwatch:
    """Seconds by part."""

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self._parts = dict.fromkeys(("train", "measure", "choose", "look_up"), 0.0)

    def lap(self, part: str) -> None:
        """What passed since the last lap belongs to ``part``."""
        now = time.perf_counter()
        self._parts[part] += now - self._last
        self._last = now

    def parts(self, data: float) -> dict[str, float]:
        """All parts; the seconds of ``data`` are taken out of ``train``, in which they passed."""
        parts = {"data": data, **self._parts}
        parts["train"] = max(0.0, parts["train"] - data)
        return {name: round(seconds, 6) for name, seconds in parts.items()}
