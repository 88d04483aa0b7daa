"""Training NAS-Bench-101 cells, alone or many side by side: the trial that a table is built from.

Reads from top to bottom: the trial, its course, one epoch, and what is counted at the end.

A task names cells of one shape and a repeat. They are trained from scratch for ``task.stop`` epochs, which the
cosine schedule spans: a budget is a training of its own, as in NAS-Bench-101. What a cell comes to depends on
the seed, the repeat and the cell, and not on which others are trained beside it, except for the last digits of
floating-point sums.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from spaces.errors import InvalidValue
from spaces.nasbench101 import Cell, parse_cell
from trials import checkpoint as checkpoints
from trials.contract import Report, Task
from trials.course import (
    Saver,
    autocast,
    cosine,
    derive,
    named_failures,
    prepare_process,
    restore,
    resume,
    state_of,
)
from trials.data import Dataset, Part, load_on
from trials.data.augmentation import Normalisation, crop_and_flip
from trials.networks.nasbench101 import CellNetwork
from trials.optimizer import RMSProp
from trials.recipe import CellRecipe

EVALUATION_BATCH = 60
"""Images in a batch of evaluation; it bounds memory and does not enter the results."""

TIMED_STEPS = 7
"""Steps of a cell's network alone that are timed; the fastest counts."""


@dataclass(frozen=True, slots=True)
class CellTraining:
    """A ``trials.contract.Trial``: trains ``task.config["cells"]``, a list of texts, for ``task.stop`` epochs.

    Further keys of the configuration: ``repeat`` (0 if not given), ``seed`` (of all repeats; the task's if not given),
    and ``timed``, whether to measure how long each cell takes alone. The schedule spans ``task.stop``, so a task starts
    at 0. Trainings of one repeat to different budgets begin alike and see the same batches.

    Cells whose loss is not finite go on being counted, at chance, as in NAS-Bench-101: one of many must not take the
    others with it.

    Each report has ``train_loss``, the mean over the epoch's batches and the cells. The last one has ``valid_error``
    and ``test_error``, means over the cells, and the note ``results``: by hash, the right answers ``valid`` and
    ``test``, whole numbers out of the note ``images`` (which has ``train`` too). Where timed, its clock has
    ``step_seconds`` by hash.

    Raises, on calling and while iterating: InvalidValue, UnknownName, DataMissing, DataDamaged for wrong
    settings; OutOfMemory. A checkpoint that cannot be written is noted, as ``checkpoint_not_written``.
    """

    data: str
    """Name of the data set, see :func:`trials.data.describe`."""
    recipe: CellRecipe
    """How to train."""
    data_dir: str | None = None
    """Folder of the data sets; None for the default, see :func:`trials.data.data_folder`."""

    def __call__(self, task: Task) -> Iterator[Report]:
        """Train the task's cells."""
        if task.start != 0:
            rule = "must be 0: each budget is a training from scratch, whose schedule it spans"
            raise InvalidValue("start", task.start, rule)
        with named_failures():
            learner = _Learner(self, task)
            start, notes = resume(learner, task)
        saver = Saver(task, start)
        for epoch in range(learner.epoch + 1, task.stop):
            began = time.perf_counter()
            with named_failures():
                metrics = learner.train_epoch()
            seconds = time.perf_counter() - began
            due = saver.due(self.recipe.checkpoint_minutes)
            saved, trouble = saver.save(learner) if due else (None, {})
            yield Report(epoch, metrics, seconds, saved, notes | trouble)
            notes = {}
        began = time.perf_counter()
        with named_failures():
            metrics = learner.train_epoch()
            results = learner.evaluate(metrics)
            seconds = time.perf_counter() - began
            clock = {"step_seconds": learner.time_alone()} if task.config.get("timed") else {}
        try:
            # Nothing goes on from here, so nothing is saved.
            yield Report(task.stop, metrics, seconds, None, notes | results, clock)
        finally:
            checkpoints.prune(task.folder, ())


class _Learner:
    """Networks in training. All that changes while they train is in :meth:`state`."""

    def __init__(self, trial: CellTraining, task: Task) -> None:
        self.recipe = recipe = trial.recipe
        self.epoch, self.epochs = 0, task.stop
        self.device = prepare_process(recipe.threads)
        self.cells = _cells(task)
        self.data: Dataset = load_on(
            self.device, trial.data, trial.data_dir,
            valid_fraction=recipe.valid_fraction, train_limit=recipe.train_limit, test=True,
        )  # fmt: skip
        seed, repeat = task.config.get("seed", task.seed), task.config.get("repeat", 0)
        self.network = self._build(self.cells, [derive(seed, repeat, int(cell.hash[:16], 16)) for cell in self.cells])
        self.optimizer = self._optimizer(self.network)
        self.normalise = Normalisation.of(self.data.mean, self.data.std, self.device)
        self.generators = {
            name: torch.Generator().manual_seed(derive(seed, repeat, stream))
            for stream, name in enumerate(("order", "augmentation"))
        }

    def train_epoch(self) -> dict[str, float]:
        """One pass over the training part."""
        order = torch.randperm(len(self.data.train), generator=self.generators["order"]).to(self.device)
        # A lone last image has no batch statistics.
        batches = [batch for batch in torch.split(order, self.recipe.batch_size) if len(batch) > 1]
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        self.network.train()
        for step, batch in enumerate(batches):
            done = self.epoch * len(batches) + step
            rate = cosine(done, self.epochs * len(batches), self.recipe.learning_rate, 0.0)
            total += self._step(self.network, self.optimizer, batch, rate)
        self.epoch += 1
        return {"train_loss": float(total) / (len(batches) * len(self.cells))}

    def _step(self, network: CellNetwork, optimizer: RMSProp, batch: Tensor, rate: float) -> Tensor:
        """One update of every model; returns the sum of their losses. Nothing here waits for the device."""
        images, labels = self.data.train.images[batch], self.data.train.labels[batch]
        images = crop_and_flip(images, self.recipe.crop_padding, self.recipe.flip, self.generators["augmentation"])
        with autocast(self.device, self.recipe.precision):
            logits = network(self._prepared(images))
        # The sum over models of their mean losses: each parameter's gradient is its own model's.
        losses = functional.cross_entropy(
            logits.flatten(0, 1).float(), labels.repeat(network.models), reduction="sum"
        ) / len(labels)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        torch.autograd.backward(losses)
        optimizer.step()
        return losses.detach()

    def evaluate(self, metrics: dict[str, float]) -> dict[str, Any]:
        """Count right answers on validation and test images, and add the mean errors to ``metrics``."""
        assert self.data.test is not None
        parts = {"valid": self.data.valid, "test": self.data.test}
        right = {name: self._right_answers(part) for name, part in parts.items()}
        for name, part in parts.items():
            metrics[f"{name}_error"] = 1.0 - sum(right[name]) / (len(part) * len(self.cells))
        results = {cell.hash: {name: right[name][k] for name in parts} for k, cell in enumerate(self.cells)}
        return {
            "results": results,
            "images": {"train": len(self.data.train), "valid": len(self.data.valid), "test": len(self.data.test)},
        }

    def _right_answers(self, part: Part) -> list[int]:
        """By model, without augmentation, with batch normalisation's running statistics."""
        right = torch.zeros(len(self.cells), dtype=torch.long, device=self.device)
        self.network.eval()
        with torch.inference_mode(), autocast(self.device, self.recipe.precision):
            for first in range(0, len(part), EVALUATION_BATCH):
                images = part.images[first : first + EVALUATION_BATCH]
                labels = part.labels[first : first + EVALUATION_BATCH]
                right += (self.network(self._prepared(images)).argmax(dim=2) == labels).sum(dim=1)
        counts: list[int] = right.tolist()
        return counts

    def time_alone(self) -> dict[str, float]:
        """Seconds of one training step of each cell's network alone, by hash: the fastest of a few."""
        batch = torch.arange(min(self.recipe.batch_size, len(self.data.train)), device=self.device)
        seconds = {}
        for cell in self.cells:
            network = self._build([cell], [0]).train()
            optimizer = self._optimizer(network)
            seconds[cell.hash] = min(self._timed(network, optimizer, batch) for _ in range(TIMED_STEPS))
        return seconds

    def _timed(self, network: CellNetwork, optimizer: RMSProp, batch: Tensor) -> float:
        # Of a processor its own time, which other work on the machine changes less than the clock on the wall.
        clock = time.process_time if self.device.type == "cpu" else time.perf_counter
        began = clock()
        float(self._step(network, optimizer, batch, self.recipe.learning_rate))  # waits for the device
        return round(clock() - began, 7)

    def _build(self, cells: Sequence[Cell], seeds: Sequence[int]) -> CellNetwork:
        recipe = self.recipe
        network = CellNetwork(
            cells, channels=recipe.channels, stacks=recipe.stacks, cells_per_stack=recipe.cells_per_stack,
            classes=self.data.classes, channels_in=self.data.channels, seeds=seeds,
            momentum=recipe.batch_norm_momentum,
        )  # fmt: skip
        made: CellNetwork = network.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return made

    def _optimizer(self, network: CellNetwork) -> RMSProp:
        recipe = self.recipe
        return RMSProp(
            network.parameters(), recipe.learning_rate, momentum=recipe.momentum, decay=recipe.decay,
            epsilon=recipe.epsilon, weight_decay=recipe.weight_decay,
        )  # fmt: skip

    def _prepared(self, images: Tensor) -> Tensor:
        return self.normalise(images).contiguous(memory_format=torch.channels_last)

    def state(self) -> checkpoints.State:
        """All that later epochs depend on."""
        return state_of(self.epoch, self.network, self.optimizer, self.generators)

    def restore(self, state: checkpoints.State) -> None:
        """Go on from a :meth:`state`."""
        self.epoch = restore(state, self.network, self.optimizer, self.generators)


def _cells(task: Task) -> list[Cell]:
    texts = task.config.get("cells")
    if not texts or not all(isinstance(text, str) for text in texts):
        raise InvalidValue("config", dict(task.config), "must have 'cells', the texts of one or more")
    return [parse_cell(text) for text in texts]
