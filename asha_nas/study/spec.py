"""The study spec itself: one validated, versioned value that says everything a study is.

It is stored with the study, and a study resumed years later is the study it says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from asha_nas.study.lookup import Curves, Lookup
from asha_nas.study.part import Part, absolute
from asha_nas.study.problem import FullTraining, Objective, PartialTraining, Tabulation
from asha_nas.study.scheduling import LEARNING, AnyScheduler, Sweep
from asha_nas.study.search import Search, sweep_of_searches
from asha_nas.study.simulation import Simulation
from asha_nas.study.size import parse_size
from asha_nas.study.tune import Tune

AnyProblem = PartialTraining | FullTraining | Objective | Tabulation | Search | Tune | Lookup | Curves
"""Every kind of problem."""

LOOK_UPS = ("table", "curves", "objective")
"""Kinds of problems whose results are looked up: they can be played on a virtual clock."""


MOST_PRIORITY = 100
"""The largest weight of a study."""


class Workers(Part):
    """The engine and what each of its workers may use."""

    kind: Literal["ray", "inline"] = "ray"
    """Ray Tune, or one after the other in this process."""
    workers: int | None = Field(default=None, ge=1)
    """Jobs at a time; by default as many as the machine or the cluster has room for."""
    cpus_per_trial: float = Field(default=1.0, gt=0)
    gpus_per_trial: float = Field(default=0.0, ge=0)
    """A whole number, or a fraction below 1: 0.5 puts two trials on one GPU."""
    address: str | None = None
    """Ray cluster to join (``auto`` or ``HOST:PORT``); by default ``RAY_ADDRESS``, else a Ray of our own."""
    priority: int = Field(default=1, ge=1, le=MOST_PRIORITY)
    """Weight among the studies that share a cluster: twice as much gets twice as many workers."""
    silence_minutes: float | None = Field(default=None, gt=0)
    """Minutes after which a worker of Ray that reports nothing is killed, and its job repeated; by default ten, or
    twenty times the longest that was waited for a report until now, and no bound before the first one."""
    dashboard: bool = True
    """Start Ray's dashboard with a Ray of our own (on loopback)."""

    @field_validator("gpus_per_trial")
    @classmethod
    def _whole_above_one(cls, value: float) -> float:
        if value > 1 and not value.is_integer():
            raise ValueError("must be a whole number, or a fraction below 1")
        return value


class Retries(Part):
    """How often an attempt that failed is repeated, by kind of failure. Divergence is never retried."""

    crashed: int = Field(default=1, ge=0)
    out_of_memory: int = Field(default=1, ge=0)
    worker_lost: int = Field(default=3, ge=0)

    def allowed(self, kind: str) -> int:
        """Repeats allowed for this kind of failure."""
        return {
            "crashed": self.crashed, "out_of_memory": self.out_of_memory, "worker_lost": self.worker_lost,
        }.get(kind, 0)  # fmt: skip


class StudySpec(Part):
    """Everything a study is, before it runs."""

    version: Literal[1] = 1
    """Version of this form."""
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    """Names the study in its store: letters, digits, ``.``, ``_``, ``-``."""
    seed: int = Field(default=0, ge=0, lt=2**31)
    """Everything random in the study follows from it."""
    problem: Annotated[AnyProblem, Field(discriminator="kind")]
    scheduler: Annotated[AnyScheduler, Field(discriminator="kind")]
    engine: Annotated[Workers | Simulation, Field(discriminator="kind")] = Workers()
    retries: Retries = Retries()
    reuse: bool = False
    """Whether results of the same training that another study of the store has are taken over, instead of trained."""
    checkpoints: str | None = None
    """Folder or fsspec URL for checkpoints, reachable by all workers; default: the user's data folder."""
    keep: Literal["needed", "all"] = "needed"
    """Whether a checkpoint is deleted when its trial cannot go on any more, unless it is the best; or kept."""
    quota: int | None = Field(default=None, ge=1)
    """Bytes that checkpoints may take together, or text such as ``"20GB"``; a study stops before it takes more."""

    @field_validator("checkpoints")
    @classmethod
    def _absolute(cls, value: str | None) -> str | None:
        return value if value is None or "://" in value else absolute(value)

    @field_validator("quota", mode="before")
    @classmethod
    def _in_bytes(cls, value: Any) -> Any:
        return parse_size(value) if isinstance(value, str) else value

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: Any) -> Any:
        """Fill in the default kinds, and as many threads for a training as its trial has processors."""
        if not isinstance(values, Mapping):
            return values
        problem, scheduler, engine = (values.get(part, {}) for part in ("problem", "scheduler", "engine"))
        if isinstance(problem, Mapping):
            problem = {"kind": "darts-cnn", **problem}
            recipe, cpus = problem.get("recipe", {}), _get(engine, "cpus_per_trial", 1.0)
            if (
                problem["kind"] in ("darts-cnn", "evaluate", "tabulate", "search", "tune")
                and isinstance(recipe, Mapping)
                and _counts(cpus)
            ):
                problem["recipe"] = {"threads": max(1, int(cpus)), **recipe}
        if isinstance(scheduler, Mapping):
            scheduler = {**_default_scheduler(problem, scheduler), **scheduler}
        if isinstance(engine, Mapping):
            engine = {"kind": "ray", **engine}
        return {**values, "problem": problem, "scheduler": scheduler, "engine": engine}

    @model_validator(mode="after")
    def _fitting(self) -> StudySpec:
        if self.reuse and not isinstance(self.problem, PartialTraining):
            raise ValueError(
                f"reuse = true does not fit problem.kind = {self.problem.kind!r}: only trainings of architectures that"
                " have a canonical identity ('darts-cnn') are reused; leave it out"
            )
        if isinstance(self.problem, Tabulation | Search) != isinstance(self.scheduler, Sweep):
            rule = f"scheduler.kind = {self.scheduler.kind!r} does not fit problem.kind = {self.problem.kind!r}"
            raise ValueError(f"{rule}: sweeps build tables and run searches, and nothing else does")
        if isinstance(self.problem, FullTraining) and isinstance(self.scheduler, LEARNING):
            rule = f"scheduler.kind = {self.scheduler.kind!r} has nothing to learn in an evaluation"
            raise ValueError(f"{rule}, which repeats one training with other seeds; let it be 'random'")
        if isinstance(self.engine, Simulation) and self.problem.kind not in LOOK_UPS:
            kinds = ", ".join(LOOK_UPS)
            raise ValueError(
                f"engine.kind = 'simulator' needs trials that are look-ups ({kinds}); those of problem.kind ="
                f" {self.problem.kind!r} are trainings, which take their time"
            )
        if isinstance(self.problem, Search) and isinstance(self.scheduler, Sweep):
            repeats, seeds = self.scheduler.repeats, len(self.problem.seeds)
            if repeats != seeds:
                rule = f"a search is run once for each of problem.seeds, which are {seeds}; leave it out"
                raise ValueError(f"scheduler.repeats = {repeats}: {rule}")
        return self


def _default_scheduler(problem: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    kind = _get(problem, "kind", "")
    if kind != "search":
        return {"kind": "sweep" if kind == "tabulate" else "asha"}
    if given.get("kind", "sweep") != "sweep":
        return {}  # it does not fit, which is told later
    return {"kind": "sweep", **sweep_of_searches(_get(problem, "data", "digits"), _get(problem, "seeds", (0,)))}


def _get(part: Any, name: str, default: Any) -> Any:
    return part.get(name, default) if isinstance(part, Mapping) else getattr(part, name, default)


def _counts(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
