"""What all parts of a spec have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A frozen part of a spec that refuses unknown keys and numbers that are not finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Minimised(Part):
    """A problem of ours: its metric is an error or a loss."""

    @property
    def mode(self) -> Literal["min", "max"]:
        """Less is better."""
        return "min"


def absolute(path: str, suffix: str = "") -> str:
    """The whole path of what is one, by its ending; a name stays as it is.

    Workers have working folders of their own, where a relative path would mean another place.
    """
    return str(Path(path).expanduser().absolute()) if path.endswith(suffix) else path
