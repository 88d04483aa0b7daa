"""The suite every one-shot optimizer passes: the guarantees of `trials.oneshot.protocol`.

A law is a function of `make`: `make(seed)` gives a fresh :class:`Search` in its first epoch, the same one for the same
seed. A test module runs every law of `LAWS` over its optimizers; see `tests/trials/oneshot/test_optimizers.py`.
"""

import io
import json
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from spaces.darts_cell import Genotype
from spaces.nasbench1shot1 import SPACES, Choice
from trials.data import Dataset, Part
from trials.oneshot.darts_cnn import DartsSuperNet
from trials.oneshot.feed import Feed
from trials.oneshot.optimizers import build_optimizer, build_supernet
from trials.oneshot.shared import SharedWeights
from trials.search_recipe import search_recipe

EPOCHS = 2
CPU = torch.device("cpu")
TINY = {"channels": 4, "batch_size": 8, "learning_rate": 0.1}
CELLS = {"darts-cnn": {"cells": 2}}
TWO_STAGES = {"stages": 2, "cells_per_stage": 1}
FEW = {
    "enas": {"controller_steps": 3, "samples": 6, "controller_hidden": 8},
    "random-ws": {"samples": 7, "samples_between": 4, "sample_batches": 1, "finalists": 2},
}


def tiny_data(images=64, classes=4, size=8):
    """Grey images in which the place of a bright quarter says the class; no test set."""
    rng = np.random.default_rng(5)
    labels = np.arange(images) % classes
    values = rng.integers(0, 120, (images, 1, size, size))
    half = size // 2
    for image, label in zip(values, labels, strict=True):
        image[:, half * (label // 2) :, half * (label % 2) :] += 100
    part = Part(torch.from_numpy(values.astype(np.uint8)), torch.from_numpy(labels))
    nothing = Part(part.images[:0], part.labels[:0])
    return Dataset("tiny", classes, part, nothing, None, (0.4,), (0.25,))


@dataclass
class Search:
    """An optimizer and what a search calls it with."""

    optimizer: Any
    shared: SharedWeights
    feed: Feed
    space: str
    paths: list  # all that `shared.learn` was told to compute

    def begin(self, epoch=0):
        self.shared.begin_epoch(epoch)
        self.optimizer.begin_epoch(epoch, EPOCHS)
        return self

    def step(self, batch):
        return self.optimizer.step(self.shared, batch, self.feed)

    def epoch(self, epoch):
        """A whole epoch: the sums of its steps, the architecture found, and the parameters."""
        self.begin(epoch)
        sums = [self.step(batch).tolist() for batch in self.feed.epoch()]
        self.optimizer.end_epoch(self.shared, self.feed)
        return sums, self.measured(), self.choose(last=epoch == EPOCHS - 1), self.optimizer.plain()

    def measured(self):
        batches = self.feed.whole(self.feed.search)
        return self.shared.measure(self.optimizer.evaluated, batches, self.optimizer.statistics).tolist()

    def choose(self, *, last=False):
        return self.optimizer.choose(self.shared, self.feed, last=last)

    def state(self):
        """Through a file, as a checkpoint goes."""
        parts = {"optimizer": self.optimizer, "shared": self.shared, "feed": self.feed}
        file = io.BytesIO()
        torch.save({name: part.state() for name, part in parts.items()}, file)
        file.seek(0)
        return torch.load(file, weights_only=True)

    def restore(self, state):
        for name in ("shared", "feed", "optimizer"):
            getattr(self, name).restore(state[name])
        return self

    def weights(self):
        """Everything in the super-net, statistics too."""
        return {name: value.clone() for name, value in self.shared.network.state_dict().items()}


def search(optimizer, space, seed, **changes):
    """A search of two epochs in a super-net of 4 channels."""
    given = {**TINY, **CELLS.get(space, TWO_STAGES), **FEW.get(optimizer, {}), **changes}
    recipe = search_recipe(optimizer, "digits", space, given)
    data = tiny_data()
    feed = Feed(data, recipe, seed, CPU)
    network = build_supernet(space, recipe, data, "corrected", seed).to(memory_format=torch.channels_last)
    shared = SharedWeights(network, recipe, EPOCHS, CPU)
    paths, learn = [], shared.learn

    def watched(path, batch):
        paths.append(path)
        return learn(path, batch)

    shared.learn = watched
    return Search(build_optimizer(optimizer, space, recipe, EPOCHS, seed, CPU), shared, feed, space, paths).begin()


def batches(count=3):
    """Batches of tiny images, the same at every call."""
    recipe = search_recipe("darts", "digits", "s1", TINY | TWO_STAGES)
    feed = Feed(tiny_data(), recipe, 99, CPU)
    return [feed.next_search() for _ in range(count)]


def same(found, expected):
    """Equal to the last bit."""
    assert found.keys() == expected.keys()
    return all(torch.equal(found[name], expected[name]) for name in expected)


# --- which weights a path computes with ----------------------------------------------------------------


def used(network, path):
    """For each weight, which of its rows the path computes with: True, False, or a mask (rows,)."""
    find = _used_of_genotype if isinstance(network, DartsSuperNet) else _used_of_mixture
    return {name: find(network, path, name.split("."), weight) for name, weight in network.named_parameters()}


def _used_of_genotype(network, genotype, name, _):
    if name[0] != "cells" or name[2] != "edges":
        return True
    cell = genotype.reduction if network.cells[int(name[1])].reduction else genotype.normal
    return name[3] in {f"{state}:{edge}" for state, node in enumerate(cell.nodes, start=2) for edge in node}


def _used_of_mixture(network, mixture, name, weight):
    if name[0] != "cells":
        return True
    if name[2] == "blocks":
        place = {"conv3x3": 1, "conv1x1": 2}[name[4]]
        block = int(name[3]) + 1
        return block in mixture.needed() and place in mixture.operations[block - 1].chosen
    blocks = network.space.blocks  # a projection's rows: those of the output, then those of each block
    reading = [0 in mixture.output.chosen] * blocks
    reading += [b in mixture.needed() and 0 in mixture.parents[b - 1].chosen for b in range(1, blocks + 1)]
    return torch.tensor(reading).repeat_interleave(len(weight) // len(reading))


# --- the laws ------------------------------------------------------------------------------------------


def the_same_seed_gives_the_same_search(make):
    first, second = make(3), make(3)
    for epoch in range(EPOCHS):
        assert first.epoch(epoch) == second.epoch(epoch)
    assert same(first.weights(), second.weights())


def another_seed_gives_another_search(make):
    assert make(3).epoch(0)[0] != make(4).epoch(0)[0]


def what_is_restored_between_epochs_goes_on_to_the_last_bit(make):
    straight = make(3)
    straight.epoch(0)
    resumed = make(8).restore(straight.state())
    assert resumed.epoch(1) == straight.epoch(1)
    assert same(resumed.weights(), straight.weights())


def what_is_restored_between_steps_goes_on_to_the_last_bit(make):
    for done in range(3):
        straight = make(3)
        given = batches()
        for batch in given[:done]:
            straight.step(batch)
        resumed = make(8).restore(straight.state())
        for batch in given[done:]:
            assert torch.equal(resumed.step(batch), straight.step(batch))
        for each in (straight, resumed):
            each.optimizer.end_epoch(each.shared, each.feed)
        assert resumed.measured() == straight.measured()
        assert resumed.choose() == straight.choose()
        assert resumed.optimizer.plain() == straight.optimizer.plain()
        assert same(resumed.weights(), straight.weights())


def what_is_restored_has_the_same_state(make):
    searching = make(3)
    searching.step(batches()[0])
    searching.choose()
    restored = make(8).restore(searching.state())
    assert _plain(restored.state()) == _plain(searching.state())


def _plain(state):
    """With lists of numbers for tensors, so that states can be compared."""
    if isinstance(state, dict):
        return {name: _plain(value) for name, value in state.items()}
    if isinstance(state, list | tuple):
        return [_plain(value) for value in state]
    return state.tolist() if isinstance(state, torch.Tensor) else state


def it_chooses_an_architecture_of_the_space(make):
    searching = make(3)
    for last in (False, True):
        found = searching.choose(last=last)
        if searching.space in SPACES:
            assert isinstance(found, Choice)
            assert found.belongs_to(SPACES[searching.space])
        else:
            assert isinstance(found, Genotype)


def choosing_and_measuring_change_no_weight(make):
    searching = make(3)
    searching.step(batches()[0])
    before = searching.weights()
    searching.measured()
    searching.choose(last=True)
    assert same(searching.weights(), before)
    assert all(weight.requires_grad for weight in searching.shared.parameters)


def choosing_changes_no_training(make):
    often, once = make(3), make(3)
    for batch in batches():
        often.choose()
        often.step(batch)
        once.step(batch)
    assert same(often.weights(), once.weights())


def a_step_trains_the_weights(make):
    searching = make(3)
    before = searching.weights()
    batch = batches()[0]
    loss, wrong, images = searching.step(batch).tolist()
    assert loss > 0.0
    assert 0 <= wrong <= images == len(batch.labels)
    after = searching.weights()
    assert all(not torch.equal(after[name], before[name]) for name in ("classifier.weight", "stem.weight"))


def a_small_step_lowers_the_loss_of_its_path(make):
    searching = make(3)
    searching.shared.sgd.param_groups[0]["lr"] = 1e-3
    for batch in batches():
        before = searching.step(batch)[0].item() / len(batch.labels)
        with torch.no_grad():
            assert searching.shared.loss(searching.paths[-1], batch).item() < before


def only_what_a_path_computes_has_a_gradient(make):
    searching = make(3)
    for batch in batches():
        searching.step(batch)
        mask = used(searching.shared.network, searching.paths[-1])
        for name, weight in searching.shared.network.named_parameters():
            rows = torch.as_tensor(mask[name]).expand(len(weight))
            assert not weight.grad[~rows].any(), name
        assert searching.shared.network.classifier.weight.grad.any()
    assert len(searching.paths) == 3


def it_leaves_the_global_generators_alone(make):
    before = random.getstate(), str(np.random.get_state(legacy=False)), torch.get_rng_state()  # noqa: NPY002
    make(3).epoch(EPOCHS - 1)
    assert random.getstate() == before[0]
    assert str(np.random.get_state(legacy=False)) == before[1]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[2])


def parameters_are_plain_values(make):
    searching = make(3)
    searching.epoch(0)
    plain = searching.optimizer.plain()
    assert json.loads(json.dumps(plain)) == plain


LAWS = [
    the_same_seed_gives_the_same_search,
    another_seed_gives_another_search,
    what_is_restored_between_epochs_goes_on_to_the_last_bit,
    what_is_restored_between_steps_goes_on_to_the_last_bit,
    what_is_restored_has_the_same_state,
    it_chooses_an_architecture_of_the_space,
    choosing_and_measuring_change_no_weight,
    choosing_changes_no_training,
    a_step_trains_the_weights,
    a_small_step_lowers_the_loss_of_its_path,
    only_what_a_path_computes_has_a_gradient,
    it_leaves_the_global_generators_alone,
    parameters_are_plain_values,
]
