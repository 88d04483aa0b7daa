"""One-shot searches as problems: which optimizer searches which space, and how its cells are scored."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Literal

from pydantic import Field, SerializeAsAny, field_validator, model_validator

from asha_nas.study.part import Minimised, absolute
from spaces import nasbench1shot1
from spaces.errors import InvalidValue
from spaces.table import SUFFIX
from trials.search_recipe import EPOCHS, SearchRecipe, Variant, search_recipe


class OneShot(Minimised):
    """What a one-shot search is, and which table scores the cells that it finds."""

    from_scratch: ClassVar[bool] = True
    """Each budget is a search of its own, which the schedules span."""

    optimizer: str = "gdas"
    """``darts``, ``darts-2nd``, ``gdas``, ``pc-darts``, ``enas`` or ``random-ws``."""
    space: str = "s1"
    """``s1``, ``s2``, ``s3``; or ``darts-cnn``, which only ``random-ws`` searches."""
    data: str = "digits"
    """Data set: ``digits`` (embedded) or ``cifar10``."""
    table: str | None = None
    """Name of the table, or path of its file, in which cells are looked up after each epoch. By default ``s1-digits``
    for s1 on digits and so on, and ``nasbench101`` on cifar10; None in darts-cnn, and only there."""
    variant: Variant = "corrected"
    """``released`` repeats what the authors' code does where a published figure depends on it."""
    recipe: SerializeAsAny[SearchRecipe] = Field(default_factory=SearchRecipe)
    """How the optimizer searches. What is left out is the optimizer's own default for the data set."""

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        optimizer, space, data = (values.get(name, cls.model_fields[name].default) for name in _NAMES)
        if not all(isinstance(name, str) for name in (optimizer, space, data)):
            return values
        given = values.get("recipe", {})
        if isinstance(given, SearchRecipe):
            given = dataclasses.asdict(given)
        if not isinstance(given, Mapping):
            return values
        recipe = search_recipe(optimizer, data, space, given, values.get("variant", "corrected"))
        return {"table": default_table(space, data), **values, "recipe": recipe}

    @field_validator("table")
    @classmethod
    def _table_file(cls, value: str | None) -> str | None:
        return None if value is None else absolute(value, SUFFIX)

    @model_validator(mode="after")
    def _scorable(self) -> OneShot:
        has_cells = self.space in nasbench1shot1.SPACES
        if self.table is not None and not has_cells:
            rule = f"there are no tables of {self.space}"
            raise InvalidValue("table", self.table, rule, "Leave it out; evaluate the architecture that is found.")
        if self.table is None and has_cells:
            remedy = f"Leave it out for {default_table(self.space, self.data)!r}."
            raise InvalidValue("table", None, f"cells of {self.space} are looked up in one", remedy)
        return self

    @property
    def metric(self) -> str:
        """What searches are compared by, a share of images: the table's validation error, else the one-shot one."""
        return "one_shot_valid_error" if self.table is None else "valid_error"


class Search(OneShot):
    """A trial is one more seed of a one-shot search.

    It is run by a sweep: one search from scratch for each seed and each budget, in search epochs.
    """

    kind: Literal["search"] = "search"
    seeds: tuple[int, ...] = (0,)
    """Seeds of the searches, each at least 0; all that is random in a search follows from its seed."""

    @field_validator("seeds")
    @classmethod
    def _different(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or min(value) < 0 or max(value) >= 2**31 or len(set(value)) < len(value):
            raise ValueError("must be one or more different numbers from 0 to 2147483647")
        return value


_NAMES: Final = ("optimizer", "space", "data")


def default_table(space: str, data: str) -> str | None:
    """The table that cells of a space are looked up in unless a study says otherwise; None if there are none."""
    if space not in nasbench1shot1.SPACES:
        return None
    # The second is what `asha-nas table build` calls one.
    return "nasbench101" if data == "cifar10" else f"{space}-{data}"


def sweep_of_searches(data: object, seeds: object) -> dict[str, Any]:
    """What a sweep that runs searches is unless a study says otherwise: one budget, as often as there are seeds."""
    epochs = EPOCHS.get(data) if isinstance(data, str) else None
    return {
        **({} if epochs is None else {"budgets": [epochs]}),
        **({"repeats": len(seeds)} if isinstance(seeds, Sequence) and seeds else {}),
    }
