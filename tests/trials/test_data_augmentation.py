"""Augmentation of whole batches equals a plain loop over images."""

import numpy as np
import pytest
import torch

from trials.data.augmentation import Normalisation, crop_and_flip, cutout


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def _images(batch=7, channels=3, height=8, width=6):
    return torch.randint(0, 256, (batch, channels, height, width), dtype=torch.uint8, generator=_generator(1))


@pytest.mark.parametrize("padding", [0, 1, 4])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_crop_and_flip_equals_a_loop(padding, flip, channels):
    images = _images(channels=channels)
    result = crop_and_flip(images, padding, flip, _generator())
    stream = _generator()
    batch, _, height, width = images.shape
    corners = torch.zeros(2, batch, dtype=torch.int64)
    if padding:
        corners = torch.randint(0, 2 * padding + 1, (2, batch, 1), generator=stream)[:, :, 0]
    mirrored = torch.rand(batch, 1, generator=stream)[:, 0] < 0.5 if flip else torch.zeros(batch, dtype=torch.bool)
    for index in range(batch):
        padded = np.pad(images[index].numpy(), ((0, 0), (padding, padding), (padding, padding)))
        top, left = corners[:, index].tolist()
        expected = padded[:, top : top + height, left : left + width]
        if mirrored[index]:
            expected = expected[:, :, ::-1]
        assert np.array_equal(result[index].numpy(), expected)
    assert result.dtype == torch.uint8


def test_crops_reach_every_corner_and_flips_are_even():
    image = torch.arange(1, 10, dtype=torch.uint8).reshape(1, 1, 3, 3).expand(4000, 1, 3, 3)
    crops = crop_and_flip(image, 1, False, _generator())
    assert len({bytes(crop.numpy().tobytes()) for crop in crops}) == 9
    flips = crop_and_flip(image, 0, True, _generator())
    assert (flips[:, 0, 0, 0] == 3).double().mean().item() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("length", [0, 1, 3, 4, 16])
def test_cutout_equals_a_loop(length):
    images = torch.randn(9, 3, 8, 6, generator=_generator(2))
    result = cutout(images, length, _generator())
    if length == 0:
        assert result is images
        return
    stream = _generator()
    rows = torch.randint(0, 8, (9, 1), generator=stream)[:, 0].tolist()
    columns = torch.randint(0, 6, (9, 1), generator=stream)[:, 0].tolist()
    for index, (row, column) in enumerate(zip(rows, columns, strict=True)):
        expected = images[index].clone()
        top, left = row - length // 2, column - length // 2
        expected[:, max(top, 0) : max(top + length, 0), max(left, 0) : max(left + length, 0)] = 0.0
        assert torch.equal(result[index], expected)


def test_cutout_is_clipped_at_borders_as_in_darts():
    holes = (cutout(torch.ones(4000, 1, 32, 32), 16, _generator()) == 0).sum(dim=(1, 2, 3))
    assert holes.max().item() == 16 * 16
    assert holes.min().item() == 8 * 8


@pytest.mark.parametrize("probability", [0.2, 0.7])
def test_cutout_cuts_each_image_with_the_probability(probability):
    images = torch.randn(4000, 2, 5, 4, generator=_generator(2))
    result = cutout(images, 3, _generator(), probability)
    certain = cutout(images, 3, _generator())
    stream = _generator()
    torch.randint(0, 5, (4000, 1), generator=stream)
    torch.randint(0, 4, (4000, 1), generator=stream)
    cut = torch.rand(4000, 1, generator=stream)[:, 0] < probability
    assert torch.equal(result[cut], certain[cut])  # the same squares
    assert torch.equal(result[~cut], images[~cut])
    changed = (result != images).flatten(1).any(dim=1)
    assert torch.equal(changed, cut)
    assert changed.double().mean().item() == pytest.approx(probability, abs=0.03)


def test_cutout_without_a_chance_draws_nothing_and_with_certainty_only_the_squares():
    images, generator, plain = torch.randn(9, 1, 8, 8, generator=_generator(2)), _generator(), _generator()
    before = generator.get_state()
    assert cutout(images, 4, generator, 0.0) is images
    assert torch.equal(generator.get_state(), before)
    assert torch.equal(cutout(images, 4, generator, 1.0), cutout(images, 4, plain))
    assert torch.equal(generator.get_state(), plain.get_state())
    torch.randint(0, 8, (2, 9), generator=(squares := _generator()))
    assert torch.equal(squares.get_state(), plain.get_state())


def test_normalisation():
    images = _images()
    mean, std = (0.1, 0.5, 0.9), (0.2, 0.3, 0.4)
    result = Normalisation.of(mean, std, torch.device("cpu"))(images)
    expected = (images.double() / 255 - torch.tensor(mean).double()[:, None, None]) / torch.tensor(std)[:, None, None]
    assert result.dtype == torch.float32
    torch.testing.assert_close(result.double(), expected, atol=1e-5, rtol=1e-5)


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    cutout(crop_and_flip(_images(), 2, True, _generator()).float(), 3, _generator())
    assert torch.equal(before, torch.get_rng_state())
