"""Training a network of the DARTS space: the trial of ASHA baselines, and the final evaluation.

Reads from top to bottom: the two trials, their common course, one epoch, and what is saved.

:class:`PartialTraining` brings a network from one rung to the next (Li & Talwalkar, 2019, arXiv:1902.07638,
section 4). The schedules of learning rate and drop-path span the whole horizon R, whatever the rung, so a
trial that is stopped, promoted and continued is the same as one that was never stopped; on a CPU the figures
are equal to the last bit. Everything random comes from the task's seed through generators of its own, which
are saved with the rest.

:class:`FullTraining` trains the winner on the whole training set and then measures the test set, once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from spaces.darts_cell import Genotype, parse_genotype
from spaces.errors import InvalidValue
from trials import checkpoint as checkpoints
from trials.contract import Diverged, Report, Task
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
from trials.data.augmentation import Normalisation, crop_and_flip, cutout
from trials.networks.darts_cnn import DartsCnn, count_parameters
from trials.recipe import RECIPES, Recipe

__all__ = ["RECIPES", "FullTraining", "PartialTraining", "Recipe", "cosine"]

EVALUATION_BATCH = 500
"""Images in a batch of validation or test; it bounds memory and does not enter the results."""


@dataclass(frozen=True, slots=True)
class PartialTraining:
    """A ``trials.contract.Trial``: trains on the training part, reports on the validation part every epoch.

    ``task.config["genotype"]`` is the genotype's text. Metrics: ``train_loss`` and ``train_error`` (means
    over the epoch while it trains, main classifier only), ``valid_loss`` and ``valid_error`` (after it),
    ``parameters`` (without auxiliary head). Losses are cross-entropies in nats, errors are fractions 0..1.

    Raises, on calling and while iterating: InvalidValue, UnknownName, DataMissing, DataDamaged for wrong
    settings; Diverged, OutOfMemory. A checkpoint that cannot be
    written is no failure: the report's note ``checkpoint_not_written`` says why, and training goes on.
    """

    data: str
    """Name of the data set, see :func:`trials.data.describe`."""
    recipe: Recipe
    """How to train."""
    horizon: int
    """Epochs R that the schedules span, >= 1; no task may go beyond."""
    data_dir: str | None = None
    """Folder of the data sets; None for the default, see :func:`trials.data.data_folder`."""

    def __post_init__(self) -> None:
        _check_horizon(self.horizon)

    def __call__(self, task: Task) -> Iterator[Report]:
        """Bring the task's network to epoch ``task.stop``."""
        return _train(self, task, final=False)


@dataclass(frozen=True, slots=True)
class FullTraining:
    """Trains on training and validation part together and measures the test set after the last epoch only.

    Like :class:`PartialTraining`, but without ``valid_loss`` and ``valid_error`` (``recipe.valid_fraction``
    is not used); the report of epoch ``horizon`` has ``test_loss`` and ``test_error``.
    """

    data: str
    """Name of the data set, see :func:`trials.data.describe`."""
    recipe: Recipe
    """How to train."""
    horizon: int = 600
    """Epochs to train, >= 1; 600 in DARTS."""
    data_dir: str | None = None
    """Folder of the data sets; None for the default, see :func:`trials.data.data_folder`."""

    def __post_init__(self) -> None:
        _check_horizon(self.horizon)

    def __call__(self, task: Task) -> Iterator[Report]:
        """Bring the task's network to epoch ``task.stop``."""
        return _train(self, task, final=True)


def _check_horizon(horizon: int) -> None:
    if horizon < 1:
        raise InvalidValue("horizon", horizon, "must be at least 1 epoch")


def _train(trial: PartialTraining | FullTraining, task: Task, final: bool) -> Iterator[Report]:
    """The course of one job, for both trials."""
    if task.stop > trial.horizon:
        raise InvalidValue("stop", task.stop, f"must be at most the horizon, {trial.horizon} epochs")
    if any(each.epoch >= task.stop for each in task.checkpoints):
        return
    recipe = trial.recipe
    with named_failures():
        learner = _Learner(trial, task, final)
        start, notes = resume(learner, task)
    saver = Saver(task, start)
    for epoch in range(learner.epoch + 1, task.stop + 1):
        began = time.perf_counter()
        with named_failures():
            metrics = learner.train_epoch()
            if not final:
                metrics |= learner.measure("valid", learner.data.valid)
            elif epoch == trial.horizon:
                assert learner.data.test is not None
                metrics |= learner.measure("test", learner.data.test)
        seconds = time.perf_counter() - began
        due = epoch == task.stop or saver.due(recipe.checkpoint_minutes)
        saved, trouble = saver.save(learner) if due else (None, {})
        yield Report(epoch, metrics, seconds, saved, notes | trouble)
        notes = {}


class _Learner:
    """A network in training. All that changes while it trains is in :meth:`state`."""

    def __init__(self, trial: PartialTraining | FullTraining, task: Task, final: bool) -> None:
        self.recipe = recipe = trial.recipe
        self.horizon = trial.horizon
        self.epoch = 0
        self.device = prepare_process(recipe.threads)
        self.data: Dataset = load_on(
            self.device,
            trial.data,
            trial.data_dir,
            valid_fraction=0.0 if final else recipe.valid_fraction,
            train_limit=recipe.train_limit,
            test=final,
        )
        self.network = _build(_genotype(task), recipe, self.data, derive(task.seed, 0))
        # Channels-last: 1.15 times faster on a CPU at the size of `digits`, and what tensor cores read.
        self.network.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.parameters = count_parameters(self.network)
        self.optimizer = torch.optim.SGD(
            self.network.parameters(),
            recipe.learning_rate,
            recipe.momentum,
            weight_decay=recipe.weight_decay,
            fused=True,
        )
        self.normalise = Normalisation.of(self.data.mean, self.data.std, self.device)
        self.generators = {
            name: torch.Generator().manual_seed(derive(task.seed, number))
            for number, name in enumerate(("order", "augmentation", "paths"), start=1)
        }

    def train_epoch(self) -> dict[str, float]:
        """One pass over the training part.

        Raises:
            Diverged: The loss is not finite.
        """
        recipe = self.recipe
        rate = cosine(self.epoch, self.horizon, recipe.learning_rate, recipe.learning_rate_min)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        drop_path = recipe.drop_path * self.epoch / self.horizon
        order = torch.randperm(len(self.data.train), generator=self.generators["order"]).to(self.device)
        totals = torch.zeros(3, dtype=torch.float64, device=self.device)
        self.network.train()
        for batch in torch.split(order, recipe.batch_size):
            if len(batch) > 1:  # a lone last image has no batch statistics
                totals += self._step(batch, drop_path)
        self.epoch += 1
        return self._means("train", totals)

    def _step(self, batch: Tensor, drop_path: float) -> Tensor:
        """One update; returns what :func:`_totals` does. Nothing here waits for the device."""
        recipe = self.recipe
        images, labels = self.data.train.images[batch], self.data.train.labels[batch]
        augmentation = self.generators["augmentation"]
        images = crop_and_flip(images, recipe.crop_padding, recipe.flip, augmentation)
        images = cutout(self.normalise(images), recipe.cutout, augmentation)
        images = images.contiguous(memory_format=torch.channels_last)
        with autocast(self.device, self.recipe.precision):
            logits, auxiliary_logits = self.network(images, drop_path, self.generators["paths"])
        smoothing = recipe.label_smoothing
        loss = functional.cross_entropy(logits.float(), labels, label_smoothing=smoothing)
        objective = loss
        if auxiliary_logits is not None:
            auxiliary = functional.cross_entropy(auxiliary_logits.float(), labels, label_smoothing=smoothing)
            objective = loss + recipe.auxiliary_weight * auxiliary
        self.optimizer.zero_grad()
        torch.autograd.backward(objective)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), recipe.grad_clip)
        self.optimizer.step()
        return _totals(loss.detach(), logits.detach(), labels)

    def measure(self, prefix: str, part: Part) -> dict[str, float]:
        """Loss and error on ``part``, without augmentation, with batch normalisation's running statistics."""
        totals = torch.zeros(3, dtype=torch.float64, device=self.device)
        self.network.eval()
        with torch.inference_mode(), autocast(self.device, self.recipe.precision):
            for first in range(0, len(part), EVALUATION_BATCH):
                images = self.normalise(part.images[first : first + EVALUATION_BATCH])
                labels = part.labels[first : first + EVALUATION_BATCH]
                logits = self.network(images.contiguous(memory_format=torch.channels_last))[0].float()
                totals += _totals(functional.cross_entropy(logits, labels), logits, labels)
        return self._means(prefix, totals)

    def _means(self, prefix: str, totals: Tensor) -> dict[str, float]:
        """Means from totals: the one place that waits for the device."""
        loss, wrong, images = totals.tolist()
        if not math.isfinite(loss):
            raise Diverged(f"{prefix}_loss is {loss} in epoch {self.epoch}")
        means = {f"{prefix}_loss": loss / images, f"{prefix}_error": wrong / images}
        return means | {"parameters": float(self.parameters)}

    def state(self) -> checkpoints.State:
        """All that later epochs depend on."""
        return state_of(self.epoch, self.network, self.optimizer, self.generators)

    def restore(self, state: checkpoints.State) -> None:
        """Go on from a :meth:`state`."""
        self.epoch = restore(state, self.network, self.optimizer, self.generators)


def _genotype(task: Task) -> Genotype:
    if "genotype" not in task.config:
        raise InvalidValue("config", dict(task.config), "must have a 'genotype'")
    return parse_genotype(task.config["genotype"])


def _build(genotype: Genotype, recipe: Recipe, data: Dataset, seed: int) -> DartsCnn:
    return DartsCnn(
        genotype,
        cells=recipe.cells,
        channels=recipe.channels,
        classes=data.classes,
        auxiliary=recipe.auxiliary,
        channels_in=data.channels,
        seed=seed,
    )


def _totals(loss: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    """(sum of losses, wrong answers, images) of a batch, float64 (3,), on its device."""
    wrong = (logits.argmax(dim=1) != labels).sum().double()
    return torch.stack((loss.double() * len(labels), wrong, torch.full_like(wrong, len(labels))))
