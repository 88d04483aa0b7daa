"""Look-ups as problems: cells whose trainings are in a table, and recorded learning curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import field_validator, model_validator

from asha_nas.study.part import Minimised, absolute
from spaces.cell_spaces import CELL_SPACES
from spaces.errors import UnknownName
from spaces.table import SUFFIX
from trials import tables


class Lookup(Minimised):
    """A trial is a cell, looked up in a table at some of its budgets."""

    from_scratch: ClassVar[bool] = True
    """Each budget of a table is a training of its own."""

    kind: Literal["table"] = "table"
    table: str = "s1-digits"
    """Name of the table, or path of its file."""
    space: str
    """Whose cells are tried: by default the table's space; or a part of it, such as ``s2`` or ``nasbench101-5`` of
    ``nasbench101``."""
    repeat: Literal["mean", "random"] = "mean"
    """Whose validation error is compared: the mean over the table's runs, or that of one run drawn for each budget."""

    @model_validator(mode="before")
    @classmethod
    def _table_s_space(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or "space" in values:
            return values
        table = values.get("table", cls.model_fields["table"].default)
        return {**values, "space": tables.open_table(table).space} if isinstance(table, str) else values

    @field_validator("table")
    @classmethod
    def _table_file(cls, value: str) -> str:
        return absolute(value, SUFFIX)

    @field_validator("space")
    @classmethod
    def _known_space(cls, value: str) -> str:
        if value not in CELL_SPACES:
            raise UnknownName("space", value, CELL_SPACES)
        return value

    @property
    def metric(self) -> str:
        """What trials are compared by: a share of validation images, 0 to 1."""
        return "valid_error"


class Curves(Minimised):
    """A trial is a setting of hyperparameters, whose training was recorded."""

    from_scratch: ClassVar[bool] = False

    kind: Literal["curves"] = "curves"
    curves: str = "taskset_imdb_rnn"
    """Path of a file of curves, ending in ``.npz``; or NAME for ``taskset_rnn/NAME.npz`` in the data folder."""
    task: str
    """What was trained, such as ``patch32_GRU128_bs128``; one of those in the file."""

    @field_validator("curves")
    @classmethod
    def _curves_file(cls, value: str) -> str:
        return absolute(value, ".npz")

    @property
    def metric(self) -> str:
        """What trials are compared by: the mean loss on validation data."""
        return "valid_loss"
