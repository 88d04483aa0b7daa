"""A finite list of settings as a space of hyperparameters: what stands for a benchmark of recorded trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from ConfigSpace import ConfigurationSpace, UniformFloatHyperparameter
from numpy.typing import NDArray

from spaces.encodings.protocol import Config
from spaces.errors import InvalidValue

NEIGHBOURS: Final = 8
"""Settings that a mutation chooses from: the nearest ones."""

COMPLEMENT: Final = "one_minus_"
"""Begins the name of a hyperparameter that stands for one minus that of the setting."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The range of one hyperparameter of a list, on a logarithmic scale."""

    low: float
    """Above 0."""
    high: float
    """Above ``low``."""
    complement: bool = False
    """Whether the range is that of one minus the value, which matters where a value such as Adam's β is near 1."""


@dataclass(frozen=True, eq=False)
class Listed:
    """An :class:`~spaces.encodings.protocol.Encoding` of N given settings of D real hyperparameters.

    Configurations are the values of a setting by name, exactly as they are listed. In :attr:`space` each is a real
    number on a logarithmic scale, a complement under the name ``one_minus_…``. Distances between settings are
    Euclidean where every scale runs from 0 to 1.

    Raises:
        InvalidValue: the settings are fewer than two, two of them are the same, or a value is out of its range.
    """

    scales: Mapping[str, Scale]
    """By name, in the order of columns."""
    values: NDArray[np.float64]
    """(N, D): the settings."""

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.scales) or len(self.values) < 2:
            rule = f"must be two or more settings of {len(self.scales)} values"
            raise InvalidValue("shape of the settings", self.values.shape, rule)
        if len(np.unique(self.values, axis=0)) < len(self.values):
            raise InvalidValue("settings", len(self.values), "must all be different")
        for column, (name, scale) in enumerate(self.scales.items()):
            given = 1 - self.values[:, column] if scale.complement else self.values[:, column]
            wrong = ~((given >= scale.low * (1 - _SLACK)) & (given <= scale.high * (1 + _SLACK)))
            if wrong.any():
                about = f"one minus {name}" if scale.complement else name
                raise InvalidValue(about, float(given[wrong.argmax()]), f"must be from {scale.low:g} to {scale.high:g}")

    @cached_property
    def space(self) -> ConfigurationSpace:
        """One real hyperparameter for each column."""
        space = ConfigurationSpace()
        space.add(
            [
                UniformFloatHyperparameter(_named(name, scale), scale.low, scale.high, log=True)
                for name, scale in self.scales.items()
            ]
        )
        return space

    def draw(self, rng: np.random.Generator) -> Config:
        """One of the settings, each alike."""
        return self.config(int(rng.integers(len(self.values))))

    def mutate(self, config: Config, rng: np.random.Generator) -> Config:
        """One of the :data:`NEIGHBOURS` nearest other settings, each alike."""
        row = self.row(config)
        distances = self._distances(self._points[row])
        distances[row] = np.inf
        nearest = np.argsort(distances, kind="stable")[: min(NEIGHBOURS, len(distances) - 1)]
        return self.config(int(nearest[int(rng.integers(len(nearest)))]))

    def decode(self, values: Mapping[str, Any]) -> Config | None:
        """The nearest setting."""
        point = [float(values[_named(name, scale)]) for name, scale in self.scales.items()]
        return self.config(int(self._distances(self._normalised(np.array(point))).argmin()))

    def encode(self, config: Config) -> dict[str, Any]:
        """The setting's values, complements as such.

        Raises:
            InvalidValue: it is none of the settings.
        """
        self.row(config)
        return {_named(name, scale): _scaled(config[name], scale) for name, scale in self.scales.items()}

    @property
    def default(self) -> Config | None:
        """None."""
        return None

    def config(self, row: int) -> dict[str, float]:
        """The setting in a row, by name."""
        return dict(zip(self.scales, self.values[row].tolist(), strict=True))

    def row(self, config: Config) -> int:
        """The row of a setting.

        Raises:
            InvalidValue: it is none of them.
        """
        row = self._rows.get(tuple([config.get(name) for name in self.scales]))
        if row is None or len(config) != len(self.scales):
            rule = f"is none of the {len(self.values):,} settings that were recorded"
            raise InvalidValue("configuration", dict(config), rule)
        return row

    @cached_property
    def _rows(self) -> dict[Sequence[Any], int]:
        return {tuple(values): row for row, values in enumerate(self.values.tolist())}

    @cached_property
    def _points(self) -> NDArray[np.float64]:
        """(N, D): the settings, each scale from 0 to 1."""
        complements = np.array([scale.complement for scale in self.scales.values()])
        return self._normalised(np.where(complements, 1 - self.values, self.values))

    def _normalised(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        low, high = (np.log([getattr(scale, end) for scale in self.scales.values()]) for end in ("low", "high"))
        normalised: NDArray[np.float64] = (np.log(values) - low) / (high - low)
        return normalised

    def _distances(self, point: NDArray[np.float64]) -> NDArray[np.float64]:
        distances: NDArray[np.float64] = np.square(self._points - point).sum(axis=1)
        return distances


_SLACK: Final = 1e-6
"""What rounding may carry a value out of its range, relatively."""


def _named(name: str, scale: Scale) -> str:
    return f"{COMPLEMENT}{name}" if scale.complement else name


def _scaled(value: float, scale: Scale) -> float:
    return min(max(1 - value if scale.complement else value, scale.low), scale.high)
