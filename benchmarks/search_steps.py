"""Seconds a step of each one-shot optimizer, beside the plainest super-net, and where an epoch of a search goes.

A step is what one mini-batch costs: of the weights, and of the architecture where the optimizer has one; random-ws
has its own, smaller batch, and enas is given without what its controller learns between epochs. *plain* is the
super-net of the tests, which does what the code released by Zela et al. does: a module for each operation and
projection, all of them always run (only GDAS passes over operations of weight zero), architecture steps that also
compute the gradient of the weights, NCHW or channels-last. Images are random, of CIFAR-10's size, and lie on the CPU.

The yardstick of DARTS's step is two passes forward and backward of our own super-net with everything in it: what two
levels cost at least, whatever an optimizer adds to them.

Then searches on digits as they are run otherwise, each epoch split by the trial's own clock. Where no table of digits
is embedded, that of the space has random figures. The last epoch of a search, in which random-ws draws more, is not
among those measured.
"""

from __future__ import annotations

import copy
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from _common import ROOT, Goal, Spread, Table, alternating, parser, progress, publish, ratios
from torch import Tensor, nn
from torch.nn import functional

from spaces import nasbench1shot1
from spaces.nasbench101 import hash_cells
from spaces.table import Column, Content, write_table
from trials.contract import Report, Task, closed_after, run
from trials.course import prepare_process
from trials.oneshot.feed import Batch
from trials.oneshot.mixture import Mixture
from trials.oneshot.optimizers import build_optimizer, build_supernet
from trials.oneshot.shared import SharedWeights
from trials.search import OneShotSearch
from trials.search_recipe import OPTIMIZERS, SearchRecipe, search_recipe

sys.path.insert(0, str(ROOT))  # the tests are no package that is installed

from tests.trials.oneshot.plain_supernet import PlainSuperNet, Weights, copy_weights

CPU = torch.device("cpu")
WARM_UP = 3
"""Steps before the measured ones: memory that a process touches for the first time is slow on virtual machines."""
SOFT, YARDSTICK = "gdas, soft edges", "yardstick"
PLAIN, LAST = "plain", "plain, channels-last"
STEPS = {"gdas": 4, SOFT: 4, "enas": 8, "random-ws": 8}
"""Steps in one measurement, the mean of which counts: what is sampled costs more in one step than in the next."""
RELEASED = {"darts": "8.6 (5.1)", "darts-2nd": "19.3", "gdas": "5.3", "pc-darts": "6.2", "random-ws": "2.8"}
"""Seconds of the code released by Zela et al. on S3 and two cores, measured once; in brackets channels-last."""


@dataclass(frozen=True)
class Size:
    """How large everything is."""

    batch: int = 96
    random_batch: int = 64
    pixels: int = 32
    channels: int = 16
    cells_per_stage: int = 3
    train_limit: int | None = None
    """Of digits."""


QUICK = Size(batch=12, random_batch=8, pixels=16, channels=4, cells_per_stage=1, train_limit=300)


def main() -> None:
    """Measure steps and epochs, and print."""
    options = parser(__doc__ or "")
    options.add_argument(
        "--spaces", nargs="+", default=["s3"], choices=["s1", "s2", "s3"], help="where steps are taken"
    )
    options.add_argument("--epoch-spaces", nargs="*", default=["s1", "s2", "s3"], help="where digits are searched")
    options.add_argument("--threads", type=int, default=2, help="of the steps; searches on digits use their own one")
    options.add_argument(
        "--quick", action="store_true", help="everything small, to see that it runs: no figures to keep"
    )
    given = options.parse_args()
    size = QUICK if given.quick else Size()
    # Small steps on more threads than there are free cores mostly wait for each other.
    threads, searched = (1, ["s1"]) if given.quick else (given.threads, given.epoch_spaces)
    steps = {space: _steps(space, size, threads, given.repeats) for space in given.spaces}
    epochs = _epochs(searched, size, given.repeats)
    tables = [_epoch_table(epochs)] if epochs else []
    for space, runs in steps.items():
        released = RELEASED if space == "s3" and not given.quick else {}
        tables += [_step_table(space, runs, released), _ratio_table(space, runs)]
    goals = [] if given.quick else _goals(steps, epochs)
    publish(given.json, tables, goals, {"steps": steps, "epochs": epochs}, ["torch", "asha-nas"])


# Steps


def _steps(space: str, size: Size, threads: int, repeats: int) -> dict[str, list[float]]:
    """Seconds of each kind of step, by repeat."""
    prepare_process(threads)
    kinds = dict(_kinds(space, size))
    for name, step in kinds.items():
        progress(f"{space}: warming up {name}")
        for _ in range(WARM_UP):
            step()
    found: dict[str, list[float]] = {name: [] for name in kinds}
    for repeat, name in alternating(list(kinds), repeats):
        progress(f"{space}, repeat {repeat + 1}: {name}")
        count = STEPS.get(name, 1)
        began = time.perf_counter()
        for _ in range(count):
            kinds[name]()
        found[name].append((time.perf_counter() - began) / count)
    return found


def _kinds(space: str, size: Size) -> Iterator[tuple[str, Callable[[], None]]]:
    for optimizer in OPTIMIZERS:
        # The released code mixes edges softly, so that is what a plain step of GDAS does as well.
        for name, edges in ((optimizer, "hard"), (SOFT, "soft")) if optimizer == "gdas" else ((optimizer, None),):
            ours = _Ours(space, optimizer, size, edges)
            yield name, ours.step
            if edges != "hard":
                yield f"{optimizer}: {PLAIN}", _Plain(ours, torch.contiguous_format).step
                yield f"{optimizer}: {LAST}", _Plain(ours, torch.channels_last).step
            if name == "darts":
                yield YARDSTICK, ours.two_passes


class _Ours:
    """A super-net and an optimizer, and a batch for each level."""

    def __init__(self, space: str, optimizer: str, size: Size, edges: str | None) -> None:
        self.space, self.name = nasbench1shot1.space(space), optimizer
        given = {"channels": size.channels, "cells_per_stage": size.cells_per_stage}
        self.recipe = search_recipe(optimizer, "cifar10", space, given | ({"edges": edges} if edges else {}))
        net = build_supernet(space, self.recipe, SimpleNamespace(classes=10, channels=3), "corrected", 0)
        net.to(memory_format=torch.channels_last)
        self.shared = SharedWeights(net, self.recipe, 50, CPU)
        self.optimizer = build_optimizer(optimizer, space, self.recipe, 50, 0, CPU)
        self.shared.begin_epoch(0)
        self.optimizer.begin_epoch(0, 50)
        generator = torch.Generator().manual_seed(0)
        images = size.random_batch if optimizer == "random-ws" else size.batch
        self.train, self.search = (_batch(images, size.pixels, generator) for _ in range(2))
        self._feed = SimpleNamespace(next_search=lambda: self.search, steps=100)

    def step(self) -> None:
        self.optimizer.step(self.shared, self.train, self._feed)

    def two_passes(self) -> None:
        for batch in (self.search, self.train):
            self.shared.loss(self.optimizer.relax(self.optimizer.alphas).detached(), batch, "update").backward()


def _batch(images: int, pixels: int, generator: torch.Generator) -> Batch:
    drawn = torch.randn((images, 3, pixels, pixels), generator=generator)
    labels = torch.randint(10, (images,), generator=generator)
    return Batch(drawn.contiguous(memory_format=torch.channels_last), labels)


class _Plain:
    """The same with the plain super-net."""

    def __init__(self, ours: _Ours, memory_format: torch.memory_format) -> None:
        recipe: SearchRecipe = ours.recipe
        self._optimizer, self._recipe, self._second = ours.optimizer, recipe, ours.name == "darts-2nd"
        self._net = PlainSuperNet(
            ours.space.blocks, channels=recipe.channels, cells_per_stage=recipe.cells_per_stage,
            momentum=recipe.batch_norm_momentum, partial=getattr(recipe, "partial", 1), skip=ours.name == "gdas",
        )  # fmt: skip
        copy_weights(ours.shared.network, self._net)
        self._net.to(memory_format=memory_format)
        self._sgd = torch.optim.SGD(
            self._net.parameters(), recipe.learning_rate, recipe.momentum, weight_decay=recipe.weight_decay
        )
        self._train, self._search = (
            Batch(each.images.contiguous(memory_format=memory_format), each.labels)
            for each in (ours.train, ours.search)
        )
        self._alphas = getattr(ours.optimizer, "alphas", None)
        self._rng, self._space = np.random.default_rng(0), ours.space

    def step(self) -> None:
        if self._alphas is not None:
            self._optimizer.adam.zero_grad()
            self._unrolled() if self._second else self._loss(self._net, self._search).backward()
            self._optimizer.adam.step()
        self._sgd.zero_grad()
        self._loss(self._net, self._train).backward()
        nn.utils.clip_grad_norm_(self._net.parameters(), self._recipe.grad_clip)
        self._sgd.step()

    def _loss(self, net: PlainSuperNet, batch: Batch) -> Tensor:
        if self._alphas is None:
            mixture = Mixture.of(nasbench1shot1.sample_choice(self._rng, self._space))
        else:
            mixture = self._optimizer.relax(self._alphas)
        return functional.cross_entropy(net(batch.images, Weights.of(mixture)), batch.labels)

    def _unrolled(self) -> None:
        """Second order with a copy of the network at the unrolled weights; momentum is left out, it costs nothing."""
        rate, decay, weights = self._recipe.learning_rate, self._recipe.weight_decay, list(self._net.parameters())
        gradient = torch.autograd.grad(self._loss(self._net, self._train), weights)
        moved = copy.deepcopy(self._net)
        with torch.no_grad():
            for weight, old, own in zip(moved.parameters(), weights, gradient, strict=True):
                weight.copy_(old - rate * (own + decay * old))
        moved.zero_grad()
        self._loss(moved, self._search).backward()
        towards = [weight.grad for weight in moved.parameters()]
        step = 0.01 / torch.linalg.vector_norm(torch.cat([each.flatten() for each in towards]))
        sides = []
        for far in (step, -2 * step):
            self._move(weights, towards, far)
            sides.append(torch.autograd.grad(self._loss(self._net, self._train), self._alphas.parameters))
        self._move(weights, towards, step)
        for alpha, plus, minus in zip(self._alphas.parameters, *sides, strict=True):
            alpha.grad -= rate * (plus - minus) / (2 * step)

    @torch.no_grad()
    def _move(self, weights: list[Tensor], towards: list[Tensor], far: Tensor) -> None:
        for weight, own in zip(weights, towards, strict=True):
            weight.add_(far * own)


def _step_table(space: str, runs: dict[str, list[float]], released: dict[str, str]) -> Table:
    rows = []
    for name in (*OPTIMIZERS, SOFT):
        row, optimizer = [name, Spread.of(runs[name]).text(3)], name.partition(",")[0]
        for plain in (f"{optimizer}: {PLAIN}", f"{optimizer}: {LAST}"):
            row += [Spread.of(runs[plain]).text(3), ratios(runs, name)[plain].text(1)] if plain in runs else ["·", "·"]
        rows.append([*row, released.get(optimizer, "·")])
    columns = ["optimizer", "s", "plain, s", "times as long", "plain channels-last, s", "times as long", "released, s"]
    return Table(f"A step on {space.upper()}", columns, rows)


def _ratio_table(space: str, runs: dict[str, list[float]]) -> Table:
    rows = [["yardstick: two passes forward and backward, s", Spread.of(runs[YARDSTICK]).text(3)]]
    rows += [["darts / yardstick", ratios(runs, YARDSTICK)["darts"].text(2)]]
    rows += [[f"{name} / darts", ratios(runs, "darts")[name].text(2)] for name in ("gdas", SOFT, "random-ws")]
    return Table(f"Side by side on {space.upper()}", ["what", "measured"], rows)


# Epochs


def _epochs(spaces: list[str], size: Size, repeats: int) -> dict[str, list[dict[str, float]]]:
    """Seconds of an epoch, by repeat, in all and by part, of each optimizer on each space."""
    found: dict[str, list[dict[str, float]]] = {f"{space} {name}": [] for space in spaces for name in OPTIMIZERS}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        tables = {space: "s1-digits" if space == "s1" else _random_table(space, folder) for space in spaces}
        searches: dict[str, Iterator[Report]] = {}
        for which in found:
            progress(f"digits: the first epoch of {which}")
            space, name = which.split()
            search = _search(name, space, tables[space], size, repeats + 2, folder)
            searches[which] = stack.enter_context(closed_after(search))
            next(searches[which])
        for repeat, which in alternating(list(found), repeats):
            progress(f"digits, repeat {repeat + 1}: {which}")
            report = next(searches[which])
            found[which].append({"epoch": report.seconds, **report.clock["parts"]})
    return found


def _search(name: str, space: str, table: str, size: Size, epochs: int, folder: Path) -> Iterator[Report]:
    recipe = search_recipe(name, "digits", space, {"train_limit": size.train_limit, "keep_every": None})
    trial = OneShotSearch(name, space, "digits", recipe, table)
    return run(trial, Task(0, {"seed": 0}, 0, epochs, 0, str(folder / f"{space}-{name}")))


def _random_table(space: str, folder: Path) -> str:
    cells = nasbench1shot1.unique_cells(nasbench1shot1.space(space))
    rng, shape, images = np.random.default_rng(0), (3, len(cells), 3), 359
    counts = {
        f"{split}_correct": rng.integers(0, images, shape, dtype=np.uint16) for split in ("train", "valid", "test")
    }
    columns = {name: Column(values, images) for name, values in counts.items()}
    content = Content(
        name=f"{space}-digits", space="nasbench101", data="digits", budgets=(4, 12, 36), repeats=3, cells=cells,
        hashes=hash_cells(cells), columns=columns | {"seconds": Column(rng.random(shape, dtype=np.float32))},
        evaluated=dict.fromkeys(("train", "valid", "test"), images),
    )  # fmt: skip
    return str(write_table(folder / f"{space}-digits.nastable", content))


def _elsewhere(epoch: dict[str, float]) -> float:
    """Share of an epoch that is not forward and backward."""
    return 1.0 - (epoch["train"] + epoch["measure"] + epoch["choose"]) / epoch["epoch"]


def _epoch_table(epochs: dict[str, list[dict[str, float]]]) -> Table:
    def text(found: list[dict[str, float]], *parts: str) -> str:
        return Spread.of(sum(each[part] for part in parts) for each in found).text(4)

    rows = [
        [which, Spread.of(each["epoch"] for each in found).text(3), text(found, "data"),
         text(found, "train", "measure", "choose"), text(found, "look_up"),
         Spread.of(100 * _elsewhere(each) for each in found).text(1)]
        for which, found in epochs.items()
    ]  # fmt: skip
    columns = ["search", "s an epoch", "data", "forward and backward", "look-up", "% not forward and backward"]
    return Table("An epoch of a search on digits", columns, rows)


def _goals(steps: dict[str, dict[str, list[float]]], epochs: dict[str, list[dict[str, float]]]) -> list[Goal]:
    goals = []
    for space, runs in steps.items():
        darts, gdas = ratios(runs, YARDSTICK)["darts"], ratios(runs, "darts")["gdas"]
        where = f"on {space.upper()}"
        goals += [
            Goal(f"{where} a step of darts at most 1.1 of the yardstick", darts.text(2), darts.median <= 1.1),
            Goal(f"{where} a step of gdas at most half of one of darts", gdas.text(2), gdas.median <= 0.5),
        ]
    shares = {which: Spread.of(map(_elsewhere, found)).median for which, found in epochs.items()}
    if shares:
        worst = max(shares, key=shares.__getitem__)
        claim = "less than 5 % of an epoch not forward and backward"
        goals.append(Goal(claim, f"at most {100 * shares[worst]:.1f} % ({worst})", shares[worst] < 0.05))
    return goals


if __name__ == "__main__":
    main()
