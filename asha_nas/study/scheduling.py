"""What is decided: the schedulers a study can have, and what bounds it."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from pydantic import Field, field_validator, model_validator

from asha_nas.schedulers import ladder
from asha_nas.study.part import Part


class _Bounds(Part):
    configs: int | None = Field(default=None, ge=1)
    """Configurations to start."""
    max_epochs: int | None = Field(default=None, ge=1)
    """Epochs to hand out in all."""
    max_hours: float | None = Field(default=None, gt=0)
    """Hours a study may run, over all its sessions; jobs in flight at that time are finished."""

    @model_validator(mode="after")
    def _bounded(self) -> _Bounds:
        if self.configs is None and self.max_epochs is None and self.max_hours is None:
            raise ValueError("a study must end: give configs, max_epochs or max_hours")
        return self


class Asha(_Bounds):
    """Promotion-type ASHA. Defaults are Li & Talwalkar's (r = 1, R = 300, η = 4)."""

    kind: Literal["asha"] = "asha"
    r: int = 1
    """Epochs of the lowest rung."""
    R: int = 300
    """Epochs of full training."""
    eta: int = 4
    """Reduction factor η: about one in η goes up."""
    rungs: Literal["geometric", "released"] = "geometric"
    """r·ηᵏ capped by R, or R divided down by η as in the authors' code."""
    promotion: Literal["capped", "eager"] = "capped"
    """See :mod:`asha_nas.schedulers.asha`."""

    @model_validator(mode="after")
    def _sound_ladder(self) -> Asha:
        ladder(self.r, self.R, self.eta, self.rungs)
        return self

    @property
    def ladder(self) -> tuple[int, ...]:
        """Epochs of each rung, ascending."""
        return ladder(self.r, self.R, self.eta, self.rungs)


class Random(_Bounds):
    """Random search: every configuration is trained to R."""

    kind: Literal["random"] = "random"
    R: int = Field(default=300, ge=1)
    """Epochs of full training."""

    @property
    def ladder(self) -> tuple[int, ...]:
        """One rung, at R."""
        return (self.R,)


class Sweep(Part):
    """Every cell of a table, or one search, at every budget as often as there are repeats; nothing is left out."""

    kind: Literal["sweep"] = "sweep"
    budgets: tuple[int, ...] = (1, 2, 4)
    """Epochs, ascending; each is a training, or a search, of its own from scratch. For a search by default those of
    its data set (:data:`trials.search_recipe.EPOCHS`)."""
    repeats: int = Field(default=3, ge=1)
    """Trainings of each cell at each budget, with different seeds; for a search the number of its seeds, which is
    filled in."""
    max_hours: float | None = Field(default=None, gt=0)
    """Hours a study may run, over all its sessions; jobs in flight at that time are finished."""

    @field_validator("budgets")
    @classmethod
    def _ascending(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or value[0] < 1 or any(low >= high for low, high in pairwise(value)):
            raise ValueError("must be one or more numbers of epochs, from 1 on, ascending")
        return value

    @property
    def ladder(self) -> tuple[int, ...]:
        """The budgets."""
        return self.budgets

    @property
    def R(self) -> int:  # noqa: N802 - as the others call it
        """The highest budget."""
        return self.budgets[-1]
