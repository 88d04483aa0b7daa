"""One metric column of an open table: single values without numpy, many at once with it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spaces.table.columns import STATUSES, metric_of
from spaces.table.file import Part


class Figures:
    """A column of correct images, seconds or parameters; parameters are as one budget and one repeat.

    A value is ``scale`` times less than what is stored: accuracies are counts over a denominator.
    """

    __slots__ = ("aggregate", "array", "budgets", "cells", "flat", "metric", "name", "runs", "scale", "states", "whole")

    def __init__(self, name: str, part: Part, status: Part | None) -> None:
        about = part.about
        self.name = name
        self.metric = metric_of(name)
        self.array: NDArray[Any] = part.array if part.array.ndim == 3 else part.array[None, :, None]
        """(B, N, R)."""
        self.budgets, self.cells, self.runs = self.array.shape
        self.scale: int = about.get("denominator", 1)
        self.aggregate: str | None = about.get("aggregate")
        self.flat = native(self.array)
        self.states: memoryview | None = None if status is None else native(status.array)
        self.whole: int = STATUSES.index(about.get("status") or "measured")

    def status(self, stage: int, row: int) -> int:
        """Return the status at one budget and cell."""
        return self.whole if self.states is None else self.states[stage * self.cells + row]

    def mean(self, stage: int, row: int) -> float:
        """Return the mean over the repeats, or the one figure there is."""
        runs, flat = self.runs, self.flat
        at = (stage * self.cells + row) * runs
        if runs == 1:
            only: float = flat[at] / self.scale
            return only
        return float(sum(flat[at : at + runs]) / (self.scale * runs))

    def single(self, stage: int, row: int, repeat: int) -> float:
        """Return the figure of one run; where there is one figure without a meaning of its own, all runs share it."""
        at = (stage * self.cells + row) * self.runs
        value: float = self.flat[at + (repeat if self.runs > 1 else 0)] / self.scale
        return value

    def stored(self, stage: int, row: int) -> tuple[Any, ...]:
        """Return what is stored for all repeats."""
        at = (stage * self.cells + row) * self.runs
        return tuple(self.flat[at : at + self.runs])

    def all_statuses(self, stage: int, rows: NDArray[np.int64] | None) -> NDArray[np.uint8]:
        """Return the statuses of many rows, all if ``None``."""
        count = self.cells if rows is None else len(rows)
        if self.states is None:
            return np.full(count, self.whole, dtype=np.uint8)
        here = np.frombuffer(self.states, np.uint8, self.cells, stage * self.cells)
        return here if rows is None else here[rows]

    def totals(self, stage: int, rows: NDArray[np.int64] | None, repeat: str | int) -> tuple[NDArray[Any], int]:
        """Return figures of many rows as they are stored, and what they are to be divided by.

        Args:
            stage: Index of the budget.
            rows: Which rows, all if ``None``.
            repeat: ``mean``, or one run.
        """
        values = self.array[stage] if rows is None else self.array[stage, rows]
        kind = np.float64 if values.dtype.kind == "f" else np.int64
        if repeat == "mean":
            return values.sum(axis=1, dtype=kind), self.scale * self.runs
        return values[:, int(repeat) if self.runs > 1 else 0].astype(kind), self.scale


def native(array: NDArray[Any]) -> memoryview:
    """Return all values in order as a flat view whose items are plain Python numbers."""
    ordered = array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
    return ordered.reshape(-1).data
