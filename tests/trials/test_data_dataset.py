"""Splits are stratified, fixed, and made of the training set alone; ``digits`` is what it says."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from spaces.errors import InvalidValue
from trials.data import digits, load, load_on
from trials.data.dataset import Part, Source, halve, split, stratify


def _rows(part):
    pairs = zip(part.images.numpy(), part.labels.tolist(), strict=True)
    return {bytes(image) + bytes([label]) for image, label in pairs}


@given(st.lists(st.integers(0, 4), min_size=1, max_size=200), st.floats(0, 1), st.integers(0, 9))
def test_stratify_partitions_each_class(labels, fraction, seed):
    labels = np.array(labels)
    rest, taken = stratify(labels, fraction, seed)
    assert sorted([*rest, *taken]) == list(range(len(labels)))
    for label in np.unique(labels):
        members = np.sum(labels == label)
        assert np.sum(labels[taken] == label) == round(fraction * members)


def test_stratify_depends_on_its_seed():
    labels = np.zeros(100, dtype=np.int64)
    assert np.array_equal(stratify(labels, 0.5, 1)[0], stratify(labels, 0.5, 1)[0])
    assert not np.array_equal(stratify(labels, 0.5, 1)[0], stratify(labels, 0.5, 2)[0])


def test_digits_parts():
    data = load("digits", test=True)
    assert (len(data.train), len(data.valid), len(data.test)) == (1151, 287, 359)
    assert (data.classes, data.channels, data.name) == (10, 1, "digits")
    for part in (data.train, data.valid, data.test):
        assert part.images.dtype == torch.uint8
        assert part.labels.dtype == torch.int64
        assert part.images.shape == (len(part), 1, 8, 8)
        assert np.bincount(part.labels).min() > 0.08 * len(part)


def test_digits_pixels_are_scaled_exactly():
    scaled = sorted(set(digits.read(test=False).images.ravel().tolist()))
    assert scaled == [int(np.floor(255 * value / 16 + 0.5)) for value in range(17)]


def test_digits_parts_are_disjoint_and_complete():
    data = load("digits", test=True)
    parts = [_rows(part) for part in (data.train, data.valid, data.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == len(load_digits().target)


def test_the_test_part_does_not_depend_on_the_validation_fraction():
    assert _rows(load("digits", valid_fraction=0.5, test=True).test) == _rows(load("digits", test=True).test)
    data = load("digits")
    assert _rows(load("digits", valid_fraction=0.0).train) == _rows(data.train) | _rows(data.valid)


def test_test_set_only_when_asked_for():
    assert load("digits").test is None


def test_statistics_are_those_of_the_training_part():
    data = load("digits")
    values = data.train.images.double() / 255
    assert data.mean[0] == pytest.approx(values.mean().item(), abs=1e-12)
    assert data.std[0] == pytest.approx(values.std(correction=0).item(), abs=1e-12)


def test_train_limit_is_stratified():
    data = load("digits", train_limit=100, valid_fraction=0.2)
    assert (len(data.train) + len(data.valid)) == pytest.approx(100, abs=5)
    assert set(data.train.labels.tolist()) == set(range(10))
    assert _rows(data.train).isdisjoint(_rows(data.valid))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"valid_fraction": 1.0}, "at least 0 and below 1"),
        ({"valid_fraction": -0.1}, "at least 0 and below 1"),
        ({"valid_fraction": 0.999}, "without training images"),
        ({"train_limit": 0}, "at least 1"),
        ({"train_limit": 1}, "train_limit = 1: leaves a class"),
        ({"valid_fraction": 0.0001}, "valid_fraction = 0.0001: leaves none of 1438 images .*\\nRaise it\\.$"),
        ({"valid_fraction": 0.0001, "train_limit": 15}, "leaves none of .*\\nRaise it, or train_limit"),
    ],
)
def test_bad_values(arguments, message):
    with pytest.raises(InvalidValue, match=message):
        load("digits", **arguments)


def test_with_a_fraction_of_zero_the_validation_part_is_empty():
    assert len(load("digits", valid_fraction=0.0).valid) == 0


@given(st.integers(1, 6), st.floats(0, 1, exclude_max=True), st.none() | st.integers(1, 12))
def test_a_split_can_be_trained_and_validated_on_or_is_refused(each, fraction, limit):
    labels = np.repeat(np.arange(2), each)
    source = Source("tiny", 2, np.zeros((len(labels), 2, 2, 1), dtype=np.uint8), labels)
    try:
        data = split(source, fraction, limit)
    except InvalidValue:
        return
    assert len(data.train) >= 2
    assert (len(data.valid) > 0) == (fraction > 0)


def test_halves_are_disjoint_complete_and_stratified():
    train = load("digits", valid_fraction=0.5).train
    weights, search = halve(train, 0.5)
    assert _rows(weights).isdisjoint(_rows(search))
    assert _rows(weights) | _rows(search) == _rows(train)
    assert len(weights) + len(search) == len(train) == 719
    sizes = np.bincount(train.labels)
    assert np.array_equal(np.bincount(search.labels), [round(0.5 * int(size)) for size in sizes])
    for half in (weights, search):
        assert half.images.dtype == torch.uint8 and half.labels.dtype == torch.int64
        assert half.images.is_contiguous(memory_format=torch.channels_last)


def test_halves_are_always_the_same_and_keep_order():
    train = load("digits").train
    first, again = halve(train, 0.25), halve(train, 0.25)
    assert len(first[1]) == pytest.approx(0.25 * len(train), abs=5)
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one.images, other.images) and torch.equal(one.labels, other.labels)
    where = {bytes(image): index for index, image in enumerate(train.images.numpy())}
    assert [where[bytes(image)] for image in first[0].images.numpy()] == sorted(
        where[bytes(image)] for image in first[0].images.numpy()
    )


def _tiny(each):
    labels = torch.arange(3).repeat_interleave(each)
    return Part(torch.zeros(len(labels), 1, 2, 2, dtype=torch.uint8), labels)


@pytest.mark.parametrize(
    ("each", "fraction", "message"),
    [
        (10, 0.0, "must be above 0 and below 1"),
        (10, 1.0, "must be above 0 and below 1"),
        (10, 0.01, "of these 30 images without one for the search"),
        (10, 0.99, "of these 30 images without one for weights"),
        (1, 0.5, "without one for"),
        (0, 0.5, "of these 0 images without one"),
    ],
)
def test_halves_that_cannot_be_used(each, fraction, message):
    with pytest.raises(InvalidValue, match=f"^search_fraction = {fraction}: .*{message}"):
        halve(_tiny(each), fraction)


def test_one_class_that_is_too_rare_is_enough_to_refuse():
    part = _tiny(10)
    part.labels[-1] = 3
    with pytest.raises(InvalidValue, match="search_fraction"):
        halve(part, 0.5)


def test_load_on_keeps_what_it_loaded():
    device = torch.device("cpu")
    first = load_on(device, "digits", valid_fraction=0.25)
    assert load_on(device, "digits", valid_fraction=0.25) is first
    assert load_on(device, "digits", valid_fraction=0.3) is not first
