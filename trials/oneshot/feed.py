"""The images of a search: those that train the weights, and those that architectures are judged on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from trials.checkpoint import State
from trials.course import derive
from trials.data import Dataset, Part
from trials.data.augmentation import Normalisation, crop_and_flip, cutout
from trials.data.dataset import halve
from trials.search_recipe import SearchRecipe

EVALUATION_BATCH = 500
"""Images in a batch of a whole part; it bounds memory."""


class Batch(NamedTuple):
    """Images, normalised, and their labels."""

    images: Tensor
    """float32 (batch, channels, height, width), channels-last."""
    labels: Tensor
    """int64 (batch,)."""


class Feed:
    """Gives out batches, the data being on the device already.

    Weights and architectures see different images, cut from the training part alone: a table's validation images and
    the test set are never among them. Both are augmented (as in DARTS); cutout is for the weights' images only. Each
    purpose has a generator of its own, on the CPU, so the batches are the same whatever the device.
    """

    def __init__(self, data: Dataset, recipe: SearchRecipe, seed: int, device: torch.device) -> None:
        self._recipe, self._device = recipe, device
        weights, search = halve(data.train, recipe.search_fraction)
        self.weights, self.search = weights.to(device), search.to(device)
        self._normalise = Normalisation.of(data.mean, data.std, device)
        self._generators = {
            name: torch.Generator().manual_seed(derive(seed, stream))
            for stream, name in enumerate(("order", "search order", "augmentation", "search augmentation"))
        }
        self._waiting: list[Tensor] = []  # batches of the search part that have not been given out
        self._seconds = 0.0

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        size = self._recipe.batch_size
        return len(self.weights) // size + (len(self.weights) % size > 1)

    def epoch(self) -> Iterator[Batch]:
        """One pass over the weights' images, in a new order."""
        for places in self._orders(self.weights, "order"):
            yield self._augmented(self.weights, places, "augmentation", self._recipe.cutout_prob)

    def next_search(self) -> Batch:
        """The next batch of the search part; passes over it follow each other without end, each in a new order."""
        if not self._waiting:
            self._waiting = list(reversed(self._orders(self.search, "search order")))
        return self._augmented(self.search, self._waiting.pop(), "search augmentation", 0.0)

    def whole(self, part: Part, least: int = 1) -> Iterator[Batch]:
        """A part from first to last, as it is, in ``least`` batches or more of nearly the same size."""
        count = max(least, -(-len(part) // EVALUATION_BATCH))
        batches = zip(torch.tensor_split(part.images, count), torch.tensor_split(part.labels, count), strict=True)
        for images, labels in batches:
            if len(labels):
                yield self._prepared(images, labels)

    def some(self, part: Part, batches: int) -> Batch:
        """The first ``batches`` mini-batches of a part, as they are; at most all of it."""
        images = batches * self._recipe.batch_size
        return self._prepared(part.images[:images], part.labels[:images])

    def take_seconds(self) -> float:
        """Seconds spent on augmented batches since the last call."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds

    def _orders(self, part: Part, name: str) -> list[Tensor]:
        order = torch.randperm(len(part), generator=self._generators[name])
        batches = torch.split(order, self._recipe.batch_size)
        # A lone last image has no batch statistics.
        return [places for places in batches if len(places) > 1]

    def _augmented(self, part: Part, places: Tensor, name: str, cutout_prob: float) -> Batch:
        began = time.perf_counter()
        recipe, generator = self._recipe, self._generators[name]
        on_device = places.to(self._device, non_blocking=True)
        images = crop_and_flip(part.images[on_device], recipe.crop_padding, recipe.flip, generator)
        images, labels = self._prepared(images, part.labels[on_device])
        batch = Batch(cutout(images, recipe.cutout_length, generator, cutout_prob), labels)
        self._seconds += time.perf_counter() - began
        return batch

    def _prepared(self, images: Tensor, labels: Tensor) -> Batch:
        return Batch(self._normalise(images).contiguous(memory_format=torch.channels_last), labels)

    def state(self) -> State:
        """What the next batches depend on."""
        generators = {name: generator.get_state() for name, generator in self._generators.items()}
        return {"generators": generators, "waiting": list(self._waiting)}

    def restore(self, state: State) -> None:
        """Go on from a :meth:`state`."""
        for name, generator in self._generators.items():
            generator.set_state(state["generators"][name])
        self._waiting = list(state["waiting"])
