"""Random search with weight sharing: how many architectures are judged, on what, and which one is taken."""

from collections import Counter

import numpy as np
import pytest
import torch

from trials.oneshot import random_ws
from trials.oneshot.random_ws import RandomWS, stages
from trials.search_recipe import RandomRecipe


@pytest.mark.parametrize(
    ("epochs", "architectures"),
    [(1, 1000), (25, 1000), (50, 1000), (100, 1000), (149, 1000), (150, 5000), (299, 5000), (300, 11000), (600, 11000)],
)
def test_how_many_are_drawn_at_the_end(epochs, architectures):
    assert stages(epochs) == architectures
    assert stages(epochs, 20) == architectures // 50


class _Feed:
    """Names its images instead of giving them."""

    search = "search part"

    def some(self, part, batches):
        return f"{batches} batches of the {part}"

    def whole(self, part):
        yield f"first half of the {part}"
        yield f"second half of the {part}"


class _Judged:
    """Stands in for `errors`: architectures are numbers, and tables say how good they are."""

    def __init__(self, first, final):
        self.first, self.final, self.calls = first, final, []

    def __call__(self, shared, paths, batches, statistics):
        self.calls.append((list(paths), list(batches), statistics))
        table = self.first if len(batches) == 1 else self.final
        return np.array([table.get(path, 1.0) for path in paths])


def _searching(monkeypatch, draws, first, final, epochs=50, **recipe):
    judged = _Judged(first, final)
    monkeypatch.setattr(random_ws, "errors", judged)
    left = iter(draws)
    return RandomWS(lambda _: next(left), lambda drawn: drawn, RandomRecipe(**recipe), epochs, 0), judged


def test_the_best_of_each_set_are_measured_on_everything(monkeypatch):
    monkeypatch.setattr(random_ws, "SET", 4)
    # In sets of four: the second 7 of the first set is not another finalist, and neither is 3 better known for being
    # in both sets; ties go to what was drawn first.
    draws = [7, 7, 3, 5, 3, 8, 9, 6, 1, 2]
    first = {7: 0.1, 3: 0.2, 5: 0.2, 8: 0.4, 9: 0.3, 6: 0.3, 1: 0.6, 2: 0.5}
    final = {7: 0.5, 3: 0.4, 9: 0.3, 1: 0.3, 2: 0.3}
    optimizer, judged = _searching(monkeypatch, draws, first, final, samples=10, finalists=2, sample_batches=3)
    assert optimizer.choose(None, _Feed(), last=True) == 9
    few = ["3 batches of the search part"]
    assert judged.calls == [
        ([7, 3, 5], few, "batch"),
        ([3, 8, 9, 6], few, "batch"),
        ([1, 2], few, "batch"),
        ([7, 3, 3, 9, 2, 1], ["first half of the search part", "second half of the search part"], "batch"),
    ]


def test_fewer_are_drawn_between_epochs(monkeypatch):
    draws = list(range(100))
    optimizer, judged = _searching(
        monkeypatch, draws, {}, {2: 0.5}, epochs=150, samples=6, samples_between=3, finalists=5
    )
    assert optimizer.choose(None, _Feed(), last=False) == 2
    assert [len(paths) for paths, *_ in judged.calls] == [3, 3]
    optimizer.choose(None, _Feed(), last=True)
    assert [len(paths) for paths, *_ in judged.calls[2:]] == [5 * 6, 5]


def test_of_equally_good_ones_the_first_drawn(monkeypatch):
    optimizer, _ = _searching(monkeypatch, [4, 2, 9], {}, {}, samples_between=3)
    assert optimizer.choose(None, _Feed(), last=False) == 4


class _Shared:
    def __init__(self):
        self.trained = []

    def learn(self, path, batch):
        self.trained.append(path)
        return torch.zeros(3)


def _digits(seed=0):
    return RandomWS(lambda rng: int(rng.integers(10)), str, RandomRecipe(), 50, seed)


def test_each_step_trains_one_architecture_drawn_uniformly():
    optimizer, shared = _digits(), _Shared()
    for _ in range(5000):
        optimizer.step(shared, None, None)
    counts = Counter(shared.trained)
    assert counts.keys() == set("0123456789")
    # Chi-square of 9 degrees of freedom: 27.88 is exceeded once in a thousand seeds.
    assert sum((count - 500) ** 2 / 500 for count in counts.values()) < 27.88


def test_measuring_and_choosing_draw_from_elsewhere(monkeypatch):
    monkeypatch.setattr(random_ws, "errors", _Judged({}, {}))
    plain, busy = (_digits() for _ in range(2))
    alone, disturbed = _Shared(), _Shared()
    measured = []
    for _ in range(30):
        plain.step(alone, None, None)
        busy.step(disturbed, None, None)
        measured.append(busy.evaluated())
        busy.choose(None, _Feed(), last=False)
    assert disturbed.trained == alone.trained != measured
    assert [plain.evaluated() for _ in range(30)] == measured
