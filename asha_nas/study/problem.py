"""What a trial is: the problems a study can have."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from asha_nas.study.part import Minimised, Part
from spaces.darts_cell import OPERATION_SETS, parse_genotype
from spaces.errors import UnknownName
from spaces.nasbench1shot1 import SPACES
from spaces.table import check_target
from trials.recipe import CELL_RECIPES, RECIPES, CellRecipe, Recipe


class _NetworkProblem(Minimised):
    from_scratch: ClassVar[bool] = False
    """Whether a job of a higher budget trains from epoch 0 again."""

    data: str = "digits"
    """Data set: ``digits`` (embedded) or ``cifar10``."""
    recipe: Recipe = Field(default_factory=Recipe)
    """How a network is trained. What is left out comes from the data set's own recipe."""

    @model_validator(mode="before")
    @classmethod
    def _complete_recipe(cls, values: Any) -> Any:
        return _completed(values, RECIPES)


class PartialTraining(_NetworkProblem):
    """A trial is an architecture of the DARTS CNN space, trained for some of R epochs."""

    kind: Literal["darts-cnn"] = "darts-cnn"
    operations: str = "paper"
    """Which operations cells are sampled from: ``paper``, ``released`` or ``darts``."""

    @field_validator("operations")
    @classmethod
    def _known_operations(cls, value: str) -> str:
        if value not in OPERATION_SETS:
            raise UnknownName("set of operations", value, OPERATION_SETS)
        return value

    @property
    def metric(self) -> str:
        """What trials are compared by: a fraction of validation images, 0 to 1."""
        return "valid_error"


class FullTraining(_NetworkProblem):
    """A trial is one more seed of the same architecture, trained from scratch and tested at the end."""

    kind: Literal["evaluate"] = "evaluate"
    genotype: str
    """The architecture, in any form that ``parse_genotype`` reads; kept in the text form."""

    @field_validator("genotype")
    @classmethod
    def _canonical_text(cls, value: str) -> str:
        return str(parse_genotype(value))

    @property
    def metric(self) -> str:
        """What seeds are reported by: a fraction of test images, 0 to 1."""
        return "test_error"


class Objective(Part):
    """A trial is a call of the user's own function."""

    kind: Literal["objective"] = "objective"
    objective: str
    """``installed_module:function``; see :class:`trials.objective.Objective` for what it gets and gives."""
    space: dict[str, Any] | str
    """Hyperparameters in short form or as ConfigSpace serialises them, or ``installed_module:space``."""
    metric: str = "loss"
    mode: Literal["min", "max"] = "min"
    from_scratch: bool = False
    """Whether each budget is a call from epoch 0 on, as where a schedule spans it; else a job goes on from the last."""


class Tabulation(Minimised):
    """A trial is some cells of NAS-Bench-101's space, trained side by side to one budget: part of a table."""

    from_scratch: ClassVar[bool] = True

    kind: Literal["tabulate"] = "tabulate"
    space: str = "s1"
    """Whose cells are trained: ``s1``, ``s2``, ``s3`` or ``nasbench101``."""
    data: str = "digits"
    """Data set: ``digits`` (embedded) or ``cifar10``."""
    recipe: CellRecipe = Field(default_factory=CellRecipe)
    """How a network is trained. What is left out comes from the data set's own recipe."""
    cells: int | None = Field(default=None, ge=1)
    """Only so many cells, drawn by the study's seed, for a quick look; by default every cell of the space."""
    together: int = Field(default=1, ge=1)
    """Cells trained side by side in one job, at most. They must have the same matrix; in S1 up to 81 have. By default
    81 on ``digits`` and 1 on ``cifar10``, where one alone keeps a GPU busy and fills a good part of its memory."""
    table: str | None = None
    """File that the finished table is written to; by default it is put with the other tables, named as the study."""
    licence: str = ""
    """Terms of the table's figures, for those it is given to; empty if none are stated."""

    @model_validator(mode="before")
    @classmethod
    def _complete_recipe(cls, values: Any) -> Any:
        completed = _completed(values, CELL_RECIPES)
        if isinstance(completed, Mapping):
            return {"together": TOGETHER[completed.get("data", "digits")], **completed}
        return completed

    @field_validator("table")
    @classmethod
    def _table_file(cls, value: str | None) -> str | None:
        if value is None:
            return None
        path = Path(value).expanduser().absolute()
        check_target(path)
        if path.is_dir():
            raise ValueError("is a folder")
        return str(path)

    @field_validator("space")
    @classmethod
    def _known_space(cls, value: str) -> str:
        if value not in TABULATED:
            raise UnknownName("space", value, TABULATED)
        return value

    @property
    def metric(self) -> str:
        """What is shown: the mean error of a job's cells on the validation images, 0 to 1."""
        return "valid_error"


TOGETHER = {"digits": 81, "cifar10": 1}
"""Cells trained side by side, by data set, unless a study says otherwise."""

TABULATED = (*SPACES, "nasbench101")
"""Spaces that a table can be built of."""


def _completed(values: Any, recipes: Mapping[str, Recipe] | Mapping[str, CellRecipe]) -> Any:
    """The same values with the whole recipe: the data set's own, changed by what is given."""
    if not isinstance(values, Mapping):
        return values
    data = values.get("data", "digits")
    if not isinstance(data, str) or data not in recipes:
        raise UnknownName("data set", str(data), recipes)
    given = values.get("recipe", {})
    if not isinstance(given, Mapping):
        return values
    base = dataclasses.asdict(recipes[data])
    unknown = set(given) - set(base)
    if unknown:
        raise UnknownName("recipe setting", min(unknown), base)
    return {**values, "recipe": {**base, **given}}
