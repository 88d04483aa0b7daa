"""A simulated engine: any number of workers, on a clock that does not wait."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from asha_nas.study.part import Part


class Simulation(Part):
    """Trials that are look-ups, played on a virtual clock; see :mod:`asha_nas.engines.simulator`."""

    kind: Literal["simulator"] = "simulator"
    workers: int = Field(default=1, ge=1)
    """Jobs at a time."""
    repeats: int = Field(default=1, ge=1)
    """How often the study is played; repeat k has the study's seed + k. The log is that of repeat 0, and of every
    repeat the log keeps its incumbents."""
    stragglers: float = Field(default=0.0, ge=0)
    """A job takes 1 + |z| times as long as it should, z normal with this standard deviation."""
    failures: float = Field(default=0.0, ge=0)
    """Times an hour that a busy worker is lost, on average; its job is repeated as the study's retries say."""
