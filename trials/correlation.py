"""What a search's checkpoints make of architectures: the one-shot error of each with the weights saved in one.

All architectures see the same images: those that the search judged architectures by, as they are, in large batches
whose own statistics normalise them. The stem's map and the projections of the first cell are the same for all
architectures, and what the first cell computes before they part is the same for many, so each of these is computed
once where neighbours share it: half of the time on small images, where the first cell has the largest maps.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spaces.errors import InvalidValue
from spaces.nasbench1shot1 import Choice
from trials import checkpoint as checkpoints
from trials.checkpoint import CheckpointDamaged
from trials.contract import Checkpoint, Task
from trials.course import named_failures, prepare_process
from trials.data import load_on
from trials.data.dataset import Part
from trials.oneshot.feed import Feed
from trials.oneshot.layers import Statistics
from trials.oneshot.mixture import Mixture
from trials.oneshot.optimizers import build_supernet
from trials.oneshot.ranking import errors
from trials.oneshot.shared import SharedWeights
from trials.oneshot.sums import weighted_sum
from trials.search import OneShotSearch

CHUNK: Final = 50
"""Architectures between two calls of ``progress``."""

FEWEST_IMAGES: Final = 10
"""Fewer do not make batch statistics."""


class Judge:
    """Measures architectures with the shared weights of one search, which :meth:`load` brings from a checkpoint.

    Args:
        search: the trial, in a space of NAS-Bench-1Shot1.
        task: its task; the folder is where the checkpoints lie, the configuration changes the recipe.
        images: at most so many images of the search part are used, from its first on; None for all.

    Raises:
        InvalidValue: ``images`` is below 10.
        DataMissing, DataDamaged: the data set is not there, or not whole.
    """

    def __init__(self, search: OneShotSearch, task: Task, images: int | None = None) -> None:
        if images is not None and images < FEWEST_IMAGES:
            raise InvalidValue("images", images, f"must be at least {FEWEST_IMAGES}", "Leave it out for all.")
        recipe = search.recipe_of(task)
        device = prepare_process(recipe.threads)
        data = load_on(
            device, search.data, search.data_dir,
            valid_fraction=recipe.valid_fraction, train_limit=recipe.train_limit, test=False,
        )  # fmt: skip
        feed = Feed(data, recipe, 0, device)
        network = build_supernet(search.space, recipe, data, search.variant, 0)
        network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._folder = task.folder
        part = Part(feed.search.images[:images], feed.search.labels[:images])
        self._batches = list(feed.whole(part))
        self._shared = SharedWeights(network, recipe, task.stop, device)

    @property
    def images(self) -> int:
        """How many images all architectures are measured on."""
        return sum(len(batch.labels) for batch in self._batches)

    def load(self, checkpoint: Checkpoint) -> None:
        """Take the weights of a checkpoint.

        Raises:
            CheckpointMissing: there is no such file.
            CheckpointDamaged: its bytes are not those that were written, or its weights not those of this super-net.
        """
        state = checkpoints.load(self._folder, checkpoint)
        try:
            self._shared.network.load_state_dict(state["shared"]["network"])
        except (KeyError, TypeError, RuntimeError):
            path = f"{self._folder}/{checkpoint.name}"
            raise CheckpointDamaged(path, "it does not hold the weights of this super-net") from None

    def errors(
        self, choices: Sequence[Choice], progress: Callable[[int], None] = lambda _done: None
    ) -> NDArray[np.float64]:
        """One-shot error of each architecture: the share of images that is classified wrongly, (choices,).

        Args:
            choices: one encoding of each; another one of the same cell would use other weights.
            progress: called now and then with the number of architectures measured since the call before.

        Raises:
            OutOfMemory: a batch does not fit.
        """
        found = np.empty(len(choices))
        paths = [Mixture.of(choice) for choice in choices]
        order = sorted(range(len(paths)), key=lambda place: _branches(paths[place]))
        with named_failures(), _beginning_shared(self._shared.network):
            for start in range(0, len(order), CHUNK):
                places = order[start : start + CHUNK]
                found[places] = errors(self._shared, [paths[place] for place in places], self._batches)
                progress(len(places))
        return found


# --- what architectures have in common -------------------------------------------------------------


def _branches(path: Mixture) -> tuple[tuple[Any, ...], ...]:
    """Sorts paths so that those whose first blocks are the same are neighbours."""
    needed = path.needed()
    blocks = range(1, len(path.parents) + 1)
    return tuple(
        (path.operations[block - 1].chosen, path.parents[block - 1].chosen) if block in needed else ()
        for block in blocks
    )


@contextmanager
def _beginning_shared(network: nn.Module) -> Iterator[None]:
    """While it lasts a super-net's stem and first cell remember what they have just computed, which must not train."""
    stem, cells = network.stem, network.cells
    assert isinstance(stem, nn.Module)
    assert isinstance(cells, nn.ModuleList)
    first = cells[0]
    network.stem, cells[0] = _RememberedStem(stem), _RememberedCell(first)
    try:
        yield
    finally:
        network.stem, cells[0] = stem, first


class _RememberedStem(nn.Module):
    """The stem's maps of the images it saw last."""

    def __init__(self, stem: nn.Module) -> None:
        super().__init__()
        self._stem = stem
        self._images: Tensor | None = None
        self._maps: tuple[Tensor, ...] = ()

    def forward(self, images: Tensor, statistics: Statistics) -> tuple[Tensor, ...]:
        if images is not self._images:
            self._images, self._maps = images, self._stem(images, statistics)
        return self._maps


class _RememberedCell(nn.Module):
    """A cell without weights of terms, which keeps of each block the map it made last: memory is that of one cell."""

    def __init__(self, cell: Any) -> None:
        super().__init__()
        self._cell = cell
        self._input: Tensor | None = None
        self._projected: tuple[Tensor, ...] = ()
        self._made: dict[int, tuple[Hashable, Tensor]] = {}

    def forward(self, x: Tensor, mixture: Mixture, statistics: Statistics) -> Tensor:
        if x is not self._input:
            self._input, self._projected, self._made = x, self._cell.projections(x, statistics), {}
        states: dict[int, Tensor] = {}
        keys: dict[int, Hashable] = {0: ()}
        for block in mixture.needed():
            operations, parents = mixture.operations[block - 1], mixture.parents[block - 1].chosen
            keys[block] = operations.chosen, tuple((parent, keys[parent]) for parent in parents)
            if block not in self._made or self._made[block][0] != keys[block]:
                maps = [states[parent] if parent else self._projected[block] for parent in parents]
                made = self._cell.blocks[block - 1](weighted_sum(maps, [None] * len(maps)), operations, statistics)
                self._made[block] = keys[block], made
            states[block] = self._made[block][1]
        projected = self._projected[0] if 0 in mixture.output.chosen else None
        output: Tensor = self._cell.output(states, projected, dict(mixture.output.items()))
        return output
