"""What a data set is to a trial: images and labels as tensors, split once and for all."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spaces.errors import InvalidValue

SPLIT_SEED = 20190220
"""Seed of every split. The same in all studies, so that their validation errors can be compared."""

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Part:
    """Some images with their labels."""

    images: Tensor
    """uint8 (images, channels, height, width), 0..255, kept channels-last in memory."""
    labels: Tensor
    """int64 (images,), 0 .. classes - 1."""

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> Part:
        """The same part on ``device``."""
        return Part(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set, ready for training.

    ``train`` and ``valid`` are cut from the published training set alone. ``test`` is None unless it was
    asked for, and nothing that searches asks for it.
    """

    name: str
    """As in :func:`trials.data.describe`."""
    classes: int
    """Number of classes, >= 2."""
    train: Part
    """What networks learn from."""
    valid: Part
    """What a search compares architectures on; empty with a validation fraction of 0."""
    test: Part | None
    """For final figures only."""
    mean: tuple[float, ...]
    """Mean of ``train`` by channel, in 0..1."""
    std: tuple[float, ...]
    """Standard deviation of ``train`` by channel, in 0..1, above 0."""

    @property
    def channels(self) -> int:
        """Channels of an image."""
        return int(self.train.images.shape[1])

    def to(self, device: torch.device) -> Dataset:
        """The same data set with all parts on ``device``."""
        test = None if self.test is None else self.test.to(device)
        return replace(self, train=self.train.to(device), valid=self.valid.to(device), test=test)


@dataclass(frozen=True, slots=True)
class Source:
    """A data set as published: a training set, and a test set if it was read."""

    name: str
    classes: int
    images: Images
    """(images, height, width, channels)."""
    labels: Labels
    test_images: Images | None = None
    test_labels: Labels | None = None
    published_valid: int = 0
    """The last so many training images are those that published benchmarks validate on; 0 where that is not known."""


def split(source: Source, valid_fraction: float, train_limit: int | None) -> Dataset:
    """Cut the training set of ``source`` into what is learnt from and what is validated on.

    Where it is known which images published benchmarks validate on, and they are that fraction, they are taken.
    Otherwise the cut is stratified: each class gives the same fraction, to the nearest image. It depends on nothing
    but its arguments and :data:`SPLIT_SEED`.

    Args:
        source: The published data.
        valid_fraction: Share of the training set to validate on, 0 <= f < 1.
        train_limit: Use only about this many images of the training set, the same share of each class;
            None for all. For quick looks; the test set is not affected.

    Raises:
        InvalidValue: A value is out of its range, leaves a class without training images (with two classes or
            more there are two images or more to learn from), or leaves nothing to validate on where
            ``valid_fraction`` is above 0.
    """
    if not 0.0 <= valid_fraction < 1.0:
        raise InvalidValue("valid_fraction", valid_fraction, "must be at least 0 and below 1")
    if train_limit is not None and train_limit < 1:
        raise InvalidValue("train_limit", train_limit, "must be at least 1, or None for all images")
    used = np.arange(len(source.labels))
    if train_limit is not None and train_limit < len(used):
        used, _ = stratify(source.labels, 1.0 - train_limit / len(used), SPLIT_SEED + 1)
    if source.published_valid and round(valid_fraction * len(source.labels)) == source.published_valid:
        first = len(source.labels) - source.published_valid
        train, valid = used[used < first], used[used >= first]
    else:
        train, valid = (used[part] for part in stratify(source.labels[used], valid_fraction, SPLIT_SEED))
    if len(np.unique(source.labels[train])) < source.classes:
        raise InvalidValue(
            "train_limit" if train_limit else "valid_fraction",
            train_limit or valid_fraction,
            f"leaves a class of {source.name} without training images",
        )
    if valid_fraction > 0.0 and len(valid) == 0:
        raise InvalidValue(
            "valid_fraction",
            valid_fraction,
            f"leaves none of {len(used)} images of {source.name} to validate on",
            "Raise it, or train_limit." if train_limit else "Raise it.",
        )
    mean, std = _statistics(source.images[train])
    test = None
    if source.test_images is not None and source.test_labels is not None:
        test = _part(source.test_images, source.test_labels)
    return Dataset(
        source.name,
        source.classes,
        _part(source.images[train], source.labels[train]),
        _part(source.images[valid], source.labels[valid]),
        test,
        mean,
        std,
    )


def halve(part: Part, fraction: float) -> tuple[Part, Part]:
    """Cut what is learnt from once more: for a one-shot search, which trains weights and judges architectures.

    The cut is stratified and depends on nothing but its arguments and :data:`SPLIT_SEED`.

    Args:
        part: What to cut, on any device.
        fraction: Share of it that architectures are judged on, 0 < f < 1.

    Returns:
        The part that weights are trained on, and the part that the search is judged on.

    Raises:
        InvalidValue: ``fraction`` is out of its range, or one side would be without a class of ``part``.
    """
    if not 0.0 < fraction < 1.0:
        raise InvalidValue("search_fraction", fraction, "must be above 0 and below 1")
    labels = part.labels.cpu().numpy()
    sides = stratify(labels, fraction, SPLIT_SEED + 2)
    classes = len(np.unique(labels))
    for positions, what in zip(sides, ("weights", "the search"), strict=True):
        if len(np.unique(labels[positions])) < max(1, classes):
            rule = f"leaves a class of these {len(labels)} images without one for {what}"
            raise InvalidValue("search_fraction", fraction, rule, "Choose one nearer to 0.5, or use more images.")
    weights, search = (torch.from_numpy(positions).to(part.labels.device) for positions in sides)
    return _chosen(part, weights), _chosen(part, search)


def _chosen(part: Part, positions: Tensor) -> Part:
    images = part.images[positions].contiguous(memory_format=torch.channels_last)
    return Part(images, part.labels[positions])


def stratify(labels: Labels, fraction: float, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split positions into the rest and ``fraction`` of each class, both in ascending order."""
    generator = np.random.default_rng(seed)
    taken = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        taken[members[: round(fraction * len(members))]] = True
    return np.flatnonzero(~taken), np.flatnonzero(taken)


def _statistics(images: Images) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation by channel from a histogram: exact, and no copy in floating point."""
    values = np.arange(256) / 255.0
    means, stds = [], []
    for channel in range(images.shape[3]):
        shares = np.bincount(images[..., channel].ravel(), minlength=256) / images[..., channel].size
        mean = float(shares @ values)
        means.append(mean)
        stds.append(float(np.sqrt(shares @ (values - mean) ** 2)) or 1.0)  # a constant channel stays as it is
    return tuple(means), tuple(stds)


def _part(images: Images, labels: Labels) -> Part:
    return Part(torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(labels))
