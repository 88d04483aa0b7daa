"""Tuning a one-shot optimizer as a problem: its hyperparameters are the configuration, the found cell is the result."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import field_validator, model_validator

from asha_nas.study.search import OneShot
from spaces.errors import UnknownName

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace


class Tune(OneShot):
    """A trial is a configuration of a one-shot optimizer; the table's validation error of the cell it finds compares.

    Budgets are search epochs, each a search from scratch (Zela, Siems & Hutter, 2020, arXiv:2001.10422, section 5.4).
    """

    kind: Literal["tune"] = "tune"
    config_space: str | dict[str, Any] = "cs2"
    """``cs1``, ``cs2`` or ``cs3``; or hyperparameters of the recipe, in short form or as ConfigSpace
    serialises them."""

    @field_validator("config_space")
    @classmethod
    def _known_space(cls, value: str | dict[str, Any]) -> str | dict[str, Any]:
        # Imported where it is needed, here and below: ConfigSpace takes a second to load, and few commands need it.
        from spaces.hyperparameters import CONFIG_SPACES, from_plain  # noqa: PLC0415

        if not isinstance(value, str):
            from_plain(value)
            return value
        if value.lower() not in CONFIG_SPACES:
            raise UnknownName("configuration space", value, CONFIG_SPACES)
        return value.lower()

    @model_validator(mode="after")
    def _known_hyperparameters(self) -> Tune:
        known = {field.name for field in dataclasses.fields(self.recipe)}
        if unknown := [name for name in self.described() if name not in known]:
            raise UnknownName(f"hyperparameter of {self.optimizer}", unknown[0], known)
        return self

    def described(self) -> ConfigurationSpace:
        """The space, with the recipe's own values as its default configuration.

        Of the published spaces only the hyperparameters that the optimizer has: ``enas`` has no weight decay of
        architecture weights. A recipe's value outside its range gives way to the nearest one in it.
        """
        from spaces.hyperparameters import CONFIG_SPACES, NINE, from_plain  # noqa: PLC0415

        if not isinstance(self.config_space, str):
            return from_plain(self.config_space)
        recipe = dataclasses.asdict(self.recipe)
        names = [name for name in CONFIG_SPACES[self.config_space] if name in recipe]
        return from_plain({name: _with_default(NINE[name], recipe[name]) for name in names})


def _with_default(form: Mapping[str, Any], value: float) -> dict[str, Any]:
    low, high = form["range"]
    return {**form, "default": min(max(value, low), high)}
