"""Whose images the weights and the architectures see, and that a restored feed goes on alike."""

import io

import numpy as np
import pytest
import torch

from trials.data import load
from trials.data.dataset import Source, split
from trials.oneshot.feed import EVALUATION_BATCH, Feed
from trials.search_recipe import SearchRecipe

CPU = torch.device("cpu")
PLAIN = {"batch_size": 16, "crop_padding": 0, "flip": False}


def made(count=240):
    """Images of one grey each, by which they are told apart; the test set has other greys."""
    greys = np.arange(256, dtype=np.uint8)
    images = np.broadcast_to(greys[:, None, None, None], (256, 4, 4, 1)).copy()
    labels = np.arange(256) % 4
    source = Source("made", 4, images[:count], labels[:count], images[count:], labels[count:])
    return split(source, 0.25, None)


def greys(data, *batches):
    found = [batch.images[:, 0, 0, 0] * 255 * data.std[0] + 255 * data.mean[0] for batch in batches]
    return torch.cat(found).round().long().tolist()


def greys_of(part):
    return set(part.images[:, 0, 0, 0].tolist())


def feed_of(data, seed=0, **settings):
    return Feed(data, SearchRecipe(**(PLAIN | settings)), seed, CPU)


def test_three_purposes_see_different_images():
    data = made()
    feed = feed_of(data)
    weights = set(greys(data, *feed.epoch()))
    search = set(greys(data, *(feed.next_search() for _ in range(12))))
    assert weights == greys_of(feed.weights)
    assert search == greys_of(feed.search)
    assert not weights & search
    assert weights | search == greys_of(data.train)
    assert not (weights | search) & (greys_of(data.valid) | greys_of(data.test))


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_the_share_of_the_search(share):
    feed = feed_of(made(), search_fraction=share)
    assert len(feed.search) == pytest.approx(180 * share, abs=4)
    assert len(feed.weights) + len(feed.search) == 180


def test_a_pass_shows_every_image_once_in_a_new_order():
    data = made()
    feed = feed_of(data)
    passes = []
    for _ in range(3):
        batches = list(feed.epoch())
        assert len(batches) == feed.steps
        assert [len(batch.labels) for batch in batches] == [16] * 5 + [12]
        passes.append(greys(data, *batches))
    assert all(sorted(each) == sorted(greys_of(feed.weights)) for each in passes)
    assert len({tuple(each) for each in passes}) == 3


def test_passes_over_the_search_part_follow_each_other():
    data = made()
    feed = feed_of(data)
    size = len(feed.search)
    steps = -(-size // 16)
    passes = [greys(data, *(feed.next_search() for _ in range(steps))) for _ in range(3)]
    assert all(sorted(each) == sorted(greys_of(feed.search)) for each in passes)
    assert len({tuple(each) for each in passes}) == 3


def test_labels_belong_to_their_images():
    data = made()
    feed = feed_of(data)
    batches = [*feed.epoch(), feed.next_search(), *feed.whole(feed.search), feed.some(feed.search, 2)]
    for batch in batches:
        assert batch.labels.tolist() == [grey % 4 for grey in greys(data, batch)]


@pytest.mark.parametrize(("batch_size", "steps"), [(13, 7), (91, 1), (92, 1), (46, 2), (200, 1)])
def test_a_lone_last_image_is_left_out(batch_size, steps):
    feed = feed_of(made(), batch_size=batch_size)
    assert len(feed.weights) == 92
    sizes = [len(batch.labels) for batch in feed.epoch()]
    assert len(sizes) == feed.steps == steps
    assert min(sizes) > 1 and sum(sizes) == 92 - (92 % batch_size == 1)


def test_images_are_normalised_and_channels_last():
    data = load("digits", valid_fraction=0.5)
    feed = Feed(data, SearchRecipe(batch_size=16), 0, CPU)
    for batch in (next(feed.epoch()), feed.next_search(), next(feed.whole(data.train)), feed.some(feed.search, 1)):
        assert batch.images.dtype == torch.float32
        assert batch.images.is_contiguous(memory_format=torch.channels_last)
    whole = torch.cat([batch.images for batch in feed.whole(data.train)])
    assert whole.mean().item() == pytest.approx(0, abs=1e-5)
    assert whole.std().item() == pytest.approx(1, abs=1e-3)


def test_a_part_as_it_is():
    data = made()
    feed = feed_of(data, crop_padding=2, flip=True, cutout_prob=1.0)
    assert greys(data, *feed.whole(data.valid)) == data.valid.images[:, 0, 0, 0].tolist()
    assert greys(data, feed.some(data.valid, 2)) == data.valid.images[:32, 0, 0, 0].tolist()
    assert len(feed.some(data.valid, 100).labels) == len(data.valid)


def test_large_parts_come_in_batches():
    data = load("digits")
    feed = Feed(data, SearchRecipe(), 0, CPU)
    for least in (1, 8):
        batches = list(feed.whole(data.train, least))
        sizes = [len(batch.labels) for batch in batches]
        assert len(sizes) == max(3, least)
        assert max(sizes) <= EVALUATION_BATCH
        assert max(sizes) - min(sizes) <= 1  # a small last batch would have statistics of its own
        assert torch.equal(torch.cat([batch.labels for batch in batches]), data.train.labels)


def test_cutout_is_for_the_weights_alone():
    data = load("digits", valid_fraction=0.5)

    def cut(images):
        """Images that are zero, which is the mean and no pixel of digits, somewhere."""
        return (images == 0).flatten(1).any(dim=1)

    feed = Feed(data, SearchRecipe(cutout_prob=1.0, cutout_length=3, **PLAIN), 0, CPU)
    assert all(cut(batch.images).all() for batch in feed.epoch())
    assert not any(cut(feed.next_search().images).any() for _ in range(20))
    assert not any(cut(batch.images).any() for batch in feed.whole(feed.search))
    half = Feed(data, SearchRecipe(cutout_prob=0.5, cutout_length=3, **PLAIN), 0, CPU)
    shares = torch.cat([cut(batch.images) for batch in half.epoch()])
    assert 0.4 < shares.float().mean() < 0.6


def test_both_are_augmented():
    data = made()
    feed = feed_of(data, crop_padding=1, flip=True)
    edge = (0 - 255 * data.mean[0]) / (255 * data.std[0])
    for batches in (feed.epoch(), [feed.next_search() for _ in range(6)]):
        images = torch.cat([batch.images for batch in batches])
        moved = torch.isclose(images, torch.tensor(edge), atol=1e-4).flatten(1).any(dim=1)
        assert 0.6 < moved.float().mean() < 1  # eight of nine windows reach over the edge


def test_a_restored_feed_goes_on_alike():
    settings = {"crop_padding": 1, "flip": True, "cutout_prob": 0.5, "cutout_length": 2}
    feed, other = feed_of(made(), **settings), feed_of(made(), seed=1, **settings)
    list(feed.epoch())
    for _ in range(7):  # in the middle of the second pass
        feed.next_search()
    file = io.BytesIO()
    torch.save(feed.state(), file)
    file.seek(0)
    expected = [*feed.epoch(), *(feed.next_search() for _ in range(12))]
    other.restore(torch.load(file, weights_only=True))
    found = [*other.epoch(), *(other.next_search() for _ in range(12))]
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.equal(ours.images, theirs.images) and torch.equal(ours.labels, theirs.labels)


def test_one_purpose_does_not_change_what_another_sees():
    data = made()
    first, second = feed_of(data, flip=True), feed_of(data, flip=True)
    for _ in range(3):
        second.next_search()
    for ours, theirs in zip(first.epoch(), second.epoch(), strict=True):
        assert torch.equal(ours.images, theirs.images)


def test_batches_follow_from_the_seed_and_not_from_global_chance():
    data = made()
    before = torch.get_rng_state()
    runs = [greys(data, *feed_of(data, seed, cutout_prob=0.5).epoch()) for seed in (0, 0, 1)]
    assert torch.equal(torch.get_rng_state(), before)
    assert runs[0] == runs[1] != runs[2]
