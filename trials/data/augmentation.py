"""DARTS's augmentation of CIFAR images, on whole batches and on the device that holds them.

Order as in DARTS: crop from the zero-padded image, flip, normalise, cut out. Nothing loops over images, and
all random numbers come from a CPU generator, so a batch is augmented alike on a CPU and on a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Normalisation:
    """(image / 255 - mean) / std by channel, as one subtraction and one multiplication."""

    shift: Tensor
    """255 · mean, (channels, 1, 1)."""
    scale: Tensor
    """1 / (255 · std), (channels, 1, 1)."""

    @classmethod
    def of(cls, mean: tuple[float, ...], std: tuple[float, ...], device: torch.device) -> Self:
        """From mean and standard deviation of images in 0..1."""
        shift = 255.0 * torch.tensor(mean, dtype=torch.float64)[:, None, None]
        scale = 1.0 / (255.0 * torch.tensor(std, dtype=torch.float64)[:, None, None])
        return cls(shift.float().to(device), scale.float().to(device))

    def __call__(self, images: Tensor) -> Tensor:
        """uint8 (batch, channels, height, width) -> float32 of the same shape, mean 0 and deviation 1."""
        return images.float().sub_(self.shift).mul_(self.scale)


def crop_and_flip(images: Tensor, padding: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Pad each image with zeros, take a window of its old size anywhere, and mirror it with probability 1/2.

    Args:
        images: (batch, channels, height, width).
        padding: Pixels on each side, >= 0.
        flip: Whether to mirror left and right.
        generator: CPU generator; draws for the crop if ``padding`` > 0, then for the flip if ``flip``.

    Returns:
        A new tensor of the same shape and type, in channels-last memory order; ``images`` itself if there is
        nothing to do.
    """
    if padding == 0 and not flip:
        return images
    batch, _, height, width = images.shape
    device = images.device
    rows = torch.arange(height).expand(batch, height)
    columns = torch.arange(width).expand(batch, width)
    if padding > 0:
        corner = torch.randint(0, 2 * padding + 1, (2, batch, 1), generator=generator)
        rows, columns = rows + corner[0], columns + corner[1]
        images = functional.pad(images, (padding,) * 4)
    if flip:
        mirrored = torch.rand(batch, 1, generator=generator) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    rows, columns = rows.to(device, non_blocking=True), columns.to(device, non_blocking=True)
    members = torch.arange(batch, device=device)[:, None, None]
    # One gather does both: pixel (y, x) of image b is images[b, :, rows[b, y], columns[b, x]].
    return images.permute(0, 2, 3, 1)[members, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cutout(images: Tensor, length: int, generator: torch.Generator, probability: float = 1.0) -> Tensor:
    """Set a square of each image to zero with some probability (DeVries and Taylor, 2017, arXiv:1708.04552).

    The centre is uniform over all pixels and the square is clipped at the borders, as in DARTS. It covers
    rows ``y - length // 2`` up to ``y - length // 2 + length - 1`` around a centre ``y``, and columns
    likewise.

    Args:
        images: Normalised images (batch, channels, height, width); zero is the mean.
        length: Side of the square in pixels; 0 cuts nothing.
        generator: CPU generator; draws the squares, then for each image whether it is cut if that is not certain.
        probability: Of an image to be cut, 0 <= p <= 1, each for itself.

    Returns:
        A new tensor, or ``images`` itself, with nothing drawn, if ``length`` or ``probability`` is 0.
    """
    if length == 0 or probability == 0.0:
        return images
    batch, _, height, width = images.shape
    rows = _inside(height, length, batch, generator)
    columns = _inside(width, length, batch, generator).to(images.device, non_blocking=True)
    if probability < 1.0:
        rows &= torch.rand(batch, 1, generator=generator) < probability
    rows = rows.to(images.device, non_blocking=True)
    hole = rows[:, None, :, None] & columns[:, None, None, :]  # (batch, 1, height, width)
    return images.masked_fill(hole, 0.0)


def _inside(size: int, length: int, batch: int, generator: torch.Generator) -> Tensor:
    """Which positions lie in an interval of ``length`` about a uniform centre: bool (batch, size)."""
    first = torch.randint(0, size, (batch, 1), generator=generator) - length // 2
    positions = torch.arange(size)
    return (positions >= first) & (positions < first + length)
