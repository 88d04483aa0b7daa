"""Building a table: from a space to the pieces of a sweep, and from its log to a table's content."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asha_nas.errors import TableIncomplete
from asha_nas.schedulers import Piece
from asha_nas.store import Asked, Opened, Reported, Row
from asha_nas.study import StudySpec, Sweep, Tabulation
from spaces import nasbench1shot1
from spaces.errors import InvalidValue
from spaces.nasbench101 import Cells, count_parameters, enumerate_cells
from spaces.table import SUFFIX, Column, Content, Table, write_table
from trials import tables

SECONDS = (
    "the fastest of a few training steps of the cell's network alone, processor time where it is a processor, times"
    " the steps of the budget; evaluation is not in it"
)
"""What the column of seconds means; it is written into the table."""

SEEDS = (
    "in a repeat, a cell begins with the same weights at every budget, and all cells at all budgets see the images"
    " in the same order; so differences between cells and budgets are less noisy than between independent trainings"
)
"""What the trainings of a table share; it is written into the table."""


def pieces(spec: StudySpec) -> list[Piece]:
    """The jobs of a sweep: some cells of one shape, at one budget, in one repeat.

    The highest budget comes first, so that no worker is left with a long job at the end.
    """
    problem, sweep = spec.problem, spec.scheduler
    assert isinstance(problem, Tabulation)
    assert isinstance(sweep, Sweep)
    batches = [[str(cells[i]) for i in range(len(cells))] for cells in _batches(problem, spec.seed)]
    highest = len(sweep.budgets) - 1
    return [
        Piece(_config(batch, repeat, spec.seed, timed=(rung, repeat) == (highest, 0)), rung, sweep.budgets[rung])
        for rung in range(highest, -1, -1)
        for repeat in range(sweep.repeats)
        for batch in batches
    ]


def check_channels(spec: StudySpec) -> None:
    """Make sure that the channels can be divided among the vertices that feed a cell's output, whatever the cell.

    Raises:
        InvalidValue: there are too few.
    """
    problem = spec.problem
    assert isinstance(problem, Tabulation)
    cells = cells_of(problem, spec.seed)
    last = cells.vertices.astype(np.uint32) - 1
    # Edges into vertex y are the bits from y(y−1)/2 on; the first of them is the input's.
    inner = (cells.adjacency >> (last * (last - 1) // 2 + 1)) & ((np.uint32(1) << (last - 1)) - 1)
    most = int(np.bitwise_count(inner).max())
    if problem.recipe.channels < most:
        rule = f"must be at least {most}: so many vertices feed the output of a cell of {problem.space}"
        raise InvalidValue("channels", problem.recipe.channels, rule)


def _config(batch: list[str], repeat: int, seed: int, *, timed: bool) -> dict[str, Any]:
    return {"cells": batch, "repeat": repeat, "seed": seed, **({"timed": True} if timed else {})}


def cells_of(problem: Tabulation, seed: int) -> Cells:
    """The cells a table is built of, in ascending order of hash.

    Args:
        problem: names the space, and how many of its cells.
        seed: draws them, where they are fewer than all.
    """
    cells = _all_cells(problem.space)
    if problem.cells is None or problem.cells >= len(cells):
        return cells
    return cells[np.sort(np.random.default_rng(seed).choice(len(cells), problem.cells, replace=False))]


@functools.lru_cache(maxsize=1)
def _all_cells(space: str) -> Cells:
    if space == "nasbench101":
        return enumerate_cells()
    return nasbench1shot1.unique_cells(nasbench1shot1.space(space))


def _batches(problem: Tabulation, seed: int) -> Iterator[Cells]:
    """Cells of the same matrix, in parts of nearly equal size that are at most ``problem.together``."""
    cells = cells_of(problem, seed)
    shapes = np.stack([cells.vertices.astype(np.int64), cells.adjacency.astype(np.int64)], axis=1)
    _, shape = np.unique(shapes, axis=0, return_inverse=True)
    for which in range(int(shape.max()) + 1):
        members = np.flatnonzero(shape == which)
        for part in np.array_split(members, -(-len(members) // problem.together)):
            yield cells[part]


# --- from the log to a table -----------------------------------------------------------------------


@dataclass(slots=True)
class _Found:
    """What a log says, as arrays."""

    counts: dict[str, NDArray[np.int64]]
    """By part, (budgets, cells, repeats); −1 where there is none."""
    step_seconds: NDArray[np.float64]
    """(cells,); NaN where not measured."""
    images: dict[str, int] = field(default_factory=dict)
    """By part."""
    made_with: list[dict[str, Any]] = field(default_factory=list)
    """Versions and source hash of each session that differs from those before it."""


def content(spec: StudySpec, rows: Iterable[Row]) -> Content:
    """The table that a study's log makes.

    Args:
        spec: of a study that builds a table.
        rows: its log.

    Raises:
        TableIncomplete: some cell lacks a result.
    """
    problem, sweep = spec.problem, spec.scheduler
    assert isinstance(problem, Tabulation)
    assert isinstance(sweep, Sweep)
    cells = cells_of(problem, spec.seed)
    listed = [cells[i] for i in range(len(cells))]
    found = _fold(spec.name, rows, {cell.hash: i for i, cell in enumerate(listed)}, sweep)
    _check_complete(spec.name, found)
    from trials.data import catalogue  # noqa: PLC0415 - imports PyTorch

    entry = next(entry for entry in catalogue.describe() if entry.name == problem.data)
    recipe = problem.recipe
    parameters = [
        count_parameters(
            cell, channels=recipe.channels, stacks=recipe.stacks, cells_per_stack=recipe.cells_per_stack,
            classes=entry.classes, channels_in=entry.shape[0],
        )
        for cell in listed
    ]  # fmt: skip
    return Content(
        name=spec.name, space=problem.space, data=problem.data, budgets=sweep.budgets, repeats=sweep.repeats,
        cells=cells, hashes=_hashes([cell.hash for cell in listed]),
        columns={
            "valid_correct": _counts(found, "valid"),
            "test_correct": _counts(found, "test"),
            "seconds": Column(_seconds(found, sweep, recipe.batch_size)),
        },
        evaluated={part: found.images[part] for part in ("valid", "test")},
        parameters=np.array(parameters, dtype=np.int32), licence=problem.licence,
        provenance={"study": _published(spec), "made_with": found.made_with, "seconds": SECONDS, "seeds": SEEDS},
    )  # fmt: skip


def write(spec: StudySpec, rows: Iterable[Row]) -> Path:
    """Write the table of a finished study to the file that its spec names, and read it back.

    Raises:
        TableIncomplete: some cell lacks a result; nothing is written.
        TableNotWritten: the folder cannot take the file; a table that was there is untouched.
        TableDamaged: what was written is not what was meant; the disk is to blame.
    """
    problem = spec.problem
    assert isinstance(problem, Tabulation)
    path = Path(problem.table) if problem.table else tables.folder() / f"{spec.name}{SUFFIX}"
    made = content(spec, rows)
    write_table(path, made)
    Table.open(path, verify=True)
    return path


def _published(spec: StudySpec) -> dict[str, Any]:
    """The study as the table tells it: what its figures depend on, without places of the machine it was built on."""
    whole = spec.model_dump(mode="json", include={"version", "name", "seed", "problem", "scheduler"})
    return {**whole, "problem": {key: value for key, value in whole["problem"].items() if key != "table"}}


def _fold(name: str, rows: Iterable[Row], places: Mapping[str, int], sweep: Sweep) -> _Found:
    shape = (len(sweep.budgets), len(places), sweep.repeats)
    found = _Found({part: np.full(shape, -1) for part in ("valid", "test")}, np.full(len(places), np.nan))
    asked: dict[int, tuple[int, int]] = {}
    for row in rows:
        match row.event:
            case Opened() as event:
                made_with = {name: value for name, value in event.clock.items() if name not in ("host", "pid")}
                if made_with not in found.made_with:
                    found.made_with.append(made_with)
            case Asked() as event:
                assert event.config is not None
                asked[event.job] = event.rung, event.config["repeat"]
            case Reported() as event if "results" in event.notes:
                if found.images and found.images != event.notes["images"]:
                    raise TableIncomplete(
                        f"study {name!r} was trained on different data: {found.images} and {event.notes['images']}"
                        " images\nBuild the table anew, with one data folder."
                    )
                found.images = dict(event.notes["images"])
                rung, repeat = asked[event.job]
                for cell, right in event.notes["results"].items():
                    for part, counts in found.counts.items():
                        counts[rung, places[cell], repeat] = right[part]
                for cell, seconds in event.clock.get("step_seconds", {}).items():
                    found.step_seconds[places[cell]] = seconds
            case _:
                pass
    return found


def _check_complete(name: str, found: _Found) -> None:
    lacking = np.isnan(found.step_seconds)
    for counts in found.counts.values():
        lacking |= (counts < 0).any(axis=(0, 2))
    if lacking.any():
        raise TableIncomplete(
            f"study {name!r} has no complete results yet for {int(lacking.sum())} of {len(lacking)} cells;"
            f" no table was written\nGo on with it: asha-nas resume {name}. What failed: asha-nas show {name}"
        )


def _counts(found: _Found, part: str) -> Column:
    images = found.images[part]
    return Column(found.counts[part].astype(np.uint16 if images < 2**16 else np.uint32), denominator=images)


def _seconds(found: _Found, sweep: Sweep, batch_size: int) -> NDArray[np.float32]:
    """(budgets, cells, 1): a cell takes the same time in each repeat."""
    whole, rest = divmod(found.images["train"], batch_size)
    steps = np.array(sweep.budgets) * (whole + (rest > 1))  # a lone last image is no step
    return (steps[:, None, None] * found.step_seconds[None, :, None]).astype(np.float32)


def _hashes(names: list[str]) -> NDArray[np.uint8]:
    return np.frombuffer(bytes.fromhex("".join(names)), dtype=np.uint8).reshape(-1, 16)
