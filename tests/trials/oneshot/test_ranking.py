"""One-shot errors of many architectures: against the plain way, and how often the super-net is run for them."""

import numpy as np
import pytest
import torch

from spaces.darts_cell import sample_genotype
from spaces.nasbench1shot1 import SPACES, Choice, sample_choice
from tests.contracts.one_shot_optimizer import search
from trials.oneshot.feed import Batch
from trials.oneshot.mixture import Mixture, Terms
from trials.oneshot.ranking import computed, errors

S1 = SPACES["s1"]
CONV, POOL = "conv3x3-bn-relu", "maxpool3x3"
# Block 4 is a loose end: neither what it reads nor what it does is computed.
LOOSE = Choice((CONV, POOL, CONV, CONV), ((0,), (0, 1), (0, 2), (0, 1)), (2, 3))
SAME = Choice((CONV, POOL, CONV, POOL), ((0,), (0, 1), (0, 2), (2, 3)), (2, 3))
OTHER = Choice((CONV, POOL, POOL, CONV), ((0,), (0, 1), (0, 2), (0, 1)), (2, 3))


def _trained(space="s1", epochs=1):
    searching = search("random-ws", space, 0)
    for _ in range(epochs):
        for batch in searching.feed.epoch():
            searching.step(batch)
    return searching


def _sampled(space, count):
    rng = np.random.default_rng(2)
    if space == "darts-cnn":
        return [sample_genotype(rng, "released") for _ in range(count)]
    return [Mixture.of(sample_choice(rng, SPACES[space])) for _ in range(count)]


def _by_hand(shared, path, batches, statistics):
    with torch.no_grad():
        right = [shared.network(batch.images, path, statistics).argmax(1) == batch.labels for batch in batches]
    return 1.0 - torch.cat(right).double().mean().item()


@pytest.mark.parametrize("statistics", ["batch", "running"])
@pytest.mark.parametrize("space", ["s1", "s3", "darts-cnn"])
def test_it_is_the_share_of_wrong_answers_over_all_batches(space, statistics):
    searching = _trained(space, epochs=8)
    images, labels = searching.feed.some(searching.feed.search, 10)
    batches = [Batch(images[:20], labels[:20]), Batch(images[20:25], labels[20:25])]
    paths = _sampled(space, 6)
    found = errors(searching.shared, paths, batches, statistics)
    assert found.dtype == np.float64
    expected = [_by_hand(searching.shared, path, batches, statistics) for path in paths]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert len(set(found)) > 1


def test_nothing_is_changed():
    searching = _trained()
    before = searching.weights()
    errors(searching.shared, _sampled("s1", 3), [searching.feed.some(searching.feed.search, 1)])
    after = searching.weights()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert searching.shared.network.training


def test_training_goes_on_after_paths_that_were_only_measured():
    searching = search("random-ws", "s3", 0)
    for path in _sampled("s3", 20):
        errors(searching.shared, [path], [searching.feed.some(searching.feed.search, 1)])
        searching.shared.learn(path, searching.feed.next_search())


def test_paths_that_compute_the_same_are_run_once(monkeypatch):
    searching = _trained()
    ran, forward = [], searching.shared.forward
    monkeypatch.setattr(searching.shared, "forward", lambda path, *rest: ran.append(path) or forward(path, *rest))
    paths = [Mixture.of(choice) for choice in (LOOSE, OTHER, SAME, OTHER)]
    batches = [searching.feed.some(searching.feed.search, 1)] * 3
    found = errors(searching.shared, paths, batches)
    assert len(ran) == 2 * 3
    assert found[0] == found[2]
    assert found[1] == found[3]
    np.testing.assert_allclose(found[:2], [_by_hand(searching.shared, path, batches, "batch") for path in paths[:2]])


def test_what_is_computed():
    assert computed(Mixture.of(LOOSE)) == computed(Mixture.of(SAME)) != computed(Mixture.of(OTHER))
    # One cell with its blocks numbered differently: the same hash, and other weights.
    first = Choice((CONV, POOL, CONV, CONV), ((0,), (0, 1), (0, 2), (0, 2)), (2, 3))
    second = Choice((CONV, POOL, CONV, CONV), ((0,), (0, 1), (0, 2), (0, 2)), (2, 4))
    assert first.cell().hash == second.cell().hash
    assert computed(Mixture.of(first)) != computed(Mixture.of(second))


def test_mixtures_with_weights_are_each_their_own():
    def weighted():
        plain = Mixture.of(LOOSE)
        return Mixture(plain.operations, plain.parents, Terms((2, 3), (torch.tensor(0.5), torch.tensor(0.5))))

    one = weighted()
    assert computed(one) == computed(one) != computed(weighted())


def test_genotypes_are_what_they_say():
    first, second = _sampled("darts-cnn", 2)
    assert computed(first) == computed(first) != computed(second)
