"""The study spec: one validated, versioned value that says everything a study is.

A TOML file, the command line and Python all make the same :class:`StudySpec`; it is stored with the
study, and a study resumed years later is the study it says.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from asha_nas.errors import SpecError, UserError
from asha_nas.schedulers import ladder
from spaces.darts_cell import OPERATION_SETS, parse_genotype
from spaces.errors import UnknownName
from trials.recipe import RECIPES, Recipe


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


# --- what a trial is -------------------------------------------------------------------------------


class _NetworkProblem(_Part):
    data: str = "digits"
    """Data set: ``digits`` (embedded) or ``cifar10``."""
    recipe: Recipe = Field(default_factory=Recipe)
    """How a network is trained. What is left out comes from the data set's own recipe."""

    @model_validator(mode="before")
    @classmethod
    def _complete_recipe(cls, values: Any) -> Any:
        if isinstance(values, Mapping):
            data = values.get("data", "digits")
            if not isinstance(data, str) or data not in RECIPES:
                raise UnknownName("data set", str(data), RECIPES)
            given = values.get("recipe", {})
            if isinstance(given, Mapping):
                base = dataclasses.asdict(RECIPES[data])
                unknown = set(given) - set(base)
                if unknown:
                    raise UnknownName("recipe setting", min(unknown), base)
                return {**values, "recipe": {**base, **given}}
        return values


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

    @property
    def mode(self) -> Literal["min", "max"]:
        """Less is better."""
        return "min"


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

    @property
    def mode(self) -> Literal["min", "max"]:
        """Less is better."""
        return "min"


class Objective(_Part):
    """A trial is a call of the user's own function."""

    kind: Literal["objective"] = "objective"
    objective: str
    """``installed_module:function``; see :class:`trials.objective.Objective` for what it gets and gives."""
    space: dict[str, Any] | str
    """Hyperparameters in short form or as ConfigSpace serialises them, or ``installed_module:space``."""
    metric: str = "loss"
    mode: Literal["min", "max"] = "min"


# --- what is decided -------------------------------------------------------------------------------


class _Bounds(_Part):
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


# --- where it runs ---------------------------------------------------------------------------------


class Workers(_Part):
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
    dashboard: bool = True
    """Start Ray's dashboard with a Ray of our own (on loopback)."""

    @field_validator("gpus_per_trial")
    @classmethod
    def _whole_above_one(cls, value: float) -> float:
        if value > 1 and not value.is_integer():
            raise ValueError("must be a whole number, or a fraction below 1")
        return value


class Retries(_Part):
    """How often an attempt that failed is repeated, by kind of failure. Divergence is never retried."""

    crashed: int = Field(default=1, ge=0)
    out_of_memory: int = Field(default=1, ge=0)
    worker_lost: int = Field(default=3, ge=0)

    def allowed(self, kind: str) -> int:
        """Repeats allowed for this kind of failure."""
        return {
            "crashed": self.crashed, "out_of_memory": self.out_of_memory, "worker_lost": self.worker_lost,
        }.get(kind, 0)  # fmt: skip


class StudySpec(_Part):
    """Everything a study is, before it runs."""

    version: Literal[1] = 1
    """Version of this form."""
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    """Names the study in its store: letters, digits, ``.``, ``_``, ``-``."""
    seed: int = Field(default=0, ge=0, lt=2**31)
    """Everything random in the study follows from it."""
    problem: Annotated[PartialTraining | FullTraining | Objective, Field(discriminator="kind")]
    scheduler: Annotated[Asha | Random, Field(discriminator="kind")]
    engine: Workers = Workers()
    retries: Retries = Retries()
    checkpoints: str | None = None
    """Folder or fsspec URL for checkpoints, reachable by all workers; default: the user's data folder."""

    @field_validator("checkpoints")
    @classmethod
    def _absolute(cls, value: str | None) -> str | None:
        # Workers have working folders of their own, where a relative path would mean another place.
        return value if value is None or "://" in value else str(Path(value).expanduser().absolute())

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
            if problem["kind"] in ("darts-cnn", "evaluate") and isinstance(recipe, Mapping) and _counts(cpus):
                problem["recipe"] = {"threads": max(1, int(cpus)), **recipe}
        if isinstance(scheduler, Mapping):
            scheduler = {"kind": "asha", **scheduler}
        return {**values, "problem": problem, "scheduler": scheduler}


def _get(part: Any, name: str, default: Any) -> Any:
    return part.get(name, default) if isinstance(part, Mapping) else getattr(part, name, default)


def _counts(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


Model = TypeVar("Model", bound=BaseModel)


def make_spec(values: Mapping[str, Any]) -> StudySpec:
    """The spec that plain values make.

    Raises:
        SpecError: a value is missing, unknown or breaks a rule; one line for each.
        UserError: a name is unknown, or r, R and η make no ladder.
    """
    return _validated(StudySpec, values)


def read_spec(path: Path, **overrides: Any) -> StudySpec:
    """The spec in a TOML file; top-level ``overrides`` that are not None win over the file.

    Raises:
        SpecError: no such file, not TOML, or not a study.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"study file {path}: {getattr(error, 'strerror', None) or error}") from None
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"study file {path}: not TOML: {error}") from None
    values.setdefault("name", path.stem)
    try:
        return make_spec({**values, **{key: value for key, value in overrides.items() if value is not None}})
    except UserError as error:
        raise SpecError(f"study file {path}: {error}") from None


def _validated(model: type[Model], values: Mapping[str, Any]) -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise SpecError("\n".join(_in_words(model, problem) for problem in error.errors()[:5])) from None


def _in_words(model: type[BaseModel], problem: Mapping[str, Any]) -> str:
    """One line: where, what was given, the rule."""
    # pydantic puts the chosen member of a union second in the location; a reader knows it only as `kind`.
    place = [str(part) for n, part in enumerate(problem["loc"]) if n != 1 or part not in _KINDS]
    where = ".".join(place) or "study"
    if problem["type"] == "extra_forbidden":
        return f"unknown key {where!r}{_nearest(place[-1], _keys(model, problem['loc'][:-1]))}"
    if problem["type"] == "missing":
        return f"{where} is missing"
    rule = problem["msg"].removeprefix("Value error, ")
    given = problem["input"]
    return f"{where}: {rule}" if isinstance(given, Mapping) else f"{where} = {given!r}: {rule}"


_KINDS = {"darts-cnn", "evaluate", "objective", "asha", "random"}


def _keys(model: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    """The keys known at a place in the spec."""
    by_place: dict[Any, type[BaseModel]] = {
        "darts-cnn": PartialTraining, "evaluate": FullTraining, "objective": Objective, "asha": Asha, "random": Random,
        "engine": Workers, "retries": Retries,
    }  # fmt: skip
    found = next((by_place[part] for part in reversed(location) if part in by_place), model)
    return list(found.model_fields)


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else f" (known: {', '.join(known)})"
