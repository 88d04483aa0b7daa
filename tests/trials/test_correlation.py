"""One-shot errors with the weights of checkpoints: against the plain way, and from damaged files."""

from pathlib import Path

import numpy as np
import pytest
import torch

from spaces.errors import InvalidValue
from spaces.nasbench1shot1 import SPACES, choices_of, sample_choice, unique_cells
from trials import checkpoint as checkpoint_files
from trials import contract, correlation
from trials.checkpoint import CheckpointDamaged, CheckpointMissing
from trials.contract import Checkpoint, Task
from trials.correlation import Judge
from trials.data import load
from trials.data.dataset import halve
from trials.oneshot import feed
from trials.oneshot.mixture import Mixture
from trials.oneshot.ranking import errors
from trials.search import OneShotSearch
from trials.search_recipe import search_recipe

SMALL = {"channels": 4, "stages": 2, "train_limit": 240, "batch_size": 20, "keep_every": 1}


def searched(folder, epochs=2, **given):
    """A search, its task, and its checkpoints."""
    recipe = search_recipe("random-ws", "digits", "s1", {**SMALL, "samples": 4, "samples_between": 2, **given})
    search = OneShotSearch("random-ws", "s1", "digits", recipe, "s1-digits")
    task = Task(0, {"seed": 1}, 0, epochs, 0, str(folder))
    return search, task, [report.checkpoint for report in contract.run(search, task)]


def choices(space, count=40):
    rng = np.random.default_rng(0)
    return [sample_choice(rng, SPACES[space]) for _ in range(count)]


def supernet(space, optimizer="random-ws"):
    """A judge with fresh weights: no search is needed for it."""
    recipe = search_recipe(optimizer, "digits", space, SMALL)
    return Judge(OneShotSearch(optimizer, space, "digits", recipe, "s1-digits"), Task(0, {}, 0, 1, 0, "nowhere"))


@pytest.mark.parametrize("optimizer", ["random-ws", "pc-darts"])
@pytest.mark.parametrize("space", SPACES)
def test_what_architectures_have_in_common_is_computed_once_and_the_same(space, optimizer):
    judge = supernet(space, optimizer)
    asked = choices(space)
    plain = errors(judge._shared, [Mixture.of(choice) for choice in asked], judge._batches)
    np.testing.assert_array_equal(judge.errors(asked), plain)
    assert len(set(plain)) > 5


def test_batches_that_follow_each_other_are_not_mixed_up(monkeypatch):
    monkeypatch.setattr(feed, "EVALUATION_BATCH", 16)
    monkeypatch.setattr(correlation, "CHUNK", 7)
    judge = supernet("s1")
    sizes = [len(batch.labels) for batch in judge._batches]
    assert len(sizes) > 2
    assert max(sizes) - min(sizes) <= 1
    asked = choices("s1", 20)
    plain = errors(judge._shared, [Mixture.of(choice) for choice in asked], judge._batches)
    counts = []
    np.testing.assert_array_equal(judge.errors(asked, counts.append), plain)
    assert counts == [7, 7, 6]


def test_what_neighbours_share_is_not_computed_again():
    judge = supernet("s1")
    cell = judge._shared.network.cells[0]
    calls = []
    for number, block in enumerate(cell.blocks, start=1):
        block.register_forward_hook(lambda *_, number=number: calls.append(number))
    asked = [choices_of(unique_cells(SPACES["s1"])[place], SPACES["s1"]) for place in range(0, 2685, 20)]
    judge.errors(asked)
    paths = [Mixture.of(choice) for choice in asked]
    assert calls.count(1) <= 3  # it has one parent: only its operation differs
    assert len(calls) < 0.75 * sum(len(path.needed()) for path in paths)


def test_the_supernet_is_left_as_it_was():
    judge = supernet("s1")
    network = judge._shared.network
    modules = [(name, id(module)) for name, module in network.named_modules()]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    judge.errors(choices("s1", 3))
    assert [(name, id(module)) for name, module in network.named_modules()] == modules
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_the_weights_of_each_checkpoint_count(tmp_path):
    search, task, saved = searched(tmp_path, epochs=4, batch_size=5)
    judge, asked, found = Judge(search, task), choices("s1", 12), []
    for checkpoint in (saved[0], saved[3], saved[0]):
        judge.load(checkpoint)
        expected = checkpoint_files.load(task.folder, checkpoint)["shared"]["network"]
        assert all(torch.equal(w, expected[n]) for n, w in judge._shared.network.state_dict().items())
        found.append(judge.errors(asked))
    np.testing.assert_array_equal(found[0], found[2])
    assert not np.array_equal(found[0], found[1])


def test_the_images_are_those_that_the_search_judges_by(tmp_path):
    judge = supernet("s1")
    recipe = search_recipe("random-ws", "digits", "s1", SMALL)
    data = load("digits", valid_fraction=recipe.valid_fraction, train_limit=recipe.train_limit)
    _, expected = halve(data.train, recipe.search_fraction)
    assert judge.images == len(expected)
    assert torch.equal(torch.cat([batch.labels for batch in judge._batches]), expected.labels)
    fewer = Judge(
        OneShotSearch("random-ws", "s1", "digits", recipe, "s1-digits"), Task(0, {}, 0, 1, 0, "nowhere"), images=25
    )
    assert fewer.images == 25
    assert torch.equal(fewer._batches[0].images, judge._batches[0].images[:25])
    with pytest.raises(InvalidValue, match="images = 9"):
        Judge(
            OneShotSearch("random-ws", "s1", "digits", recipe, "s1-digits"), Task(0, {}, 0, 1, 0, "nowhere"), images=9
        )


def test_a_configuration_changes_the_network_as_in_the_search():
    recipe = search_recipe("random-ws", "digits", "s1", SMALL)
    task = Task(0, {"seed": 3, "channels": 8}, 0, 1, 0, "nowhere")
    judge = Judge(OneShotSearch("random-ws", "s1", "digits", recipe, "s1-digits"), task)
    assert judge._shared.network.stem.weight.shape[0] == 8


def test_files_that_cannot_be_used(tmp_path):
    search, task, [first, second] = searched(tmp_path)
    judge = Judge(search, task)
    file = Path(tmp_path) / first.name
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(CheckpointDamaged, match=first.name):
        judge.load(first)
    file.unlink()
    with pytest.raises(CheckpointMissing, match=first.name):
        judge.load(first)
    with pytest.raises(CheckpointDamaged, match="instead of"):
        judge.load(Checkpoint(second.name, 2, "0" * 64, second.size))
    other = search_recipe("random-ws", "digits", "s1", {**SMALL, "channels": 8})
    wider = Judge(OneShotSearch("random-ws", "s1", "digits", other, "s1-digits"), task)
    with pytest.raises(CheckpointDamaged, match="does not hold the weights of this super-net"):
        wider.load(second)
